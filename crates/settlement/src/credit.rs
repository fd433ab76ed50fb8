//! Credits a lease: gets the strongest statement signed by enough members, and submits it to the
//! oracle.

use crate::{
    context::{Context, seats},
    error::SettleError,
};
use hashlease_committee::{NoAgreement, Seat, agree};
use hashlease_primitives::{Clock as _, Lease, Statement};
use tracing::info;

impl Context {
    /// Credits up to the newest closed epoch whose root deadline has passed, unless the chain has
    /// that credit.
    pub(crate) async fn credit_newest(&self, lease: &Lease) -> Result<(), SettleError> {
        let terms = &lease.terms;
        let now = self.clock.now().seconds();
        // no epoch of a lease without records is closed
        let closed = |epoch| self.book.read(terms.id, |found| found.is_closed(epoch)).unwrap_or(false);
        let over = (0..terms.epochs()).take_while(|epoch| now > terms.root_deadline(*epoch));
        let Some(newest) = over.filter(|epoch| closed(*epoch)).last() else { return Ok(()) };
        let stated = lease.as_of >= terms.epoch_end(newest) && (lease.as_of < terms.end || lease.last);
        if stated {
            return Ok(());
        }
        let committee = self.committees.get(terms.oracle).await?;
        self.credit(lease, newest, &seats(&committee, &self.http), committee.threshold).await
    }

    /// Submits the strongest statement that enough members sign, if it changes anything.
    async fn credit(
        &self,
        lease: &Lease,
        epoch: u32,
        seats: &[Seat],
        threshold: usize,
    ) -> Result<(), SettleError> {
        let terms = &lease.terms;
        let is_news = |statement: &Statement| lease.is_news(statement);
        let signed = match agree(seats, terms, epoch, threshold, is_news).await {
            Ok(Some(signed)) => signed,
            // the next round asks again
            Ok(None) | Err(NoAgreement::Pending { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let Statement { work, due, last, .. } = signed.statement;
        self.sender.submit(terms.oracle, &signed.statement, signed.signatures).await?;
        info!(lease = %terms.id, epoch, %work, %due, last, "credited");
        Ok(())
    }
}
