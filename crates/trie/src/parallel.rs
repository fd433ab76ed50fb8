//! Building on several threads: keys are split into parts by their top bits, each part is sorted
//! and hashed on one thread, and the roots are joined.

use crate::{
    Builder, Outline, TrieError,
    node::{node, prefix},
    outline::{Growing, PAGE},
};
use alloy_primitives::B256;
use hashlease_primitives::Commitment;
use std::{
    mem,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    thread,
};

/// Parts for each thread, as a power of two: enough that no thread waits long for the last part.
const PARTS_PER_THREAD_BITS: u32 = 3;
/// Largest number of top bits by which keys are split.
const MAX_BITS: u32 = 12;

/// The keys with the same top bits.
struct Part<'keys> {
    keys: &'keys mut [B256],
    built: Result<(Commitment, Growing), TrieError>,
}

/// Sorts `keys` and builds their outline.
///
/// # Errors
/// [`TrieError::Duplicate`] and [`TrieError::Collision`]: of several errors, that of the lowest
/// keys.
pub(crate) fn build(keys: &mut [B256], threads: NonZeroUsize) -> Result<Outline, TrieError> {
    let bits = threads.ilog2().saturating_add(PARTS_PER_THREAD_BITS).min(MAX_BITS);
    // never the fallback: at most `MAX_BITS`
    let floor = usize::try_from(bits).unwrap_or(usize::MAX);
    let mut parts = part(keys, bits);
    let others = threads.get().min(parts.len()).saturating_sub(1);
    let queue = Mutex::new(parts.iter_mut());
    let work = || {
        // the lock is held while a part is taken, not while it is built
        let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some(part) = take() {
            part.built = build_part(part.keys, floor);
        }
    };
    thread::scope(|scope| {
        for _ in 0..others {
            // if the system starts no more threads, the others do the work
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    join(parts)
}

fn build_part(keys: &mut [B256], floor: usize) -> Result<(Commitment, Growing), TrieError> {
    keys.sort_unstable();
    let mut builder = Builder::below(floor);
    for key in keys {
        builder.push(*key)?;
    }
    Ok(builder.finish_subtree())
}

/// Joins the roots of the parts from left to right, each pair as soon as both are known.
fn join(parts: Vec<Part<'_>>) -> Result<Outline, TrieError> {
    let mut outline = Growing::default();
    let mut roots: Vec<Commitment> = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        let (mut root, below) = part.built?;
        outline.append(below);
        // the index ends in one 1 bit for each pair that this part completes
        for _ in 0..index.trailing_ones() {
            // never the fallback: the left part of the pair was pushed before
            let left = roots.pop().unwrap_or_default();
            let right = root;
            root = match (left.count, right.count) {
                // a lone leaf moves up to the depth at which its prefix is unique
                (0, 0 | 1) => right,
                (1, 0) => left,
                _ => node(left, right)?,
            };
            if root.count > PAGE {
                outline.push(left, right);
            }
        }
        roots.push(root);
    }
    // never the fallback: there is at least one part
    Ok(outline.finish(roots.pop().unwrap_or_default()))
}

/// Groups keys by their top `bits`, in place, and splits them into parts.
fn part(keys: &mut [B256], bits: u32) -> Vec<Part<'_>> {
    let part_of = |key: &B256| {
        let top = prefix(&key.0).checked_shr(u64::BITS.saturating_sub(bits)).unwrap_or(0);
        // never the fallback: at most `MAX_BITS` bits
        usize::try_from(top).unwrap_or(usize::MAX)
    };
    let mut sizes = vec![0usize; 1usize.checked_shl(bits).unwrap_or(1)];
    for key in keys.iter() {
        if let Some(size) = sizes.get_mut(part_of(key)) {
            *size = size.saturating_add(1);
        }
    }
    // for each part, where its next key goes and where it ends
    let mut end = 0usize;
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(sizes.len());
    for size in &sizes {
        let start = end;
        end = end.saturating_add(*size);
        places.push((start, end));
    }
    for index in 0..places.len() {
        while let Some((place, end)) = places.get(index).copied()
            && place < end
            && let Some(key) = keys.get(place)
        {
            let home = part_of(key);
            if let Some((to, _)) = places.get_mut(home) {
                if home != index {
                    keys.swap(place, *to);
                }
                *to = to.saturating_add(1);
            }
        }
    }
    let mut rest = keys;
    let mut parts = Vec::with_capacity(sizes.len());
    for size in sizes {
        let (keys, others) = mem::take(&mut rest).split_at_mut(size);
        rest = others;
        parts.push(Part { keys, built: Ok((Commitment::default(), Growing::default())) });
    }
    parts
}
