//! Posts jobs to the committee's members, in order, until each has arrived or its window is over.

use hashlease_committee::MemberClient;
use hashlease_net::HttpClient;
use hashlease_primitives::{SharedClock, SignedJob};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tracing::warn;
use url::Url;

/// Jobs that may wait for one member; the oldest are dropped first.
const QUEUE: usize = 256;
/// Pause after a failed post.
const RETRY: Duration = Duration::from_millis(500);
/// Pause between two complaints about one member in the log.
const COMPLAIN: Duration = Duration::from_secs(60);

/// Complains about one member at a bounded rate.
#[derive(Debug, Default)]
struct Complaints {
    last: Option<Instant>,
    left_out: u64,
}

impl Complaints {
    fn tell(&mut self, member: &Url, sequence: u64, what: &str) {
        if self.last.is_some_and(|last| last.elapsed() < COMPLAIN) {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        warn!(%member, sequence, left_out = self.left_out, "{what}");
        *self = Self { last: Some(Instant::now()), left_out: 0 };
    }
}

/// One queue per member, so that a slow one holds up nobody.
#[derive(Debug)]
pub(crate) struct JobsToMembers {
    queues: BTreeMap<Url, MemberQueue>,
    http: HttpClient,
    clock: SharedClock,
}

#[derive(Debug)]
struct MemberQueue {
    jobs: mpsc::Sender<SignedJob>,
    complaints: Complaints,
    task: JoinHandle<()>,
}

impl Drop for MemberQueue {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl JobsToMembers {
    pub(crate) const fn new(http: HttpClient, clock: SharedClock) -> Self {
        Self { queues: BTreeMap::new(), http, clock }
    }

    /// Starts queues for new members and drops those of members that are gone; the others keep
    /// theirs.
    pub(crate) fn set_members(&mut self, urls: &[Url]) {
        self.queues.retain(|url, _| urls.contains(url));
        for url in urls {
            let (http, clock) = (&self.http, &self.clock);
            self.queues.entry(url.clone()).or_insert_with(|| {
                let (jobs, receiver) = mpsc::channel(QUEUE);
                let client = MemberClient::new(url.clone(), http.clone());
                MemberQueue {
                    jobs,
                    complaints: Complaints::default(),
                    task: tokio::spawn(deliver(client, receiver, Arc::clone(clock))),
                }
            });
        }
    }

    /// Queues a job for every member.
    pub(crate) fn post_to_all(&mut self, job: &SignedJob) {
        for (url, member) in &mut self.queues {
            if member.jobs.try_send(job.clone()).is_err() {
                member.complaints.tell(url, job.job.sequence(), "queue of a member is full, job dropped");
            }
        }
    }
}

async fn deliver(client: MemberClient, mut jobs: mpsc::Receiver<SignedJob>, clock: SharedClock) {
    let member = client.url();
    let mut waiting: VecDeque<SignedJob> = VecDeque::new();
    let mut complaints = Complaints::default();
    loop {
        while let Ok(job) = jobs.try_recv() {
            waiting.push_back(job);
        }
        let now = clock.seconds();
        waiting.retain(|job| job.job.not_after() >= now);
        while waiting.len() > QUEUE {
            waiting.pop_front();
        }
        let Some(job) = waiting.front() else {
            match jobs.recv().await {
                Some(job) => waiting.push_back(job),
                None => return,
            }
            continue;
        };
        let sequence = job.job.sequence();
        match client.post_job(job).await {
            Ok(_) => {
                waiting.pop_front();
            }
            Err(error) if error.is_temporary() => {
                complaints.tell(member, sequence, &format!("job is not delivered, retrying: {error}"));
                sleep(RETRY).await;
            }
            Err(error) => {
                complaints.tell(member, sequence, &format!("member refuses a job: {error}"));
                waiting.pop_front();
            }
        }
    }
}
