//! A provider's signed epoch root as JSON from any sender: a member writes it back unchanged, or
//! refuses it.
#![no_main]

use alloy_primitives::Address;
use hashlease_primitives::{Commitment, Domain, EpochId, EpochRoot, LeaseId, SignedEpochRoot};
use libfuzzer_sys::fuzz_target;

type Fields<'a> = (u64, u32, [u8; 32], u64, &'a str, [u8; 65]);

fn read(text: &[u8]) {
    let Ok(signed) = serde_json::from_slice::<SignedEpochRoot>(text) else { return };
    let again = serde_json::to_vec(&signed).unwrap();
    assert_eq!(serde_json::from_slice::<SignedEpochRoot>(&again).unwrap(), signed);
    let domain = Domain { chain_id: 31_337, contract: Address::repeat_byte(2) };
    let _ = signed.signer(&domain);
}

fuzz_target!(|input: (Fields<'_>, usize, u8, &[u8])| {
    let ((lease, epoch, root, count, evidence, signature), at, byte, any) = input;
    let root = EpochRoot {
        id: EpochId::new(LeaseId(lease), epoch),
        commitment: Commitment { root: root.into(), count },
        evidence: evidence.to_owned(),
    };
    let mut text = serde_json::to_vec(&SignedEpochRoot { root, signature }).unwrap();
    read(&text);
    let at = at % text.len();
    text[at] = byte;
    read(&text);
    read(any);
});
