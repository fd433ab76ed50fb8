//! Accepts nodes' connections and serves each link.

use crate::{node_link::NodeLink, served_lease::ServedLeases};
use hashlease_net::Listener;
use hashlease_stratum::{
    LineLimits, V1,
    server::{AcceptOptions, AnswerOrder, SessionLimits, accept, serve},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tracing::info;

/// Connections at the same time.
const MAX_LINKS: usize = 4_096;
/// Connections of one address at the same time: a node has one for each of its leases.
const MAX_LINKS_OF_ADDRESS: usize = 1_024;
/// Shares of one node that may wait for the pool's verdict.
const IN_FLIGHT: usize = 4_096;
/// Longest time of one write to a node.
const WRITE: Duration = Duration::from_secs(20);
/// How long nodes may take to read why their link ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves nodes until `stopped` is true. The leases say goodbye to the nodes they know.
pub(crate) async fn accept_nodes(
    listener: Box<dyn Listener>,
    leases: ServedLeases,
    mut stopped: watch::Receiver<bool>,
) {
    let options = AcceptOptions {
        peers: "nodes",
        max_connections: MAX_LINKS,
        max_per_address: MAX_LINKS_OF_ADDRESS,
        farewell: FAREWELL,
    };
    let limits = SessionLimits {
        lines: LineLimits::default(),
        answers_in_flight: IN_FLIGHT,
        write: WRITE,
        // a pool may take long for one verdict, and nodes match answers by id
        order: AnswerOrder::AsReady,
    };
    let stop = async {
        // an error means that the gateway was dropped, which stops this as well
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    accept(listener, options, stop, |stream, peer| {
        let mut link = NodeLink::new(Box::new(V1), Arc::clone(&leases));
        async move {
            let (reader, writer) = tokio::io::split(stream);
            let end = serve(reader, writer, &mut link, limits).await;
            let lease = link.lease_id().map(|lease| lease.0);
            info!(%peer, lease, code = end.code(), reason = %end, "link to a node ended");
        }
    })
    .await;
}
