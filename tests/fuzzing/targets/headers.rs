//! Headers of any mixture of templates: every engine of this machine gives the hash of the plain
//! definition.
#![no_main]

use alloy_primitives::B256;
use arbitrary::{Arbitrary, Result, Unstructured};
use hashlease_fuzz::{bytes, header, twice};
use hashlease_pow::sha256::{Choice, Engine, HeaderTemplate, hash_headers};
use libfuzzer_sys::fuzz_target;

#[derive(Debug)]
struct Parts {
    prefix: Vec<u8>,
    tail_length: usize,
    suffix: Vec<u8>,
    branch: Vec<B256>,
    prev_hash: B256,
    n_bits: u32,
}

impl<'a> Arbitrary<'a> for Parts {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            prefix: bytes(u, 300)?,
            tail_length: u.int_in_range(0..=140)?,
            suffix: bytes(u, 300)?,
            branch: vec![B256::repeat_byte(u.arbitrary()?); u.int_in_range(0..=5)?],
            prev_hash: B256::repeat_byte(u.arbitrary()?),
            n_bits: u.arbitrary()?,
        })
    }
}

#[derive(Debug)]
struct Input {
    parts: Vec<Parts>,
    /// Template, tail (of any length), time, nonce, version.
    choices: Vec<(usize, Vec<u8>, [u32; 3])>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        // more shapes than are gathered at a time
        let parts = (0..u.int_in_range(1..=20)?).map(|_| u.arbitrary()).collect::<Result<Vec<_>>>()?;
        let mut choices = Vec::new();
        for _ in 0..u.int_in_range(1..=48)? {
            choices.push((u.choose_index(parts.len())?, bytes(u, 150)?, u.arbitrary()?));
        }
        Ok(Self { parts, choices })
    }
}

fuzz_target!(|input: Input| {
    let Input { parts, choices } = input;
    let templates: Vec<HeaderTemplate> = parts
        .iter()
        .map(|p| HeaderTemplate::new(&p.prefix, p.tail_length, &p.suffix, &p.branch, &p.prev_hash, p.n_bits))
        .collect();
    let expected: Vec<[u8; 80]> = choices
        .iter()
        .map(|(at, tail, [ntime, nonce, version])| {
            let p = &parts[*at];
            // cut or padded with zeros to the template's length
            let mut tail = tail.clone();
            tail.resize(p.tail_length, 0);
            let coinbase: [&[u8]; 3] = [&p.prefix, &tail, &p.suffix];
            header(&coinbase, &p.branch, &p.prev_hash, p.n_bits, *ntime, *nonce, *version)
        })
        .collect();
    for engine in Engine::available() {
        let mut found = vec![None; choices.len()];
        let items = choices.iter().map(|(at, tail, [ntime, nonce, version])| {
            (&templates[*at], Choice { tail, ntime: *ntime, nonce: *nonce, version: *version })
        });
        hash_headers(engine, items, |at, hashed| {
            assert!(found[at].replace(hashed).is_none(), "{engine:?}: one hash a header");
        });
        for (found, expected) in found.into_iter().zip(&expected) {
            let found = found.unwrap();
            assert_eq!(found.header, *expected, "{engine:?}");
            assert_eq!(found.digest.0, twice(expected), "{engine:?}");
        }
    }
});
