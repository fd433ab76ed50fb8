//! What a member signs when it takes a job or an epoch root: that it has it, and since when.

use crate::{EpochRoot, Job, Terms, UnixMillis, typed};
use alloy_primitives::{B256, U256};

/// The digest that a member signs when it takes a job of the lease.
#[must_use]
pub fn job_receipt_digest(terms: &Terms, job: &Job, received: UnixMillis) -> B256 {
    terms.oracle_domain().digest(&typed::JobReceipt {
        lease: U256::from(job.lease().0),
        sequence: job.sequence(),
        job: job.digest(&terms.domain),
        received: received.get(),
    })
}

/// The digest that a member signs when it takes an epoch root of the lease.
#[must_use]
pub fn root_receipt_digest(terms: &Terms, root: &EpochRoot, received: UnixMillis) -> B256 {
    terms.oracle_domain().digest(&typed::RootReceipt {
        lease: U256::from(root.id.lease.0),
        epoch: root.id.epoch,
        root: root.commitment.root,
        count: root.commitment.count,
        received: received.get(),
    })
}
