//! Terms, jobs and shares as bytes: reading and writing reverse each other.
#![no_main]

use hashlease_fuzz::AnySigned;
use hashlease_primitives::{JobKind, LeaseId};
use hashlease_share::wire::{self, Fields, put_job, put_share, put_terms};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (AnySigned, &[u8])| {
    let (AnySigned(signed), bytes) = input;
    let mut out = Vec::new();
    put_job(&mut out, &signed).unwrap();
    let mut fields = Fields::new(&out);
    assert_eq!(wire::job(&mut fields, signed.job.kind(), signed.job.lease()).unwrap(), signed);
    fields.end().unwrap();
    // a job cut at any place is refused as cut
    let cut = out.len() * usize::from(bytes.first().copied().unwrap_or_default()) / 256;
    let refused = wire::job(&mut Fields::new(&out[..cut]), signed.job.kind(), signed.job.lease());
    assert!(refused.unwrap_err().short);

    let mut fields = Fields::new(bytes);
    if let Ok(terms) = wire::terms(&mut fields) {
        let mut out = Vec::new();
        put_terms(&mut out, &terms);
        assert_eq!(out, bytes[..fields.offset()]);
    }
    for kind in [JobKind::Header, JobKind::Ethash] {
        let mut fields = Fields::new(bytes);
        if let Ok(signed) = wire::job(&mut fields, kind, LeaseId(9)) {
            let mut out = Vec::new();
            put_job(&mut out, &signed).unwrap();
            assert_eq!(out, bytes[..fields.offset()]);
        }
        let mut fields = Fields::new(bytes);
        if let Ok(share) = wire::share(&mut fields, kind) {
            let mut out = Vec::new();
            put_share(&mut out, &share);
            assert_eq!(out, bytes[..fields.offset()]);
        }
    }
});
