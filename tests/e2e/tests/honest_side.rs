//! What others can cost an honest provider, on real processes: nothing beyond the tolerance.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use alloy_primitives::{B256, Bytes};
use anyhow::{Context as _, Result};
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    routing::get,
};
use hashlease_committee::{MemberClient, StatementView};
use hashlease_e2e::{EPOCH, RATE, binary, miner, now, settled, tools};
use hashlease_net::{HttpClient, Tcp};
use hashlease_primitives::{
    EpochId, HashRate, HeaderJob, Job, Lease, LeaseId, LocalSigner, SignedJob, Terms, Work,
};
use hashlease_sim::miner::MinerHandle;
use hashlease_stage::{World, WorldOptions};
use hashlease_stratum::{Notify, encode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{net::SocketAddr, path::Path as FilePath, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::broadcast,
    time::sleep,
};

/// Part of [`RATE`] that each lease here rents.
const PART: f64 = 0.1;

/// A world of three members, `threshold` of which must sign, with a pool whose clock is `ahead`
/// seconds ahead.
async fn world(dir: &FilePath, name: &str, threshold: usize, ahead: i64) -> Result<World> {
    let name = format!("local-{name}-{}", std::process::id());
    let mut options = WorldOptions::new(binary()?, dir.to_owned(), &name);
    options.threshold = threshold;
    options.window = 30;
    options.pool.difficulty = 1e-6;
    options.pool.ahead = ahead;
    World::start(options, &tools()?, |step| eprintln!("{step}")).await
}

/// Rents [`PART`] of [`RATE`]; `None` for the world's own gateway and pool.
async fn rent(
    world: &World,
    gateway: Option<SocketAddr>,
    (epochs, epoch_length): (u32, u32),
    lead: u64,
) -> Result<Lease> {
    world.actors.deposit(&world.chain, 1_000_000_000).await?;
    let mut wanted = world.renting()?;
    if let Some(gateway) = gateway {
        wanted.gateway = gateway.to_string();
        // the world's gateway can open the lease's box too, but finds no pool at this address
        wanted.pool = "127.0.0.1:9".into();
    }
    wanted.rate = HashRate::capped((RATE as f64 * PART) as u128);
    wanted.price = 16_666_666_666_666_667_000_000;
    wanted.epoch_length = epoch_length;
    wanted.epochs = epochs;
    wanted.lead = lead;
    let id = world.actors.rent(&world.chain, &wanted).await?;
    Ok(world.chain.lease(id).await?)
}

/// A miner with a tenth more than the lease's rate.
fn rig(world: &World, lease: &Lease) -> Result<MinerHandle> {
    miner(world, &format!("{}.rig", lease.terms.id), PART * 1.1, None)
}

/// A stream of jobs that a hostile signer sends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stream {
    /// As a gateway of ours would send them.
    Honest,
    /// The link is up but silent: only members get the jobs.
    MembersOnly,
    /// Members get no job.
    NodeOnly,
    /// Sequences from 2^32 on.
    LargeSequences,
    /// Sequences that go down.
    FallingSequences,
    /// No room to tell miners apart.
    ShortTails,
    /// The free part changes its length with each job.
    FlappingTails,
    /// A new block ten times a second.
    FloodOfBlocks,
    /// Windows that begin much later, sent at once.
    LaterWindows,
    /// Two jobs under each sequence.
    TwoUnderOneSequence,
}

impl Stream {
    const ALL: [Self; 10] = [
        Self::Honest,
        Self::MembersOnly,
        Self::NodeOnly,
        Self::LargeSequences,
        Self::FallingSequences,
        Self::ShortTails,
        Self::FlappingTails,
        Self::FloodOfBlocks,
        Self::LaterWindows,
        Self::TwoUnderOneSequence,
    ];

    /// Time between two jobs.
    const fn pause(self) -> Duration {
        match self {
            Self::FloodOfBlocks => Duration::from_millis(100),
            _ => Duration::from_secs(2),
        }
    }

    const fn sequence(self, number: u64) -> u64 {
        match self {
            Self::LargeSequences => (1 << 32) + number,
            Self::FallingSequences => 1_000_000 - number,
            Self::TwoUnderOneSequence => number / 2,
            _ => number,
        }
    }

    fn make(self, terms: &Terms, signer: &LocalSigner, number: u64) -> Option<SignedJob> {
        let ahead = if self == Self::LaterWindows { 90 } else { 0 };
        let not_before = now().max(terms.start) + ahead;
        let not_after = (not_before + 10).min(terms.end - 1);
        let number_bytes = number.to_le_bytes();
        let block = if self == Self::FloodOfBlocks { number as u8 } else { 0x5a };
        let job = Job::Header(HeaderJob {
            lease: terms.id,
            sequence: self.sequence(number),
            prev_hash: B256::repeat_byte(block),
            n_bits: 0x1701_f0f0,
            version: 0x2000_0000,
            version_mask: 0x1fff_e000,
            not_before,
            not_after,
            coinbase_prefix: Bytes::from([&[2, 0, 0, 0, 1], &[0xaa; 40][..], &number_bytes].concat()),
            tail_length: match self {
                Self::ShortTails => 2,
                Self::FlappingTails if number.is_multiple_of(2) => 4,
                _ => 8,
            },
            coinbase_suffix: Bytes::from(vec![0xbb; 70]),
            branch: vec![B256::repeat_byte(7)],
        });
        let signature = signer.sign(&job.digest(&terms.domain)).unwrap();
        (not_before <= not_after).then_some(SignedJob { job, signature })
    }

    /// Sends jobs until the lease's end.
    async fn send(
        self,
        terms: Terms,
        signer: LocalSigner,
        nodes: broadcast::Sender<String>,
        members: Vec<MemberClient>,
    ) {
        let mut number = 1;
        while now() < terms.end {
            if now() + 1 >= terms.start
                && let Some(signed) = self.make(&terms, &signer, number)
            {
                number += 1;
                if self != Self::MembersOnly {
                    // the send fails while no node is connected
                    let _ = nodes.send(lines(&signed));
                }
                if self != Self::NodeOnly {
                    for member in &members {
                        // a refused job makes no time due, which the test checks
                        let _ = member.post_job(&signed).await;
                    }
                }
            }
            sleep(self.pause()).await;
        }
    }
}

/// Whether what a lease is short of costs its bond nothing: the tolerance of the escrow.
fn is_within_tolerance(lease: &Lease) -> bool {
    let due = lease.due.hashes() as f64;
    let short = lease.due.saturating_sub(lease.credited).hashes() as f64;
    short <= (due / 20.0).max(3.1 * (lease.terms.weight.work().hashes() as f64 * due).sqrt())
}

/// The lines with which a gateway sends a job to a node.
fn lines(signed: &SignedJob) -> String {
    let notify = Notify::of_signed(signed.job.header().unwrap(), false).unwrap();
    [encode::notify(&notify), encode::hashlease_job(&notify.job_id, signed, None)].concat()
}

/// A gateway's end of the link: it accepts the node and every share, and forwards all pushed lines.
async fn link(stream: TcpStream, mut pushed: broadcast::Receiver<String>) {
    let (reader, mut writer) = stream.into_split();
    let mut read = BufReader::new(reader).lines();
    let mut authorised = false;
    loop {
        let out = tokio::select! {
            line = read.next_line() => {
                let Ok(Some(line)) = line else { return };
                let message: Value = serde_json::from_str(&line).unwrap();
                let result = match message["method"].as_str().unwrap_or_default() {
                    "mining.configure" => {
                        json!({"version-rolling": true, "version-rolling.mask": "1fffe000"})
                    }
                    "mining.subscribe" => json!([[], "00000000", 4]),
                    method => {
                        authorised |= method == "mining.authorize";
                        json!(true)
                    }
                };
                format!("{}\n", json!({"id": message["id"], "result": result, "error": null}))
            }
            line = pushed.recv() => match line {
                Ok(line) if authorised => line,
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return,
            },
        };
        if writer.write_all(out.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A gateway of the renter's own: its address, and the sender of its lines.
async fn gateway() -> Result<(SocketAddr, broadcast::Sender<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (push, _) = broadcast::channel::<String>(64);
    let pushed = push.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(link(stream, pushed.subscribe()));
        }
    });
    Ok((address, push))
}

/// A provider whose miners work all the time loses nothing of its bond, whatever jobs the signer of
/// a lease sends, to whom, and how.
#[tokio::test(flavor = "multi_thread")]
async fn no_stream_of_jobs_takes_the_bond() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let world = world(dir.path(), "signer", 3, 0).await?;
    let signer = LocalSigner::from_bytes(world.actors.job_signer.to_bytes().as_slice())?;
    let urls = world.chain.committee(world.chain.deployment().oracle).await?.urls();
    let http = HttpClient::new(Tcp::shared());
    let members: Vec<_> = urls.into_iter().map(|url| MemberClient::new(url, http.clone())).collect();
    let mut running = Vec::new();
    for stream in Stream::ALL {
        let (address, push) = gateway().await?;
        let lease = rent(&world, Some(address), (3, 2 * EPOCH), 40).await?;
        tokio::spawn(stream.send(lease.terms.clone(), signer.clone(), push, members.clone()));
        let rig = rig(&world, &lease)?;
        running.push((stream, lease, rig));
    }
    let mut wrong = Vec::new();
    for (stream, lease, rig) in running {
        let done = settled(&world, lease.terms.id).await?;
        let (committed, stats) = (lease.terms.committed().hashes() as f64, rig.stats());
        let (due, credited) =
            (done.due.hashes() as f64 / committed, done.credited.hashes() as f64 / committed);
        let figures =
            format!("{stream:?}: due {due:.3}, credited {credited:.3} of what was promised; {stats:?}");
        eprintln!("{figures}");
        let is_mined = match stream {
            Stream::Honest | Stream::MembersOnly => due > 0.9 && credited > 0.9,
            Stream::LargeSequences | Stream::LaterWindows => due < 0.1,
            _ => true,
        };
        if !is_mined || !is_within_tolerance(&done) {
            wrong.push(figures);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[derive(Deserialize)]
struct Epoch {
    epoch: u32,
}

/// Answers as an honest member except for the work, and signs no statement.
async fn lie(
    State(honest): State<MemberClient>,
    Path(id): Path<u64>,
    Query(query): Query<Epoch>,
) -> Json<Option<StatementView>> {
    let view = honest.statement(EpochId::new(LeaseId(id), query.epoch)).await.ok();
    Json(view.map(|mut view| {
        view.statement.work = Work::ZERO;
        view
    }))
}

/// Puts a liar in the place of the first member.
async fn liar(world: &mut World) -> Result<()> {
    let honest = format!("http://{}/", world.members[1].address("api")?);
    let place = world.members[0].address("api")?;
    world.members[0].kill().await?;
    let listener = TcpListener::bind(place).await.context("the first member's address")?;
    let routes = Router::new()
        .route("/v1/leases/{id}/statement", get(lie))
        .with_state(MemberClient::new(honest.parse()?, HttpClient::new(Tcp::shared())));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(())
}

/// One lying member of three, two of which must sign, changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn one_lying_member_keeps_nothing_from_being_credited() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut world = world(dir.path(), "liar", 2, 0).await?;
    liar(&mut world).await?;
    let lease = rent(&world, None, (2, EPOCH), 5).await?;
    let rig = rig(&world, &lease)?;
    let done = settled(&world, lease.terms.id).await?;
    assert!(rig.stats().accepted > 0, "{:?}", rig.stats());
    assert!(done.credited.hashes() > done.terms.committed().hashes() * 9 / 10, "{done:?}");
    Ok(())
}

/// A provider that vanishes keeps neither its bond nor the renter's money, though nobody asks for
/// them: its gateway is gone as well, and one of three members lies. The two honest ones bring the
/// last statement, and settle.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_vanishes_is_settled_with_by_the_members() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut world = world(dir.path(), "gone", 2, 0).await?;
    liar(&mut world).await?;
    let lease = rent(&world, None, (2, EPOCH), 5).await?;
    let _rig = rig(&world, &lease)?;
    while now() < lease.terms.epoch_end(0) {
        sleep(Duration::from_millis(500)).await;
    }
    world.kill_node().await?;
    world.gateway.kill().await?;
    let done = settled(&world, lease.terms.id).await?;
    assert!(done.last, "the members had the last word: {done:?}");
    assert!(done.due > done.credited && done.due.hashes() > 0, "{done:?}");
    Ok(())
}

/// A pool whose clock is further off than the clock rule allows gets no job signed, so nothing is
/// due and the bond stays whole.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes two minutes, and `crates/gateway/tests` has a short sibling: cargo test -- --ignored"]
async fn a_pool_whose_clock_is_ahead_costs_nothing() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let world = world(dir.path(), "ahead", 3, 320).await?;
    let lease = rent(&world, None, (2, EPOCH), 5).await?;
    let rig = rig(&world, &lease)?;
    let done = settled(&world, lease.terms.id).await?;
    assert_eq!(rig.stats().submitted, 0, "no job is handed out");
    assert_eq!((done.credited, done.due), (Work::ZERO, Work::ZERO), "{done:?}");
    Ok(())
}
