//! Collects a lease's money and settles the lease.
//!
//! Each step is repeated until the chain shows its effect. No state is kept between two steps: the
//! chain is read again.

use crate::{context::Context, error::SettleError};
use alloy_primitives::U256;
use hashlease_chain::bindings::LeaseEscrow;
use hashlease_primitives::Lease;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::sleep};
use tracing::{info, warn};

/// Longest pause between two attempts to settle a lease that is blocked, for instance by
/// disagreeing members.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Credits, collects and settles a lease, until the task ends.
pub(crate) async fn advance_until_settled(
    context: Arc<Context>,
    lease: watch::Receiver<Lease>,
    round: Duration,
) {
    let mut logged: Option<&'static str> = None;
    let mut pause = round;
    loop {
        let stale = lease.borrow().clone();
        match context.advance(&stale).await {
            Ok(()) => {
                logged = None;
                pause = round;
            }
            Err(error) => {
                pause = pause.saturating_mul(2).min(MAX_PAUSE.max(round));
                let code = error.code();
                if logged != Some(code) {
                    warn!(lease = %stale.terms.id, code, %error, "settlement blocked");
                    logged = Some(code);
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
        // credited money is collected even while the members disagree about further credit
        self.collect_and_settle(&lease).await?;
        credited
    }

    /// Settles the lease if possible, or else collects its credited money.
    async fn collect_and_settle(&self, stale: &Lease) -> Result<(), SettleError> {
        let id = stale.terms.id;
        let lease = self.chain.lease(id).await?;
        if lease.settled {
            return Ok(());
        }
        let now = self.chain.time().await?;
        let escrow = self.chain.deployment().escrow;
        let lease_id = U256::from(id.0);
        if lease.can_settle(now) {
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
