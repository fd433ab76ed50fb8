//! SIMULATOR of a Stratum V1 pool: real jobs, real checks, and the answers of stock pools.

use crate::hash::{Digest, sha256d, target_of, value};
pub use crate::pool_step::{PoolSchedule, PoolStep};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::broadcast,
    task::JoinHandle,
    time::{Instant, interval_at, sleep_until},
};

/// How a pool behaves.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Address on which it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Length of extranonce1, bytes.
    pub extranonce1: usize,
    /// Length of extranonce2, bytes.
    pub extranonce2: usize,
    /// Difficulty of shares; may be below 1.
    pub difficulty: f64,
    /// Whether each block multiplies the difficulty by 0.5, 1 or 2 at random.
    pub varying: bool,
    /// Time between jobs.
    pub job_interval: Duration,
    /// Time between blocks, each of which gives a clean job.
    pub block_interval: Duration,
    /// Version bits that miners may roll; `None` if it does not know `mining.configure`.
    pub version_mask: Option<u32>,
    /// Seed of its random numbers.
    pub seed: u64,
    /// Password that workers must send, if any.
    pub password: Option<String>,
    /// Seconds by which its clock is ahead, or behind if negative.
    pub ahead: i64,
    /// Version of its jobs.
    pub version: u32,
    /// Least length of the coinbase, bytes: it pays as many miners as that takes.
    pub coinbase: usize,
    /// Methods on which it closes the connection.
    pub closes_on: Vec<&'static str>,
    /// Whether it closes each connection once it has let the worker in and sent a job.
    pub closes_sessions: bool,
    /// Whether it refuses every share.
    pub refuses: bool,
    /// Whether it writes difficulties as whole numbers, rounded down.
    pub whole_difficulty: bool,
    /// What it does while it runs.
    pub schedule: PoolSchedule,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            extranonce1: 4,
            extranonce2: 8,
            difficulty: 1e-3,
            varying: false,
            job_interval: Duration::from_secs(5),
            block_interval: Duration::from_secs(20),
            version_mask: Some(0x1fff_e000),
            seed: 1,
            password: None,
            ahead: 0,
            version: 0x2000_0000,
            coinbase: 0,
            closes_on: Vec::new(),
            closes_sessions: false,
            refuses: false,
            whole_difficulty: false,
            schedule: Vec::new(),
        }
    }
}

/// A share as the pool saw it.
#[derive(Clone, Debug)]
pub struct PoolShare {
    /// Worker name.
    pub worker: String,
    /// Hash of the header that the pool rebuilt, unless the submit was malformed.
    pub digest: Option<Digest>,
    /// Error number and message, if the pool refused it.
    pub refused: Option<(i64, &'static str)>,
}

#[derive(Clone)]
struct Job {
    id: String,
    prev_hash: Digest,
    coinb1: Vec<u8>,
    coinb2: Vec<u8>,
    branch: Vec<Digest>,
    version: u32,
    n_bits: u32,
    ntime: u32,
    clean: bool,
}

#[derive(Clone)]
enum Event {
    Job(Job),
    Difficulty,
    Mask,
    Extranonce,
    Drop,
}

/// How a job differs from the one before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Another template over the same block.
    Template,
    /// The same, flagged as clean; earlier jobs stay good.
    CleanFlag,
    /// Another block: earlier jobs are over.
    Block,
}

struct State {
    config: PoolConfig,
    random: StdRng,
    height: u32,
    prev_hash: Digest,
    next_job: u64,
    next_session: u64,
    jobs: HashMap<String, Job>,
    newest: Option<Job>,
    seen: HashSet<Digest>,
    shares: Vec<PoolShare>,
    difficulty: f64,
    down: bool,
    sessions: usize,
}

/// A running pool. Dropping it stops the pool.
pub struct PoolHandle {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    events: broadcast::Sender<Event>,
    tasks: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for PoolHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PoolHandle").field("address", &self.address).finish_non_exhaustive()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of a payout in the coinbase.
const PAYOUT: usize = 31;

fn now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as u32
}

impl State {
    fn make_job(&mut self, change: Change) -> Job {
        if change == Change::Block {
            self.height += 1;
            self.prev_hash = self.random.random();
            self.prev_hash[28..].fill(0);
            self.jobs.clear();
            if self.config.varying {
                self.difficulty = self.config.difficulty * [0.5, 1.0, 2.0][self.random.random_range(0..3)];
            }
        }
        let extranonce = self.config.extranonce1 + self.config.extranonce2;
        let mut script = vec![3];
        script.extend(&self.height.to_le_bytes()[..3]);
        script.push(extranonce as u8);
        let tag = format!("/simulated pool {}/", self.random.random_range(0..1_000_000u32));
        let mut coinb1 = 2u32.to_le_bytes().to_vec();
        coinb1.push(1);
        coinb1.extend([0; 32]);
        coinb1.extend([0xff; 4]);
        coinb1.push((script.len() + extranonce + tag.len()) as u8);
        coinb1.extend(&script);
        let mut coinb2 = tag.into_bytes();
        coinb2.extend([0xff; 4]);
        let length = coinb1.len() + extranonce + coinb2.len() + 84;
        let miners = self.config.coinbase.saturating_sub(length).div_ceil(PAYOUT).min(250);
        coinb2.push(2 + miners as u8);
        coinb2.extend((312_500_000u64 + self.random.random_range(0..50_000_000u64)).to_le_bytes());
        coinb2.extend([22, 0x00, 0x14]);
        coinb2.extend(self.random.random::<[u8; 20]>());
        for _ in 0..miners {
            coinb2.extend(1_000u64.to_le_bytes());
            coinb2.extend([22, 0x00, 0x14]);
            coinb2.extend(self.random.random::<[u8; 20]>());
        }
        coinb2.extend(0u64.to_le_bytes());
        coinb2.extend([38, 0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed]);
        coinb2.extend(self.random.random::<[u8; 32]>());
        coinb2.extend([0; 4]);
        let depth = self.random.random_range(0..=12usize);
        self.next_job += 1;
        let job = Job {
            id: format!("{:x}", self.next_job),
            prev_hash: self.prev_hash,
            coinb1,
            coinb2,
            branch: (0..depth).map(|_| self.random.random()).collect(),
            version: self.config.version,
            n_bits: 0x1701_f0f0,
            ntime: (i64::from(now()) + self.config.ahead) as u32,
            clean: change != Change::Template,
        };
        self.jobs.insert(job.id.clone(), job.clone());
        self.newest = Some(job.clone());
        job
    }
}

impl State {
    fn next_extranonce1(&mut self) -> Vec<u8> {
        self.next_session += 1;
        let number = self.next_session.to_be_bytes();
        let mut extranonce1 = vec![0; self.config.extranonce1];
        for (to, from) in extranonce1.iter_mut().rev().zip(number.iter().rev()) {
            *to = *from;
        }
        extranonce1
    }
}

impl PoolHandle {
    /// Starts a pool.
    ///
    /// # Errors
    /// If it can't listen on the address.
    pub async fn start(config: PoolConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let (job_interval, block_interval) = (config.job_interval, config.block_interval);
        let mut state = State {
            random: StdRng::seed_from_u64(config.seed),
            height: 900_000,
            prev_hash: [0; 32],
            next_job: 0,
            next_session: config.seed << 20 | u64::from(now() & 0xff) << 8,
            jobs: HashMap::new(),
            newest: None,
            seen: HashSet::new(),
            shares: Vec::new(),
            difficulty: config.difficulty,
            down: false,
            sessions: 0,
            config,
        };
        state.make_job(Change::Block);
        let state = Arc::new(Mutex::new(state));
        let (events, _) = broadcast::channel(64);
        let ticker = {
            let (state, events) = (Arc::clone(&state), events.clone());
            tokio::spawn(async move {
                let started = Instant::now();
                let mut jobs = interval_at(started + job_interval, job_interval);
                let mut blocks = interval_at(started + block_interval, block_interval);
                loop {
                    let change = tokio::select! {
                        _ = jobs.tick() => Change::Template,
                        _ = blocks.tick() => Change::Block,
                    };
                    let job = lock(&state).make_job(change);
                    let _ = events.send(Event::Job(job));
                }
            })
        };
        let acceptor = {
            let (state, events) = (Arc::clone(&state), events.clone());
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    if !lock(&state).down {
                        tokio::spawn(serve(stream, Arc::clone(&state), events.subscribe()));
                    }
                }
            })
        };
        let schedule = std::mem::take(&mut lock(&state).config.schedule);
        let actor = {
            let (state, events, started) = (Arc::clone(&state), events.clone(), Instant::now());
            tokio::spawn(async move {
                for (after, step) in schedule {
                    sleep_until(started + after).await;
                    perform(&state, &events, &step);
                }
            })
        };
        Ok(Self { address, state, events, tasks: vec![ticker, acceptor, actor] })
    }

    /// Address on which it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every share so far.
    #[must_use]
    pub fn shares(&self) -> Vec<PoolShare> {
        lock(&self.state).shares.clone()
    }

    /// Number of accepted shares.
    #[must_use]
    pub fn accepted(&self) -> usize {
        lock(&self.state).shares.iter().filter(|share| share.refused.is_none()).count()
    }

    /// Number of refusals by their message.
    #[must_use]
    pub fn refusals(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for (_, words) in lock(&self.state).shares.iter().filter_map(|share| share.refused) {
            *counts.entry(words).or_default() += 1;
        }
        counts
    }

    /// Number of subscribed connections.
    #[must_use]
    pub fn sessions(&self) -> usize {
        lock(&self.state).sessions
    }

    /// Does something now.
    pub fn act(&self, step: &PoolStep) {
        perform(&self.state, &self.events, step);
    }

    /// Changes the difficulty of all connections.
    pub fn set_difficulty(&self, difficulty: f64) {
        self.act(&PoolStep::Difficulty(difficulty));
    }

    /// Announces a new block with a clean job.
    pub fn new_block(&self) {
        self.act(&PoolStep::Blocks(1));
    }

    /// With `true`, drops all connections and refuses new ones; with `false`, accepts them again.
    pub fn set_down(&self, down: bool) {
        self.act(&PoolStep::Down(down));
    }

    /// Drops all connections; new ones are accepted.
    pub fn drop_connections(&self) {
        self.act(&PoolStep::Drop);
    }
}

fn perform(state: &Mutex<State>, events: &broadcast::Sender<Event>, step: &PoolStep) {
    // an error means that nobody is connected
    let send = |event| drop(events.send(event));
    let jobs = |count: usize, change| {
        for _ in 0..count {
            let job = lock(state).make_job(change);
            send(Event::Job(job));
        }
    };
    match *step {
        PoolStep::Difficulty(difficulty) => {
            lock(state).difficulty = difficulty;
            send(Event::Difficulty);
        }
        PoolStep::Mask(mask) => {
            lock(state).config.version_mask = Some(mask);
            send(Event::Mask);
        }
        PoolStep::Extranonce(size) => {
            lock(state).config.extranonce2 = size;
            send(Event::Extranonce);
            jobs(1, Change::Template);
        }
        PoolStep::Blocks(count) => jobs(count, Change::Block),
        PoolStep::CleanFlags(count) => jobs(count, Change::CleanFlag),
        PoolStep::Job => jobs(1, Change::Template),
        PoolStep::Ahead(seconds) => lock(state).config.ahead = seconds,
        PoolStep::Refuses(refuses) => lock(state).config.refuses = refuses,
        PoolStep::Drop => send(Event::Drop),
        PoolStep::Down(down) => {
            lock(state).down = down;
            if down {
                send(Event::Drop);
            }
        }
    }
}

impl Drop for PoolHandle {
    fn drop(&mut self) {
        let _ = self.events.send(Event::Drop);
        for task in &self.tasks {
            task.abort();
        }
    }
}

struct Session {
    state: Arc<Mutex<State>>,
    extranonce1: Vec<u8>,
    extranonce2: usize,
    /// Extranonce1 and size of extranonce2 of each job that it was sent.
    layouts: HashMap<String, (Vec<u8>, usize)>,
    closes: bool,
    subscribed: bool,
    workers: HashSet<String>,
    mask: u32,
    difficulties: [f64; 2],
}

fn notify(job: &Job) -> Value {
    let mut prev_hash = job.prev_hash;
    for word in prev_hash.chunks_exact_mut(4) {
        word.reverse();
    }
    json!({"id": null, "method": "mining.notify", "params": [
        job.id,
        hex::encode(prev_hash),
        hex::encode(&job.coinb1),
        hex::encode(&job.coinb2),
        job.branch.iter().map(hex::encode).collect::<Vec<_>>(),
        format!("{:08x}", job.version),
        format!("{:08x}", job.n_bits),
        format!("{:08x}", job.ntime),
        job.clean
    ]})
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>, mut events: broadcast::Receiver<Event>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut session = Session::new(state);
    loop {
        let mut out = Vec::new();
        tokio::select! {
            line = lines.next_line() => {
                let Ok(Some(line)) = line else { break };
                let Ok(message) = serde_json::from_str::<Value>(&line) else { break };
                let method = message["method"].as_str().unwrap_or_default();
                if lock(&session.state).config.closes_on.contains(&method) {
                    break;
                }
                session.message(&message, &mut out);
            }
            event = events.recv() => match event {
                Ok(Event::Drop) | Err(_) => break,
                Ok(Event::Job(job)) if session.subscribed => {
                    session.difficulty(&mut out);
                    session.job(&job, &mut out);
                }
                Ok(Event::Mask) if session.subscribed && session.mask != 0 => session.new_mask(&mut out),
                Ok(Event::Extranonce) if session.subscribed => session.new_extranonce(&mut out),
                Ok(Event::Difficulty) if session.subscribed => session.difficulty(&mut out),
                Ok(_) => {}
            },
        }
        let text: String = out.iter().map(|value| format!("{value}\n")).collect();
        if writer.write_all(text.as_bytes()).await.is_err() || session.closes {
            break;
        }
    }
    if session.subscribed {
        let mut state = lock(&session.state);
        state.sessions = state.sessions.saturating_sub(1);
    }
}

impl Session {
    fn new(shared: Arc<Mutex<State>>) -> Self {
        let mut state = lock(&shared);
        let extranonce1 = state.next_extranonce1();
        let extranonce2 = state.config.extranonce2;
        let difficulties = [state.difficulty; 2];
        drop(state);
        Self {
            state: shared,
            extranonce1,
            extranonce2,
            layouts: HashMap::new(),
            closes: false,
            subscribed: false,
            workers: HashSet::new(),
            mask: 0,
            difficulties,
        }
    }

    /// Announces a job.
    fn job(&mut self, job: &Job, out: &mut Vec<Value>) {
        self.layouts.insert(job.id.clone(), (self.extranonce1.clone(), self.extranonce2));
        out.push(notify(job));
    }

    fn new_mask(&mut self, out: &mut Vec<Value>) {
        self.mask = lock(&self.state).config.version_mask.unwrap_or_default();
        let mask = format!("{:08x}", self.mask);
        out.push(json!({"id": null, "method": "mining.set_version_mask", "params": [mask]}));
    }

    fn new_extranonce(&mut self, out: &mut Vec<Value>) {
        let mut state = lock(&self.state);
        self.extranonce1 = state.next_extranonce1();
        self.extranonce2 = state.config.extranonce2;
        drop(state);
        let params = json!([hex::encode(&self.extranonce1), self.extranonce2]);
        out.push(json!({"id": null, "method": "mining.set_extranonce", "params": params}));
    }

    /// A difficulty as the pool writes it.
    fn written(&self, difficulty: f64) -> Value {
        if lock(&self.state).config.whole_difficulty { json!(difficulty as u64) } else { json!(difficulty) }
    }

    /// Announces a changed difficulty. Shares of the previous difficulty still count until the next
    /// change.
    fn difficulty(&mut self, out: &mut Vec<Value>) {
        let current = lock(&self.state).difficulty;
        if self.difficulties[0] != current {
            self.difficulties = [current, self.difficulties[0]];
            let current = self.written(current);
            out.push(json!({"id": null, "method": "mining.set_difficulty", "params": [current]}));
        }
    }

    fn message(&mut self, message: &Value, out: &mut Vec<Value>) {
        let id = &message["id"];
        let params = &message["params"];
        let answer = |result: Value| json!({"id": id, "result": result, "error": null});
        let refuse = |code: i64, words: &str| json!({"id": id, "result": null, "error": [code, words, null]});
        match message["method"].as_str().unwrap_or_default() {
            "mining.configure" => {
                let granted = lock(&self.state).config.version_mask;
                out.push(match granted {
                    Some(mask) => {
                        let asked = params[1]["version-rolling.mask"].as_str().unwrap_or("ffffffff");
                        self.mask = mask & u32::from_str_radix(asked, 16).unwrap_or(u32::MAX);
                        let mask = format!("{:08x}", self.mask);
                        answer(json!({"version-rolling": true, "version-rolling.mask": mask}))
                    }
                    None => refuse(20, "Unknown method"),
                });
            }
            "mining.subscribe" => {
                let job = {
                    let mut state = lock(&self.state);
                    if !self.subscribed {
                        state.sessions += 1;
                    }
                    state.newest.clone()
                };
                self.subscribed = true;
                let extranonce1 = hex::encode(&self.extranonce1);
                out.push(answer(json!([[["mining.notify", extranonce1]], extranonce1, self.extranonce2])));
                let difficulty = self.written(self.difficulties[0]);
                out.push(json!({"id": null, "method": "mining.set_difficulty", "params": [difficulty]}));
                if let Some(job) = job {
                    self.job(&Job { clean: true, ..job }, out);
                }
            }
            "mining.authorize" => {
                let wanted = lock(&self.state).config.password.clone();
                let right = wanted.is_none_or(|wanted| params[1].as_str() == Some(&wanted));
                if right {
                    self.workers.insert(params[0].as_str().unwrap_or_default().to_owned());
                    self.closes = lock(&self.state).config.closes_sessions;
                }
                out.push(if right { answer(json!(true)) } else { refuse(24, "Unauthorized worker") });
            }
            "mining.extranonce.subscribe" | "mining.suggest_difficulty" => out.push(answer(json!(true))),
            "mining.submit" => {
                let worker = params[0].as_str().unwrap_or_default().to_owned();
                let (digest, verdict) = self.submit(params);
                let refused = verdict.err();
                lock(&self.state).shares.push(PoolShare { worker, digest, refused });
                out.push(refused.map_or_else(|| answer(json!(true)), |(code, words)| refuse(code, words)));
            }
            _ => out.push(refuse(20, "Unknown method")),
        }
    }

    /// Rebuilds the header of a share and checks it.
    fn submit(&self, params: &Value) -> (Option<Digest>, Result<(), (i64, &'static str)>) {
        let text = |index: usize| params[index].as_str().unwrap_or_default();
        let word = |index: usize| {
            let text = text(index);
            (text.len() == 8).then(|| u32::from_str_radix(text, 16).ok()).flatten()
        };
        if !self.subscribed {
            return (None, Err((25, "Not subscribed")));
        }
        if !self.workers.contains(text(0)) {
            return (None, Err((24, "Unauthorized worker")));
        }
        let (job, refuses) = {
            let state = lock(&self.state);
            (state.jobs.get(text(1)).cloned(), state.config.refuses)
        };
        let Some((job, (extranonce1, extranonce2_size))) = job.zip(self.layouts.get(text(1))) else {
            return (None, Err((21, "Job not found")));
        };
        let extranonce2 = hex::decode(text(2)).unwrap_or_default();
        let (Some(ntime), Some(nonce)) = (word(3), word(4)) else {
            return (None, Err((20, "Invalid nonce")));
        };
        if extranonce2.len() != *extranonce2_size {
            return (None, Err((20, "Invalid extranonce2")));
        }
        if ntime < job.ntime || ntime > now() + 7_200 {
            return (None, Err((20, "Ntime out of range")));
        }
        let bits = word(5).unwrap_or(0);
        if bits & !self.mask != 0 {
            return (None, Err((20, "Invalid version mask")));
        }
        let version = if self.mask == 0 { job.version } else { job.version & !self.mask | bits };
        let coinbase = [&job.coinb1, extranonce1, &extranonce2, &job.coinb2].map(Vec::as_slice).concat();
        let root =
            job.branch.iter().fold(sha256d(&coinbase), |left, right| sha256d(&[left, *right].concat()));
        let mut header = version.to_le_bytes().to_vec();
        header.extend(job.prev_hash);
        header.extend(root);
        for word in [ntime, job.n_bits, nonce] {
            header.extend(word.to_le_bytes());
        }
        let digest = sha256d(&header);
        if refuses {
            return (Some(digest), Err((20, "Refused")));
        }
        let easiest = self.difficulties[0].min(self.difficulties[1]);
        if value(&digest) > target_of(easiest) {
            return (Some(digest), Err((23, "Low difficulty share")));
        }
        if !lock(&self.state).seen.insert(digest) {
            return (Some(digest), Err((22, "Duplicate share")));
        }
        (Some(digest), Ok(()))
    }
}
