//! Jobs to the committee's members, in order, until they have them or the job is worth nothing any more.

use crate::clock::unix_seconds;
use hashlease_primitives::SignedJob;
use std::{collections::VecDeque, time::Duration};
use tokio::{sync::mpsc, time::sleep};
use tracing::{debug, warn};
use url::Url;

/// Jobs that may wait for one member.
const QUEUE: usize = 256;
const TIMEOUT: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(500);

/// One queue per member, so that a slow one holds up nobody.
#[derive(Debug)]
pub(crate) struct Members(Vec<mpsc::Sender<SignedJob>>);

impl Members {
    pub(crate) fn start(urls: &[Url]) -> Self {
        let queues = urls.iter().map(|url| {
            let (sender, receiver) = mpsc::channel(QUEUE);
            tokio::spawn(deliver(url.clone(), receiver));
            sender
        });
        Self(queues.collect())
    }

    pub(crate) fn send(&self, job: &SignedJob) {
        for queue in &self.0 {
            if queue.try_send(job.clone()).is_err() {
                warn!(sequence = job.job.sequence, "a member is too slow for its jobs: one is left out");
            }
        }
    }
}

async fn deliver(member: Url, mut jobs: mpsc::Receiver<SignedJob>) {
    let client = reqwest::Client::builder().timeout(TIMEOUT).build().unwrap_or_default();
    let Ok(route) = member.join("v1/jobs") else { return };
    let mut waiting: VecDeque<SignedJob> = VecDeque::new();
    let mut complained = false;
    loop {
        while let Ok(job) = jobs.try_recv() {
            waiting.push_back(job);
        }
        let now = unix_seconds();
        waiting.retain(|job| job.job.not_after >= now);
        let Some(job) = waiting.front() else {
            match jobs.recv().await {
                Some(job) => waiting.push_back(job),
                None => return,
            }
            continue;
        };
        let trouble = match client.post(route.clone()).json(job).send().await {
            Ok(response) if response.status().is_success() => {
                waiting.pop_front();
                complained = false;
                continue;
            }
            // the lease is not confirmed on the member's chain yet: soon it will be
            Ok(response) if response.status().as_u16() == 404 => "it does not know the lease yet".to_owned(),
            Ok(response) if response.status().is_client_error() => {
                let status = response.status();
                let words = response.text().await.unwrap_or_default();
                warn!(%member, sequence = job.job.sequence, %status, words, "member refuses a job");
                waiting.pop_front();
                continue;
            }
            Ok(response) => response.status().to_string(),
            Err(error) if error.is_timeout() => "it does not answer".to_owned(),
            Err(_) => "it can't be reached".to_owned(),
        };
        if complained {
            debug!(%member, trouble, "job not delivered");
        } else {
            warn!(%member, trouble, "jobs are not delivered to a member, trying on");
            complained = true;
        }
        sleep(RETRY).await;
    }
}
