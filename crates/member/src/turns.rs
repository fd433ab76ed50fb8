//! Turns at something that only a few may do at once. A provider has one at a time, and those whose last ones came to
//! nothing wait for the others: nobody can hold up everybody.

use alloy_primitives::Address;
use hashlease_primitives::{SharedClock, UnixSeconds};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Hands out turns.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Mutex<State>>);

struct State {
    clock: SharedClock,
    free: usize,
    came: u64,
    // in the order in which they came
    waiting: BTreeMap<u64, Waiting>,
    // those that have a turn, or whose last one came to nothing
    providers: BTreeMap<Address, Standing>,
}

#[derive(Clone, Copy, Default)]
struct Standing {
    has_turn: bool,
    /// Turns that came to nothing since the last that did not.
    failed: u32,
}

struct Waiting {
    claim: Claim,
    sender: oneshot::Sender<Turn>,
}

/// Who wants a turn, and how urgently.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) provider: Address,
    /// Attempts at this very thing that came to nothing.
    pub(crate) failed: u32,
    /// What is past it is no longer urgent.
    pub(crate) deadline: UnixSeconds,
}

/// A turn. It ends when this is dropped.
pub(crate) struct Turn {
    turns: Turns,
    // until the next of the same provider may come
    provider: Option<Address>,
}

impl Turns {
    /// `count` at once, one at least.
    pub(crate) fn new(count: usize, clock: SharedClock) -> Self {
        let (waiting, providers) = (BTreeMap::new(), BTreeMap::new());
        Self(Arc::new(Mutex::new(State { clock, free: count.max(1), came: 0, waiting, providers })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn. The next one is for a provider that has none, before its deadline rather than after it, with the
    /// fewest failures of the provider, then of the claim, then with the earliest deadline.
    pub(crate) async fn take(&self, claim: Claim) -> Turn {
        loop {
            let turn = {
                let mut state = self.state();
                // whoever waits while a turn is free waits for its own provider
                if state.free > 0 && !state.has_turn(claim.provider) {
                    state.hand_to(claim.provider);
                    return self.turn_of(claim.provider);
                }
                let (sender, receiver) = oneshot::channel();
                state.came = state.came.wrapping_add(1);
                let place = state.came;
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

    /// What became of a provider's turn; said before the turn ends, it decides who is next.
    pub(crate) fn note(&self, provider: Address, failed: bool) {
        let mut state = self.state();
        let standing = state.providers.entry(provider).or_default();
        standing.failed = if failed { standing.failed.saturating_add(1) } else { 0 };
        state.forget(provider);
    }

    /// Hands on what has become free.
    fn hand_on(&self, mut state: MutexGuard<'_, State>) {
        let Some(next) = state.next() else { return };
        state.hand_to(next.claim.provider);
        drop(state);
        // who has just left gives it back by dropping it
        let _ = next.sender.send(self.turn_of(next.claim.provider));
    }
}

impl State {
    fn has_turn(&self, provider: Address) -> bool {
        self.providers.get(&provider).is_some_and(|standing| standing.has_turn)
    }

    fn hand_to(&mut self, provider: Address) {
        self.free = self.free.saturating_sub(1);
        self.providers.entry(provider).or_default().has_turn = true;
    }

    fn release(&mut self, provider: Address) {
        if let Some(standing) = self.providers.get_mut(&provider) {
            standing.has_turn = false;
        }
        self.forget(provider);
    }

    /// Nothing is kept of a provider of which there is nothing to say.
    fn forget(&mut self, provider: Address) {
        if self.providers.get(&provider).is_some_and(|standing| !standing.has_turn && standing.failed == 0) {
            self.providers.remove(&provider);
        }
    }

    /// Takes out whoever is next, if a turn is free for it.
    fn next(&mut self) -> Option<Waiting> {
        // those who wait no longer are passed over here: a turn that was sent to them would come back while this lock is held
        self.waiting.retain(|_, waiting| !waiting.sender.is_closed());
        if self.free == 0 {
            return None;
        }
        let now = self.clock.seconds();
        let standing = |claim: &Claim| self.providers.get(&claim.provider).copied().unwrap_or_default();
        let able = self.waiting.iter().filter(|(_, waiting)| !standing(&waiting.claim).has_turn);
        let next = able.min_by_key(|(came, Waiting { claim, .. })| {
            (claim.deadline < now, standing(claim).failed, claim.failed, claim.deadline, **came)
        });
        let came = *next?.0;
        self.waiting.remove(&came)
    }
}

impl Turn {
    /// Lets the next claim of the same provider have a turn beside this one.
    pub(crate) fn let_next(&mut self) {
        if let Some(provider) = self.provider.take() {
            let mut state = self.turns.state();
            state.release(provider);
            self.turns.hand_on(state);
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
        self.turns.hand_on(state);
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

    /// A claim that has to wait.
    fn waits(turns: &Turns, claim: Claim) -> Pin<Box<dyn Future<Output = Turn> + '_>> {
        let mut waiting: Pin<Box<dyn Future<Output = Turn> + '_>> = Box::pin(turns.take(claim));
        assert!((&mut waiting).now_or_never().is_none(), "{claim:?}");
        waiting
    }

    #[tokio::test]
    async fn the_earliest_deadline_comes_next_and_no_turn_is_lost() {
        let turns = Turns::new(2, SystemClock::shared());
        let (first, second) = (turns.take(claim(1, 0, LATER)).await, turns.take(claim(2, 0, LATER)).await);
        let mut late = waits(&turns, claim(3, 0, LATER + 5));
        let early = waits(&turns, claim(4, 0, LATER + 3));
        let gone = waits(&turns, claim(5, 0, LATER + 1));
        drop(gone);
        drop(first);
        assert!((&mut late).now_or_never().is_none());
        let early = early.now_or_never();
        assert!(early.is_some());
        drop(second);
        // one that got its turn and never looked
        drop(late);
        drop(early);
        let all = [6, 7].map(|provider| turns.take(claim(provider, 0, LATER)).now_or_never());
        assert!(all.iter().all(Option::is_some));
        drop(waits(&turns, claim(8, 0, LATER)));
        drop(all);
        assert!(turns.state().providers.is_empty());
    }

    #[tokio::test]
    async fn a_provider_has_one_turn_at_a_time() {
        let turns = Turns::new(3, SystemClock::shared());
        let mut first = turns.take(claim(1, 0, LATER)).await;
        let second = waits(&turns, claim(1, 0, LATER + 1));
        let third = waits(&turns, claim(1, 0, LATER + 2));
        let other = turns.take(claim(2, 0, LATER)).now_or_never();
        assert!(other.is_some(), "others do not wait for it");
        // one that lets the next of its provider have its turn still has its own
        first.let_next();
        let second = second.now_or_never();
        assert!(second.is_some());
        drop(second);
        let third = third.now_or_never();
        assert!(third.is_some());
        let fourth = waits(&turns, claim(3, 0, LATER));
        // and takes nothing from those that came after it
        drop(first);
        let fourth = fourth.now_or_never();
        assert!(fourth.is_some());
        drop((fourth, other));
        drop(waits(&turns, claim(1, 0, LATER)));
    }

    #[tokio::test]
    async fn failures_and_a_deadline_that_is_past_count_before_the_deadline() {
        let turns = Turns::new(1, SystemClock::shared());
        let turn = turns.take(claim(1, 0, LATER)).await;
        let past = waits(&turns, claim(2, 0, UnixSeconds::new(1)));
        let tried = waits(&turns, claim(3, 1, LATER));
        // as urgent as can be, but its provider's last turn comes to nothing
        let failing = waits(&turns, claim(1, 0, LATER));
        let fresh = waits(&turns, claim(4, 0, LATER + 9));
        turns.note(Address::repeat_byte(1), true);
        drop(turn);
        for next in [fresh, tried, failing, past] {
            let turn = next.now_or_never();
            assert!(turn.is_some());
        }
        turns.note(Address::repeat_byte(1), false);
        assert!(turns.state().providers.is_empty());
    }
}
