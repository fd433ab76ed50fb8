//! A scripted miner. It builds and hashes its headers with code that the node does not use.

use super::world::patiently;
use alloy_primitives::U256;
use hashlease_primitives::Target;
use hashlease_primitives::{Difficulty, DifficultyBase};
use hashlease_sim::sha256d;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// The next nonce to search: no two calls find the same header.
static SEARCHED: AtomicU32 = AtomicU32::new(0);

pub(super) struct Miner {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: Option<OwnedWriteHalf>,
    /// Messages received while waiting for an answer.
    waiting: VecDeque<Value>,
    next: u64,
    worker: String,
    pub(super) extranonce1: Vec<u8>,
    pub(super) extranonce2: usize,
    pub(super) target: Target,
    /// Methods of all notifications, in order of arrival.
    pub(super) heard: Vec<String>,
}

/// A job as the miner got it, with the session's settings at that moment.
#[derive(Clone, Debug)]
pub(super) struct Mined {
    pub(super) id: String,
    pub(super) clean: bool,
    pub(super) ntime: u32,
    pub(super) coinb1: Vec<u8>,
    pub(super) extranonce1: Vec<u8>,
    pub(super) extranonce2: Vec<u8>,
    pub(super) version: u32,
    /// The version bits to roll, and the mask of allowed bits.
    pub(super) bits: Option<u32>,
    pub(super) mask: u32,
    pub(super) worker: String,
    pub(super) prev_hash: Vec<u8>,
    pub(super) coinb2: Vec<u8>,
    pub(super) branch: Vec<[u8; 32]>,
    pub(super) n_bits: u32,
    pub(super) target: Target,
}

/// A share as the miner sends it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) worker: String,
    pub(super) job: String,
    pub(super) extranonce2: String,
    pub(super) ntime: String,
    pub(super) nonce: String,
    pub(super) bits: Option<String>,
    /// Hash of the header, raw digest bytes.
    pub(super) key: [u8; 32],
}

impl Found {
    pub(super) fn params(&self) -> Value {
        let mut params = vec![&self.worker, &self.job, &self.extranonce2, &self.ntime, &self.nonce];
        params.extend(&self.bits);
        json!(params)
    }
}

impl Mined {
    fn read(params: &Value, miner: &Miner) -> Self {
        let bytes = |index: usize| hex::decode(params[index].as_str().unwrap()).unwrap();
        let word = |index: usize| u32::from_str_radix(params[index].as_str().unwrap(), 16).unwrap();
        let mut prev_hash = bytes(1);
        for word in prev_hash.chunks_exact_mut(4) {
            word.reverse();
        }
        let branch = params[4].as_array().unwrap().iter();
        Self {
            id: params[0].as_str().unwrap().to_owned(),
            prev_hash,
            coinb1: bytes(2),
            coinb2: bytes(3),
            branch: branch
                .map(|step| hex::decode(step.as_str().unwrap()).unwrap().try_into().unwrap())
                .collect(),
            version: word(5),
            n_bits: word(6),
            ntime: word(7),
            clean: params[8].as_bool().unwrap(),
            extranonce1: miner.extranonce1.clone(),
            extranonce2: vec![0; miner.extranonce2],
            bits: None,
            mask: 0x1fff_e000,
            worker: miner.worker.clone(),
            target: miner.target,
        }
    }

    /// Lease and sequence of the job, from the mark at the end of its coinbase.
    pub(super) fn of(&self) -> (u64, u64) {
        let mark = &self.coinb2[self.coinb2.len() - 16..];
        let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
        (number(&mark[..8]), number(&mark[8..]))
    }

    fn header(&self) -> [u8; 80] {
        let coinbase = [&self.coinb1[..], &self.extranonce1, &self.extranonce2, &self.coinb2].concat();
        let root =
            self.branch.iter().fold(sha256d(&coinbase), |left, right| sha256d(&[left, *right].concat()));
        let version = self.bits.map_or(self.version, |bits| (self.version & !self.mask) | bits);
        let mut header = [0; 80];
        header[..4].copy_from_slice(&version.to_le_bytes());
        header[4..36].copy_from_slice(&self.prev_hash);
        header[36..68].copy_from_slice(&root);
        header[68..72].copy_from_slice(&self.ntime.to_le_bytes());
        header[72..76].copy_from_slice(&self.n_bits.to_le_bytes());
        header
    }

    /// A new share that meets the miner's target.
    pub(super) fn mine(&self) -> Found {
        let target = self.target;
        self.mine_where(|hash| target.is_met_by(hash))
    }

    pub(super) fn mine_where(&self, wanted: impl Fn(U256) -> bool) -> Found {
        let mut header = self.header();
        let first = SEARCHED.load(Ordering::SeqCst);
        // a thousand times more nonces than any target here needs
        for nonce in first..first + (1 << 20) {
            header[76..].copy_from_slice(&nonce.to_le_bytes());
            let key = sha256d(&header);
            if wanted(U256::from_le_bytes(key)) {
                SEARCHED.fetch_max(nonce + 1, Ordering::SeqCst);
                return self.found(nonce, key);
            }
        }
        panic!("no such share");
    }

    fn found(&self, nonce: u32, key: [u8; 32]) -> Found {
        Found {
            worker: self.worker.clone(),
            job: self.id.clone(),
            extranonce2: hex::encode(&self.extranonce2),
            ntime: format!("{:08x}", self.ntime),
            nonce: format!("{nonce:08x}"),
            bits: self.bits.map(|bits| format!("{bits:08x}")),
            key,
        }
    }

    /// The start of the coinbase and the session's bytes in it: equal only for sessions that would
    /// do the same work.
    pub(super) fn space(&self) -> (String, String) {
        (hex::encode(&self.coinb1), hex::encode(&self.extranonce1))
    }
}

/// Number and code of a refused request.
pub(super) fn refusal(answer: &Value) -> (i64, String) {
    assert_eq!(answer["result"], Value::Null, "{answer}");
    (answer["error"][0].as_i64().unwrap(), answer["error"][1].as_str().unwrap().to_owned())
}

impl Miner {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (reader, writer) = stream.into_split();
        Self {
            lines: BufReader::new(reader).lines(),
            writer: Some(writer),
            waiting: VecDeque::new(),
            next: 1,
            worker: String::new(),
            extranonce1: vec![],
            extranonce2: 0,
            target: Target(U256::ZERO),
            heard: vec![],
        }
    }

    /// A subscribed and authorised miner; the requests come in the order of most stock miners.
    pub(super) async fn start(address: SocketAddr, worker: &str) -> Self {
        let mut miner = Self::connect(address).await;
        miner.subscribe().await;
        let answer = miner.authorise(worker).await;
        assert_eq!(answer["result"], true, "{answer}");
        miner
    }

    /// As [`Self::start`], for a miner that accepts a change of its extranonce.
    pub(super) async fn start_extranonce(address: SocketAddr, worker: &str) -> Self {
        let mut miner = Self::connect(address).await;
        miner.subscribe().await;
        let answer = miner.ask("mining.extranonce.subscribe", json!([])).await;
        assert_eq!(answer["result"], true, "{answer}");
        let answer = miner.authorise(worker).await;
        assert_eq!(answer["result"], true, "{answer}");
        miner
    }

    pub(super) async fn subscribe(&mut self) {
        let answer = self.ask("mining.subscribe", json!(["stock/1.0"])).await;
        self.subscribed(&answer);
    }

    pub(super) fn subscribed(&mut self, answer: &Value) {
        let result = &answer["result"];
        self.extranonce1 = hex::decode(result[1].as_str().unwrap()).unwrap();
        self.extranonce2 = usize::try_from(result[2].as_u64().unwrap()).unwrap();
    }

    pub(super) async fn authorise(&mut self, worker: &str) -> Value {
        self.worker = worker.to_owned();
        self.ask("mining.authorize", json!([worker, "x"])).await
    }

    pub(super) async fn bytes(&mut self, bytes: &[u8]) {
        self.writer.as_mut().unwrap().write_all(bytes).await.unwrap();
    }

    /// As [`Self::bytes`], for a miner that the node may drop meanwhile.
    pub(super) async fn try_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.as_mut().unwrap().write_all(bytes).await
    }

    pub(super) async fn line(&mut self, line: &str) {
        self.bytes(format!("{line}\n").as_bytes()).await;
    }

    /// Closes the sending side, and keeps reading.
    pub(super) fn hang_up(&mut self) {
        self.writer = None;
    }

    /// The next raw line; `None` once the node has closed the connection.
    pub(super) async fn raw(&mut self) -> Option<String> {
        assert!(self.waiting.is_empty(), "{:?}", self.waiting);
        patiently("a line of the node", self.lines.next_line()).await.ok()?
    }

    async fn wire(&mut self) -> Option<Value> {
        let line = patiently("a message of the node", self.lines.next_line()).await.ok()??;
        Some(serde_json::from_str(&line).unwrap())
    }

    /// The next message; `None` once the node has closed the connection.
    pub(super) async fn message(&mut self) -> Option<Value> {
        match self.waiting.pop_front() {
            Some(message) => Some(message),
            None => self.wire().await,
        }
    }

    /// The next answer; notifications that precede it are kept.
    pub(super) async fn answer(&mut self) -> Value {
        loop {
            let message = self.wire().await.expect("the node closed");
            if message.get("method").is_none() {
                return message;
            }
            self.waiting.push_back(message);
        }
    }

    pub(super) async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.next;
        self.next += 1;
        self.line(&json!({"id": id, "method": method, "params": params}).to_string()).await;
        let answer = self.answer().await;
        assert_eq!(answer["id"], id);
        answer
    }

    pub(super) async fn submit(&mut self, share: &Found) -> Value {
        self.ask("mining.submit", share.params()).await
    }

    /// The next job, after all messages that precede it.
    pub(super) async fn job(&mut self) -> Mined {
        loop {
            let message = self.message().await.expect("the node closed");
            if let Some(job) = self.notice(&message) {
                return job;
            }
        }
    }

    /// The next job of a lease's sequence.
    pub(super) async fn job_of(&mut self, lease: u64, sequence: u64) -> Mined {
        loop {
            let job = self.job().await;
            if job.of() == (lease, sequence) {
                return job;
            }
        }
    }

    /// A job among the messages that came with the last answers.
    pub(super) fn waiting_job(&mut self) -> Option<Mined> {
        while let Some(message) = self.waiting.pop_front() {
            if let Some(job) = self.notice(&message) {
                return Some(job);
            }
        }
        None
    }

    fn notice(&mut self, message: &Value) -> Option<Mined> {
        let params = &message["params"];
        let method = message["method"].as_str().unwrap_or_else(|| panic!("no notification: {message}"));
        assert_eq!(message["id"], Value::Null);
        self.heard.push(method.to_owned());
        match method {
            "mining.set_difficulty" => {
                self.target =
                    params[0].to_string().parse::<Difficulty>().unwrap().target(DifficultyBase::Bitcoin);
            }
            "mining.set_extranonce" => {
                self.extranonce1 = hex::decode(params[0].as_str().unwrap()).unwrap();
                self.extranonce2 = usize::try_from(params[1].as_u64().unwrap()).unwrap();
            }
            "mining.notify" => return Some(Mined::read(params, self)),
            "mining.set_version_mask" => {}
            _ => panic!("unexpected: {message}"),
        }
        None
    }

    /// All remaining messages until the connection ends.
    pub(super) async fn rest(&mut self) -> Vec<Value> {
        let mut rest = Vec::new();
        while let Some(message) = self.message().await {
            rest.push(message);
        }
        rest
    }
}
