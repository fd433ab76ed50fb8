//! The link to a lease's gateway: jobs in, shares out.
//!
//! The link is Stratum V1 with one more notification, `hashlease.job`, which carries the signed
//! fields of the job that `mining.notify` announced just before, and the target by which the pool
//! judges its shares. Nothing that is not signed changes what becomes of a job: the target is for
//! forwarding alone. While the gateway can't be reached, shares count but are not forwarded.

use crate::{
    job_intake::{JobSource, take_job},
    link_target::LinkTarget,
    member_jobs::exchange_with_members,
    mined_lease::MinedLease,
};
use alloy_primitives::U256;
use hashlease_ledger::Book;
use hashlease_net::{HttpClient, SharedNetwork};
use hashlease_primitives::{DifficultyBase, SignedJob, Target};
use hashlease_stratum::{
    BIP320_MASK,
    client::{ClientEnd, ConnectError, ConnectOptions, UpstreamEvent, UpstreamEvents, connect},
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet, time::sleep};
use tracing::{info, warn};

/// First pause between two attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause: a gateway that is back is found within the tolerance of a lease.
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// Longest words of a gateway that are shown, characters.
const MAX_WORDS: usize = 200;

/// Keeps one lease connected while it lasts, until this is dropped: an end that an endpoint invented
/// may be taken back.
pub(crate) async fn run_link(
    served: Arc<MinedLease>,
    target: watch::Receiver<LinkTarget>,
    book: Book,
    agent: String,
    network: SharedNetwork,
) {
    let http = HttpClient::new(Arc::clone(&network));
    // ends with this future
    let mut exchanging = JoinSet::new();
    exchanging.spawn(exchange_with_members(Arc::clone(&served), book.clone(), target.clone(), http));
    let source = JobSource::gateway(&served.terms());
    let id = served.id();
    let mut pause = FIRST_PAUSE;
    loop {
        let way = target.borrow().node_box.clone().filter(|_| served.needs_jobs());
        let Some(way) = way else {
            served.set_link_state(if served.needs_jobs() {
                "the node's box can't be opened"
            } else {
                "not yet, or no longer, connected"
            });
            sleep(Duration::from_secs(1)).await;
            continue;
        };
        let options = ConnectOptions::new(&way.gateway, &agent)
            .credentials(id.to_string(), way.token.clone())
            .version_mask(BIP320_MASK)
            .notifications(["hashlease.job"])
            .difficulty(DifficultyBase::of_stratum(served.terms().algorithm));
        match connect(network.as_ref(), options).await {
            Ok((handle, events)) => {
                served.set_link_state("connected");
                served.set_link(Some(handle));
                let LinkEnd { authorised, reason } = read_link(&served, &book, &source, events).await;
                served.set_link(None);
                if authorised {
                    pause = FIRST_PAUSE;
                }
                served.set_link_state(shown(&reason.to_string()));
                warn!(lease = %id, gateway = %way.gateway, %reason, retry_in = ?pause, "gateway link ended");
            }
            Err(error) => {
                served.set_link_state(in_words(&error));
                warn!(lease = %id, gateway = %way.gateway, %error, retry_in = ?pause, "gateway can't be reached");
            }
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(MAX_PAUSE);
    }
}

/// Why there is no connection, without the address: the renter sealed it to the node.
fn in_words(error: &ConnectError) -> String {
    match error {
        ConnectError::Scheme { .. } => "the box names a scheme that is not served".into(),
        ConnectError::Address { .. } => "the box names no host and port".into(),
        ConnectError::Io { source, .. } => format!("can't be reached: {}", source.kind()),
        ConnectError::Timeout { seconds, .. } => format!("can't be reached within {seconds} s"),
    }
}

/// Words that a gateway may have chosen, as they are shown: on one line, and not too long.
fn shown(words: &str) -> String {
    words.chars().take(MAX_WORDS).flat_map(char::escape_debug).collect()
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
pub(crate) async fn read_link(
    served: &MinedLease,
    book: &Book,
    source: &JobSource,
    mut events: UpstreamEvents,
) -> LinkEnd {
    let mut authorised = false;
    let mut newest_target = None;
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
            Some(UpstreamEvent::Difficulty(target)) => newest_target = Some(target),
            Some(UpstreamEvent::Other { method, params }) if method == "hashlease.job" => {
                match signed_job(params) {
                    Ok((signed, target)) => {
                        take_job(served, book, signed, target.or(newest_target), source).await;
                    }
                    Err(error) => {
                        served.note_job_refusal("hashlease.job can't be read");
                        warn!(lease = %served.id(), %error, "hashlease.job can't be read");
                    }
                }
            }
            Some(_) => {}
        }
    }
}

/// Parameters of `hashlease.job`: the id of the announced job, the signed job, and the target by
/// which the pool judges its shares, 64 hexadecimal digits, if the gateway tells it.
fn signed_job(params: Value) -> Result<(SignedJob, Option<Target>), serde_json::Error> {
    let params: Vec<Value> = serde_json::from_value(params)?;
    let signed = serde_json::from_value(params.get(1).cloned().unwrap_or_default())?;
    Ok((signed, params.get(2).and_then(Value::as_str).and_then(pool_target)))
}

fn pool_target(text: &str) -> Option<Target> {
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| U256::from_str_radix(text, 16).ok()).flatten().map(Target)
}
