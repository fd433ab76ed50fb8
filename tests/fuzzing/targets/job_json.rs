//! Signed jobs as JSON: every job is written back unchanged, and any text is either refused or read
//! as such a job.
#![no_main]

use hashlease_fuzz::AnySigned;
use hashlease_primitives::SignedJob;
use libfuzzer_sys::fuzz_target;

fn round(signed: &SignedJob) -> String {
    let text = serde_json::to_string(signed).unwrap();
    assert_eq!(&serde_json::from_str::<SignedJob>(&text).unwrap(), signed);
    text
}

fuzz_target!(|input: (AnySigned, usize, u8, &str)| {
    let (AnySigned(signed), at, byte, any) = input;
    // changing one byte gives a text that is almost a job
    let mut text = round(&signed).into_bytes();
    let at = at % text.len();
    text[at] = byte;
    if let Ok(signed) = serde_json::from_slice::<SignedJob>(&text) {
        round(&signed);
    }
    if let Ok(signed) = serde_json::from_str::<SignedJob>(any) {
        round(&signed);
    }
});
