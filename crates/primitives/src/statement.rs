//! The committee's statement on a lease.

use crate::{LeaseId, UnixSeconds, Work, typed};
use alloy_primitives::{
    B256, U256,
    aliases::{U40, U96},
};
use serde::{Deserialize, Serialize};

/// Cumulative figures of a lease up to the end of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// The lease.
    pub lease: LeaseId,
    /// End of the epoch up to which the figures count.
    pub as_of: UnixSeconds,
    /// Verified work.
    #[serde(with = "decimal")]
    pub work: Work,
    /// Work that was due.
    #[serde(with = "decimal")]
    pub due: Work,
    /// Chain over the epochs' commitments.
    pub evidence: B256,
    /// No later statement will follow.
    pub last: bool,
}

impl Statement {
    /// The struct as it is signed.
    #[must_use]
    pub fn typed(&self) -> typed::Statement {
        // `Work` is always below 2^96. A time above 2^40 is after every lease's end: members refuse
        // it.
        typed::Statement {
            lease: U256::from(self.lease.0),
            asOf: U40::saturating_from(self.as_of.get()),
            work: U96::saturating_from(self.work.hashes()),
            due: U96::saturating_from(self.due.hashes()),
            evidence: self.evidence,
            last: self.last,
        }
    }

    /// The batch as it is signed: one signature covers all statements.
    #[must_use]
    pub fn batch(statements: &[Self]) -> typed::Batch {
        typed::Batch { statements: statements.iter().map(Self::typed).collect() }
    }
}

/// Work as a decimal string: 96 bits do not survive JSON numbers.
mod decimal {
    use crate::Work;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(work: &Work, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(work)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Work, D::Error> {
        let hashes: u128 = String::deserialize(deserializer)?.parse().map_err(D::Error::custom)?;
        // signed as a `uint96`: two larger figures would have the same signature
        Work::try_from(hashes).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_that_no_signature_can_tell_apart_are_not_read() {
        let read = |work: &str, due: &str| {
            let evidence = B256::ZERO;
            let json = serde_json::json!({
                "lease": 1, "asOf": 5, "work": work, "due": due, "evidence": evidence, "last": false
            });
            serde_json::from_value::<Statement>(json).map_err(|error| error.to_string())
        };
        let (most, above) = ("79228162514264337593543950335", "79228162514264337593543950336");
        let statement = read(most, most).unwrap();
        assert_eq!((statement.work, statement.due), (Work::MAX, Work::MAX));
        let error = format!("work {above}: expected below 2^96");
        assert_eq!((read(above, "1"), read("1", above)), (Err(error.clone()), Err(error)));
    }
}
