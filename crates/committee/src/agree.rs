//! Gets a statement signed: asks the members for their figures, and for signatures over what enough
//! of them may sign.

use crate::{
    api::StatementView,
    client::ClientError,
    gather::{GatherError, Seat, gather, in_a_row},
    proposals::proposals,
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use hashlease_primitives::{EpochId, Statement, Terms};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long the rest of the members may take once enough have answered.
const PATIENCE: Duration = Duration::from_secs(2);

/// A statement with enough signatures, packed in the oracle's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedStatement {
    /// The statement.
    pub statement: Statement,
    /// 65 bytes of each signature.
    pub signatures: Vec<u8>,
}

/// Why the members agree on no statement.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields")]
pub enum NoAgreement {
    /// Some members still wait for a root or check its evidence.
    #[error("members still wait for roots or evidence up to epoch {epoch}")]
    Pending { epoch: u32 },
    /// Too few members hold the same evidence.
    #[error("members do not agree on the evidence up to epoch {epoch}: {}", in_a_row(failures))]
    Evidence { epoch: u32, failures: Vec<ClientError> },
    /// Too few members sign any of the statements that they may sign.
    #[error("no statement up to epoch {epoch} is signed by enough members: {source}")]
    Signatures { epoch: u32, source: GatherError },
}

/// Gets the strongest statement up to the end of an epoch signed by `threshold` members. `None` if
/// it is no news to `is_news`.
///
/// Members that lie, refuse or do not answer change nothing as long as `threshold` honest ones hold
/// the same evidence.
///
/// # Errors
/// [`NoAgreement`].
pub async fn agree(
    seats: &[Seat],
    terms: &Terms,
    epoch: u32,
    threshold: usize,
    is_news: impl Fn(&Statement) -> bool,
) -> Result<Option<SignedStatement>, NoAgreement> {
    let (views, failures) = ask(seats, EpochId::new(terms.id, epoch), threshold).await;
    let proposed = proposals(terms, terms.epoch_end(epoch), &views, threshold);
    if proposed.is_empty() {
        return Err(match views.iter().any(|view| view.pending) {
            true => NoAgreement::Pending { epoch },
            false => NoAgreement::Evidence { epoch, failures },
        });
    }
    let mut refused = None;
    for statement in proposed.into_iter().filter(is_news) {
        match gather(seats, &[statement], &terms.oracle_domain(), threshold).await {
            Ok(signatures) => return Ok(Some(SignedStatement { statement, signatures })),
            // the first one is the strongest, so its refusals say most
            Err(error) => drop(refused.get_or_insert(error)),
        }
    }
    match refused {
        Some(source) => Err(NoAgreement::Signatures { epoch, source }),
        None => Ok(None),
    }
}

/// Asks every member for its figures. Once `threshold` have answered, the others get little more
/// time.
async fn ask(seats: &[Seat], epoch: EpochId, threshold: usize) -> (Vec<StatementView>, Vec<ClientError>) {
    let mut asked: FuturesUnordered<_> = seats.iter().map(|seat| seat.client.statement(epoch)).collect();
    let (mut views, mut failures) = (Vec::new(), Vec::new());
    let mut until: Option<Instant> = None;
    loop {
        let answer = match until {
            None => asked.next().await,
            Some(until) => timeout_at(until, asked.next()).await.unwrap_or(None),
        };
        match answer {
            None => return (views, failures),
            Some(Ok(view)) => views.push(view),
            Some(Err(error)) => failures.push(error),
        }
        let enough = views.iter().filter(|view| !view.pending).count() >= threshold;
        if enough && until.is_none() {
            until = Instant::now().checked_add(PATIENCE);
        }
    }
}
