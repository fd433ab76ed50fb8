//! Reads a committee from its contract.

use crate::{
    Chain, ChainError,
    bindings::CommitteeOracle,
    watch::{decoded, logs_in_pieces},
};
use alloy::{rpc::types::Filter, sol_types::SolEvent};
use alloy_primitives::{Address, U256};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tracing::debug;
use url::Url;

/// Blocks whose announcements are read again each time: a replica may have had none of them yet.
const OVERLAP: u64 = 256;
/// Age at which a committee is read again while a member has not announced its URL yet.
const INCOMPLETE: Duration = Duration::from_secs(2);

/// One seat of a committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitteeMember {
    /// Position in the contract's list: signatures come in this order.
    pub index: usize,
    /// Account that may replace the key.
    pub owner: Address,
    /// Signing key; none while the seat is retired.
    pub key: Option<Address>,
    /// URL of the member's API, as announced.
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
    /// Number of members that sign: those with a key.
    #[must_use]
    pub fn signers(&self) -> usize {
        self.members.iter().filter(|member| member.key.is_some()).count()
    }

    /// Members that sign and announced a URL: index, signing key and URL.
    pub fn reachable(&self) -> impl Iterator<Item = (usize, Address, &Url)> {
        self.members.iter().filter_map(|member| Some((member.index, member.key?, member.url.as_ref()?)))
    }

    /// URLs of the members that sign and announced one.
    #[must_use]
    pub fn urls(&self) -> Vec<Url> {
        self.reachable().map(|(_, _, url)| url.clone()).collect()
    }
}

fn small(what: &'static str, value: U256) -> Result<usize, ChainError> {
    // a committee has at most 32 members
    match usize::try_from(value) {
        Ok(value) if value <= 32 => Ok(value),
        _ => Err(ChainError::Unexpected { what, expected: "at most 32", actual: value.to_string() }),
    }
}

/// The moment after a pause; an age too large for an `Instant` means that the entry is read again
/// at once.
fn after(pause: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(pause).unwrap_or(now)
}

/// URLs that members announced, as far as the chain's logs were read.
#[derive(Clone, Debug, Default)]
struct Announced {
    urls: BTreeMap<usize, Url>,
    /// First block that was not read yet.
    next_block: u64,
}

impl Chain {
    /// Reads a committee: members, threshold, and the URL that each announced last.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn committee(&self, oracle: Address) -> Result<Committee, ChainError> {
        Ok(self.committee_after(oracle, Announced::default()).await?.0)
    }

    /// [`Chain::committee`], reading only the announcements that are not known yet, and the newest
    /// ones again.
    async fn committee_after(
        &self,
        oracle: Address,
        mut announced: Announced,
    ) -> Result<(Committee, Announced), ChainError> {
        let contract = CommitteeOracle::new(oracle, self.provider().clone());
        let count = small("committee's members", contract.memberCount().call().await?)?;
        let threshold = small("committee's threshold", contract.threshold().call().await?)?;
        let filter =
            Filter::new().address(oracle).event_signature(CommitteeOracle::Announced::SIGNATURE_HASH);
        let newest = self.block_number().await?;
        let from = announced.next_block.saturating_sub(OVERLAP).max(self.deployment().block);
        for log in logs_in_pieces(self.provider(), &filter, from, newest).await? {
            let event = decoded::<CommitteeOracle::Announced>(&log)?;
            let index = small("index of a committee's member", event.member)?;
            match event.url.parse::<Url>() {
                Ok(url) => drop(announced.urls.insert(index, url)),
                // a malformed URL counts as not announced
                Err(_) => drop(announced.urls.remove(&index)),
            }
        }
        announced.next_block = newest.saturating_add(1);
        let mut members = Vec::with_capacity(count);
        for index in 0..count {
            let seat = contract.member(U256::from(index)).call().await?;
            let url = announced.urls.get(&index).cloned();
            let key = (!seat.key.is_zero()).then_some(seat.key);
            members.push(CommitteeMember { index, owner: seat.owner, key, url });
        }
        Ok((Committee { members, threshold }, announced))
    }
}

/// A cache of committees by oracle: keys and URLs change rarely.
#[derive(Clone, Debug)]
pub struct Committees {
    chain: Chain,
    max_age: Duration,
    known: Arc<Mutex<BTreeMap<Address, Known>>>,
}

#[derive(Clone, Debug)]
struct Known {
    committee: Committee,
    announced: Announced,
    /// Whether it is being read.
    reading: bool,
    /// Time at which it is read again.
    until: Instant,
}

impl Committees {
    /// A cache that reads a committee again once its entry is older than `max_age`.
    #[must_use]
    pub fn new(chain: Chain, max_age: Duration) -> Self {
        Self { chain, max_age, known: Arc::default() }
    }

    /// The committee of an oracle. A known committee is returned at once and refreshed in the
    /// background, so a slow chain delays no caller.
    ///
    /// # Errors
    /// [`ChainError`] if the committee was never read.
    pub async fn get(&self, oracle: Address) -> Result<Committee, ChainError> {
        let known = {
            let mut known = self.known();
            known.get_mut(&oracle).map(|known| {
                // one reader is enough
                let stale = known.until <= Instant::now() && !known.reading;
                known.reading |= stale;
                (known.committee.clone(), stale)
            })
        };
        match known {
            Some((committee, false)) => Ok(committee),
            Some((committee, true)) => {
                let again = self.clone();
                tokio::spawn(async move {
                    if let Err(error) = again.read(oracle).await {
                        debug!(%oracle, %error, "committee refresh failed, using the last one");
                        again.read_later(oracle);
                    }
                });
                Ok(committee)
            }
            None => self.read(oracle).await,
        }
    }

    async fn read(&self, oracle: Address) -> Result<Committee, ChainError> {
        // a committee that was never read is read from the deployment on
        let announced = self.known().get(&oracle).map(|known| known.announced.clone()).unwrap_or_default();
        let (committee, announced) = self.chain.committee_after(oracle, announced).await?;
        let complete = committee.urls().len() == committee.members.len();
        let age = if complete { self.max_age } else { self.max_age.min(INCOMPLETE) };
        let known = Known { committee: committee.clone(), announced, reading: false, until: after(age) };
        self.known().insert(oracle, known);
        Ok(committee)
    }

    fn read_later(&self, oracle: Address) {
        if let Some(known) = self.known().get_mut(&oracle) {
            known.reading = false;
            known.until = after(INCOMPLETE);
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Address, Known>> {
        // every change is a single step, so a panic leaves none half done
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retired_seat_is_asked_for_nothing() {
        let seat = |index: u8, retired: bool| CommitteeMember {
            index: index.into(),
            owner: Address::repeat_byte(index),
            key: (!retired).then_some(Address::repeat_byte(0x10 + index)),
            url: Some(format!("http://{index}.test").parse().unwrap()),
        };
        let silent = CommitteeMember { url: None, ..seat(2, false) };
        let committee = Committee { members: vec![seat(0, false), seat(1, true), silent], threshold: 2 };
        let reachable: Vec<_> = committee.reachable().map(|(index, key, _)| (index, key)).collect();
        assert_eq!(reachable, [(0, Address::repeat_byte(0x10))]);
        assert_eq!(committee.urls(), ["http://0.test/".parse().unwrap()]);
        assert_eq!(committee.signers(), 2);
    }
}
