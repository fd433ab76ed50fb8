//! Writes jobs and roots on a thread of its own, so that no asynchronous task waits for a disk.
//! Entries that wait together are written in one transaction, in their order.

use crate::store::{Entry, Store, StoreError};
use std::{io, sync::Arc, thread};
use tokio::sync::{mpsc, oneshot};

/// Entries that may wait; whoever has a further one waits with it.
const QUEUE: usize = 256;

/// The way to that thread. It ends once this is dropped.
#[derive(Debug)]
pub(crate) struct StoreWriter(mpsc::Sender<Waiting>);

#[derive(Debug)]
struct Waiting {
    entries: Vec<Entry>,
    done: oneshot::Sender<Result<(), Arc<StoreError>>>,
}

impl StoreWriter {
    pub(crate) fn start(store: Arc<Store>) -> io::Result<Self> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        thread::Builder::new().name("member-store".to_owned()).spawn(move || run(&store, waiting))?;
        Ok(Self(queue))
    }

    /// Returns once all entries are durable; none is without the others.
    pub(crate) async fn write(&self, entries: Vec<Entry>) -> Result<(), Arc<StoreError>> {
        let (done, written) = oneshot::channel();
        let gone = || Arc::new(StoreError::Ended);
        self.0.send(Waiting { entries, done }).await.map_err(|_| gone())?;
        written.await.map_err(|_| gone())?
    }
}

fn run(store: &Store, mut waiting: mpsc::Receiver<Waiting>) {
    while let Some(first) = waiting.blocking_recv() {
        let mut together = vec![first];
        while together.len() < QUEUE
            && let Ok(next) = waiting.try_recv()
        {
            together.push(next);
        }
        let written = store.write(together.iter().flat_map(|waiting| &waiting.entries)).map_err(Arc::new);
        for Waiting { done, .. } in together {
            // nobody waits any more if the member is stopping
            let _ = done.send(written.clone());
        }
    }
}
