//! Reserves a share's key before the share is written, so that a duplicate is refused before the
//! first copy is durable and acknowledged.

use crate::{
    book::Book,
    error::BookError,
    open_epoch::{EpochLimits, prefix},
    refusal::CountRefusal,
};
use alloy_primitives::B256;
use hashlease_evidence::MAX_JOBS;
use hashlease_journal::Record;
use hashlease_primitives::EpochId;
use hashlease_share::{EvidenceReason, VerifiedShare};

impl Book {
    /// Reserves a share's key. From now on a second copy is refused as a duplicate, even before
    /// this one is durable.
    ///
    /// # Errors
    /// [`EvidenceReason::Duplicate`], [`CountRefusal::SeenInOtherLease`],
    /// [`EvidenceReason::KeyCollides`], [`CountRefusal::EpochClosed`], [`CountRefusal::EpochFull`],
    /// [`CountRefusal::TooManyJobs`].
    pub fn reserve(&self, share: &VerifiedShare) -> Result<Reserved, CountRefusal> {
        let (lease, epoch, key) = (share.lease(), share.epoch(), share.key());
        let id = EpochId::new(lease, epoch);
        let mut state = self.state();
        let holder = state.ledger.holder(&key).or_else(|| state.reserved.get(&key).copied());
        match holder {
            Some(holder) if holder == lease => return Err(EvidenceReason::Duplicate.into()),
            Some(holder) => return Err(CountRefusal::SeenInOtherLease(holder)),
            None => {}
        }
        if state.is_over(id) {
            return Err(CountRefusal::EpochClosed(epoch));
        }
        // without terms there is no limit, and writing the share fails: the ledger refuses it
        let shares = state.ledger.lease(lease).map_or(u64::MAX, |found| found.terms().most_shares());
        let limits = EpochLimits { shares, jobs: MAX_JOBS };
        let open = state.open.entry(id).or_default();
        open.add_share(epoch, prefix(&key), share.job(), limits)?;
        state.reserved.insert(key, lease);
        let under_way = state.under_way.entry(id).or_default();
        *under_way = under_way.saturating_add(1);
        Ok(Reserved { book: self.clone(), id, key, counted: false })
    }
}

/// A share whose key is reserved and which is not durable yet. Dropping it without
/// [`Reserved::count`] releases the key.
#[derive(Debug)]
pub struct Reserved {
    book: Book,
    id: EpochId,
    key: B256,
    counted: bool,
}

impl Reserved {
    /// Writes the share; when this returns, the share is durable and counted. The write continues
    /// if the caller is dropped, because each record in the journal must reach the ledger.
    ///
    /// # Errors
    /// [`CountRefusal::NotDurable`].
    pub async fn count(self, share: &VerifiedShare, worker: &str) -> Result<(), CountRefusal> {
        let record = Record::share(self.book.now(), share, worker);
        let writing = tokio::spawn(async move {
            // captures the whole reservation; the flag alone would be a copy
            let mut reserved = self;
            let written = reserved.book.write(record).await;
            reserved.counted = written.is_ok();
            written
        });
        Ok(writing.await.map_err(BookError::from)??)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut state = self.book.state();
        state.reserved.remove(&self.key);
        if !self.counted
            && let Some(open) = state.open.get_mut(&self.id)
        {
            open.prefixes.remove(&prefix(&self.key));
        }
        if let Some(under_way) = state.under_way.get_mut(&self.id) {
            *under_way = under_way.saturating_sub(1);
            if *under_way == 0 {
                state.under_way.remove(&self.id);
            }
        }
        drop(state);
        self.book.written.notify_waiters();
    }
}
