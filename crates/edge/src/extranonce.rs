//! Divides the free part of the extranonce among miners.
//!
//! ```text
//! tail (signed length n) = filler ‖ extranonce1 ‖ extranonce2 ‖ padding
//!                          └ into coinb1 ┘└ session ┘└ the miner's own ┘└ zeros, into coinb2
//!                          └────── own bytes ─────┘
//! ```
//! A job's [`Layout`] says how many own bytes tell sessions apart and how many are left to a miner;
//! [`Sizes`] are what a session announced. A session with smaller sizes than a job has room for can
//! mine it: most miners can't be given new sizes later. The own bytes are in the same place either
//! way: a shorter extranonce1 leaves more of them in the filler, and a shorter extranonce2 leaves a
//! padding.
//!
//! A counter that survives restarts gives each session bytes of its own, so no two sessions ever
//! search the same space while a job can still be mined. Its low bytes are the session's
//! extranonce1, which stays the same when the session changes lease; its high bytes are the filler.

use hashlease_share::EvidenceReason;
use std::num::NonZeroU64;

/// Shortest free part that can be divided among miners, bytes.
pub(crate) const MIN_TAIL: usize = 2;

/// Sizes announced to a miner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Length of extranonce1, bytes.
    pub(crate) extranonce1: usize,
    /// Length of extranonce2, bytes.
    pub(crate) extranonce2: usize,
}

/// Division of a job's free part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Bytes that tell sessions apart.
    own: usize,
    /// The largest sizes that a session can have for it.
    sizes: Sizes,
}

/// The free part is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "free extranonce of {0} bytes: expected at least {MIN_TAIL} to tell miners apart; ask the pool for a larger one"
)]
pub(crate) struct TailTooShort(pub(crate) usize);

impl Sizes {
    /// Announced before any job is known.
    pub(crate) const PLACEHOLDER: Self = Self { extranonce1: 2, extranonce2: 4 };

    /// The sizes that fit wherever these or the others fit.
    #[must_use]
    pub(crate) fn smaller(self, other: Self) -> Self {
        Self {
            extranonce1: self.extranonce1.min(other.extranonce1),
            extranonce2: self.extranonce2.min(other.extranonce2),
        }
    }

    /// Number of sessions that extranonce1 can distinguish.
    #[must_use]
    pub(crate) const fn sessions(self) -> NonZeroU64 {
        if self.extranonce1 == 1 { ONE_BYTE } else { TWO_BYTES }
    }
}

/// Values of one byte.
pub(crate) const ONE_BYTE: NonZeroU64 = NonZeroU64::MIN.saturating_add((1 << 8) - 1);
/// Values of two bytes.
pub(crate) const TWO_BYTES: NonZeroU64 = NonZeroU64::MIN.saturating_add((1 << 16) - 1);

impl Layout {
    /// The layout for a free part of `tail` bytes. The miner gets four bytes where possible,
    /// because some miners refuse less.
    ///
    /// # Errors
    /// [`TailTooShort`].
    pub(crate) const fn of_tail(tail: usize) -> Result<Self, TailTooShort> {
        let (extranonce1, extranonce2) = match tail {
            0 | 1 => return Err(TailTooShort(tail)),
            2 => (1, 1),
            3 => (1, 2),
            4 => (2, 2),
            5 => (2, 3),
            _ => (2, 4),
        };
        Ok(Self { own: tail.saturating_sub(extranonce2), sizes: Sizes { extranonce1, extranonce2 } })
    }

    /// The largest sizes that a session can have.
    #[must_use]
    pub(crate) const fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Whether a session with these sizes can mine a job with this layout.
    #[must_use]
    pub(crate) const fn has_room_for(&self, session: Sizes) -> bool {
        self.own >= session.extranonce1 && self.sizes.extranonce2 >= session.extranonce2
    }

    /// The filler and the padding around the extranonce of a session with the `announced` sizes, in
    /// a job with this layout.
    #[must_use]
    pub(crate) fn around(&self, announced: Sizes, session: u64) -> (Vec<u8>, Vec<u8>) {
        let (filler, _) = self.own_bytes(announced, session);
        (filler, self.padding(announced))
    }

    /// The whole tail of a share: `extranonce2` as submitted by a session with the `announced`
    /// sizes, for a job with this layout.
    ///
    /// # Errors
    /// [`EvidenceReason::ExtranonceLength`].
    pub(crate) fn complete(
        &self,
        announced: Sizes,
        session: u64,
        extranonce2: &[u8],
    ) -> Result<Vec<u8>, EvidenceReason> {
        let (expected, actual) = (announced.extranonce2, extranonce2.len());
        if actual != expected {
            return Err(EvidenceReason::ExtranonceLength { expected, actual });
        }
        let (filler, extranonce1) = self.own_bytes(announced, session);
        Ok([&filler, &extranonce1, extranonce2, &self.padding(announced)].concat())
    }

    fn padding(&self, announced: Sizes) -> Vec<u8> {
        vec![0; self.sizes.extranonce2.saturating_sub(announced.extranonce2)]
    }

    /// Filler and extranonce1 of a session with the `announced` sizes.
    fn own_bytes(&self, announced: Sizes, session: u64) -> (Vec<u8>, Vec<u8>) {
        let mut bytes = low_bytes(session, self.own);
        let extranonce1 = bytes.split_off(self.own.saturating_sub(announced.extranonce1));
        (bytes, extranonce1)
    }
}

/// The low `length` bytes of a session's number, most significant first; an extranonce1 is one.
#[must_use]
pub(crate) fn low_bytes(session: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0u8; length];
    for (place, byte) in bytes.iter_mut().rev().zip(session.to_le_bytes()) {
        *place = byte;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_tail_is_used_up_exactly() {
        for tail in MIN_TAIL..=32 {
            let layout = Layout::of_tail(tail).unwrap();
            let sizes = layout.sizes();
            let (filler, extranonce1) = layout.own_bytes(sizes, 7);
            assert_eq!(extranonce1.len(), sizes.extranonce1);
            assert_eq!(filler.len() + extranonce1.len() + sizes.extranonce2, tail);
        }
        assert_eq!(Layout::of_tail(1), Err(TailTooShort(1)));
    }

    #[test]
    fn a_share_is_completed_to_what_the_miner_saw() {
        let layout = Layout::of_tail(10).unwrap();
        for extranonce1 in [1, 2] {
            for extranonce2 in [1, 3, 4] {
                let announced = Sizes { extranonce1, extranonce2 };
                let chosen = vec![0xcc; extranonce2];
                let tail = layout.complete(announced, 0x0102_0304, &chosen).unwrap();
                let (filler, padding) = layout.around(announced, 0x0102_0304);
                let own = low_bytes(0x0102_0304, extranonce1);
                assert_eq!(tail, [filler, own, chosen, padding].concat());
                assert_eq!(tail.len(), 10);
                let wrong = EvidenceReason::ExtranonceLength { expected: extranonce2, actual: 2 };
                assert_eq!(layout.complete(announced, 7, &[0; 2]), Err(wrong));
            }
        }
    }

    #[test]
    fn the_smallest_sizes_fit_every_layout() {
        let layouts = (MIN_TAIL..=32).map(|tail| Layout::of_tail(tail).unwrap());
        let smallest = layouts.clone().map(|layout| layout.sizes()).reduce(Sizes::smaller).unwrap();
        for layout in layouts {
            assert!(layout.has_room_for(smallest), "{layout:?}");
            assert!(layout.has_room_for(layout.sizes()), "{layout:?}");
        }
        assert!(!Layout::of_tail(3).unwrap().has_room_for(Sizes::PLACEHOLDER));
    }

    #[test]
    fn sessions_get_disjoint_space() {
        for tail in [2, 4, 8] {
            let layout = Layout::of_tail(tail).unwrap();
            let sizes = layout.sizes();
            let sessions = sizes.sessions().get();
            let seen: HashSet<_> = (0..sessions).map(|n| layout.own_bytes(sizes, n)).collect();
            assert_eq!(seen.len() as u64, sessions);
        }
        let layout = Layout::of_tail(8).unwrap();
        assert_ne!(
            layout.own_bytes(layout.sizes(), 1),
            layout.own_bytes(layout.sizes(), 1 + (1 << 16)),
            "the filler holds the counter's high bytes"
        );
    }

    #[test]
    fn sessions_of_different_sizes_get_disjoint_space() {
        let layout = Layout::of_tail(8).unwrap();
        let whole = |extranonce1, session| {
            let announced = Sizes { extranonce1, extranonce2: 2 };
            layout.complete(announced, session, &[9, 9]).unwrap()
        };
        assert_eq!(whole(1, 0x0102), whole(2, 0x0102), "only the number decides");
        assert_ne!(whole(1, 0x0102), whole(2, 0x0202));
    }
}
