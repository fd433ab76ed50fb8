//! Shared by several targets: jobs and headers built straight from their definitions, a key, a
//! lease.

use alloy_primitives::B256;
use arbitrary::{Arbitrary, Result, Unstructured};
pub use hashlease_fixtures::sign;
use hashlease_pow::ethash::{EthashEpoch, LightCache};
use hashlease_primitives::{Algorithm, EthashJob, HeaderJob, Job, LeaseId, SignedJob, Terms, UnixSeconds};
use hashlease_share::{EthashShare, HeaderShare, Share};
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, LazyLock};

/// First second of the lease.
pub const START: u32 = 1_700_000_000;

/// A cache as large as that of epoch 0, with other bytes: the rules don't depend on its content.
pub static CACHE: LazyLock<Arc<LightCache>> = LazyLock::new(|| {
    let epoch = EthashEpoch::of_ethash_block(0).unwrap();
    let bytes: Vec<u8> = (0..epoch.cache_size()).map(|at| ((at * 0x9e37) >> 7) as u8).collect();
    Arc::new(LightCache::from_bytes(epoch, &bytes).unwrap())
});

/// A lease of two epochs, with the easiest target.
pub fn terms(algorithm: Algorithm) -> Terms {
    Terms { algorithm, ..hashlease_fixtures::terms(START.into(), 7_200, 3_600) }
}

/// SHA-256 twice, computed by another crate.
pub fn twice(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(bytes)).into()
}

/// A header as Bitcoin defines it, without regard to speed.
#[allow(clippy::too_many_arguments)]
pub fn header(
    coinbase: &[&[u8]],
    branch: &[B256],
    prev_hash: &B256,
    n_bits: u32,
    ntime: u32,
    nonce: u32,
    version: u32,
) -> [u8; 80] {
    let root = branch.iter().fold(twice(&coinbase.concat()), |left, right| twice(&[left, right.0].concat()));
    let (version, ntime) = (version.to_le_bytes(), ntime.to_le_bytes());
    let (n_bits, nonce) = (n_bits.to_le_bytes(), nonce.to_le_bytes());
    let parts: [&[u8]; 6] = [&version, prev_hash.as_slice(), &root, &ntime, &n_bits, &nonce];
    parts.concat().try_into().unwrap()
}

/// At most `most` bytes.
pub fn bytes(u: &mut Unstructured<'_>, most: usize) -> Result<Vec<u8>> {
    let length = u.int_in_range(0..=most)?;
    Ok(u.bytes(length.min(u.len()))?.to_vec())
}

/// A time around the lease's start, most often inside the lease.
pub fn time(u: &mut Unstructured<'_>) -> Result<u32> {
    Ok(if u.ratio(1, 16)? { u.arbitrary()? } else { (START - 64).saturating_add(u.int_in_range(0..=8_191)?) })
}

/// A job whose lengths may lie on either side of every limit.
pub fn header_job(u: &mut Unstructured<'_>) -> Result<HeaderJob> {
    let not_before = u64::from(time(u)?);
    Ok(HeaderJob {
        lease: LeaseId(if u.ratio(1, 32)? { u.arbitrary()? } else { 1 }),
        sequence: u.arbitrary()?,
        prev_hash: B256::new(u.arbitrary()?),
        n_bits: u.arbitrary()?,
        version: u.arbitrary()?,
        version_mask: u.arbitrary::<u32>()? & if u.ratio(7, 8)? { 0x1fff_ffe0 } else { u32::MAX },
        not_before: UnixSeconds::new(not_before),
        not_after: UnixSeconds::new(
            not_before.saturating_add(u.int_in_range(0..=620)?).saturating_sub(u.int_in_range(0..=2)?),
        ),
        tail_length: u.int_in_range(0..=34)?,
        coinbase_prefix: bytes(u, 2_100)?.into(),
        coinbase_suffix: bytes(u, 2_100)?.into(),
        branch: (0..u.int_in_range(0..=17)?)
            .map(|_| Ok(B256::repeat_byte(u.arbitrary()?)))
            .collect::<Result<_>>()?,
    })
}

/// The same for Ethash, in the first two epochs of the DAG.
pub fn ethash_job(u: &mut Unstructured<'_>) -> Result<EthashJob> {
    let not_before = u64::from(time(u)?);
    Ok(EthashJob {
        lease: LeaseId(1),
        sequence: u.arbitrary()?,
        seal_hash: B256::new(u.arbitrary()?),
        block_number: if u.ratio(1, 16)? { u.arbitrary()? } else { u.int_in_range(0..=31_000)? },
        nonce_prefix: bytes(u, 7)?.into(),
        not_before: UnixSeconds::new(not_before),
        not_after: UnixSeconds::new(not_before.saturating_add(u.int_in_range(0..=620)?)),
    })
}

/// A job of either kind, whose signature may be invalid.
#[derive(Debug)]
pub struct AnySigned(pub SignedJob);

impl<'a> Arbitrary<'a> for AnySigned {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let job = if u.arbitrary()? { Job::Header(header_job(u)?) } else { Job::Ethash(ethash_job(u)?) };
        Ok(Self(SignedJob { job, signature: u.arbitrary()? }))
    }
}

/// A share that follows most rules of its job.
pub fn share(u: &mut Unstructured<'_>, job: &Job) -> Result<Share> {
    Ok(match job {
        Job::Header(job) => {
            let length =
                if u.ratio(15, 16)? { usize::from(job.tail_length).min(32) } else { u.int_in_range(0..=32)? };
            let mut tail = bytes(u, 32)?;
            tail.resize(length, 0xa5);
            let rolled: u32 = u.arbitrary()?;
            let mask = if u.ratio(15, 16)? { job.version_mask } else { u32::MAX };
            let near = u.int_in_range(0..=64)?;
            HeaderShare {
                tail: tail.into_iter().collect(),
                ntime: if u.ratio(7, 8)? {
                    u32::try_from(job.not_before).unwrap_or(u32::MAX).saturating_add(near)
                } else {
                    time(u)?
                },
                nonce: u.arbitrary()?,
                version: job.version ^ (rolled & mask),
            }
            .into()
        }
        Job::Ethash(job) => {
            let mut nonce: [u8; 8] = u.arbitrary()?;
            if u.ratio(7, 8)? {
                let length = job.nonce_prefix.len();
                nonce[..length].copy_from_slice(&job.nonce_prefix);
                nonce[length] = u.int_in_range(0..=1)?;
            }
            EthashShare { nonce: u64::from_be_bytes(nonce) }.into()
        }
    })
}
