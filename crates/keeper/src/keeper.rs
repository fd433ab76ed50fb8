//! Brings a lease's last statement to the chain, and settles the lease.

use crate::schedule::{Place, is_turn};
use alloy_primitives::{Address, U256};
use futures::{StreamExt as _, stream};
use hashlease_chain::{Chain, ChainError, Committee, Committees, Sender, bindings::LeaseEscrow};
use hashlease_committee::{MemberClient, NoAgreement, Seat, agree};
use hashlease_net::HttpClient;
use hashlease_primitives::{Lease, LeaseId, Statement};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::sleep;
use tracing::{info, warn};

/// Leases that are looked after at once.
const AT_ONCE: usize = 8;

/// Why a lease could not be looked after; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The chain can't be read, or a transaction was not mined: perhaps the key has no gas.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Too few members sign.
    #[error(transparent)]
    Members(#[from] NoAgreement),
}

/// What a keeper is besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A gateway.
    Gateway,
    /// The member with this key.
    Member(Address),
}

impl Role {
    /// Its place among the keepers of a lease; none for a member without a seat.
    fn place(self, committee: &Committee) -> Option<Place> {
        match self {
            Self::Gateway => Some(Place::Gateway),
            Self::Member(key) => {
                let seat = committee.members.iter().find(|seat| seat.key == Some(key))?;
                let number = |count: usize| u64::try_from(count).ok();
                Some(Place::Seat { index: number(seat.index)?, of: number(committee.members.len())? })
            }
        }
    }
}

/// Looks after leases whose last statement nobody brings.
#[derive(Debug)]
pub struct Keeper {
    chain: Chain,
    committees: Committees,
    http: HttpClient,
    sender: Sender,
}

impl Keeper {
    /// A keeper that pays by `sender`.
    #[must_use]
    pub const fn new(chain: Chain, committees: Committees, http: HttpClient, sender: Sender) -> Self {
        Self { chain, committees, http, sender }
    }

    /// Looks after `leases` in its turn, every `pause`, until the task ends.
    pub async fn run(self, role: Role, leases: impl Fn() -> Vec<Lease>, pause: Duration) {
        let mut logged = BTreeMap::new();
        loop {
            let open = leases().into_iter().filter(|lease| !lease.settled);
            let open: Vec<_> = open.collect();
            logged.retain(|id, _| open.iter().any(|lease| lease.terms.id == *id));
            let keeper = &self;
            let rounds = open.into_iter().map(|lease| async move {
                let outcome = keeper.in_turn(role, &lease).await;
                (lease.terms.id, outcome)
            });
            let outcomes: Vec<_> = stream::iter(rounds).buffer_unordered(AT_ONCE).collect().await;
            for (id, outcome) in outcomes {
                let text = outcome.err().map(|error| error.to_string());
                if let Some(error) = &text
                    && logged.get(&id) != Some(error)
                {
                    warn!(lease = %id, error, "lease could not be kept: it is tried again");
                }
                match text {
                    Some(text) => drop(logged.insert(id, text)),
                    None => drop(logged.remove(&id)),
                }
            }
            sleep(pause).await;
        }
    }

    async fn in_turn(&self, role: Role, lease: &Lease) -> Result<(), KeepError> {
        let now = self.chain.time().await?;
        // most leases still run
        if now < lease.roots_due() {
            return Ok(());
        }
        let committee = self.committees.get(lease.terms.oracle).await?;
        match role.place(&committee) {
            Some(place) if is_turn(lease, place, now) => self.keep(lease.terms.id).await,
            Some(_) | None => Ok(()),
        }
    }

    /// Brings the last statement of a lease, if it is missing, and settles the lease, if that is
    /// possible.
    ///
    /// # Errors
    /// [`KeepError`].
    pub async fn keep(&self, id: LeaseId) -> Result<(), KeepError> {
        let lease = self.chain.lease(id).await?;
        if lease.settled {
            return Ok(());
        }
        let stated = if lease.last { Ok(()) } else { self.state(&lease).await };
        // what is stated can be settled, even while the members disagree about more
        self.settle(id).await?;
        stated
    }

    /// Submits the strongest statement about the whole lease, if it is news.
    async fn state(&self, lease: &Lease) -> Result<(), KeepError> {
        let terms = &lease.terms;
        let Some(epoch) = terms.epochs().checked_sub(1) else { return Ok(()) };
        let committee = self.committees.get(terms.oracle).await?;
        let seats: Vec<_> = committee
            .reachable()
            .map(|(index, key, url)| {
                let client = MemberClient::new(url.clone(), self.http.clone());
                Seat { index, key, client }
            })
            .collect();
        let is_news = |statement: &Statement| lease.is_news(statement);
        let signed = match agree(&seats, terms, epoch, committee.threshold, is_news).await {
            Ok(Some(signed)) => signed,
            Ok(None) | Err(NoAgreement::Pending { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.sender.submit(terms.oracle, &signed.statement, signed.signatures).await?;
        let Statement { work, due, last, .. } = signed.statement;
        info!(lease = %terms.id, %work, %due, last, "statement brought");
        Ok(())
    }

    async fn settle(&self, id: LeaseId) -> Result<(), KeepError> {
        let lease = self.chain.lease(id).await?;
        if lease.settled || !lease.can_settle(self.chain.time().await?) {
            return Ok(());
        }
        let call = LeaseEscrow::settleCall { id: U256::from(id.0) };
        self.sender.call(self.chain.deployment().escrow, &call).await?;
        let released = lease.released(lease.credited);
        let refund = lease.payment.saturating_sub(released);
        info!(lease = %id, credited = %lease.credited, due = %lease.due, released, refund, "settled");
        Ok(())
    }
}
