//! The link to a lease's gateway: jobs in, shares out.
//!
//! The link is Stratum V1 with one more notification, `hashlease.job`, which carries the signed
//! fields of the job that `mining.notify` announced just before. A job is verified and journalled
//! before any miner sees it. While the gateway can't be reached, the committee members serve the
//! same signed jobs; shares then count but are not forwarded.

use crate::refusal::Refusal;
use crate::{
    job_form::{FormError, JobForm},
    mined_lease::{CONNECT_AHEAD, MineableJob, MinedLease},
};
use hashlease_committee::{MemberClient, TakenJob};
use hashlease_ledger::{Book, BookError};
use hashlease_net::{HttpClient, SharedNetwork};
use hashlease_primitives::{DifficultyBase, NodeBox, SignedJob, Target, Terms};
use hashlease_share::VerifiedJob;
use hashlease_stratum::server::SessionRefusal;
use hashlease_stratum::{
    BIP320_MASK,
    client::{ClientEnd, ConnectOptions, UpstreamEvent, UpstreamEvents, connect},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{sync::watch, time::sleep};
use tracing::{debug, info, warn};
use url::Url;

/// Longest pause between two attempts to connect.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Where a link connects, and where jobs come from while it is down. Changes during the lease.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LinkTarget {
    pub(crate) node_box: NodeBox,
    pub(crate) members: Vec<Url>,
}

/// Verifies a job, stores it, and hands it out.
pub(crate) async fn accept_job(
    served: &MinedLease,
    book: &Book,
    terms: &Terms,
    signed: SignedJob,
    pool_target: Option<Target>,
    clean: bool,
) {
    let (lease, sequence) = (terms.id, signed.job.sequence());
    if served.job(sequence).is_some_and(|known| *known.verified.signed() == signed) {
        return;
    }
    let refused = |reason: Refusal| warn!(%lease, sequence, code = reason.code(), %reason, "job refused");
    let verified = match VerifiedJob::verify(terms, signed) {
        Ok(verified) => verified,
        Err(reason) => return refused(reason.into()),
    };
    let form = match JobForm::of(verified.job()) {
        Ok(form) => form,
        Err(FormError::NotServed(_)) => {
            return refused(SessionRefusal::AlgorithmNotServed(terms.algorithm).into());
        }
        Err(error) => {
            warn!(%lease, sequence, %error, "job can't be handed out");
            return;
        }
    };
    let now = served.now();
    if now > verified.job().not_after() {
        debug!(%lease, sequence, "job arrived after its window");
        return;
    }
    match book.job(verified.signed()).await {
        Ok(()) => {}
        Err(error @ BookError::JobSequence { .. }) => {
            warn!(%lease, sequence, code = "job-sequence", reason = %error, "job refused");
            return;
        }
        Err(error) => {
            warn!(%lease, sequence, %error, "job could not be stored and is not handed out");
            return;
        }
    }
    debug!(%lease, sequence, clean, "job accepted");
    served.add_job(MineableJob::new(verified, form, pool_target, clean));
}

/// Keeps one lease connected until its end.
pub(crate) async fn run_link(
    served: Arc<MinedLease>,
    target: watch::Receiver<LinkTarget>,
    book: Book,
    agent: String,
    network: SharedNetwork,
) {
    let http = HttpClient::new(Arc::clone(&network));
    let fallback = tokio::spawn(poll_members(Arc::clone(&served), book.clone(), target.clone(), http));
    let id = served.id();
    let mut pause = Duration::from_millis(500);
    loop {
        let terms = served.terms();
        let now = served.now();
        if now >= terms.end {
            break;
        }
        if now.plus(CONNECT_AHEAD) < terms.start {
            sleep(Duration::from_secs(1)).await;
            continue;
        }
        let way = target.borrow().node_box.clone();
        let options = ConnectOptions::new(&way.gateway, &agent)
            .credentials(id.to_string(), way.token.clone())
            .version_mask(BIP320_MASK)
            .notifications(["hashlease.job"])
            .difficulty(DifficultyBase::of_stratum(served.terms().algorithm));
        match connect(network.as_ref(), options).await {
            Ok((handle, events)) => {
                served.set_link_state("connected");
                served.set_link(Some(handle));
                let LinkEnd { authorised, reason } = read_link(&served, &book, events).await;
                served.set_link(None);
                if authorised {
                    pause = Duration::from_millis(500);
                }
                served.set_link_state(reason.to_string());
                warn!(lease = %id, gateway = %way.gateway, %reason, retry_in = ?pause, "gateway link ended");
            }
            Err(error) => {
                served.set_link_state(error.to_string());
                warn!(lease = %id, gateway = %way.gateway, %error, retry_in = ?pause, "gateway can't be reached");
            }
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(MAX_PAUSE);
    }
    fallback.abort();
    info!(lease = %id, "lease is over, gateway link closed");
}

/// How one connection to the gateway ended.
#[derive(Debug)]
pub(crate) struct LinkEnd {
    /// The gateway had accepted the access token.
    pub(crate) authorised: bool,
    pub(crate) reason: LinkEndReason,
}

/// Why a connection to the gateway ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkEndReason {
    /// Nothing is left to do.
    #[error("lease is over")]
    LeaseOver,
    /// The gateway does not know the token.
    #[error("gateway refused the access token: {message}")]
    TokenRefused {
        /// The gateway's words.
        message: String,
    },
    /// The session ended.
    #[error("{0}")]
    Ended(Arc<ClientEnd>),
    /// Its task is gone without a last event.
    #[error("connection closed")]
    Gone,
}

/// Reads one connection until it ends.
pub(crate) async fn read_link(served: &MinedLease, book: &Book, mut events: UpstreamEvents) -> LinkEnd {
    let mut authorised = false;
    let mut pool_target = None;
    let mut clean_of = HashMap::new();
    let deadline = || served.terms().end.since(served.now());
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = sleep(Duration::from_secs(deadline().clamp(1, 5))) => {
                if deadline() == 0 {
                    return LinkEnd { authorised, reason: LinkEndReason::LeaseOver };
                }
                continue;
            }
        };
        match event {
            None => return LinkEnd { authorised, reason: LinkEndReason::Gone },
            Some(UpstreamEvent::Closed(end)) => {
                return LinkEnd { authorised, reason: LinkEndReason::Ended(end) };
            }
            Some(UpstreamEvent::Authorized) => {
                authorised = true;
                info!(lease = %served.id(), "gateway link is up");
            }
            Some(UpstreamEvent::Refused { message }) => {
                let reason = LinkEndReason::TokenRefused { message };
                return LinkEnd { authorised: false, reason };
            }
            Some(UpstreamEvent::Difficulty(target)) => pool_target = Some(target),
            Some(UpstreamEvent::Notify(notify)) => {
                clean_of.clear();
                clean_of.insert(notify.job_id, notify.clean_jobs);
            }
            Some(UpstreamEvent::Other { method, params }) if method == "hashlease.job" => {
                let parsed: Result<(String, SignedJob, serde_json::Value), _> =
                    serde_json::from_value(params);
                match parsed {
                    // the third is the pool's target, the same as in `mining.set_difficulty`
                    Ok((job_id, signed, _)) => {
                        let clean = clean_of.remove(&job_id).unwrap_or(false);
                        accept_job(served, book, &served.terms(), signed, pool_target, clean).await;
                    }
                    Err(error) => warn!(lease = %served.id(), %error, "hashlease.job can't be read"),
                }
            }
            Some(_) => {}
        }
    }
}

/// Long-polls the members for jobs while the gateway's link is down.
async fn poll_members(
    served: Arc<MinedLease>,
    book: Book,
    target: watch::Receiver<LinkTarget>,
    http: HttpClient,
) {
    // place in each member's log
    let mut after: HashMap<Url, u64> = HashMap::new();
    loop {
        sleep(Duration::from_millis(500)).await;
        if served.link().is_some() {
            continue;
        }
        let members = target.borrow().members.clone();
        for url in members {
            if served.link().is_some() {
                break;
            }
            let place = after.entry(url.clone()).or_default();
            let client = MemberClient::new(url, http.clone());
            let Ok(page) = client.jobs(served.id(), *place, 2).await else { continue };
            *place = page.next;
            for TakenJob { signed, .. } in page.jobs {
                // members don't transmit `clean_jobs`: a changed previous block is clean
                let known = served.jobs().borrow().as_ref().map(|known| known.form.previous_block());
                let clean = known.is_none() || known != signed.job.header().map(|job| job.prev_hash);
                accept_job(&served, &book, &served.terms(), signed, None, clean).await;
            }
        }
    }
}
