//! Statements: a member's own figures, and its signature over those of others.

use crate::{request_refusal::RequestRefusal, sign_refusal::SignRefusal, state::State};
use hashlease_committee::{MAX_STATEMENTS, SignedBatch, StatementView};
use hashlease_primitives::{EpochId, LeaseId, Statement, UnixMillis};
use std::collections::BTreeSet;
use tracing::{info, warn};

/// What a member answers to a batch.
#[derive(Debug)]
pub(crate) enum Signed {
    Batch(SignedBatch),
    Refused(Vec<(LeaseId, SignRefusal)>),
}

impl State {
    pub(crate) fn statement(
        &self,
        EpochId { lease, epoch }: EpochId,
    ) -> Result<StatementView, RequestRefusal> {
        let (view, room) = self.lease(lease)?;
        let epochs = view.lease.terms.epochs();
        if epoch >= epochs {
            return Err(RequestRefusal::NoSuchEpoch { epoch, epochs });
        }
        let now = self.clock.now();
        Ok(room.figures().view(&view, epoch, now))
    }

    /// Signs a batch if every statement in it can be signed.
    pub(crate) fn sign(&self, statements: &[Statement]) -> Result<Signed, RequestRefusal> {
        if statements.len() > MAX_STATEMENTS {
            return Err(RequestRefusal::TooManyStatements(statements.len()));
        }
        let mut leases = BTreeSet::new();
        if let Some(twice) = statements.iter().find(|statement| !leases.insert(statement.lease)) {
            return Err(RequestRefusal::LeaseTwice(twice.lease));
        }
        let now = self.clock.now();
        let mut refusals = Vec::new();
        let mut domain = None;
        for statement in statements {
            match self.check(statement, now) {
                Ok(of_lease) => domain = Some(of_lease),
                Err(refusal) => refusals.push((statement.lease, refusal)),
            }
        }
        if let Some((lease, refusal)) = refusals.first()
            && let Some(unsaid) = self.refused.may_speak(now)
        {
            let statements = refusals.len();
            warn!(%lease, code = refusal.code(), reason = %refusal, statements, unsaid, "statements not signed");
        }
        let (Some(domain), true) = (domain, refusals.is_empty()) else {
            return Ok(Signed::Refused(refusals));
        };
        let signature = self.signer.sign(&domain.digest(&Statement::batch(statements)))?;
        info!(statements = statements.len(), "batch signed");
        Ok(Signed::Batch(SignedBatch { signer: self.signer(), signature: signature.to_vec().into() }))
    }

    /// The domain in which the statement can be signed.
    fn check(
        &self,
        statement: &Statement,
        now: UnixMillis,
    ) -> Result<hashlease_primitives::Domain, SignRefusal> {
        let Ok((view, room)) = self.lease(statement.lease) else { return Err(SignRefusal::UnknownLease) };
        room.figures().check(&view, statement, now)?;
        Ok(view.lease.terms.oracle_domain())
    }
}
