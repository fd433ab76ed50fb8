//! SIMULATOR of a CPU miner. It really hashes, counts its hashes by the second in their headers,
//! and logs every share.

use crate::hash::{Digest, Scanner, limit_of, sha256d, target_of, value};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};

/// Nonces hashed between two checks of clock and job.
const BATCH: u32 = 1_024;

/// How a miner behaves.
#[derive(Clone, Debug)]
pub struct MinerConfig {
    /// Server that it mines for.
    pub server: SocketAddr,
    /// Worker name.
    pub user: String,
    /// Password.
    pub password: String,
    /// Hashing threads.
    pub threads: usize,
    /// Hashes per second of all threads together; unlimited if `None`.
    pub hash_rate: Option<f64>,
    /// Whether it asks for version rolling.
    pub version_rolling: bool,
    /// File for a log of submits and answers as JSON lines.
    pub share_log: Option<PathBuf>,
}

impl MinerConfig {
    /// One thread at full speed.
    #[must_use]
    pub fn new(server: SocketAddr, user: &str) -> Self {
        Self {
            server,
            user: user.to_owned(),
            password: "x".into(),
            threads: 1,
            hash_rate: None,
            version_rolling: true,
            share_log: None,
        }
    }
}

/// Counters of a miner.
#[derive(Clone, Debug, Default)]
pub struct MinerStats {
    /// Hashes computed.
    pub hashes: u64,
    /// Shares submitted.
    pub submitted: u64,
    /// Shares accepted.
    pub accepted: u64,
    /// Rejected shares by the server's message.
    pub rejected: BTreeMap<String, u64>,
    /// Whether it has a job.
    pub working: bool,
    /// Number of connections made.
    pub connections: u64,
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
    arrived: Instant,
    extranonce1: Vec<u8>,
    extranonce2_size: usize,
    target: f64,
}

struct Found {
    job_id: String,
    extranonce2: Vec<u8>,
    ntime: u32,
    nonce: u32,
    header: [u8; 80],
    digest: Digest,
}

struct Shared {
    config: MinerConfig,
    job: Mutex<Option<Arc<Job>>>,
    generation: AtomicU64,
    extranonce2: AtomicU64,
    paused: AtomicBool,
    stopped: AtomicBool,
    changed: Notify,
    by_second: Mutex<BTreeMap<u32, u64>>,
    stats: Mutex<MinerStats>,
    log: Mutex<Option<File>>,
}

/// A running miner. Dropping it stops the miner.
pub struct MinerHandle {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for MinerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MinerHandle").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MinerHandle {
    /// Starts a miner. It connects, and reconnects whenever it loses the connection.
    ///
    /// # Errors
    /// If the share log can't be opened.
    pub fn start(config: MinerConfig) -> io::Result<Self> {
        let log = match &config.share_log {
            Some(path) => Some(File::options().create(true).append(true).open(path)?),
            None => None,
        };
        let threads = config.threads.max(1);
        let shared = Arc::new(Shared {
            config,
            job: Mutex::default(),
            generation: AtomicU64::new(0),
            extranonce2: AtomicU64::new(0),
            paused: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            changed: Notify::new(),
            by_second: Mutex::default(),
            stats: Mutex::default(),
            log: Mutex::new(log),
        });
        let (found, shares) = mpsc::unbounded_channel();
        for _ in 0..threads {
            let (shared, found) = (Arc::clone(&shared), found.clone());
            thread::spawn(move || hash(&shared, threads, &found));
        }
        tokio::spawn(connect(Arc::clone(&shared), shares));
        Ok(Self { shared })
    }

    /// Counters so far.
    #[must_use]
    pub fn stats(&self) -> MinerStats {
        let mut stats = lock(&self.shared.stats).clone();
        stats.hashes = lock(&self.shared.by_second).values().sum();
        stats.working = lock(&self.shared.job).is_some();
        stats
    }

    /// Hashes by the second in their headers.
    #[must_use]
    pub fn hashes_by_second(&self) -> BTreeMap<u32, u64> {
        lock(&self.shared.by_second).clone()
    }

    /// Drops the connection and stops hashing.
    pub fn pause(&self) {
        self.shared.paused.store(true, Ordering::SeqCst);
        self.shared.set_job(None);
        self.shared.changed.notify_waiters();
    }

    /// Resumes after a pause.
    pub fn resume(&self) {
        self.shared.paused.store(false, Ordering::SeqCst);
        self.shared.changed.notify_waiters();
    }
}

impl Drop for MinerHandle {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.shared.set_job(None);
        self.shared.changed.notify_waiters();
    }
}

impl Shared {
    fn set_job(&self, job: Option<Job>) {
        *lock(&self.job) = job.map(Arc::new);
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    fn log(&self, mut entry: Value) {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        entry["at"] = json!(at as u64);
        if let Some(file) = lock(&self.log).as_mut() {
            // one write per line, so that a killed process leaves whole lines
            let _ = file.write_all(format!("{entry}\n").as_bytes());
        }
    }
}

/// One hashing thread.
fn hash(shared: &Shared, threads: usize, found: &mpsc::UnboundedSender<Found>) {
    let per_thread = shared.config.hash_rate.map(|rate| rate / threads as f64);
    while !shared.stopped.load(Ordering::SeqCst) {
        let generation = shared.generation.load(Ordering::SeqCst);
        let Some(job) = lock(&shared.job).clone() else {
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        let (started, mut done) = (Instant::now(), 0u64);
        let limit = limit_of(job.target);
        // each thread takes a new header every second
        while shared.generation.load(Ordering::SeqCst) == generation {
            let number = shared.extranonce2.fetch_add(1, Ordering::SeqCst);
            let mut extranonce2 = vec![0; job.extranonce2_size];
            for (to, from) in extranonce2.iter_mut().rev().zip(number.to_le_bytes()) {
                *to = from;
            }
            let second = job.arrived.elapsed().as_secs();
            let ntime = job.ntime + second as u32;
            let mut header = job.header(&extranonce2, ntime);
            let mut scanner = Scanner::new(&header);
            let mut nonce = 0u32;
            while job.arrived.elapsed().as_secs() == second
                && shared.generation.load(Ordering::SeqCst) == generation
                && nonce < u32::MAX - BATCH
            {
                for nonce in nonce..nonce + BATCH {
                    if let Some(digest) = scanner.hash(nonce, limit)
                        && value(&digest) <= job.target
                    {
                        header[76..].copy_from_slice(&nonce.to_le_bytes());
                        let _ = found.send(Found {
                            job_id: job.id.clone(),
                            extranonce2: extranonce2.clone(),
                            ntime,
                            nonce,
                            header,
                            digest,
                        });
                    }
                }
                nonce += BATCH;
                done += u64::from(BATCH);
                *lock(&shared.by_second).entry(ntime).or_default() += u64::from(BATCH);
                if let Some(rate) = per_thread {
                    let due = Duration::from_secs_f64(done as f64 / rate);
                    thread::sleep(due.saturating_sub(started.elapsed()).min(Duration::from_millis(100)));
                }
            }
        }
    }
}

impl Job {
    fn header(&self, extranonce2: &[u8], ntime: u32) -> [u8; 80] {
        let coinbase = [&self.coinb1[..], &self.extranonce1, extranonce2, &self.coinb2].concat();
        let root =
            self.branch.iter().fold(sha256d(&coinbase), |left, right| sha256d(&[left, *right].concat()));
        let mut header = [0u8; 80];
        header[..4].copy_from_slice(&self.version.to_le_bytes());
        header[4..36].copy_from_slice(&self.prev_hash);
        header[36..68].copy_from_slice(&root);
        header[68..72].copy_from_slice(&ntime.to_le_bytes());
        header[72..76].copy_from_slice(&self.n_bits.to_le_bytes());
        header
    }

    fn read(params: &Value, extranonce: &(Vec<u8>, usize), target: f64) -> Option<Self> {
        let text = |index: usize| params[index].as_str();
        let word = |index: usize| u32::from_str_radix(text(index)?, 16).ok();
        let mut prev_hash: Digest = hex::decode(text(1)?).ok()?.try_into().ok()?;
        for word in prev_hash.chunks_exact_mut(4) {
            word.reverse();
        }
        let branch =
            params[4].as_array()?.iter().map(|step| hex::decode(step.as_str()?).ok()?.try_into().ok());
        Some(Self {
            id: text(0)?.to_owned(),
            prev_hash,
            coinb1: hex::decode(text(2)?).ok()?,
            coinb2: hex::decode(text(3)?).ok()?,
            branch: branch.collect::<Option<Vec<_>>>()?,
            version: word(5)?,
            n_bits: word(6)?,
            ntime: word(7)?,
            arrived: Instant::now(),
            extranonce1: extranonce.0.clone(),
            extranonce2_size: extranonce.1,
            target,
        })
    }
}

/// Keeps the miner connected.
async fn connect(shared: Arc<Shared>, mut shares: mpsc::UnboundedReceiver<Found>) {
    while !shared.stopped.load(Ordering::SeqCst) {
        if shared.paused.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(20)).await;
            continue;
        }
        if let Ok(Ok(stream)) =
            timeout(Duration::from_secs(5), TcpStream::connect(shared.config.server)).await
        {
            lock(&shared.stats).connections += 1;
            let _ = session(&shared, stream, &mut shares).await;
        }
        shared.set_job(None);
        // shares of a lost session are invalid in the next
        while shares.try_recv().is_ok() {}
        sleep(Duration::from_millis(200)).await;
    }
}

async fn session(
    shared: &Shared,
    stream: TcpStream,
    shares: &mut mpsc::UnboundedReceiver<Found>,
) -> io::Result<()> {
    let _ = stream.set_nodelay(true);
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut opening = String::new();
    if shared.config.version_rolling {
        opening += &format!(
            "{}\n",
            json!({"id": 1, "method": "mining.configure", "params": [["version-rolling"],
            {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2}]})
        );
    }
    opening +=
        &format!("{}\n", json!({"id": 2, "method": "mining.subscribe", "params": ["hashlease-sim/1.0"]}));
    writer.write_all(opening.as_bytes()).await?;
    let mut extranonce: Option<(Vec<u8>, usize)> = None;
    let mut target = target_of(1.0);
    let mut mask = 0u32;
    let mut next_id = 10u64;
    let mut pending: HashMap<u64, Value> = HashMap::new();
    loop {
        tokio::select! {
            () = shared.changed.notified() => {
                if shared.paused.load(Ordering::SeqCst) || shared.stopped.load(Ordering::SeqCst) {
                    return Ok(());
                }
            }
            share = shares.recv() => {
                let Some(share) = share else { return Ok(()) };
                let mut params = vec![
                    json!(shared.config.user),
                    json!(share.job_id),
                    json!(hex::encode(&share.extranonce2)),
                    json!(format!("{:08x}", share.ntime)),
                    json!(format!("{:08x}", share.nonce)),
                ];
                if mask != 0 {
                    let version = u32::from_le_bytes([share.header[0], share.header[1], share.header[2], share.header[3]]);
                    params.push(json!(format!("{:08x}", version & mask)));
                }
                let mut shown = share.digest;
                shown.reverse();
                let entry = json!({"event": "submit", "id": next_id, "job": share.job_id, "ntime": share.ntime,
                    "hash": hex::encode(shown), "header": hex::encode(share.header)});
                shared.log(entry.clone());
                lock(&shared.stats).submitted += 1;
                pending.insert(next_id, entry);
                let line = json!({"id": next_id, "method": "mining.submit", "params": params});
                next_id += 1;
                writer.write_all(format!("{line}\n").as_bytes()).await?;
            }
            line = lines.next_line() => {
                let Some(line) = line? else { return Ok(()) };
                let message: Value = serde_json::from_str(&line).map_err(io::Error::other)?;
                let params = &message["params"];
                match message["method"].as_str() {
                    Some("mining.set_difficulty") => target = target_of(params[0].as_f64().unwrap_or(1.0)),
                    Some("mining.set_extranonce") => {
                        let bytes = hex::decode(params[0].as_str().unwrap_or_default()).map_err(io::Error::other)?;
                        extranonce = Some((bytes, params[1].as_u64().unwrap_or(4) as usize));
                    }
                    Some("mining.set_version_mask") => {
                        mask = u32::from_str_radix(params[0].as_str().unwrap_or_default(), 16).unwrap_or(0);
                    }
                    Some("mining.notify") => {
                        let job = extranonce.as_ref().and_then(|extranonce| Job::read(params, extranonce, target));
                        if let Some(job) = job && !shared.paused.load(Ordering::SeqCst) {
                            shared.set_job(Some(job));
                        }
                    }
                    Some("client.reconnect") => return Ok(()),
                    Some(_) => {}
                    None => match message["id"].as_u64() {
                        Some(1) => {
                            let text = message["result"]["version-rolling.mask"].as_str().unwrap_or("0");
                            mask = u32::from_str_radix(text, 16).unwrap_or(0);
                        }
                        Some(2) => {
                            let result = &message["result"];
                            let bytes = hex::decode(result[1].as_str().unwrap_or_default()).map_err(io::Error::other)?;
                            extranonce = Some((bytes, result[2].as_u64().unwrap_or(4) as usize));
                            let more = [
                                json!({"id": 3, "method": "mining.extranonce.subscribe", "params": []}),
                                json!({"id": 4, "method": "mining.authorize",
                                    "params": [shared.config.user, shared.config.password]}),
                            ];
                            for line in more {
                                writer.write_all(format!("{line}\n").as_bytes()).await?;
                            }
                        }
                        Some(4) if message["result"] != json!(true) => return Ok(()),
                        Some(id) => if let Some(mut entry) = pending.remove(&id) {
                            let mut stats = lock(&shared.stats);
                            if message["result"] == json!(true) {
                                stats.accepted += 1;
                                entry["event"] = json!("accepted");
                            } else {
                                let words = message["error"][1].as_str().unwrap_or("refused").to_owned();
                                entry["event"] = json!("rejected");
                                entry["reason"] = json!(words);
                                *stats.rejected.entry(words).or_default() += 1;
                            }
                            drop(stats);
                            shared.log(entry);
                        },
                        None => {}
                    },
                }
            }
        }
    }
}
