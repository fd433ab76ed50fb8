//! A TCP relay that tests can cut, to take an endpoint away and give it back.

use anyhow::{Context as _, Result};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

/// Forwards connections to one address until it is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
    snip: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("relay")?;
        let address = listener.local_addr().context("relay")?;
        let (cut, snip) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let task = {
            let (cut, snip) = (Arc::clone(&cut), Arc::clone(&snip));
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    if cut.load(Ordering::SeqCst) {
                        continue;
                    }
                    let snip = Arc::clone(&snip);
                    tokio::spawn(async move {
                        let Ok(mut onward) = TcpStream::connect(target).await else { return };
                        tokio::select! {
                            _ = copy_bidirectional(&mut stream, &mut onward) => {}
                            () = snip.notified() => {}
                        }
                    });
                }
            })
        };
        Ok(Self { address, cut, snip, task })
    }

    /// Address on which it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// With `true`, drops every connection and forwards no new ones; with `false`, forwards again.
    pub fn set_cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
        self.snip.notify_waiters();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
        self.snip.notify_waiters();
    }
}
