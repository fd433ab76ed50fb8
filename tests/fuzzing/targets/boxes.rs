//! The renter's sealed boxes for node and gateway: any plain text is either refused or has exactly
//! one content.
#![no_main]

use hashlease_primitives::{BoxContent, GatewayBox, NodeBox, NodeKey};
use libfuzzer_sys::fuzz_target;
use std::fmt::Debug;
use std::sync::LazyLock;

static KEY: LazyLock<NodeKey> = LazyLock::new(|| NodeKey::from_hex(&"07".repeat(32)).unwrap());

fn decode<T: BoxContent + PartialEq + Debug>(plain: &[u8]) {
    let Ok(content) = T::decode(plain) else { return };
    assert_eq!(T::decode(&content.encode()), Ok(content));
}

fuzz_target!(|input: (&[u8], &[u8])| {
    let (plain, sealed) = input;
    decode::<NodeBox>(plain);
    decode::<GatewayBox>(plain);
    // random bytes are never sealed to this key
    assert!(KEY.open::<NodeBox>(sealed).is_err());
});
