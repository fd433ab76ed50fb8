//! `hashlease node`.

use super::{AGENT, chain, ended, ready, sender};
use crate::{keys, settings::NodeArgs};
use anyhow::Result;
use hashlease_node::{Node, NodeConfig};
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};

pub(crate) async fn run(settings: NodeArgs) -> Result<()> {
    let provider = keys::signing("provider", settings.provider_keystore.as_deref(), &settings.password)?;
    let node_key = keys::boxes(settings.node_keystore.as_deref(), &settings.password)?;
    let chain = chain(&settings.chain).await?;
    let sender = sender(&chain, &provider)?;
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let config = NodeConfig {
        stratum: settings.stratum.unwrap_or_else(|| local(3333)),
        api: settings.api.unwrap_or_else(|| local(8645)),
        public_api: settings.public_api,
        data_dir: settings.data_dir.unwrap_or_else(|| "hashlease-node".into()),
        confirmations: settings.chain.depth(),
        poll: settings.chain.pause(),
        agent: AGENT.to_owned(),
    };
    let address = provider.address();
    let node = Node::start(config, chain, provider, sender, node_key).await?;
    ready(&json!({
        "role": "node",
        "provider": address,
        "stratum": node.stratum().to_string(),
        "api": node.api().to_string(),
    }))?;
    ended().await
}
