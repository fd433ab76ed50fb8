//! Merged mining: any bytes are either refused or written back unchanged. A proof built by the
//! rules holds; with one byte changed it does not.
#![no_main]

use alloy_primitives::B256;
use arbitrary::Arbitrary;
use hashlease_fuzz::twice;
use hashlease_pow::AuxPow;
use libfuzzer_sys::fuzz_target;

const MAGIC: &[u8] = b"\xfa\xbemm";

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    bytes: &'a [u8],
    header: [u8; 80],
    chain: u16,
    parent: [u8; 80],
    before: &'a [u8],
    after: &'a [u8],
    coinbase_branch: Vec<[u8; 32]>,
    chain_branch: Vec<[u8; 32]>,
    nonce: u32,
    /// The place of the changed byte, and its change.
    flip: (usize, u8),
}

fn root(leaf: [u8; 32], branch: &[[u8; 32]], index: u32) -> [u8; 32] {
    branch.iter().enumerate().fold(leaf, |node, (level, sibling)| {
        let right = index >> level & 1 == 1;
        twice(&if right { [*sibling, node] } else { [node, *sibling] }.concat())
    })
}

/// A coinbase whose lengths are below 253.
fn coinbase(script: &[u8]) -> Vec<u8> {
    let length = [script.len() as u8];
    let parts: [&[u8]; 8] =
        [&[1, 0, 0, 0, 1], &[0; 32], &[0xff; 4], &length, script, &[0xff; 4], &[0], &[0; 4]];
    parts.concat()
}

fn written(proof: &AuxPow<'_>, hash: &[u8]) -> Vec<u8> {
    let mut out = proof.coinbase.to_vec();
    out.extend(hash);
    for (branch, index) in
        [(proof.coinbase_branch, proof.coinbase_index), (proof.chain_branch, proof.chain_index)]
    {
        match u8::try_from(branch.len()) {
            Ok(count) if count < 0xfd => out.push(count),
            _ => {
                out.push(0xfd);
                out.extend((branch.len() as u16).to_le_bytes());
            }
        }
        out.extend(branch.as_flattened());
        out.extend(index.to_le_bytes());
    }
    out.extend(proof.parent);
    out
}

fuzz_target!(|input: Input<'_>| {
    let Input { bytes, header, chain, parent, before, after, .. } = input;
    if let Ok((proof, rest)) = AuxPow::parse(bytes) {
        let used = &bytes[..bytes.len() - rest.len()];
        let hash = &bytes[proof.coinbase.len()..][..32];
        assert_eq!(written(&proof, hash), used);
        let _ = proof.verify(&header, chain);
    }

    let Input { mut header, mut parent, mut coinbase_branch, mut chain_branch, nonce, .. } =
        Input { header, parent, ..input };
    header[1] |= 1;
    header[2..4].copy_from_slice(&chain.to_le_bytes());
    parent[2..4].copy_from_slice(&(!chain).to_le_bytes());
    coinbase_branch.truncate(12);
    chain_branch.truncate(30);
    let size = 1u32 << chain_branch.len();
    let step = |state: u32| state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
    // the version that contains the chain's number is signed
    let chain_index = step(step(nonce).wrapping_add(chain as i16 as u32)) % size;
    let mut committed = root(twice(&header), &chain_branch, chain_index);
    committed.reverse();
    let (before, after) = (&before[..before.len().min(60)], &after[..after.len().min(60)]);
    let script = [before, MAGIC, &committed, &size.to_le_bytes(), &nonce.to_le_bytes(), after].concat();
    // the magic occurs once, and no earlier place looks like the root
    let once = script.windows(4).filter(|window| *window == MAGIC).count() == 1
        && script.windows(32).position(|window| window == committed) == Some(before.len() + MAGIC.len());
    let coinbase = coinbase(&script);
    parent[36..68].copy_from_slice(&root(twice(&coinbase), &coinbase_branch, 0));
    let proof = AuxPow {
        coinbase: &coinbase,
        coinbase_branch: &coinbase_branch,
        coinbase_index: 0,
        chain_branch: &chain_branch,
        chain_index,
        parent: &parent,
    };
    let verdict = proof.verify(&header, chain);
    assert_eq!(verdict.is_ok(), once, "{verdict:?}");
    let bytes = written(&proof, B256::ZERO.as_slice());
    assert_eq!(AuxPow::parse(&bytes), Ok((proof, [].as_slice())));

    let (at, by) = input.flip;
    if by == 0 {
        return;
    }
    // the proof does not cover bytes that the parent's miner chooses freely
    let (length, free) = (bytes.len(), [0..36, 68..80]);
    let mut changed = bytes;
    let at = at % (length + 80);
    if at < length {
        changed[at] ^= by;
        let skipped = (coinbase.len()..coinbase.len() + 32).contains(&at);
        let in_parent = at.checked_sub(length - 80);
        if skipped || in_parent.is_some_and(|at| free.iter().any(|range| range.contains(&at))) {
            return;
        }
    } else {
        header[at - length] ^= by;
    }
    if let Ok((proof, [])) = AuxPow::parse(&changed) {
        assert!(proof.verify(&header, chain).is_err(), "a change of byte {at} goes unnoticed");
    }
});
