//! Known faults that cost money, on real processes.
//!
//! Each test passes while its fault is there and fails once it is mended: turn it into the test of
//! the right result then.
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
const PART: f64 = 0.2;

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

/// How a gateway's jobs of one lease differ from jobs that nodes mine.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Jobs {
    /// They don't differ.
    Honest,
    /// The link is up but silent: only members get the jobs.
    MembersOnly,
    /// Sequences from 2^32 on.
    LargeSequence,
}

impl Jobs {
    fn make(self, terms: &Terms, signer: &LocalSigner, number: u64) -> Option<SignedJob> {
        let not_before = now().max(terms.start);
        let not_after = (not_before + 10).min(terms.end - 1);
        let number_bytes = number.to_le_bytes();
        let job = Job::Header(HeaderJob {
            lease: terms.id,
            sequence: if self == Self::LargeSequence { (1 << 32) + number } else { number },
            prev_hash: B256::repeat_byte(0x5a),
            n_bits: 0x1701_f0f0,
            version: 0x2000_0000,
            version_mask: 0x1fff_e000,
            not_before,
            not_after,
            coinbase_prefix: Bytes::from([&[2, 0, 0, 0, 1], &[0xaa; 40][..], &number_bytes].concat()),
            tail_length: 8,
            coinbase_suffix: Bytes::from(vec![0xbb; 70]),
            branch: vec![B256::repeat_byte(7)],
        });
        let signature = signer.sign(&job.digest(&terms.domain)).unwrap();
        (not_before <= not_after).then_some(SignedJob { job, signature })
    }

    /// Signs a job every two seconds until the lease's end.
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
                for member in &members {
                    // a refused job makes no time due, which the test checks
                    let _ = member.post_job(&signed).await;
                }
            }
            sleep(Duration::from_secs(2)).await;
        }
    }
}

/// The lines with which a gateway sends a job to a node.
fn lines(signed: &SignedJob) -> String {
    let notify = Notify::of_signed(signed.job.header().unwrap(), false).unwrap();
    [encode::notify(&notify), encode::hashlease_job(&notify.job_id, signed)].concat()
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

/// Today: members count jobs as due that no node mines, so the signer of a lease's jobs takes the
/// provider's bond and gets the whole payment back, though the provider's miners worked all the
/// time. Right: such jobs are not due, or their work is credited.
#[tokio::test(flavor = "multi_thread")]
async fn known_fault_job_signer_takes_the_bond() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let world = world(dir.path(), "signer", 3, 0).await?;
    let signer = LocalSigner::from_bytes(world.actors.job_signer.to_bytes().as_slice())?;
    let urls = world.chain.committee(world.chain.deployment().oracle).await?.urls();
    let http = HttpClient::new(Tcp::shared());
    let members: Vec<_> = urls.into_iter().map(|url| MemberClient::new(url, http.clone())).collect();
    let mut running = Vec::new();
    for jobs in [Jobs::Honest, Jobs::MembersOnly, Jobs::LargeSequence] {
        let (address, push) = gateway().await?;
        let lease = rent(&world, Some(address), (2, EPOCH), 15).await?;
        tokio::spawn(jobs.send(lease.terms.clone(), signer.clone(), push, members.clone()));
        let rig = rig(&world, &lease)?;
        running.push((jobs, lease, rig));
    }
    for (jobs, lease, rig) in running {
        let committed = lease.terms.committed();
        let done = settled(&world, lease.terms.id).await?;
        let stats = rig.stats();
        assert!(done.due.hashes() > committed.hashes() / 2, "{jobs:?}: {done:?}");
        if jobs == Jobs::Honest {
            assert!(stats.accepted > 0 && done.credited.hashes() > 0, "{done:?}, {stats:?}");
        } else {
            assert_eq!((stats.accepted, done.credited), (0, Work::ZERO), "{jobs:?}: {stats:?}");
        }
    }
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

/// Today: one lying member of three, two of which must sign, keeps all work from being credited:
/// the proposal uses the least work of a group, and the honest members don't sign it. Right: the
/// two honest members' figures are credited.
#[tokio::test(flavor = "multi_thread")]
async fn known_fault_one_lying_member_blocks_every_credit() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut world = world(dir.path(), "liar", 2, 0).await?;
    let honest = format!("http://{}/", world.members[1].address("api")?);
    let place = world.members[0].address("api")?;
    world.members[0].kill().await?;
    let listener = TcpListener::bind(place).await.context("the first member's address")?;
    let routes = Router::new()
        .route("/v1/leases/{id}/statement", get(lie))
        .with_state(MemberClient::new(honest.parse()?, HttpClient::new(Tcp::shared())));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let lease = rent(&world, None, (2, EPOCH), 5).await?;
    let rig = rig(&world, &lease)?;
    let done = settled(&world, lease.terms.id).await?;
    assert!(rig.stats().accepted > 0, "{:?}", rig.stats());
    assert_eq!(done.credited, Work::ZERO, "{done:?}");
    Ok(())
}

/// A pool's time that nodes would refuse is not signed, so nothing is due for it: no job, no share, no
/// slash.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes 8 minutes: cargo test -- --ignored"]
async fn a_pool_whose_clock_is_ahead_costs_the_provider_nothing() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let world = world(dir.path(), "ahead", 3, 320).await?;
    let lease = rent(&world, None, (6, 60), 5).await?;
    let rig = rig(&world, &lease)?;
    let done = settled(&world, lease.terms.id).await?;
    assert_eq!(rig.stats().submitted, 0, "no job is handed out");
    assert_eq!((done.credited, done.due), (Work::ZERO, Work::ZERO), "{done:?}");
    Ok(())
}
