//! Turns at something that only a few may do at once, the most urgent first.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Hands out turns.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Mutex<State>>);

struct State {
    free: usize,
    came: u64,
    // by deadline, then in the order in which they came
    waiting: BTreeMap<(u64, u64), oneshot::Sender<Turn>>,
}

/// A turn. It ends when this is dropped.
pub(crate) struct Turn(Turns);

impl Turns {
    /// `count` at once, one at least.
    pub(crate) fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: count.max(1), came: 0, waiting: BTreeMap::new() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn; who has the earliest deadline gets the next one.
    pub(crate) async fn take(&self, deadline: u64) -> Turn {
        loop {
            let turn = {
                let mut state = self.state();
                if state.free > 0 {
                    state.free = state.free.saturating_sub(1);
                    return Turn(self.clone());
                }
                let (sender, receiver) = oneshot::channel();
                state.came = state.came.wrapping_add(1);
                let place = (deadline, state.came);
                state.waiting.insert(place, sender);
                receiver
            };
            // a sender is used before it is dropped, so this waits once
            if let Ok(turn) = turn.await {
                return turn;
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.0.state();
        // those who wait no longer are passed over here: a turn that was sent to them would come back while this lock is held
        state.waiting.retain(|_, waiting| !waiting.is_closed());
        match state.waiting.pop_first() {
            None => state.free = state.free.saturating_add(1),
            Some((_, waiting)) => {
                drop(state);
                // who has just left gives it back by dropping it
                let _ = waiting.send(Turn(self.0.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn the_earliest_deadline_comes_next_and_no_turn_is_lost() {
        let turns = Turns::new(2);
        let (first, second) = (turns.take(9).await, turns.take(9).await);
        let mut late = Box::pin(turns.take(5));
        let mut early = Box::pin(turns.take(3));
        let mut gone = Box::pin(turns.take(1));
        for waiting in [&mut late, &mut early, &mut gone] {
            assert!(waiting.now_or_never().is_none());
        }
        drop(gone);
        drop(first);
        assert!((&mut late).now_or_never().is_none());
        let early = early.now_or_never();
        assert!(early.is_some());
        drop(second);
        // one that got its turn and never looked
        drop(late);
        drop(early);
        let all = [turns.take(0).now_or_never(), turns.take(0).now_or_never()];
        assert!(all.iter().all(Option::is_some));
        assert!(turns.take(0).now_or_never().is_none());
    }
}
