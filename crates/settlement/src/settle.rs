//! Collects a lease's money and settles the lease.
//!
//! Each step is repeated until the chain shows its effect. Nothing is remembered between two steps: what was done is
//! read from the chain.

use crate::{context::Context, error::SettleError};
use alloy_primitives::U256;
use hashlease_chain::bindings::LeaseEscrow;
use hashlease_primitives::Lease;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::sleep};
use tracing::{info, warn};

/// Longest pause between two tries to credit what the members don't agree on yet.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Brings in a lease's money, for as long as the lease is not settled.
pub(crate) async fn advance_until_settled(
    context: Arc<Context>,
    lease: watch::Receiver<Lease>,
    round: Duration,
) {
    let mut trouble: Option<&'static str> = None;
    let mut pause = round;
    loop {
        let stale = lease.borrow().clone();
        match context.advance(&stale).await {
            Ok(()) => {
                trouble = None;
                pause = round;
            }
            Err(error) => {
                pause = pause.saturating_mul(2).min(MAX_PAUSE.max(round));
                let code = error.code();
                if trouble != Some(code) {
                    warn!(lease = %stale.terms.id, code, %error, "settlement blocked");
                    trouble = Some(code);
                    pause = round;
                }
            }
        }
        sleep(pause).await;
    }
}

impl Context {
    async fn advance(&self, stale: &Lease) -> Result<(), SettleError> {
        let lease = self.chain.lease(stale.terms.id).await?;
        if lease.settled {
            return Ok(());
        }
        let credited = self.credit_newest(&lease).await;
        // money that is credited comes in also while the members don't agree on more
        self.collect_and_settle(&lease).await?;
        credited
    }

    /// Collects what was credited, or settles, whichever the lease is ready for.
    async fn collect_and_settle(&self, stale: &Lease) -> Result<(), SettleError> {
        let id = stale.terms.id;
        let lease = self.chain.lease(id).await?;
        if lease.settled {
            return Ok(());
        }
        let now = self.chain.time().await?;
        let all = lease.credited >= lease.terms.committed();
        let escrow = self.chain.deployment().escrow;
        let lease_id = U256::from(id.0);
        if all || (lease.last && now >= lease.terms.end) || now >= lease.settle_after() {
            let call = LeaseEscrow::settleCall { id: lease_id };
            self.sender.call(escrow, &call).await?;
            info!(lease = %id, "settled");
        } else if lease.released(lease.credited) > lease.released(lease.collected) {
            let call = LeaseEscrow::collectCall { id: lease_id };
            self.sender.call(escrow, &call).await?;
            info!(lease = %id, "collected");
        }
        Ok(())
    }
}
