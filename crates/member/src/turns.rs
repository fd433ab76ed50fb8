//! Turns at an activity that only a few may do at once. A provider has one turn at a time, and
//! providers whose last turns failed wait for the others, so no provider can block the rest.

use alloy_primitives::Address;
use hashlease_primitives::{SharedClock, UnixSeconds};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Hands out turns.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Mutex<Queue>>);

struct Queue {
    clock: SharedClock,
    free: usize,
    arrivals: u64,
    // by arrival number
    waiting: BTreeMap<u64, Waiting>,
    // providers that have a turn, or whose last turn failed
    providers: BTreeMap<Address, ProviderTurns>,
}

#[derive(Clone, Copy, Default)]
struct ProviderTurns {
    has_turn: bool,
    /// Failed turns since the last good one.
    failed: u32,
}

struct Waiting {
    claim: Claim,
    sender: oneshot::Sender<Turn>,
}

/// A request for a turn, with its urgency.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) provider: Address,
    /// Failed attempts at this very root.
    pub(crate) failed: u32,
    /// A claim past its deadline is no longer urgent.
    pub(crate) deadline: UnixSeconds,
}

/// A turn, which ends when this is dropped.
pub(crate) struct Turn {
    turns: Turns,
    // `None` once the provider's next claim may have its turn
    provider: Option<Address>,
}

impl Turns {
    /// Up to `count` turns at once, at least one.
    pub(crate) fn new(count: usize, clock: SharedClock) -> Self {
        let (waiting, providers) = (BTreeMap::new(), BTreeMap::new());
        Self(Arc::new(Mutex::new(Queue { clock, free: count.max(1), arrivals: 0, waiting, providers })))
    }

    fn state(&self) -> MutexGuard<'_, Queue> {
        // never poisoned: nothing panics under this lock
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn. The next turn goes to a provider that has none: first claims before their
    /// deadline, then the provider with the fewest failures, then the claim with the fewest, then
    /// the earliest deadline.
    pub(crate) async fn acquire(&self, claim: Claim) -> Turn {
        loop {
            let turn = {
                let mut state = self.state();
                // with a free turn, a claim waits only for its own provider's turn
                if state.free > 0 && !state.has_turn(claim.provider) {
                    state.grant(claim.provider);
                    return self.turn_of(claim.provider);
                }
                let (sender, receiver) = oneshot::channel();
                state.arrivals = state.arrivals.wrapping_add(1);
                let place = state.arrivals;
                state.waiting.insert(place, Waiting { claim, sender });
                receiver
            };
            // a sender is used before it is dropped, so this waits once
            if let Ok(turn) = turn.await {
                return turn;
            }
        }
    }

    fn turn_of(&self, provider: Address) -> Turn {
        Turn { turns: self.clone(), provider: Some(provider) }
    }

    /// Records whether a provider's turn failed. Call it before the turn ends, because it decides
    /// who is next.
    pub(crate) fn record(&self, provider: Address, failed: bool) {
        let mut state = self.state();
        let turns = state.providers.entry(provider).or_default();
        turns.failed = if failed { turns.failed.saturating_add(1) } else { 0 };
        state.forget(provider);
    }

    /// Gives a free turn to the next claim.
    fn grant_next(&self, mut state: MutexGuard<'_, Queue>) {
        let Some(next) = state.next() else { return };
        state.grant(next.claim.provider);
        drop(state);
        // if the receiver is gone, dropping the turn releases it
        let _ = next.sender.send(self.turn_of(next.claim.provider));
    }
}

impl Queue {
    fn has_turn(&self, provider: Address) -> bool {
        self.providers.get(&provider).is_some_and(|turns| turns.has_turn)
    }

    fn grant(&mut self, provider: Address) {
        self.free = self.free.saturating_sub(1);
        self.providers.entry(provider).or_default().has_turn = true;
    }

    fn release(&mut self, provider: Address) {
        if let Some(turns) = self.providers.get_mut(&provider) {
            turns.has_turn = false;
        }
        self.forget(provider);
    }

    /// Drops a provider's entry once it has no turn and no failures.
    fn forget(&mut self, provider: Address) {
        if self.providers.get(&provider).is_some_and(|turns| !turns.has_turn && turns.failed == 0) {
            self.providers.remove(&provider);
        }
    }

    /// Removes and returns the next claim, if a turn is free.
    fn next(&mut self) -> Option<Waiting> {
        // skip closed receivers here: a turn sent to one would be dropped, and locked again, under
        // this lock
        self.waiting.retain(|_, waiting| !waiting.sender.is_closed());
        if self.free == 0 {
            return None;
        }
        let now = self.clock.seconds();
        // a provider without an entry has no turn and no failures
        let turns = |claim: &Claim| self.providers.get(&claim.provider).copied().unwrap_or_default();
        let able = self.waiting.iter().filter(|(_, waiting)| !turns(&waiting.claim).has_turn);
        let next = able.min_by_key(|(arrival, Waiting { claim, .. })| {
            (claim.deadline < now, turns(claim).failed, claim.failed, claim.deadline, **arrival)
        });
        let arrival = *next?.0;
        self.waiting.remove(&arrival)
    }
}

impl Turn {
    /// Allows the provider's next claim a turn beside this one.
    pub(crate) fn release_provider(&mut self) {
        if let Some(provider) = self.provider.take() {
            let mut state = self.turns.state();
            state.release(provider);
            self.turns.grant_next(state);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        state.free = state.free.saturating_add(1);
        if let Some(provider) = self.provider {
            state.release(provider);
        }
        self.turns.grant_next(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use hashlease_primitives::SystemClock;
    use std::pin::Pin;

    const LATER: UnixSeconds = UnixSeconds::new(1 << 40);

    fn claim(provider: u8, failed: u32, deadline: UnixSeconds) -> Claim {
        Claim { provider: Address::repeat_byte(provider), failed, deadline }
    }

    /// A claim that does not get a turn at once.
    fn waits(turns: &Turns, claim: Claim) -> Pin<Box<dyn Future<Output = Turn> + '_>> {
        let mut waiting: Pin<Box<dyn Future<Output = Turn> + '_>> = Box::pin(turns.acquire(claim));
        assert!((&mut waiting).now_or_never().is_none(), "{claim:?}");
        waiting
    }

    #[tokio::test]
    async fn the_earliest_deadline_comes_next_and_no_turn_is_lost() {
        let turns = Turns::new(2, SystemClock::shared());
        let (first, second) =
            (turns.acquire(claim(1, 0, LATER)).await, turns.acquire(claim(2, 0, LATER)).await);
        let mut late = waits(&turns, claim(3, 0, LATER + 5));
        let early = waits(&turns, claim(4, 0, LATER + 3));
        let gone = waits(&turns, claim(5, 0, LATER + 1));
        drop(gone);
        drop(first);
        assert!((&mut late).now_or_never().is_none());
        let early = early.now_or_never();
        assert!(early.is_some());
        drop(second);
        // a claim that got its turn, but was never polled again
        drop(late);
        drop(early);
        let all = [6, 7].map(|provider| turns.acquire(claim(provider, 0, LATER)).now_or_never());
        assert!(all.iter().all(Option::is_some));
        drop(waits(&turns, claim(8, 0, LATER)));
        drop(all);
        assert!(turns.state().providers.is_empty());
    }

    #[tokio::test]
    async fn a_provider_has_one_turn_at_a_time() {
        let turns = Turns::new(3, SystemClock::shared());
        let mut first = turns.acquire(claim(1, 0, LATER)).await;
        let second = waits(&turns, claim(1, 0, LATER + 1));
        let third = waits(&turns, claim(1, 0, LATER + 2));
        let other = turns.acquire(claim(2, 0, LATER)).now_or_never();
        assert!(other.is_some(), "other providers do not wait for it");
        // a turn that lets its provider's next claim start remains valid
        first.release_provider();
        let second = second.now_or_never();
        assert!(second.is_some());
        drop(second);
        let third = third.now_or_never();
        assert!(third.is_some());
        let fourth = waits(&turns, claim(3, 0, LATER));
        // dropping it frees that one turn, and the third claim keeps its own
        drop(first);
        let fourth = fourth.now_or_never();
        assert!(fourth.is_some());
        drop((fourth, other));
        drop(waits(&turns, claim(1, 0, LATER)));
    }

    #[tokio::test]
    async fn failures_and_a_past_deadline_count_before_the_deadline() {
        let turns = Turns::new(1, SystemClock::shared());
        let turn = turns.acquire(claim(1, 0, LATER)).await;
        let past = waits(&turns, claim(2, 0, UnixSeconds::new(1)));
        let tried = waits(&turns, claim(3, 1, LATER));
        // the most urgent claim, but its provider's last turn will have failed
        let failing = waits(&turns, claim(1, 0, LATER));
        let fresh = waits(&turns, claim(4, 0, LATER + 9));
        turns.record(Address::repeat_byte(1), true);
        drop(turn);
        for next in [fresh, tried, failing, past] {
            let turn = next.now_or_never();
            assert!(turn.is_some());
        }
        turns.record(Address::repeat_byte(1), false);
        assert!(turns.state().providers.is_empty());
    }
}
