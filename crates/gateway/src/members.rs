//! Jobs to the committee's members, in order, until they have them or the job is worth nothing any more.

use hashlease_primitives::{SharedClock, SignedJob};
use reqwest::StatusCode;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinHandle, time::sleep};
use tracing::{debug, warn};
use url::Url;

/// Jobs that may wait for one member; the oldest go first.
const QUEUE: usize = 256;
const TIMEOUT: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(500);

/// One queue per member, so that a slow one holds up nobody.
#[derive(Debug)]
pub(crate) struct Members {
    queues: BTreeMap<Url, Member>,
    clock: SharedClock,
}

#[derive(Debug)]
struct Member {
    jobs: mpsc::Sender<SignedJob>,
    task: JoinHandle<()>,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Members {
    pub(crate) const fn new(clock: SharedClock) -> Self {
        Self { queues: BTreeMap::new(), clock }
    }

    /// Takes up new members and leaves those that are gone; the others keep their queues.
    pub(crate) fn follow(&mut self, urls: &[Url]) {
        self.queues.retain(|url, _| urls.contains(url));
        for url in urls {
            let clock = &self.clock;
            self.queues.entry(url.clone()).or_insert_with(|| {
                let (jobs, receiver) = mpsc::channel(QUEUE);
                Member { jobs, task: tokio::spawn(deliver(url.clone(), receiver, Arc::clone(clock))) }
            });
        }
    }

    pub(crate) fn send(&self, job: &SignedJob) {
        for (url, member) in &self.queues {
            if member.jobs.try_send(job.clone()).is_err() {
                warn!(member = %url, sequence = job.job.sequence(), "member is too slow for its jobs, one is left out");
            }
        }
    }
}

/// Why a job did not arrive.
enum Trouble {
    /// It may arrive later.
    Later(String),
    /// It never will.
    Never(String),
}

async fn post(client: &reqwest::Client, route: &Url, job: &SignedJob) -> Result<(), Trouble> {
    let response = match client.post(route.clone()).json(job).send().await {
        Ok(response) => response,
        Err(error) if error.is_timeout() => return Err(Trouble::Later("does not answer".into())),
        Err(_) => return Err(Trouble::Later("can't be reached".into())),
    };
    match response.status() {
        status if status.is_success() => Ok(()),
        // the lease is not confirmed on the member's chain yet: soon it will be
        StatusCode::NOT_FOUND => Err(Trouble::Later("does not know the lease yet".into())),
        status @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => {
            Err(Trouble::Later(status.to_string()))
        }
        status if status.is_client_error() => {
            let words = response.text().await.unwrap_or_default();
            Err(Trouble::Never(format!("{status}: {}", words.chars().take(256).collect::<String>())))
        }
        status => Err(Trouble::Later(status.to_string())),
    }
}

async fn deliver(member: Url, mut jobs: mpsc::Receiver<SignedJob>, clock: SharedClock) {
    let client = reqwest::Client::builder().timeout(TIMEOUT).build().unwrap_or_default();
    let Ok(route) = member.join("v1/jobs") else {
        warn!(%member, "not a base address: no jobs are delivered");
        return;
    };
    let mut waiting: VecDeque<SignedJob> = VecDeque::new();
    let mut complained = false;
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
        match post(&client, &route, job).await {
            Ok(()) => {
                waiting.pop_front();
                complained = false;
            }
            Err(Trouble::Never(words)) => {
                warn!(%member, sequence, words, "member refuses a job");
                waiting.pop_front();
            }
            Err(Trouble::Later(words)) => {
                if complained {
                    debug!(%member, sequence, words, "job not delivered");
                } else {
                    warn!(%member, sequence, words, "jobs are not delivered to a member, trying on");
                    complained = true;
                }
                sleep(RETRY).await;
            }
        }
    }
}
