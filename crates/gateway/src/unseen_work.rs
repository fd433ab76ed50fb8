//! Work that roots claim and that never came over the link: the renter pays for it, and her pool does
//! not see it.

use hashlease_primitives::Terms;

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
