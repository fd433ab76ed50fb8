//! From closed epochs to money.
//!
//! One task per lease, step by step, each step repeated until the chain shows its effect: ask the members what they
//! count, gather signatures over the strongest statement that enough can sign, credit, collect, settle. Nothing is
//! remembered between the steps: what was done is read from the chain.

use crate::{
    clock::unix_seconds,
    work::{Work, seats},
};
use hashlease_chain::{
    ChainError,
    bindings::{CommitteeOracle, LeaseEscrow},
};
use hashlease_committee::{Seat, StatementView, gather, propose};
use hashlease_primitives::{Lease, Statement, Terms};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::sleep};
use tracing::{info, warn};

/// Longest pause between two tries to credit what the members don't agree on yet.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Brings in a lease's money, for as long as the lease is not settled.
pub(crate) async fn keep(work: Arc<Work>, lease: watch::Receiver<Lease>, round: Duration) {
    let mut trouble = String::new();
    let mut pause = round;
    loop {
        let stale = lease.borrow().clone();
        match work.advance(&stale).await {
            Ok(()) => {
                trouble.clear();
                pause = round;
            }
            Err(words) => {
                pause = pause.saturating_mul(2).min(MAX_PAUSE.max(round));
                if words != trouble {
                    warn!(lease = %stale.terms.id, trouble = words, "settling waits");
                    trouble = words;
                    pause = round;
                }
            }
        }
        sleep(pause).await;
    }
}

impl Work {
    async fn advance(&self, stale: &Lease) -> Result<(), String> {
        let text = |error: ChainError| error.to_string();
        let lease = self.chain.lease(stale.terms.id).await.map_err(text)?;
        if lease.settled {
            return Ok(());
        }
        let credited = self.credit_newest(&lease).await;
        // money that is credited comes in also while the members don't agree on more
        self.collect_and_settle(&lease).await?;
        credited
    }

    /// Credits up to the newest closed epoch whose deadline is over, unless that stands on the chain already.
    async fn credit_newest(&self, lease: &Lease) -> Result<(), String> {
        let terms = &lease.terms;
        let now = unix_seconds();
        let closed = |epoch| self.book.read(terms.id, |found| found.is_closed(epoch)).unwrap_or_default();
        let over = (0..terms.epochs()).take_while(|epoch| now > terms.root_deadline(*epoch));
        let Some(newest) = over.filter(|epoch| closed(*epoch)).last() else { return Ok(()) };
        let stated = lease.as_of >= terms.epoch_end(newest) && (lease.as_of < terms.end || lease.last);
        if stated {
            return Ok(());
        }
        let committee = self.committees.get(terms.oracle).await.map_err(|error| error.to_string())?;
        self.credit(lease, newest, &seats(&committee), committee.threshold).await
    }

    /// Asks the members, and credits the strongest statement that enough of them can sign.
    async fn credit(
        &self,
        lease: &Lease,
        epoch: u32,
        seats: &[Seat],
        threshold: usize,
    ) -> Result<(), String> {
        let terms = &lease.terms;
        let asked = seats.iter().map(|seat| seat.client.statement(terms.id, epoch));
        let answers = futures::future::join_all(asked).await;
        let mut reasons = Vec::new();
        let mut views: Vec<StatementView> = Vec::new();
        for answer in answers {
            match answer {
                Ok(view) => views.push(view),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        let Some(statement) = propose(&views, threshold) else {
            if views.iter().any(|view| view.pending) {
                return Ok(());
            }
            let reasons = reasons.join("; ");
            return Err(format!("members do not agree on the evidence up to epoch {epoch}: {reasons}"));
        };
        let news = statement.work > lease.credited
            || statement.due > lease.due
            || statement.as_of > lease.as_of
            || (statement.last && !lease.last);
        if !news {
            return Ok(());
        }
        let signatures = gather(seats, &[statement], &terms.oracle_domain(), threshold)
            .await
            .map_err(|error| error.to_string())?;
        self.submit(terms, &statement, signatures).await.map_err(|error| error.to_string())?;
        let Statement { work, due, last, .. } = statement;
        info!(lease = %terms.id, epoch, %work, %due, last, "credited");
        Ok(())
    }

    async fn submit(
        &self,
        terms: &Terms,
        statement: &Statement,
        signatures: Vec<u8>,
    ) -> Result<(), ChainError> {
        let typed = statement.typed();
        let statement = CommitteeOracle::Statement {
            lease: typed.lease,
            asOf: typed.asOf,
            work: typed.work,
            due: typed.due,
            evidence: typed.evidence,
            last: typed.last,
        };
        let call = CommitteeOracle::submitCall { statements: vec![statement], signatures: signatures.into() };
        self.sender.call(terms.oracle, &call).await.map(drop)
    }

    async fn collect_and_settle(&self, stale: &Lease) -> Result<(), String> {
        let text = |error: ChainError| error.to_string();
        let id = stale.terms.id;
        let lease = self.chain.lease(id).await.map_err(text)?;
        if lease.settled {
            return Ok(());
        }
        let now = self.chain.time().await.map_err(text)?;
        let all = lease.credited >= lease.terms.committed();
        let escrow = self.chain.deployment().escrow;
        let lease_id = alloy_primitives::U256::from(id.0);
        if all || (lease.last && now >= lease.terms.end) || now >= lease.settle_after() {
            let call = LeaseEscrow::settleCall { id: lease_id };
            self.sender.call(escrow, &call).await.map_err(text)?;
            info!(lease = %id, "settled");
        } else if lease.released(lease.credited) > lease.released(lease.collected) {
            let call = LeaseEscrow::collectCall { id: lease_id };
            self.sender.call(escrow, &call).await.map_err(text)?;
            info!(lease = %id, "collected");
        }
        Ok(())
    }
}
