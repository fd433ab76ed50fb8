//! The build on several threads: keys are parted by their top bits, the parts sorted and hashed each on its own, and
//! their roots joined.

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

/// Parts for each thread, as a power of two: enough that none waits long for the last.
const PARTS_PER_THREAD_BITS: u32 = 3;
/// Most top bits that keys are parted by.
const MOST_BITS: u32 = 12;

/// The keys with the same top bits.
struct Part<'keys> {
    keys: &'keys mut [B256],
    built: Result<(Commitment, Growing), TrieError>,
}

/// Sorts `keys` and builds their outline.
///
/// # Errors
/// [`TrieError::Duplicate`] and [`TrieError::Collision`]: of several, the one with the lowest keys.
pub(crate) fn build(keys: &mut [B256], threads: NonZeroUsize) -> Result<Outline, TrieError> {
    let bits = threads.ilog2().saturating_add(PARTS_PER_THREAD_BITS).min(MOST_BITS);
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
            // where no more threads are to be had, fewer do the work
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

/// Joins the roots of the parts, left to right, each pair as soon as it is there.
fn join(parts: Vec<Part<'_>>) -> Result<Outline, TrieError> {
    let mut outline = Growing::default();
    let mut roots: Vec<Commitment> = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        let (mut root, below) = part.built?;
        outline.append(below);
        // as many pairs end with this part as its index ends with ones
        for _ in 0..index.trailing_ones() {
            let left = roots.pop().unwrap_or_default();
            let right = root;
            root = match (left.count, right.count) {
                // a lone leaf goes up to where its prefix is unique
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
    Ok(outline.finish(roots.pop().unwrap_or_default()))
}

/// Moves keys with equal top `bits` together, in place, and parts them.
fn part(keys: &mut [B256], bits: u32) -> Vec<Part<'_>> {
    let part_of = |key: &B256| {
        let top = prefix(&key.0).checked_shr(u64::BITS.saturating_sub(bits)).unwrap_or(0);
        usize::try_from(top).unwrap_or(usize::MAX)
    };
    let mut sizes = vec![0usize; 1usize.checked_shl(bits).unwrap_or(1)];
    for key in keys.iter() {
        if let Some(size) = sizes.get_mut(part_of(key)) {
            *size = size.saturating_add(1);
        }
    }
    // where the next key of each part goes, and where the part ends
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
