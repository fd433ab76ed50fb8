//! Work that roots claim and that never came over the link: the renter pays for it, and her pool does
//! not see it.

use crate::served_lease::ServedLease;
use hashlease_committee::MemberClient;
use hashlease_net::HttpClient;
use hashlease_primitives::{EpochId, Terms};
use std::time::Duration;
use tokio::time::sleep;

/// How often the members are asked, and how long after the deadline of a root they are first.
const LOOK: Duration = Duration::from_secs(2);
/// Seconds after a root's deadline at which members know it.
const SETTLED: u64 = 5;
/// Seconds for which members are asked for a root; after that the epoch is left out.
const PATIENCE: u64 = 600;

/// What the renter should know about an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "epoch {epoch}: {unseen} of {claimed} shares that the provider claims never reached this gateway; the epoch promises {promised}"
)]
pub(crate) struct Unseen {
    epoch: u32,
    unseen: u64,
    claimed: u64,
    promised: u64,
}

/// Compares the epochs of a lease one after the other.
#[derive(Debug, Default)]
pub(crate) struct UnseenWork {
    was_a_tenth: bool,
}

impl UnseenWork {
    /// The next epoch: the shares that its root claims, and those that were seen here. Tells when more
    /// than a quarter of the promise was never seen, or more than a tenth in two epochs in a row.
    pub(crate) fn add(&mut self, terms: &Terms, epoch: u32, claimed: u64, seen: u64) -> Option<Unseen> {
        let promise = terms.rate.over(u64::from(terms.epoch_length)).hashes();
        let promised = promise.checked_div(terms.weight.work().hashes()).unwrap_or_default();
        let promised = u64::try_from(promised).unwrap_or(u64::MAX);
        let unseen = claimed.saturating_sub(seen);
        let is_a_tenth = unseen > promised / 10;
        let tells = unseen > promised / 4 || (is_a_tenth && self.was_a_tenth);
        self.was_a_tenth = is_a_tenth;
        tells.then_some(Unseen { epoch, unseen, claimed, promised })
    }
}

/// Watches the roots of a lease until its service ends.
pub(crate) async fn watch_roots(served: &ServedLease, http: &HttpClient) {
    let mut work = UnseenWork::default();
    // an epoch that began before the service is not this run's to judge: its count may be lost
    let began = served.now();
    let mut epoch = 0u32;
    loop {
        sleep(LOOK).await;
        let (terms, now) = (served.terms(), served.now());
        if epoch >= terms.epochs() {
            // a later end may still come to light
            continue;
        }
        if terms.epoch_start(epoch) < began {
            epoch = epoch.saturating_add(1);
            continue;
        }
        let asked = terms.root_deadline(epoch).plus(SETTLED);
        if now < asked {
            continue;
        }
        let id = EpochId::new(terms.id, epoch);
        match claimed_shares(served, http, id).await {
            Some(claimed) => {
                let seen = served.counted(epoch);
                let unseen = work.add(&terms, epoch, claimed, seen);
                served.unseen(unseen);
                epoch = epoch.saturating_add(1);
            }
            None if now.since(asked) > PATIENCE => epoch = epoch.saturating_add(1),
            None => {}
        }
    }
}

/// The shares that an epoch's root claims: the median of what the members say, so that one of them
/// alone decides nothing. `None` while fewer than half of them know a root.
async fn claimed_shares(served: &ServedLease, http: &HttpClient, id: EpochId) -> Option<u64> {
    let members = served.assignment().borrow().members.clone();
    let mut counts = Vec::new();
    for member in &members {
        // a member without the root, or without an answer, says nothing
        if let Ok(view) = MemberClient::new(member.clone(), http.clone()).root(id).await
            && view.root.root.id == id
        {
            counts.push(view.root.root.commitment.count);
        }
    }
    if counts.len() < members.len().div_ceil(2) {
        return None;
    }
    counts.sort_unstable();
    counts.get(counts.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hashlease_fixtures::{terms, weight};
    use hashlease_primitives::HashRate;

    /// An epoch promises 1,000 shares.
    fn lease() -> Terms {
        Terms { rate: HashRate::new(800), weight: weight(4), ..terms(1_000, 60, 20) }
    }

    #[test]
    fn a_quarter_in_one_epoch_or_a_tenth_in_two_is_told() {
        let terms = lease();
        let told = |rows: &[(u64, u64)]| -> Vec<bool> {
            let mut work = UnseenWork::default();
            let epochs = rows.iter().zip(0..);
            epochs
                .map(|((claimed, seen), epoch)| work.add(&terms, epoch, *claimed, *seen).is_some())
                .collect()
        };
        assert_eq!(told(&[(1_000, 1_000), (1_250, 1_150), (0, 0)]), [false; 3]);
        assert_eq!(told(&[(1_000, 750), (1_000, 900)]), [false; 2], "a quarter is not more than a quarter");
        assert_eq!(told(&[(1_000, 749)]), [true]);
        assert_eq!(
            told(&[(1_000, 899), (1_000, 899), (1_000, 1_000), (1_000, 899)]),
            [false, true, false, false]
        );
        assert_eq!(told(&[(500, 1_000)]), [false], "more was seen than is claimed");
        let words = UnseenWork::default().add(&terms, 3, 1_000, 0).unwrap().to_string();
        assert!(words.starts_with("epoch 3: 1000 of 1000 shares"), "{words}");
    }
}
