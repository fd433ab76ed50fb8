//! When two jobs are over the same work, and what a share of one is in terms of the other.
//!
//! A piece of work belongs to the lease for which it was first shown, so members and nodes must
//! know which jobs a share could have been mined for.

use crate::{EthashShare, HeaderShare, OpenedShare, Share, VerifiedJob, share_rules::epoch_byte};
use arrayvec::ArrayVec;
use hashlease_primitives::{EthashJob, HeaderJob, Job};

impl VerifiedJob {
    /// Whether some header could be a share of both jobs: the same block and branch, coinbases that
    /// one coinbase can satisfy, windows that share a second; for Ethash the same seal hash and
    /// nonces that one nonce can satisfy.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        if self.terms().algorithm != other.terms().algorithm {
            return false;
        }
        match (self.job(), other.job()) {
            (Job::Header(one), Job::Header(two)) => headers_overlap(one, two),
            (Job::Ethash(one), Job::Ethash(two)) => {
                let fixed = fixed_nonce(self, one).zip(fixed_nonce(other, two));
                one.seal_hash == two.seal_hash
                    && fixed.is_some_and(|(one, two)| one.iter().zip(&two).all(|(one, two)| one == two))
            }
            _ => false,
        }
    }

    /// The choices within this job that make the same header as an opened share of another job;
    /// `None` if no choice does. Whether they keep the rest of the rules, [`VerifiedJob::open`] says.
    #[must_use]
    pub fn same_header(&self, of: &Self, share: &OpenedShare) -> Option<Share> {
        if self.terms().algorithm != of.terms().algorithm {
            return None;
        }
        match (self.job(), of.job(), &share.share) {
            (Job::Header(mine), Job::Header(theirs), Share::Header(share)) => {
                let same = mine.prev_hash == theirs.prev_hash
                    && mine.n_bits == theirs.n_bits
                    && mine.branch == theirs.branch;
                let tail = same.then(|| tail_of(mine, theirs, &share.tail)).flatten()?;
                Some(Share::Header(HeaderShare { tail, ..share.clone() }))
            }
            (Job::Ethash(mine), Job::Ethash(theirs), Share::Ethash(share)) => (mine.seal_hash
                == theirs.seal_hash)
                .then_some(Share::Ethash(EthashShare { nonce: share.nonce })),
            _ => None,
        }
    }
}

fn headers_overlap(one: &HeaderJob, two: &HeaderJob) -> bool {
    let fixed = !(one.version_mask | two.version_mask);
    one.prev_hash == two.prev_hash
        && one.n_bits == two.n_bits
        && one.branch == two.branch
        && (one.version ^ two.version) & fixed == 0
        && one.not_before.max(two.not_before) <= one.not_after.min(two.not_after)
        && coinbases_overlap(one, two)
}

/// The bytes of a coinbase in their order: `None` where the miner chooses.
fn coinbase(job: &HeaderJob) -> impl Iterator<Item = Option<u8>> {
    let free = std::iter::repeat_n(None, usize::from(job.tail_length));
    job.coinbase_prefix
        .iter()
        .copied()
        .map(Some)
        .chain(free)
        .chain(job.coinbase_suffix.iter().copied().map(Some))
}

fn coinbases_overlap(one: &HeaderJob, two: &HeaderJob) -> bool {
    let (mut one, mut two) = (coinbase(one), coinbase(two));
    loop {
        match (one.next(), two.next()) {
            (None, None) => return true,
            (Some(one), Some(two)) => {
                if one.zip(two).is_some_and(|(one, two)| one != two) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// The free part of `mine` in the coinbase that `tail` makes of `theirs`.
fn tail_of(mine: &HeaderJob, theirs: &HeaderJob, tail: &[u8]) -> Option<ArrayVec<u8, { crate::MAX_TAIL }>> {
    let made = theirs.coinbase_prefix.iter().chain(tail).chain(theirs.coinbase_suffix.iter());
    let mut free = ArrayVec::new();
    let mut wanted = coinbase(mine);
    for byte in made {
        match wanted.next()? {
            Some(fixed) if fixed == *byte => {}
            Some(_) => return None,
            None => free.try_push(*byte).ok()?,
        }
    }
    wanted.next().is_none().then_some(free)
}

/// The bytes of a nonce that a job fixes: its prefix and the byte of the epoch.
fn fixed_nonce(job: &VerifiedJob, ethash: &EthashJob) -> Option<ArrayVec<u8, 8>> {
    let mut fixed = ArrayVec::new();
    fixed.try_extend_from_slice(&ethash.nonce_prefix).ok()?;
    fixed.try_push(epoch_byte(job)?).ok()?;
    Some(fixed)
}
