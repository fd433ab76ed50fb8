//! Locks whose data no panic leaves half changed.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, whether or not a holder panicked: every change under the edge's locks is one step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
