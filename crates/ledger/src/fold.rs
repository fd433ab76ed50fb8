//! The fold of a journal's records: the counted shares of each lease and epoch.
//!
//! In: durable records in the order of the journal. Out: counts, commitments and evidence. The same
//! shares of an epoch give the same root in any order.

use alloy_primitives::B256;
use hashlease_evidence::{Evidence, EvidenceHead, EvidenceShare, EvidenceWriteError};
use hashlease_journal::Record;
use hashlease_primitives::{Commitment, EpochId, LeaseId, SignedJob, Terms, Work};
use hashlease_share::Share;
use hashlease_trie::{Trie, TrieError};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    io::Write,
    sync::Arc,
};

/// A record that contradicts an earlier one.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields; `job` is a sequence")]
pub enum LedgerError {
    /// A record of a lease without earlier terms.
    #[error("record of lease {0} before its terms")]
    UnknownLease(LeaseId),
    /// Terms that differ from the lease's earlier ones in more than the end.
    #[error(
        "lease {0} differs from the lease of this number that is held already: the data belong to \
         another deployment, so use another data directory"
    )]
    OtherTerms(LeaseId),
    /// A share without an earlier record of its job.
    #[error("lease {lease}: share of job {job} before the job")]
    UnknownJob { lease: LeaseId, job: u64 },
    /// A second record of a share.
    #[error("share {key} was counted before, for lease {holder}")]
    Duplicate { key: B256, holder: LeaseId },
    /// A share after its epoch was closed.
    #[error("lease {}: share in epoch {} after it was closed", .0.lease, .0.epoch)]
    Closed(EpochId),
    /// The recorded root is not the shares' root.
    #[error(
        "lease {}, epoch {}: expected root {expected:?} as written, its shares give {rebuilt:?}",
        id.lease, id.epoch
    )]
    RootDiffers { id: EpochId, expected: Commitment, rebuilt: Commitment },
    /// No trie can hold the keys.
    #[error(transparent)]
    Trie(#[from] TrieError),
}

/// A counted share.
#[derive(Clone, Debug)]
struct Counted {
    key: B256,
    job: u64,
    share: Share,
}

#[derive(Clone, Debug, Default)]
struct Epoch {
    // copy-on-write: readers hold the `Arc`, and a share that arrives meanwhile clones the list
    shares: Arc<Vec<Counted>>,
    closed: Option<Commitment>,
    rebuilt: Option<Rebuilt>,
}

/// The commitment of an epoch's shares. Only [`EpochShares::rebuild`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Rebuilt {
    id: EpochId,
    shares: usize,
    commitment: Commitment,
}

impl Rebuilt {
    /// Root and count.
    #[must_use]
    pub const fn commitment(&self) -> Commitment {
        self.commitment
    }
}

fn commitment(shares: &[Counted]) -> Result<Commitment, TrieError> {
    Ok(Trie::build(shares.iter().map(|share| share.key).collect())?.commitment())
}

/// A snapshot of an epoch's shares. Making one is cheap, however many they are.
#[derive(Clone, Debug)]
pub struct EpochShares {
    terms: Terms,
    epoch: u32,
    closed: Option<Commitment>,
    shares: Arc<Vec<Counted>>,
}

impl EpochShares {
    /// Root and count, if the epoch is closed.
    #[must_use]
    pub const fn closed(&self) -> Option<Commitment> {
        self.closed
    }

    /// Builds the trie of the shares.
    ///
    /// # Errors
    /// [`TrieError`].
    pub fn rebuild(&self) -> Result<Rebuilt, TrieError> {
        let id = EpochId::new(self.terms.id, self.epoch);
        Ok(Rebuilt { id, shares: self.shares.len(), commitment: commitment(&self.shares)? })
    }

    /// Sequences of the shares' jobs.
    #[must_use]
    pub fn jobs(&self) -> BTreeSet<u64> {
        self.shares.iter().map(|counted| counted.job).collect()
    }

    /// Writes the evidence of the epoch with this claim and these jobs, which must be those of
    /// [`EpochShares::jobs`], ascending.
    ///
    /// # Errors
    /// [`EvidenceWriteError`].
    pub fn write(
        &self,
        commitment: Commitment,
        jobs: Vec<SignedJob>,
        out: impl Write,
    ) -> Result<(), EvidenceWriteError> {
        let mut shares: Vec<&Counted> = self.shares.iter().collect();
        shares.sort_unstable_by_key(|counted| counted.key);
        let head = EvidenceHead { terms: self.terms.clone(), epoch: self.epoch, commitment, jobs };
        head.write(shares.into_iter().map(|counted| (counted.job, &counted.share)), out)
    }
}

impl Epoch {
    fn commitment(&self) -> Result<Commitment, TrieError> {
        // valid only if no share was added since
        let rebuilt = self.rebuilt.filter(|rebuilt| rebuilt.shares == self.shares.len());
        match self.closed.or(rebuilt.map(|rebuilt| rebuilt.commitment)) {
            Some(known) => Ok(known),
            None => commitment(&self.shares),
        }
    }
}

/// Number of the pool's verdicts on forwarded shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolVerdicts {
    /// Accepted shares.
    pub accepted: u64,
    /// Shares that were refused, or lost on the way.
    pub refused: u64,
}

/// One lease's part of the ledger.
#[derive(Clone, Debug)]
pub struct LeaseLedger {
    terms: Terms,
    jobs: BTreeMap<u64, SignedJob>,
    epochs: BTreeMap<u32, Epoch>,
    verdicts: PoolVerdicts,
}

impl LeaseLedger {
    /// The newest terms.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Jobs by sequence.
    #[must_use]
    pub const fn jobs(&self) -> &BTreeMap<u64, SignedJob> {
        &self.jobs
    }

    /// Shares counted in an epoch; zero if it has no records.
    #[must_use]
    pub fn count(&self, epoch: u32) -> u64 {
        // a length in memory fits 64 bits
        self.epochs.get(&epoch).map_or(0, |epoch| u64::try_from(epoch.shares.len()).unwrap_or(u64::MAX))
    }

    /// Work counted in an epoch, not capped.
    #[must_use]
    pub fn epoch_work(&self, epoch: u32) -> Work {
        self.terms.weight.times(self.count(epoch))
    }

    /// Work counted so far, of each epoch at most its cap.
    #[must_use]
    pub fn work(&self) -> Work {
        let cap = self.terms.epoch_cap();
        self.epochs.keys().fold(Work::ZERO, |sum, epoch| sum.saturating_add(self.epoch_work(*epoch).min(cap)))
    }

    /// Work counted so far beyond the caps of its epochs: nothing pays it.
    #[must_use]
    pub fn unpaid(&self) -> Work {
        let cap = self.terms.epoch_cap();
        let beyond = |epoch: &u32| self.epoch_work(*epoch).saturating_sub(cap);
        self.epochs.keys().fold(Work::ZERO, |sum, epoch| sum.saturating_add(beyond(epoch)))
    }

    /// Number of the pool's verdicts on the lease's shares.
    #[must_use]
    pub const fn verdicts(&self) -> PoolVerdicts {
        self.verdicts
    }

    /// Root and count of a closed epoch.
    #[must_use]
    pub fn closed(&self, epoch: u32) -> Option<Commitment> {
        self.epochs.get(&epoch).and_then(|epoch| epoch.closed)
    }

    /// Whether an epoch takes no more shares.
    #[must_use]
    pub fn is_closed(&self, epoch: u32) -> bool {
        self.closed(epoch).is_some()
    }

    /// Root and count of an epoch's shares so far.
    ///
    /// # Errors
    /// [`TrieError`].
    pub fn commitment(&self, epoch: u32) -> Result<Commitment, TrieError> {
        self.epochs.get(&epoch).map_or_else(|| Ok(Commitment::default()), Epoch::commitment)
    }

    /// The `evidence` of a statement up to the end of epoch `last`: the chain over the commitments
    /// of the epochs from 0 to `last`, including epochs without shares.
    ///
    /// # Errors
    /// [`TrieError`].
    pub fn evidence_chain(&self, last: u32) -> Result<B256, TrieError> {
        (0..=last).try_fold(B256::ZERO, |link, epoch| Ok(self.commitment(epoch)?.chain(&link)))
    }

    /// A snapshot of an epoch's shares; empty if the epoch has no records.
    #[must_use]
    pub fn shares(&self, epoch: u32) -> EpochShares {
        let found = self.epochs.get(&epoch).cloned().unwrap_or_default();
        EpochShares { terms: self.terms.clone(), epoch, closed: found.closed, shares: found.shares }
    }

    /// The evidence of an epoch: its shares and the jobs that they use.
    ///
    /// # Errors
    /// [`TrieError`].
    pub fn evidence(&self, epoch: u32) -> Result<Evidence, TrieError> {
        let commitment = self.commitment(epoch)?;
        let mut shares: Vec<&Counted> =
            self.epochs.get(&epoch).iter().flat_map(|epoch| epoch.shares.iter()).collect();
        shares.sort_by_key(|counted| counted.key);
        let used: HashSet<u64> = shares.iter().map(|counted| counted.job).collect();
        let jobs = self.jobs.iter().filter(|(sequence, _)| used.contains(sequence));
        let jobs = jobs.map(|(_, job)| job.clone()).collect();
        Ok(Evidence {
            head: EvidenceHead { terms: self.terms.clone(), epoch, commitment, jobs },
            shares: shares
                .into_iter()
                .map(|counted| EvidenceShare { job: counted.job, share: counted.share.clone() })
                .collect(),
        })
    }
}

/// All leases of a node. Equal records give an equal ledger.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    leases: BTreeMap<LeaseId, LeaseLedger>,
    holders: HashMap<B256, LeaseId>,
}

impl Ledger {
    /// Whether the next record agrees with the earlier ones: what [`Ledger::apply`] would say.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn check(&self, record: &Record) -> Result<(), LedgerError> {
        let found = |id: &LeaseId| self.leases.get(id).ok_or(LedgerError::UnknownLease(*id));
        match record {
            Record::Lease(terms) => match self.leases.get(&terms.id) {
                Some(held) if held.terms.as_rented() != terms.as_rented() => {
                    Err(LedgerError::OtherTerms(terms.id))
                }
                Some(_) | None => Ok(()),
            },
            Record::Job { signed, .. } => found(&signed.job.lease()).map(drop),
            Record::Verdict { lease, .. } => found(lease).map(drop),
            Record::Share { lease, job, key, epoch, .. } => {
                if let Some(holder) = self.holders.get(key) {
                    return Err(LedgerError::Duplicate { key: *key, holder: *holder });
                }
                let found = found(lease)?;
                if !found.jobs.contains_key(job) {
                    return Err(LedgerError::UnknownJob { lease: *lease, job: *job });
                }
                match found.is_closed(*epoch) {
                    true => Err(LedgerError::Closed(EpochId::new(*lease, *epoch))),
                    false => Ok(()),
                }
            }
            Record::EpochClosed { lease, epoch, commitment, .. } => {
                let rebuilt = found(lease)?.commitment(*epoch)?;
                if rebuilt == *commitment {
                    return Ok(());
                }
                let id = EpochId::new(*lease, *epoch);
                Err(LedgerError::RootDiffers { id, expected: *commitment, rebuilt })
            }
        }
    }

    /// Applies the next record.
    ///
    /// # Errors
    /// [`LedgerError`]; the ledger is unchanged then.
    pub fn apply(&mut self, record: &Record) -> Result<(), LedgerError> {
        self.check(record)?;
        self.fold(record)
    }

    /// Applies a record that was written, whatever the earlier ones say: the money of all leases
    /// depends on this start. A record that contradicts earlier ones is skipped; a root is kept as it
    /// was written, because the committee may have it.
    ///
    /// # Errors
    /// [`LedgerError`]: the contradiction, for people.
    pub fn restore(&mut self, record: &Record) -> Result<(), LedgerError> {
        let checked = self.check(record);
        let first_root = |lease: &LeaseId, epoch| self.lease(*lease).is_some_and(|l| !l.is_closed(epoch));
        match (&checked, record) {
            (Ok(()), _) => self.fold(record),
            (_, Record::EpochClosed { lease, epoch, .. }) if first_root(lease, *epoch) => {
                self.fold(record)?;
                checked
            }
            _ => checked,
        }
    }

    fn fold(&mut self, record: &Record) -> Result<(), LedgerError> {
        match record {
            Record::Lease(terms) => {
                let fresh = || LeaseLedger {
                    terms: terms.clone(),
                    jobs: BTreeMap::new(),
                    epochs: BTreeMap::new(),
                    verdicts: PoolVerdicts::default(),
                };
                self.leases.entry(terms.id).or_insert_with(fresh).terms = terms.clone();
            }
            Record::Job { signed, .. } => {
                let lease = self.lease_mut(signed.job.lease())?;
                // the first job counts, because shares were checked against it
                lease.jobs.entry(signed.job.sequence()).or_insert_with(|| signed.clone());
            }
            Record::Share { lease, job, key, epoch, share, .. } => {
                let into = self.lease_mut(*lease)?.epochs.entry(*epoch).or_default();
                Arc::make_mut(&mut into.shares).push(Counted { key: *key, job: *job, share: share.clone() });
                self.holders.insert(*key, *lease);
            }
            Record::Verdict { lease, accepted, .. } => {
                let verdicts = &mut self.lease_mut(*lease)?.verdicts;
                let count = if *accepted { &mut verdicts.accepted } else { &mut verdicts.refused };
                *count = count.saturating_add(1);
            }
            Record::EpochClosed { lease, epoch, commitment, .. } => {
                self.lease_mut(*lease)?.epochs.entry(*epoch).or_default().closed = Some(*commitment);
            }
        }
        Ok(())
    }

    /// Remembers a rebuilt commitment, so that closing the epoch need not compute it again. A
    /// further share invalidates it.
    pub fn remember_rebuilt(&mut self, rebuilt: Rebuilt) {
        if let Some(found) = self.leases.get_mut(&rebuilt.id.lease) {
            found.epochs.entry(rebuilt.id.epoch).or_default().rebuilt = Some(rebuilt);
        }
    }

    /// The lease that a key was counted for.
    #[must_use]
    pub fn holder(&self, key: &B256) -> Option<LeaseId> {
        self.holders.get(key).copied()
    }

    /// A lease's part.
    #[must_use]
    pub fn lease(&self, id: LeaseId) -> Option<&LeaseLedger> {
        self.leases.get(&id)
    }

    /// All leases.
    pub fn leases(&self) -> impl Iterator<Item = (&LeaseId, &LeaseLedger)> {
        self.leases.iter()
    }

    fn lease_mut(&mut self, id: LeaseId) -> Result<&mut LeaseLedger, LedgerError> {
        self.leases.get_mut(&id).ok_or(LedgerError::UnknownLease(id))
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests;
