//! Tells the other members of a committee what this one took: each job and each root once, at
//! once. A member that can't be reached is told later, as long as that is of use, and delays no
//! other.

use crate::{
    outbox::{Outbox, Peer},
    roots::Shown,
    standing::{is_confirmed, shown_until},
    state::State,
};
use hashlease_committee::{ClientError, MemberClient};
use hashlease_primitives::EpochId;
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use tracing::{debug, info};
use url::Url;

/// Pause after the first failure; it doubles from failure to failure.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause while jobs wait: a job is of use for its window only.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Longest pause between two questions about a root.
const MAX_CONFIRM_PAUSE: Duration = Duration::from_secs(600);

impl State {
    /// Starts to tell members that are new in the views, and stops for those that are gone.
    pub(crate) fn meet_peers(self: &Arc<Self>) {
        let views = self.leases.borrow().clone();
        let own = self.signer();
        let urls: Vec<&Url> = views.values().flat_map(|view| view.peers(own)).map(|(_, url)| url).collect();
        let mut outboxes = self.peers.outboxes();
        outboxes.retain(|url, _| urls.contains(&url));
        for url in urls {
            if outboxes.contains_key(url) {
                continue;
            }
            let client = MemberClient::new(url.clone(), self.peers.http.clone());
            let outbox = Arc::new(Outbox::new(client));
            let (member, jobs) = (Arc::clone(self), Arc::clone(&outbox));
            let jobs = tokio::spawn(async move {
                tokio::select! { () = tell_jobs(&member, &jobs) => {}, () = member.ended() => {} }
            });
            let (member, roots) = (Arc::clone(self), Arc::clone(&outbox));
            let roots = tokio::spawn(async move {
                tokio::select! { () = tell_roots(&member, &roots) => {}, () = member.ended() => {} }
            });
            let (member, shares) = (Arc::clone(self), Arc::clone(&outbox));
            let shares = tokio::spawn(async move {
                tokio::select! { () = tell_shares(&member, &shares) => {}, () = member.ended() => {} }
            });
            outboxes.insert(url.clone(), Peer { outbox, tasks: [jobs, shares, roots] });
        }
    }
}

/// Tells one member the jobs, in their order, as long as their windows are open.
async fn tell_jobs(member: &State, outbox: &Outbox) {
    let mut pause = FIRST_PAUSE;
    loop {
        let now = member.clock.seconds();
        let next = {
            let jobs = &mut outbox.waiting().jobs;
            jobs.retain(|job| job.job.not_after() >= now);
            jobs.front().cloned()
        };
        let Some(job) = next else {
            outbox.more_jobs.notified().await;
            continue;
        };
        match outbox.client.post_job(&job).await {
            Err(error) if error.is_temporary() => {
                debug!(%error, retry_in = ?pause, "member can't be told of a job");
                sleep(pause).await;
                pause = pause.saturating_mul(2).min(MAX_PAUSE);
                continue;
            }
            Err(error) => debug!(%error, "member refuses a job"),
            Ok(_) => pause = FIRST_PAUSE,
        }
        let jobs = &mut outbox.waiting().jobs;
        // the oldest may have been dropped meanwhile
        if jobs.front() == Some(&job) {
            jobs.pop_front();
        }
    }
}

/// Shows one member the shares, in their order, as long as their jobs are open. A member that can't
/// be reached is not waited for: the next share says as much.
async fn tell_shares(member: &State, outbox: &Outbox) {
    loop {
        let now = member.clock.seconds();
        let next = {
            let shares = &mut outbox.waiting().shares;
            shares.retain(|shown| shown.job.job.not_after() >= now);
            shares.pop_front()
        };
        let Some(shown) = next else {
            outbox.more_shares.notified().await;
            continue;
        };
        if let Err(error) = outbox.client.show_share(&shown).await {
            debug!(%error, "member takes no share");
            if error.is_temporary() {
                sleep(FIRST_PAUSE).await;
            }
        }
    }
}

/// Tells one member the roots, the newest first: it has the best chance to be in time.
async fn tell_roots(member: &Arc<State>, outbox: &Outbox) {
    let mut pause = FIRST_PAUSE;
    loop {
        let next = outbox.waiting().roots.pop_back();
        let Some(id) = next else {
            outbox.more_roots.notified().await;
            continue;
        };
        match tell_root(member, &outbox.client, id).await {
            Ok(()) => pause = FIRST_PAUSE,
            Err(error) => {
                debug!(%id, %error, retry_in = ?pause, "member can't be told of a root");
                outbox.put_back(id);
                // a new root does not wait for an old failure
                let _ = timeout(pause, outbox.more_roots.notified()).await;
                pause = pause.saturating_mul(2).min(MAX_PAUSE);
            }
        }
    }
}

/// Tells one member a root, and takes its receipt. An error says that it should be tried again.
async fn tell_root(member: &Arc<State>, client: &MemberClient, id: EpochId) -> Result<(), ClientError> {
    let Ok((view, room)) = member.lease(id.lease) else { return Ok(()) };
    let Some(stored) = room.figures().root(id.epoch).cloned() else { return Ok(()) };
    if member.clock.seconds() > shown_until(&view.lease, id.epoch) {
        return Ok(());
    }
    for signed in stored.signed.iter().rev().take(1).chain(&stored.rival) {
        match client.post_root(signed).await {
            Ok(receipt) if signed.root.commitment == stored.commitment() => {
                member.show(id, Shown::receipt(receipt)).await;
            }
            Ok(_) => {}
            Err(error) if error.is_temporary() => return Err(error),
            Err(error) => debug!(%id, %error, "member refuses a root"),
        }
    }
    let confirmed = room.figures().root(id.epoch).is_some_and(|stored| is_confirmed(&view, id.epoch, stored));
    if !confirmed {
        ask_root(member, client, id).await;
    }
    Ok(())
}

/// Takes what one member shows of a root.
pub(crate) async fn ask_root(member: &Arc<State>, client: &MemberClient, id: EpochId) {
    match client.root(id).await {
        Ok(root) => member.show(id, Shown::view(root)).await,
        Err(error) => debug!(%id, %error, "member shows no root"),
    }
}

/// Asks the other members about a root until enough of them had it in time, or until the time for
/// that is over.
pub(crate) async fn confirm(member: &Arc<State>, id: EpochId) {
    let mut pause = FIRST_PAUSE;
    loop {
        if let Ok((view, room)) = member.lease(id.lease) {
            let Some(stored) = room.figures().root(id.epoch).cloned() else { return };
            if is_confirmed(&view, id.epoch, &stored) || stored.rival.is_some() {
                return;
            }
            if member.clock.seconds() > shown_until(&view.lease, id.epoch) {
                info!(%id, "too few members had the root in time: the epoch counts as empty");
                return;
            }
            let _asking = member.questions.acquire(member.claim(&view, stored.failed)).await;
            let clients = view
                .peers(member.signer())
                .map(|(_, url)| MemberClient::new(url.clone(), member.http.clone()));
            let clients: Vec<_> = clients.collect();
            let asking = clients.iter().map(|client| ask_root(member, client, id));
            let mut roots = room.roots.subscribe();
            tokio::select! {
                _ = futures::future::join_all(asking) => {}
                // enough may be known long before the slowest has answered
                () = async {
                    while roots.changed().await.is_ok() {
                        let known = room.figures().root(id.epoch).is_some_and(|stored| is_confirmed(&view, id.epoch, stored));
                        if known { return; }
                    }
                } => continue,
            }
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(MAX_CONFIRM_PAUSE);
    }
}
