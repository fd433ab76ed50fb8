//! The members' jobs: they serve what they took, and get what this node took.
//!
//! A node takes jobs from the gateway and from every member alike, always: what a member counts as
//! due must be known here, whoever the job signer gave it to.

use crate::{
    job_intake::{JobSource, take_job},
    link_target::LinkTarget,
    mined_lease::MinedLease,
};
use hashlease_committee::{ClientError, MemberClient};
use hashlease_ledger::Book;
use hashlease_net::HttpClient;
use hashlease_primitives::{LeaseId, SignedJob};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{broadcast::error::RecvError, watch},
    task::JoinSet,
    time::sleep,
};
use tracing::debug;

/// How long a member waits for a job before it answers that there is none, seconds.
const WAIT: u64 = 20;
/// Pause after an answer: a member that answers at once must not keep the node busy.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest pause after failures.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Exchanges jobs with the lease's members, following changes of the list, until it is dropped.
pub(crate) async fn exchange_with_members(
    served: Arc<MinedLease>,
    book: Book,
    mut target: watch::Receiver<LinkTarget>,
    http: HttpClient,
) {
    loop {
        let members = target.borrow_and_update().members.clone();
        // one slow member delays no other
        let mut exchanging = JoinSet::new();
        for url in &members {
            let client = MemberClient::new(url.clone(), http.clone());
            exchanging.spawn(take_jobs(Arc::clone(&served), book.clone(), client.clone()));
            exchanging.spawn(hand_on_jobs(Arc::clone(&served), client));
        }
        while target.borrow_and_update().members == members {
            if target.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

/// One page of a member's jobs after a place in its log, and the place after them.
async fn next_jobs(
    client: &MemberClient,
    lease: LeaseId,
    after: u64,
) -> Result<(Vec<SignedJob>, u64), ClientError> {
    let page = client.jobs(lease, after, WAIT).await?;
    Ok((page.jobs.into_iter().map(|taken| taken.signed).collect(), page.next))
}

async fn take_jobs(served: Arc<MinedLease>, book: Book, client: MemberClient) {
    let source = JobSource::member();
    let (mut after, mut pause) = (0, PAUSE);
    loop {
        if !served.needs_jobs() {
            sleep(MAX_PAUSE).await;
            continue;
        }
        match next_jobs(&client, served.id(), after).await {
            Ok((jobs, next)) => {
                (after, pause) = (next, PAUSE);
                let now = served.now();
                // the newest first: an old page may hold more than are looked at in a minute
                for signed in jobs.into_iter().rev().filter(|signed| signed.job.not_after() >= now) {
                    take_job(&served, &book, signed, None, &source).await;
                }
            }
            Err(error) => {
                debug!(lease = %served.id(), member = %client.url(), %error, "no jobs from a member");
                pause = pause.saturating_mul(2).min(MAX_PAUSE);
            }
        }
        sleep(pause).await;
    }
}

async fn hand_on_jobs(served: Arc<MinedLease>, client: MemberClient) {
    let mut jobs = served.jobs_for_members();
    loop {
        let signed = match jobs.recv().await {
            Ok(signed) => signed,
            // the member was too slow: newer jobs follow
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        if let Err(error) = client.post_job(&signed).await {
            debug!(lease = %served.id(), member = %client.url(), %error, "job was not handed on");
        }
    }
}
