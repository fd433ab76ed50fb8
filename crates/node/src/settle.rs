//! From closed epochs to money.
//!
//! For each lease, step by step, each step repeated until the chain shows its effect: close epochs whose time has
//! come, hand the signed roots to the members, ask them what they count, gather signatures over the strongest
//! statement that enough can sign, credit, collect, settle. Nothing is remembered between the steps but the journal:
//! what was done is read from the chain.

use crate::{book::Book, clock::unix_seconds};
use hashlease_chain::{
    Chain, ChainError, Committee, Committees, Sender,
    bindings::{CommitteeOracle, LeaseEscrow},
};
use hashlease_committee::{MemberClient, Seat, StatementView, gather, propose};
use hashlease_primitives::{EpochRoot, Lease, LeaseId, LocalSigner, SignedEpochRoot, Statement, Terms};
use hashlease_trie::Commitment;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet, time::sleep};
use tracing::{debug, info, warn};

/// Settles a provider's leases.
pub(crate) struct Settler {
    leases: watch::Sender<Vec<Lease>>,
}

/// What settling needs.
pub(crate) struct Work {
    pub(crate) book: Book,
    pub(crate) chain: Chain,
    pub(crate) committees: Committees,
    pub(crate) sender: Sender,
    pub(crate) provider: LocalSigner,
    /// Where the evidence of a lease's epoch is served.
    pub(crate) evidence_url: Box<dyn Fn(u64, u32) -> String + Send + Sync>,
}

impl Settler {
    /// Goes through all leases every `round`.
    pub(crate) fn new(work: Work, round: Duration) -> Self {
        let leases = watch::Sender::new(Vec::new());
        tokio::spawn(rounds(Arc::new(work), leases.subscribe(), round));
        Self { leases }
    }

    /// The unsettled leases as the chain has them now.
    pub(crate) fn leases(&self, leases: Vec<Lease>) {
        self.leases.send_replace(leases);
    }
}

/// What is remembered of a lease only to say and ask things once.
#[derive(Default)]
struct Memory {
    delivered: BTreeMap<u32, BTreeSet<usize>>,
    undelivered: String,
    trouble: String,
}

async fn rounds(work: Arc<Work>, mut leases: watch::Receiver<Vec<Lease>>, pause: Duration) {
    let mut memories: BTreeMap<LeaseId, Memory> = BTreeMap::new();
    loop {
        let now = leases.borrow_and_update().clone();
        let mut round = JoinSet::new();
        for lease in now {
            let memory = memories.remove(&lease.terms.id).unwrap_or_default();
            let work = Arc::clone(&work);
            round.spawn(async move { (lease.terms.id, work.lease(lease, memory).await) });
        }
        while let Some(done) = round.join_next().await {
            if let Ok((id, memory)) = done {
                memories.insert(id, memory);
            }
        }
        sleep(pause).await;
        if leases.has_changed().is_err() {
            return;
        }
    }
}

impl Work {
    async fn lease(&self, lease: Lease, mut memory: Memory) -> Memory {
        match self.advance(&lease, &mut memory).await {
            Ok(()) => memory.trouble.clear(),
            // once per trouble: rounds come often
            Err(trouble) if trouble != memory.trouble => {
                warn!(lease = %lease.terms.id, trouble, "settling waits");
                memory.trouble = trouble;
            }
            Err(_) => {}
        }
        memory
    }

    async fn advance(&self, lease: &Lease, memory: &mut Memory) -> Result<(), String> {
        let terms = &lease.terms;
        let closed = self.close(terms).await?;
        let committee = self.committees.get(terms.oracle).await.map_err(|error| error.to_string())?;
        let seats = seats(&committee);
        if let Some(newest) = closed {
            self.deliver(terms, newest, &seats, memory).await?;
            let stated = lease.as_of >= terms.epoch_end(newest) && (lease.as_of < terms.end || lease.last);
            if !stated && unix_seconds() > terms.root_deadline(newest) {
                self.credit(lease, newest, &seats, committee.threshold).await?;
            }
        }
        self.collect_and_settle(lease).await
    }

    /// Closes every epoch whose time has come; the newest closed one.
    async fn close(&self, terms: &Terms) -> Result<Option<u32>, String> {
        let now = unix_seconds();
        let mut newest = None;
        for epoch in (0..terms.epochs()).take_while(|epoch| terms.epoch_closes(*epoch) <= now) {
            let known = self.book.read(terms.id, |found| found.closed(epoch)).flatten();
            if known.is_none() {
                let commitment = self.book.close(terms.id, epoch).await.map_err(|error| error.to_string())?;
                info!(lease = %terms.id, epoch, root = %commitment.root, shares = commitment.count, "epoch closed");
            }
            newest = Some(epoch);
        }
        Ok(newest)
    }

    /// Hands the roots of closed epochs to every member that has not confirmed them: to all members at once, so that
    /// a slow one holds up nobody else.
    async fn deliver(
        &self,
        terms: &Terms,
        newest: u32,
        seats: &[Seat],
        memory: &mut Memory,
    ) -> Result<(), String> {
        let mut roots = Vec::new();
        for epoch in 0..=newest {
            let confirmed = memory.delivered.entry(epoch).or_default();
            if seats.iter().all(|seat| confirmed.contains(&seat.index)) {
                continue;
            }
            if let Some(commitment) = self.book.read(terms.id, |found| found.closed(epoch)).flatten() {
                roots.push(self.sign_root(terms, epoch, commitment)?);
            }
        }
        let delivered = &memory.delivered;
        let deliveries = seats.iter().map(|seat| async {
            let mut confirmed = Vec::new();
            for signed in &roots {
                let epoch = signed.root.epoch;
                if delivered.get(&epoch).is_some_and(|seats| seats.contains(&seat.index)) {
                    continue;
                }
                match seat.client.post_root(signed).await {
                    Ok(receipt) => {
                        let (lease, member) = (terms.id, seat.client.url());
                        debug!(%lease, epoch, %member, in_time = receipt.in_time, "root delivered");
                        confirmed.push(epoch);
                    }
                    Err(error) => return (seat.index, confirmed, Some(error.to_string())),
                }
            }
            (seat.index, confirmed, None)
        });
        let mut troubles = Vec::new();
        for (seat, confirmed, trouble) in futures::future::join_all(deliveries).await {
            for epoch in confirmed {
                memory.delivered.entry(epoch).or_default().insert(seat);
            }
            troubles.extend(trouble);
        }
        let trouble = troubles.join("; ");
        if trouble != memory.undelivered {
            if !trouble.is_empty() {
                warn!(lease = %terms.id, trouble, "a root is not delivered yet");
            }
            memory.undelivered = trouble;
        }
        Ok(())
    }

    fn sign_root(
        &self,
        terms: &Terms,
        epoch: u32,
        commitment: Commitment,
    ) -> Result<SignedEpochRoot, String> {
        let evidence = (self.evidence_url)(terms.id.0, epoch);
        let root =
            EpochRoot { lease: terms.id, epoch, root: commitment.root, count: commitment.count, evidence };
        let digest = root.digest(&terms.oracle_domain());
        let signature = self.provider.sign(&digest).map_err(|error| error.to_string())?;
        Ok(SignedEpochRoot { root, signature })
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
        let views: Vec<StatementView> = answers
            .into_iter()
            .filter_map(|answer| answer.map_err(|error| reasons.push(error.to_string())).ok())
            .collect();
        let Some(statement) = propose(&views, threshold) else {
            if views.iter().any(|view| view.pending) {
                return Ok(());
            }
            return Err(format!(
                "members do not agree on the evidence up to epoch {epoch}: {}",
                reasons.join("; ")
            ));
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
        submit_statement(&self.sender, terms, &statement, signatures)
            .await
            .map_err(|error| error.to_string())?;
        info!(lease = %terms.id, epoch, work = %statement.work, due = %statement.due, last = statement.last, "credited");
        Ok(())
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

fn seats(committee: &Committee) -> Vec<Seat> {
    let with_url = committee.members.iter().filter_map(|member| Some((member, member.url.clone()?)));
    with_url
        .map(|(member, url)| Seat { index: member.index, key: member.key, client: MemberClient::new(url) })
        .collect()
}

async fn submit_statement(
    sender: &Sender,
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
    sender.call(terms.oracle, &call).await.map(drop)
}
