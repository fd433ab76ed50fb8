//! Accepts miners' connections.

use crate::{lease_choice::LeaseChoice, session};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};
use tracing::{info, warn};

/// Connections at the same time.
const MAX_MINERS: usize = 16_384;

pub(crate) async fn accept(listener: TcpListener, choice: LeaseChoice) {
    let mut miners = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                while miners.try_join_next().is_some() {}
                if miners.len() >= MAX_MINERS {
                    warn!(%peer, limit = MAX_MINERS, "too many miners, connection refused");
                    continue;
                }
                miners.spawn(serve(stream, peer, choice.clone()));
            }
            Err(error) => {
                // out of file descriptors, most likely: those who are in go on
                warn!(%error, "a miner can't be let in");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, choice: LeaseChoice) {
    let _ = stream.set_nodelay(true);
    let end = session::run(stream, peer, choice).await;
    info!(%peer, reason = end, "miner left");
}
