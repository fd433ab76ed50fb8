//! Accepts miners' connections and serves each one.

use crate::{lease_choice::LeaseChoice, miner_session::MinerSession};
use hashlease_net::Listener;
use hashlease_stratum::{
    LineLimits, V1,
    server::{AcceptOptions, AnswerOrder, SessionLimits, accept, serve},
};
use std::{future::pending, time::Duration};

/// Connections at the same time.
const MAX_MINERS: usize = 16_384;
/// Connections of one address: a whole farm may be behind one, but not take every place.
const MAX_PER_ADDRESS: usize = 12_288;
/// Shares of one miner that may wait for the disk.
const IN_FLIGHT: usize = 256;
/// Longest time of one write to a miner.
const WRITE: Duration = Duration::from_secs(20);

/// Serves miners until it is dropped.
pub(crate) async fn accept_miners(listener: Box<dyn Listener>, choice: LeaseChoice) {
    let options = AcceptOptions {
        peers: "miners",
        max_connections: MAX_MINERS,
        max_per_address: MAX_PER_ADDRESS,
        farewell: Duration::ZERO,
    };
    let limits = SessionLimits {
        lines: LineLimits::default(),
        answers_in_flight: IN_FLIGHT,
        write: WRITE,
        // many miners use one id for every share
        order: AnswerOrder::AsRequested,
    };
    accept(listener, options, pending(), |stream, peer| {
        let mut session = MinerSession::new(Box::new(V1), peer, choice.clone());
        async move {
            let (reader, writer) = tokio::io::split(stream);
            let end = serve(reader, writer, &mut session, limits).await;
            session.log_end(&end);
        }
    })
    .await;
}
