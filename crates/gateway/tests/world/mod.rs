//! A scripted pool, a node's end of the link, and a lease, for the gateway's tests.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use arrayvec::ArrayVec;
use hashlease_check::ShareChecker;
use hashlease_fixtures::{PATIENCE, job_signer, weight};
use hashlease_gateway::{Assignment, Gateway, GatewayConfig, GatewayHandle, LeaseStatus};
use hashlease_net::Tcp;
use hashlease_primitives::{
    Difficulty, DifficultyBase, GatewayBox, HashRate, LeaseId, Secret, SignedJob, SystemClock, Target, Terms,
};
use hashlease_share::{HeaderShare, OpenedShare, VerifiedJob};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{broadcast, watch},
    time::{Instant, sleep, timeout},
};

/// About 256 hashes: `0xffff·2^208 / 2^-24`.
pub const POOL_DIFFICULTY: &str = "5.9604644775390625e-8";
pub const TOKEN: &str = "opens-the-door";
pub const PASSWORD: &str = "renters-secret";

pub fn now() -> u64 {
    hashlease_fixtures::now().get()
}

/// A running lease with epochs of 20 s, so a job at least every 2 s; a share is worth 16 hashes.
pub fn terms(id: u64) -> Terms {
    Terms {
        id: LeaseId(id),
        weight: weight(4),
        rate: HashRate::new(1_000),
        ..hashlease_fixtures::terms(now() - 5, 600, 20)
    }
}

pub fn assignment(terms: Terms, pool: SocketAddr) -> Assignment {
    let pool = GatewayBox {
        pool: format!("stratum+tcp://{pool}"),
        worker: "renter.1".into(),
        password: Secret::new(PASSWORD),
        token: Secret::new(TOKEN),
        stop_unseen: false,
    };
    Assignment { terms, pool, members: vec![], controller: None }
}

pub struct World {
    pub gateway: GatewayHandle,
    pub leases: watch::Sender<Arc<Vec<Assignment>>>,
}

pub async fn start(dir: &Path, leases: Vec<Assignment>) -> World {
    let (sender, receiver) = watch::channel(Arc::new(leases));
    let config = GatewayConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        api: SocketAddr::from(([127, 0, 0, 1], 0)),
        data_dir: dir.to_owned(),
        agent: "gateway/test".into(),
    };
    World {
        gateway: Gateway::start(
            config,
            job_signer().clone(),
            receiver,
            Arc::new(ShareChecker::new(1)),
            SystemClock::shared(),
            Tcp::shared(),
        )
        .await
        .unwrap(),
        leases: sender,
    }
}

impl World {
    pub fn status(&self) -> LeaseStatus {
        self.gateway.status().into_iter().next().expect("a lease")
    }

    pub async fn until(&self, what: &str, reached: impl Fn(&LeaseStatus) -> bool) -> LeaseStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.gateway.status().into_iter().next().filter(&reached) {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: {:?}", self.gateway.status());
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The scripted pool's behaviour towards the next client.
#[derive(Clone)]
pub struct Script {
    pub mask: Option<&'static str>,
    pub extranonce1: String,
    pub extranonce2: u64,
    pub difficulty: Option<&'static str>,
    pub authorize: Value,
    pub verdict: Value,
    pub notify: Value,
    /// A method on which it closes the connection.
    pub closes_on: Option<&'static str>,
    /// Whether it closes the connection once it has let the worker in.
    pub closes: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            mask: Some("1fffe000"),
            extranonce1: "aabbccdd".into(),
            extranonce2: 8,
            difficulty: Some(POOL_DIFFICULTY),
            authorize: json!({"result": true, "error": null}),
            verdict: json!({"result": true, "error": null}),
            notify: notify("j1", 1, true),
            closes_on: None,
            closes: false,
        }
    }
}

/// Parameters of a job on a block that differs from others in one byte.
pub fn notify(id: &str, block: u8, clean: bool) -> Value {
    let ntime = format!("{:08x}", now() - 3);
    let prev_hash = hex::encode([block; 32]);
    let branch = [hex::encode([7; 32])];
    json!([id, prev_hash, "0200000001aa", "bb".repeat(60), branch, "20000000", "1d00ffff", ntime, clean])
}

pub struct Pool {
    pub address: SocketAddr,
    pub script: Arc<Mutex<Script>>,
    /// Parameters of every submit, in order of arrival.
    pub submits: Arc<Mutex<Vec<Value>>>,
    /// Methods of every other request, in order of arrival.
    pub asked: Arc<Mutex<Vec<String>>>,
    push: broadcast::Sender<Option<String>>,
}

impl Pool {
    pub async fn start(script: Script) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
    }

    pub fn on(listener: TcpListener, script: Script) -> Self {
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(script));
        let submits = Arc::new(Mutex::new(Vec::new()));
        let (push, _) = broadcast::channel(64);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let pool = Self { address, script, submits, asked, push };
        let logs =
            Logs { script: pool.script.clone(), submits: pool.submits.clone(), asked: pool.asked.clone() };
        let push = pool.push.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, logs.clone(), push.subscribe()));
            }
        });
        pool
    }

    pub fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    /// Sends a notification to the connected client.
    pub fn push(&self, method: &str, params: &Value) {
        self.push.send(Some(json!({"id": null, "method": method, "params": params}).to_string())).unwrap();
    }

    pub fn raw(&self, line: &str) {
        self.push.send(Some(line.to_owned())).unwrap();
    }

    pub fn notify(&self, params: Value) {
        self.push("mining.notify", &params);
        self.change(|script| script.notify = params);
    }

    pub fn drop_connections(&self) {
        self.push.send(None).unwrap();
    }

    pub fn submits(&self) -> Vec<Value> {
        self.submits.lock().unwrap().clone()
    }

    /// How often it was asked this.
    pub fn asked(&self, method: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == method).count()
    }
}

/// What the connections of a pool share.
#[derive(Clone)]
struct Logs {
    script: Arc<Mutex<Script>>,
    submits: Arc<Mutex<Vec<Value>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

async fn serve(stream: TcpStream, logs: Logs, mut push: broadcast::Receiver<Option<String>>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut closes = false;
    while !closes {
        let out = tokio::select! {
            line = lines.next_line() => {
                let Ok(Some(line)) = line else { return };
                let message: Value = serde_json::from_str(&line).unwrap();
                let method = message["method"].as_str().unwrap().to_owned();
                let script = logs.script.lock().unwrap().clone();
                if script.closes_on == Some(&method) {
                    logs.asked.lock().unwrap().push(method);
                    return;
                }
                closes = script.closes && method == "mining.authorize";
                logs.asked.lock().unwrap().push(method);
                respond(&message, &script, &logs.submits)
            }
            pushed = push.recv() => match pushed {
                Ok(Some(line)) => line + "\n",
                _ => return,
            },
        };
        if writer.write_all(out.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn respond(message: &Value, script: &Script, submits: &Mutex<Vec<Value>>) -> String {
    let with_id = |mut answer: Value| {
        answer["id"] = message["id"].clone();
        format!("{answer}\n")
    };
    let result = |result: Value| with_id(json!({"result": result, "error": null}));
    match message["method"].as_str().unwrap() {
        "mining.configure" => match script.mask {
            Some(mask) => result(json!({"version-rolling": true, "version-rolling.mask": mask})),
            None => with_id(json!({"result": null, "error": [20, "Unknown method", null]})),
        },
        "mining.subscribe" => {
            let mut out = result(json!([[["mining.notify", "1"]], script.extranonce1, script.extranonce2]));
            if let Some(difficulty) = script.difficulty {
                out += &format!(
                    "{{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[{difficulty}]}}\n"
                );
            }
            out + &format!("{}\n", json!({"id": null, "method": "mining.notify", "params": script.notify}))
        }
        "mining.authorize" => with_id(script.authorize.clone()),
        "mining.extranonce.subscribe" | "mining.suggest_difficulty" => result(json!(true)),
        "mining.submit" => {
            submits.lock().unwrap().push(message["params"].clone());
            with_id(script.verdict.clone())
        }
        other => panic!("gateway asks {other}"),
    }
}

/// A node's end of the link, line by line.
pub struct Node {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
    /// Notifications received while waiting for an answer.
    waiting: VecDeque<Value>,
    next: u64,
    /// Pool target of the last job, hexadecimal.
    pub pool_target: String,
}

impl Node {
    pub async fn connect(gateway: &GatewayHandle) -> Self {
        let stream = TcpStream::connect(gateway.local_addr()).await.unwrap();
        let (reader, writer) = stream.into_split();
        Self {
            lines: BufReader::new(reader).lines(),
            writer,
            waiting: VecDeque::new(),
            next: 1,
            pool_target: String::new(),
        }
    }

    /// A connected, authorised node.
    pub async fn of(gateway: &GatewayHandle, lease: u64) -> Self {
        let mut node = Self::connect(gateway).await;
        let answer = node.ask("mining.authorize", json!([lease.to_string(), TOKEN])).await;
        assert_eq!(answer["result"], true, "{answer}");
        node
    }

    pub async fn send(&mut self, line: &str) {
        self.writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn line(&mut self) -> Option<Value> {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("the gateway is silent");
        Some(serde_json::from_str(&line.ok()??).unwrap())
    }

    /// Sends a request, and waits for its answer.
    pub async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.next;
        self.next += 1;
        self.send(&json!({"id": id, "method": method, "params": params}).to_string()).await;
        loop {
            let message = self.line().await.expect("the gateway closed");
            if message["id"] == id {
                return message;
            }
            self.waiting.push_back(message);
        }
    }

    /// The next notification of this method; messages before it are dropped.
    pub async fn news(&mut self, method: &str) -> Value {
        loop {
            let message = match self.waiting.pop_front() {
                Some(message) => message,
                None => self.line().await.expect("the gateway closed"),
            };
            if message["method"] == method {
                return message["params"].clone();
            }
        }
    }

    /// The remaining messages until the connection ends.
    pub async fn rest(&mut self) -> Vec<Value> {
        let mut rest: Vec<Value> = self.waiting.drain(..).collect();
        while let Some(message) = self.line().await {
            rest.push(message);
        }
        rest
    }

    /// The next job, verified, and whether its notify was clean.
    pub async fn job(&mut self, terms: &Terms) -> (VerifiedJob, bool) {
        let notify = self.news("mining.notify").await;
        let params = self.news("hashlease.job").await;
        assert_eq!(params[0], notify[0], "a job follows its notify");
        self.pool_target = params[2].as_str().expect("a pool target").to_owned();
        let signed: SignedJob = serde_json::from_value(params[1].clone()).unwrap();
        assert_eq!(params[0], format!("{:x}", signed.job.sequence()));
        (VerifiedJob::verify(terms, signed).unwrap(), notify[8].as_bool().unwrap())
    }

    /// The first job that meets `wanted`.
    pub async fn job_where(
        &mut self,
        terms: &Terms,
        wanted: impl Fn(&VerifiedJob) -> bool,
    ) -> (VerifiedJob, bool) {
        loop {
            let (job, clean) = self.job(terms).await;
            if wanted(&job) {
                return (job, clean);
            }
        }
    }

    pub async fn submit(&mut self, lease: u64, share: &Submission) -> Value {
        self.ask("mining.submit", share.params(lease)).await
    }
}

/// A share as a node submits it.
#[derive(Clone)]
pub struct Submission {
    pub job: String,
    pub tail: Vec<u8>,
    pub ntime: u32,
    pub nonce: u32,
    pub bits: u32,
}

impl Submission {
    pub fn params(&self, lease: u64) -> Value {
        json!([
            lease.to_string(),
            self.job,
            hex::encode(&self.tail),
            format!("{:08x}", self.ntime),
            format!("{:08x}", self.nonce),
            format!("{:08x}", self.bits)
        ])
    }
}

/// Code and name of a refusal.
pub fn refusal(answer: &Value) -> (i64, String) {
    assert_eq!(answer["result"], Value::Null, "{answer}");
    (answer["error"][0].as_i64().unwrap(), answer["error"][1].as_str().unwrap().to_owned())
}

/// Mines a share that meets `wanted`, starting at `nonce`.
pub fn mine(
    job: &VerifiedJob,
    terms: &Terms,
    nonce: u32,
    wanted: impl Fn(&OpenedShare) -> bool,
) -> Submission {
    let signed = job.job().header().unwrap();
    let bits = 0x2000 & signed.version_mask;
    let tail = vec![0x5a; usize::from(signed.tail_length)];
    let ntime = u32::try_from(signed.not_before).unwrap();
    for nonce in nonce.. {
        let share = HeaderShare {
            tail: ArrayVec::try_from(tail.as_slice()).unwrap(),
            ntime,
            nonce,
            version: signed.version | bits,
        };
        if wanted(&job.open(&share.into(), terms.end).unwrap()) {
            return Submission { job: format!("{:x}", signed.sequence), tail, ntime, nonce, bits };
        }
    }
    panic!("no such share");
}

pub fn pool_target() -> Target {
    POOL_DIFFICULTY.parse::<Difficulty>().unwrap().target(DifficultyBase::Bitcoin)
}

/// Meets only the settlement target.
pub fn settles_only(terms: &Terms) -> impl Fn(&OpenedShare) -> bool {
    let settlement = terms.weight.target();
    move |share| share.meets(settlement) && !share.meets(pool_target())
}

pub fn meets_pool(share: &OpenedShare) -> bool {
    share.meets(pool_target())
}
