//! The demo's books: recounts the evidence of every epoch and accounts for every base unit.

use alloy_primitives::{Address, B256, U256};
use anyhow::{Context as _, Result, bail};
use hashlease_chain::{
    Sender,
    bindings::{DemoToken, LeaseEscrow},
};
use hashlease_committee::{MemberClient, propose};
use hashlease_escrow_model as escrow;
use hashlease_evidence::{EvidenceError, EvidenceReader, Recheck, Report};
use hashlease_net::{HttpClient, Tcp};
use hashlease_pow::ethash::LightCache;
use hashlease_primitives::{Commitment, EpochId, Lease, Terms, Work};
use hashlease_stage::World;
use std::{path::PathBuf, sync::Arc};

/// An epoch of the lease.
pub(super) struct Epoch {
    pub(super) promised: Work,
    pub(super) due: Work,
    pub(super) delivered: Work,
    pub(super) shares: u64,
    /// Base units.
    pub(super) released: u128,
    /// Rest of the epoch's part of the payment, base units. Negative if the epoch delivered more
    /// than promised and made up for another.
    pub(super) refunded: i128,
    pub(super) commitment: Commitment,
    pub(super) file: PathBuf,
    /// Why the evidence does not hold, if it does not.
    pub(super) complaint: Option<String>,
}

fn signed(amount: u128) -> i128 {
    i128::try_from(amount).unwrap_or(i128::MAX)
}

/// All epochs of a lease.
pub(super) struct Books {
    pub(super) epochs: Vec<Epoch>,
    /// Hash chain over the rebuilt commitments, as in the committee's statement.
    pub(super) evidence: B256,
}

impl Books {
    /// Fetches every epoch's evidence, writes it to a file, and recounts it.
    pub(super) async fn of(world: &World, lease: &Lease) -> Result<Self> {
        let terms = &lease.terms;
        let committed = terms.committed();
        let dir = world.node_data().with_file_name("evidence");
        std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        let http = HttpClient::new(Tcp::shared());
        let mut clients = Vec::new();
        for member in &world.members {
            let url = format!("http://{}/", member.address("api")?).parse()?;
            clients.push(MemberClient::new(url, http.clone()));
        }
        let threshold = world.chain.committee(terms.oracle).await?.threshold;
        let mut epochs = Vec::new();
        let (mut evidence, mut work, mut due) = (B256::ZERO, Work::ZERO, Work::ZERO);
        for epoch in 0..terms.epochs() {
            let bytes = world.evidence(terms.id, epoch).await?;
            let file = dir.join(format!("lease-{}-epoch-{epoch}.hlev", terms.id));
            std::fs::write(&file, &bytes).with_context(|| file.display().to_string())?;
            let expected = terms.clone();
            let checking = tokio::task::spawn_blocking(move || recheck(&bytes, &expected));
            let (report, complaint) = checking.await.context("verifying")??;
            let mut views = Vec::new();
            for client in &clients {
                views.push(client.statement(EpochId::new(terms.id, epoch)).await?);
            }
            let Some(statement) = propose(&views, threshold) else {
                bail!("the members do not agree on epoch {epoch}");
            };
            let delivered = report.work;
            let before = lease.released(work);
            work = work.saturating_add(delivered);
            let released = lease.released(work).saturating_sub(before);
            let part = |epochs: u32| {
                let seconds = u64::from(terms.epoch_length) * u64::from(epochs);
                lease.released(terms.rate.over(seconds).min(committed))
            };
            let paid = part(epoch + 1).saturating_sub(part(epoch));
            evidence = report.rebuilt.chain(&evidence);
            epochs.push(Epoch {
                promised: terms.rate.over(u64::from(terms.epoch_length)),
                due: statement.due.saturating_sub(due),
                delivered,
                shares: report.rebuilt.count,
                released,
                refunded: signed(paid).saturating_sub(signed(released)),
                commitment: report.rebuilt,
                file,
                complaint,
            });
            due = statement.due;
        }
        Ok(Self { epochs, evidence })
    }
}

/// Recounts an epoch from its evidence file. Returns the first complaint about it, if any.
fn recheck(file: &[u8], terms: &Terms) -> Result<(Report, Option<String>), EvidenceError> {
    let reader = EvidenceReader::open(file)?;
    let head = reader.head().clone();
    let caches = |epoch| Arc::new(LightCache::build(epoch));
    let report = reader.recheck(Recheck::new(&caches, &mut |_| {}, &mut |_| {}))?;
    let complaint = report
        .complaint()
        .or_else(|| head.differs_from(terms).map(|found| found.to_string()))
        .or_else(|| head.contradiction().map(|found| found.to_string()));
    Ok((report, complaint))
}

/// Where the money went, base units.
pub(super) struct Money {
    pub(super) payment: u128,
    pub(super) bond: u128,
    pub(super) deposit: u128,
    pub(super) provider: U256,
    pub(super) renter: U256,
    pub(super) payee: U256,
    pub(super) left_in_escrow: U256,
    pub(super) liabilities: U256,
    /// Expected by the plain Rust model of the escrow.
    pub(super) expected: escrow::Settlement,
}

impl Money {
    /// Whether every base unit that was paid in was paid out to its owner.
    pub(super) fn adds_up(&self) -> bool {
        let expected = &self.expected;
        let unused = self.deposit.saturating_sub(self.bond);
        let earned = expected.provider.saturating_add(expected.capacity_fee);
        let provider = U256::from(unused) + U256::from(earned) + U256::from(expected.bond);
        let renter = U256::from(expected.refund) + U256::from(expected.slashed);
        self.left_in_escrow.is_zero()
            && self.liabilities.is_zero()
            && self.provider == provider
            && self.renter == renter
            && self.payee == U256::from(expected.fee)
            && self.provider + self.renter + self.payee == U256::from(self.payment) + U256::from(self.deposit)
    }
}

/// Withdraws for everybody and reads the balances from the token.
pub(super) async fn withdraw_all(world: &World, lease: &Lease, deposit: u128) -> Result<Money> {
    let (chain, actors) = (&world.chain, &world.actors);
    let deployment = chain.deployment();
    actors.withdraw(chain, &actors.provider).await?;
    actors.claim(chain, lease.terms.id).await?;
    let push = LeaseEscrow::withdrawForCall { token: deployment.token, account: world.payee };
    let sender = Sender::new(chain.clone(), actors.renter.clone());
    sender.call(deployment.escrow, &push).await?;
    let accounts = vec![actors.provider.address(), world.payee];
    let reconcile = LeaseEscrow::reconcileCall { token: deployment.token, accounts };
    sender.call(deployment.escrow, &reconcile).await?;
    let token = DemoToken::new(deployment.token, chain.provider().clone());
    let balance = async |account: Address| token.balanceOf(account).call().await;
    let oracle = chain.escrow().pinnedOracle(deployment.oracle_id).call().await?;
    let terms = &lease.terms;
    let agreed = chain.escrow().lease(U256::from(terms.id.0)).call().await?;
    let mut life = escrow::Life::rented(escrow::Conditions {
        payment: lease.payment,
        bond_bps: agreed.bondBps,
        cancel_bps: agreed.cancelBps,
        fee_bps: oracle.feeBps,
        rate: terms.rate,
        weight: terms.weight,
        start: terms.start.get(),
        epoch_length: terms.epoch_length,
        epochs: terms.duration.checked_div(terms.epoch_length).unwrap_or_default(),
        window: lease.window,
        voids: oracle.voids,
        dictated: agreed.signerDictated || terms.is_self_attributed(),
    });
    (life.credited, life.due, life.last) = (lease.credited, lease.due, lease.last);
    // the renter had nothing but the payment, the provider nothing but the deposit
    Ok(Money {
        payment: lease.payment,
        bond: lease.bond,
        deposit,
        provider: balance(actors.provider.address()).await?,
        renter: balance(actors.renter.address()).await?,
        payee: balance(world.payee).await?,
        left_in_escrow: balance(deployment.escrow).await?,
        liabilities: chain.escrow().liabilities(deployment.token).call().await?,
        expected: life.settlement(),
    })
}
