//! A committee as its contract names it.

use crate::{Chain, ChainError, bindings::CommitteeOracle, watch::logs_in_pieces};
use alloy::{rpc::types::Filter, sol_types::SolEvent};
use alloy_primitives::{Address, U256};
use std::collections::BTreeMap;
use url::Url;

/// One seat of a committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitteeMember {
    /// Position in the contract's list: signatures come in this order.
    pub index: usize,
    /// Who may replace the key.
    pub owner: Address,
    /// Signing key; zero while retired.
    pub key: Address,
    /// Where the member serves its API, as it announced it.
    pub url: Option<Url>,
}

/// The members of a committee and how many must sign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committee {
    /// By index.
    pub members: Vec<CommitteeMember>,
    /// Signatures needed.
    pub threshold: usize,
}

impl Committee {
    /// URLs of all members that announced one.
    #[must_use]
    pub fn urls(&self) -> Vec<Url> {
        self.members.iter().filter_map(|member| member.url.clone()).collect()
    }
}

fn small(what: &'static str, value: U256) -> Result<usize, ChainError> {
    // a committee has at most 32 members
    match usize::try_from(value) {
        Ok(value) if value <= 32 => Ok(value),
        _ => Err(ChainError::Unexpected { what, expected: "at most 32".into(), actual: value.to_string() }),
    }
}

impl Chain {
    /// Reads a committee: members, threshold, and the URL that each announced last.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn committee(&self, oracle: Address) -> Result<Committee, ChainError> {
        let contract = CommitteeOracle::new(oracle, self.provider().clone());
        let count = small("committee's members", contract.memberCount().call().await?)?;
        let threshold = small("committee's threshold", contract.threshold().call().await?)?;
        let filter =
            Filter::new().address(oracle).event_signature(CommitteeOracle::Announced::SIGNATURE_HASH);
        let newest = self.block_number().await?;
        let mut announced = BTreeMap::new();
        for log in logs_in_pieces(self.provider(), &filter, self.deployment().block, newest).await? {
            let Ok(event) = CommitteeOracle::Announced::decode_log(&log.inner) else { continue };
            // a URL that can't be read is as if none was announced
            announced.insert(event.member, event.url.parse::<Url>().ok());
        }
        let mut members = Vec::with_capacity(count);
        for index in 0..count {
            let seat = contract.member(U256::from(index)).call().await?;
            let url = announced.remove(&U256::from(index)).flatten();
            members.push(CommitteeMember { index, owner: seat.owner, key: seat.key, url });
        }
        Ok(Committee { members, threshold })
    }
}
