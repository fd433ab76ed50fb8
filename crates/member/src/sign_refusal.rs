//! Why a member does not sign a statement.

use alloy_primitives::B256;
use hashlease_committee::{EpochState, EpochView, Refusal};
use hashlease_primitives::{LeaseId, UnixSeconds, Work};

/// The rule of signing that a statement breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignRefusal {
    /// The lease is not the committee's, or the chain has not confirmed it yet.
    #[error("not credited by this committee, or not confirmed yet")]
    UnknownLease,
    /// No epoch of the lease ends then.
    #[error("asOf {as_of}: expected {start} + k × {length}, at most {end}")]
    NotAnEpochEnd { as_of: UnixSeconds, start: UnixSeconds, length: u32, end: UnixSeconds },
    /// The epoch goes on.
    #[error("asOf {as_of}: now is {now}")]
    EpochNotOver { as_of: UnixSeconds, now: UnixSeconds },
    /// An epoch has no verdict yet.
    #[error("a root is still awaited or being checked")]
    Pending,
    /// The statement covers other evidence than was verified here.
    #[error("evidence: expected {expected}, got {got}{}", because(empty.as_deref()))]
    EvidenceDiffers {
        expected: B256,
        got: B256,
        /// The first epoch that counts as empty because of its evidence.
        empty: Option<Box<EpochView>>,
    },
    /// More work than was verified.
    #[error("work: verified {verified}, asked for {asked}")]
    WorkAboveVerified { verified: Work, asked: Work },
    /// Less work than was verified.
    #[error("work: verified {verified}, asked for only {asked}")]
    WorkBelowVerified { verified: Work, asked: Work },
    /// More due work than was counted.
    #[error("due: counted {counted}, asked for {asked}")]
    DueAboveCounted { counted: Work, asked: Work },
    /// The lease is not over, or a root can still come.
    #[error("a later statement may still follow")]
    LastTooEarly,
    /// A last word that leaves out due work.
    #[error("due: counted {counted}, asked for only {asked}")]
    DueBelowCounted { counted: Work, asked: Work },
}

impl SignRefusal {
    /// The stable kebab-case name.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::UnknownLease => "unknown-lease",
            Self::NotAnEpochEnd { .. } => "not-an-epoch-end",
            Self::EpochNotOver { .. } => "epoch-not-over",
            Self::Pending => "pending",
            Self::EvidenceDiffers { .. } => "evidence-differs",
            Self::WorkAboveVerified { .. } => "work-above-verified",
            Self::WorkBelowVerified { .. } => "work-below-verified",
            Self::DueAboveCounted { .. } => "due-above-counted",
            Self::LastTooEarly => "last-too-early",
            Self::DueBelowCounted { .. } => "due-below-counted",
        }
    }

    /// The refusal as it is sent.
    pub(crate) fn body(&self, lease: LeaseId) -> Refusal {
        Refusal { lease, code: self.code().to_owned(), message: self.to_string() }
    }
}

/// Why an epoch counts as empty, as the end of a sentence.
fn because(empty: Option<&EpochView>) -> String {
    match empty {
        Some(EpochView { epoch, state: EpochState::Refused { code, reason }, .. }) => {
            format!("; epoch {epoch} was refused: {reason} ({code})")
        }
        Some(EpochView { epoch, state: EpochState::NotFetched { code, reason }, .. }) => {
            format!("; epoch {epoch} was not fetched: {reason} ({code})")
        }
        Some(EpochView { epoch, state: EpochState::TwoRoots { .. }, .. }) => {
            format!("; the provider signed two roots of epoch {epoch}")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty(state: EpochState) -> Option<Box<EpochView>> {
        Some(Box::new(EpochView {
            epoch: 3,
            count: 0,
            left_out: 0,
            contested: 0,
            work: "0".into(),
            root: B256::ZERO,
            state,
        }))
    }

    #[test]
    fn refusals_are_sent_by_code_and_sentence() {
        let [expected, got] = [1, 2].map(B256::repeat_byte);
        let [start, as_of, end] = [1_000, 1_150, 1_300].map(UnixSeconds::new);
        let [more, less] = [200, 100].map(Work::new);
        let differs = |empty| SignRefusal::EvidenceDiffers { expected, got, empty };
        let (code, reason) = ("above-target".to_owned(), "share 8: too easy".to_owned());
        let refused = EpochState::Refused { code: code.clone(), reason: reason.clone() };
        let not_fetched = EpochState::NotFetched { code, reason };
        let evidence = format!("evidence: expected {expected}, got {got}");
        for (refusal, code, message) in [
            (
                SignRefusal::UnknownLease,
                "unknown-lease",
                "not credited by this committee, or not confirmed yet".to_owned(),
            ),
            (
                SignRefusal::NotAnEpochEnd { as_of, start, length: 100, end },
                "not-an-epoch-end",
                "asOf 1150: expected 1000 + k × 100, at most 1300".to_owned(),
            ),
            (
                SignRefusal::EpochNotOver { as_of, now: start },
                "epoch-not-over",
                "asOf 1150: now is 1000".to_owned(),
            ),
            (SignRefusal::Pending, "pending", "a root is still awaited or being checked".to_owned()),
            (differs(None), "evidence-differs", evidence.clone()),
            (
                differs(empty(refused)),
                "evidence-differs",
                format!("{evidence}; epoch 3 was refused: share 8: too easy (above-target)"),
            ),
            (
                differs(empty(not_fetched)),
                "evidence-differs",
                format!("{evidence}; epoch 3 was not fetched: share 8: too easy (above-target)"),
            ),
            (
                SignRefusal::WorkAboveVerified { verified: less, asked: more },
                "work-above-verified",
                "work: verified 100, asked for 200".to_owned(),
            ),
            (
                SignRefusal::WorkBelowVerified { verified: more, asked: less },
                "work-below-verified",
                "work: verified 200, asked for only 100".to_owned(),
            ),
            (
                SignRefusal::DueAboveCounted { counted: less, asked: more },
                "due-above-counted",
                "due: counted 100, asked for 200".to_owned(),
            ),
            (SignRefusal::LastTooEarly, "last-too-early", "a later statement may still follow".to_owned()),
            (
                SignRefusal::DueBelowCounted { counted: more, asked: less },
                "due-below-counted",
                "due: counted 200, asked for only 100".to_owned(),
            ),
        ] {
            let lease = LeaseId(7);
            assert_eq!(refusal.body(lease), Refusal { lease, code: code.to_owned(), message });
        }
    }
}
