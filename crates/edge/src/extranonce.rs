//! Divides the free part of the extranonce among miners.
//!
//! ```text
//! tail (signed length n) = filler ‖ extranonce1 ‖ extranonce2 ‖ padding
//!                          └ into coinb1 ┘└ session ┘└ the miner's own ┘└ zeros, into coinb2
//! ```
//! The padding is empty unless the miner was given a shorter extranonce2 than the job has room for:
//! most miners can't be given a new length later. The session's own bytes are in the same place
//! either way.
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
pub(crate) struct Layout {
    /// Bytes before extranonce1, which the miner sees as part of the coinbase.
    pub(crate) filler: usize,
    /// Length of extranonce1, bytes.
    pub extranonce1: usize,
    /// Length of extranonce2, bytes.
    pub extranonce2: usize,
}

/// The free part is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "free extranonce of {0} bytes: expected at least {MIN_TAIL} to tell miners apart; ask the pool for a larger one"
)]
pub(crate) struct TailTooShort(pub(crate) usize);

impl Layout {
    /// Announced before any job is known.
    pub(crate) const PLACEHOLDER: Self = Self { filler: 0, extranonce1: 2, extranonce2: 4 };

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
        Ok(Self {
            filler: tail.saturating_sub(extranonce1).saturating_sub(extranonce2),
            extranonce1,
            extranonce2,
        })
    }

    /// Whether a session with these sizes can mine a job with this layout.
    #[must_use]
    pub(crate) const fn has_room_for(&self, session: &Self) -> bool {
        self.extranonce1 == session.extranonce1 && self.extranonce2 >= session.extranonce2
    }

    /// The filler and the padding around the extranonce of a session with the `announced` sizes, in
    /// a job with this layout.
    #[must_use]
    pub(crate) fn around(&self, announced: &Self, session: u64) -> (Vec<u8>, Vec<u8>) {
        let (filler, _) = self.session_bytes(session);
        (filler, self.padding(announced))
    }

    /// The whole tail of a share: `extranonce2` as submitted by a session with the `announced`
    /// sizes, for a job with this layout.
    ///
    /// # Errors
    /// [`EvidenceReason::ExtranonceLength`].
    pub(crate) fn complete(
        &self,
        announced: &Self,
        session: u64,
        extranonce2: &[u8],
    ) -> Result<Vec<u8>, EvidenceReason> {
        let (expected, actual) = (announced.extranonce2, extranonce2.len());
        if actual != expected {
            return Err(EvidenceReason::ExtranonceLength { expected, actual });
        }
        let (filler, extranonce1) = self.session_bytes(session);
        Ok([&filler, &extranonce1, extranonce2, &self.padding(announced)].concat())
    }

    fn padding(&self, announced: &Self) -> Vec<u8> {
        vec![0; self.extranonce2.saturating_sub(announced.extranonce2)]
    }

    /// Number of sessions that extranonce1 can distinguish.
    #[must_use]
    pub(crate) const fn sessions(&self) -> NonZeroU64 {
        const ONE_BYTE: NonZeroU64 = NonZeroU64::MIN.saturating_add((1 << 8) - 1);
        const TWO_BYTES: NonZeroU64 = NonZeroU64::MIN.saturating_add((1 << 16) - 1);
        if self.extranonce1 == 1 { ONE_BYTE } else { TWO_BYTES }
    }

    /// Filler and extranonce1 of a session.
    #[must_use]
    pub(crate) fn session_bytes(&self, session: u64) -> (Vec<u8>, Vec<u8>) {
        let own = self.filler.saturating_add(self.extranonce1);
        let mut bytes = vec![0u8; own];
        for (place, byte) in bytes.iter_mut().rev().zip(session.to_le_bytes()) {
            *place = byte;
        }
        let extranonce1 = bytes.split_off(self.filler);
        (bytes, extranonce1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_tail_is_used_up_exactly() {
        for tail in MIN_TAIL..=32 {
            let layout = Layout::of_tail(tail).unwrap();
            assert_eq!(layout.filler + layout.extranonce1 + layout.extranonce2, tail);
            let (filler, extranonce1) = layout.session_bytes(7);
            assert_eq!((filler.len(), extranonce1.len()), (layout.filler, layout.extranonce1));
        }
        assert_eq!(Layout::of_tail(1), Err(TailTooShort(1)));
    }

    #[test]
    fn a_share_is_completed_to_what_the_miner_saw() {
        let layout = Layout::of_tail(10).unwrap();
        for announced in [layout, Layout { extranonce2: 3, ..layout }] {
            let chosen = vec![0xcc; announced.extranonce2];
            let tail = layout.complete(&announced, 0x0102_0304, &chosen).unwrap();
            let (filler, padding) = layout.around(&announced, 0x0102_0304);
            let (_, extranonce1) = layout.session_bytes(0x0102_0304);
            assert_eq!(tail, [filler, extranonce1, chosen, padding].concat());
            assert_eq!(tail.len(), 10);
            let wrong = EvidenceReason::ExtranonceLength { expected: announced.extranonce2, actual: 2 };
            assert_eq!(layout.complete(&announced, 7, &[0; 2]), Err(wrong));
        }
    }

    #[test]
    fn sessions_get_disjoint_space() {
        for tail in [2, 4, 8] {
            let layout = Layout::of_tail(tail).unwrap();
            let seen: HashSet<_> = (0..layout.sessions().get()).map(|n| layout.session_bytes(n)).collect();
            assert_eq!(seen.len() as u64, layout.sessions().get());
        }
        let layout = Layout::of_tail(8).unwrap();
        assert_ne!(
            layout.session_bytes(1),
            layout.session_bytes(1 + (1 << 16)),
            "the filler holds the counter's high bytes"
        );
    }
}
