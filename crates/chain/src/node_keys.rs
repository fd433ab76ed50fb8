//! Reads from the directory which keys providers' nodes sign with.

use crate::{Chain, ChainError, bindings::Directory};
use alloy::{eips::BlockId, providers::Provider as _};
use alloy_primitives::{Address, aliases::U40};
use hashlease_primitives::{LeaseId, Terms, UnixSeconds};
use std::collections::BTreeMap;

/// Keys that one look reads at most. A lease has up to 8,192 epochs, and whoever starts late would
/// otherwise ask for all of them at once.
const LOOKS: usize = 64;

/// The node keys that the directory held at the ends of leases' epochs. An answer never changes
/// once the epoch is over, so each is read once.
#[derive(Debug)]
pub struct NodeKeys {
    chain: Chain,
    confirmations: u64,
    /// By epoch; none where the provider had announced no key.
    known: BTreeMap<LeaseId, BTreeMap<u32, Option<Address>>>,
}

impl NodeKeys {
    /// Nothing is known yet. Reads go `confirmations` blocks below the newest one.
    #[must_use]
    pub const fn new(chain: Chain, confirmations: u64) -> Self {
        Self { chain, confirmations, known: BTreeMap::new() }
    }

    /// Reads keys that are not known yet, those of the latest epochs first, and forgets all other
    /// leases. What was read before an error stays known.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn look(&mut self, leases: &[&Terms]) -> Result<(), ChainError> {
        self.known.retain(|id, _| leases.iter().any(|terms| terms.id == *id));
        let newest = self.chain.block_number().await?.checked_sub(self.confirmations);
        let Some(block) = newest.map(BlockId::number) else { return Ok(()) };
        let found = self.chain.provider().get_block(block).await?.ok_or(ChainError::NoBlock)?;
        let time = UnixSeconds::new(found.header.timestamp);
        let directory = Directory::new(self.chain.deployment().directory, self.chain.provider().clone());
        let mut left = LOOKS;
        for terms in leases {
            for (epoch, end) in self.missing(terms, time, left) {
                let at = U40::try_from(end.get()).map_err(|_| ChainError::Unexpected {
                    what: "end of an epoch",
                    expected: "at most 40 bits",
                    actual: end.to_string(),
                })?;
                let key = directory.nodeKeyAt(terms.provider, at).block(block).call().await?;
                self.known.entry(terms.id).or_default().insert(epoch, (!key.is_zero()).then_some(key));
                left = left.saturating_sub(1);
            }
        }
        Ok(())
    }

    /// The keys at the ends of a lease's epochs, as far as they are known.
    #[must_use]
    pub fn of(&self, lease: LeaseId) -> BTreeMap<u32, Address> {
        let known = self.known.get(&lease).into_iter().flatten();
        known.filter_map(|(epoch, key)| Some((*epoch, (*key)?))).collect()
    }

    /// The latest epochs whose key is not known, and their ends. A key that is announced in the
    /// very second of an end counts, so that second has to be over.
    fn missing(&self, terms: &Terms, time: UnixSeconds, most: usize) -> Vec<(u32, UnixSeconds)> {
        let known = self.known.get(&terms.id);
        let epochs = (0..terms.epochs()).rev().map(|epoch| (epoch, terms.epoch_end(epoch)));
        let is_known = |epoch: &u32| known.is_some_and(|known| known.contains_key(epoch));
        epochs.filter(|(epoch, end)| *end < time && !is_known(epoch)).take(most).collect()
    }
}
