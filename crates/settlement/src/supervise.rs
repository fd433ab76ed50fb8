//! Keeps tasks running: one that panics is logged and started again.

use std::time::Duration;
use tokio::{
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use tracing::error;

/// Pause before a task that panicked starts again.
const PAUSE: Duration = Duration::from_secs(1);

/// A task that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Task {
    /// Runs what `make` returns until it ends, again after a panic.
    pub(crate) fn keep<F>(name: String, make: impl Fn() -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(tokio::spawn(async move {
            loop {
                // ends its task when it is dropped
                let mut task = JoinSet::new();
                task.spawn(make());
                match task.join_next().await {
                    Some(Err(ended)) if ended.is_panic() => {
                        error!(task = name, error = %ended, "task panicked: it starts again");
                    }
                    _ => return,
                }
                sleep(PAUSE).await;
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hashlease_fixtures::until;
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    #[tokio::test]
    async fn a_task_that_panics_starts_again_and_one_that_ends_does_not() {
        let starts = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&starts);
        let task = Task::keep("test".into(), move || {
            let start = counted.fetch_add(1, Ordering::SeqCst);
            async move { assert!(start >= 2, "start {start}") }
        });
        until("the task has ended", || task.0.is_finished()).await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_task_ends_with_its_handle() {
        let (held, mut ended) = tokio::sync::mpsc::channel::<()>(1);
        let task = Task::keep("test".into(), move || {
            let held = held.clone();
            async move {
                held.closed().await;
            }
        });
        drop(task);
        assert_eq!(ended.recv().await, None);
    }
}
