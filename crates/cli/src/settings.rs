//! Settings of the roles: one TOML file, the environment over it, flags over both.
//!
//! ```toml
//! rpc = "http://127.0.0.1:8545"
//! deployment = "deployment.toml"
//! [node]
//! data_dir = "node"
//! stratum = "0.0.0.0:3333"
//! ```

use crate::keys::PasswordArgs;
use anyhow::{Context as _, Result};
use clap::Args;
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// Chain and contracts, the same for every role.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ChainArgs {
    /// RPC endpoint of the chain [default: http://127.0.0.1:8545]
    #[arg(long, env = "HASHLEASE_RPC", value_name = "URL")]
    pub(crate) rpc: Option<Url>,
    /// File with the contracts' addresses, as the deployment script writes it.
    #[arg(long, env = "HASHLEASE_DEPLOYMENT", value_name = "FILE")]
    pub(crate) deployment: Option<PathBuf>,
    /// Blocks that must stand on a lease's log before it counts [default: 12]
    #[arg(long, env = "HASHLEASE_CONFIRMATIONS", value_name = "BLOCKS")]
    pub(crate) confirmations: Option<u64>,
    /// Seconds between two looks at the chain [default: 4]
    #[arg(long, env = "HASHLEASE_POLL", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) poll: Option<u64>,
}

impl ChainArgs {
    fn or(self, other: Self) -> Self {
        Self {
            rpc: self.rpc.or(other.rpc),
            deployment: self.deployment.or(other.deployment),
            confirmations: self.confirmations.or(other.confirmations),
            poll: self.poll.or(other.poll),
        }
    }

    /// Pause between two looks at the chain.
    pub(crate) fn pause(&self) -> Duration {
        Duration::from_secs(self.poll.unwrap_or(4).max(1))
    }

    pub(crate) fn depth(&self) -> u64 {
        self.confirmations.unwrap_or(12)
    }
}

/// Settings of `hashlease node`.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NodeArgs {
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) chain: ChainArgs,
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) password: PasswordArgs,
    /// Journal and evidence; never share it between two nodes [default: hashlease-node]
    #[arg(long, env = "HASHLEASE_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where miners connect [default: 127.0.0.1:3333]
    #[arg(long, env = "HASHLEASE_STRATUM", value_name = "ADDRESS")]
    pub(crate) stratum: Option<SocketAddr>,
    /// Where evidence and status are served [default: 127.0.0.1:8645]
    #[arg(long, env = "HASHLEASE_API", value_name = "ADDRESS")]
    pub(crate) api: Option<SocketAddr>,
    /// URL under which the committee reaches the API, if it is another.
    #[arg(long, env = "HASHLEASE_PUBLIC_API", value_name = "URL")]
    pub(crate) public_api: Option<Url>,
    /// Keystore of the provider's key, which sends transactions; else `HASHLEASE_PROVIDER_KEY`.
    #[arg(long, env = "HASHLEASE_PROVIDER_KEYSTORE", value_name = "FILE")]
    pub(crate) provider_keystore: Option<PathBuf>,
    /// Keystore of the X25519 key that opens boxes; else `HASHLEASE_NODE_KEY`.
    #[arg(long, env = "HASHLEASE_NODE_KEYSTORE", value_name = "FILE")]
    pub(crate) node_keystore: Option<PathBuf>,
}

/// Settings of `hashlease gateway`.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GatewayArgs {
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) chain: ChainArgs,
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) password: PasswordArgs,
    /// Job sequences; never share or restore it [default: hashlease-gateway]
    #[arg(long, env = "HASHLEASE_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where nodes connect [default: 127.0.0.1:3334]
    #[arg(long, env = "HASHLEASE_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Keystore of the key that signs jobs; else `HASHLEASE_JOB_KEY`.
    #[arg(long, env = "HASHLEASE_JOB_KEYSTORE", value_name = "FILE")]
    pub(crate) job_keystore: Option<PathBuf>,
    /// Keystore of the X25519 key that opens boxes; else `HASHLEASE_NODE_KEY`.
    #[arg(long, env = "HASHLEASE_NODE_KEYSTORE", value_name = "FILE")]
    pub(crate) node_keystore: Option<PathBuf>,
}

/// Settings of `hashlease member`.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MemberArgs {
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) chain: ChainArgs,
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) password: PasswordArgs,
    /// Jobs, roots and counted keys [default: hashlease-member]
    #[arg(long, env = "HASHLEASE_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where the API listens [default: 127.0.0.1:8646]
    #[arg(long, env = "HASHLEASE_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// URL under which others reach the API, if it is another.
    #[arg(long, env = "HASHLEASE_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<Url>,
    /// Announce that URL on the chain when it is not what stands there.
    #[arg(long, env = "HASHLEASE_ANNOUNCE")]
    #[serde(default)]
    pub(crate) announce: bool,
    /// Longest evidence file that is fetched, bytes [default: 1 GiB]
    #[arg(long, env = "HASHLEASE_MAX_EVIDENCE", value_name = "BYTES")]
    pub(crate) max_evidence: Option<u64>,
    /// Evidence files that are checked at once, each on every core [default: 2]
    #[arg(long, env = "HASHLEASE_CHECKS", value_name = "COUNT")]
    pub(crate) checks: Option<usize>,
    /// Keystore of the member's key; else `HASHLEASE_MEMBER_KEY`.
    #[arg(long, env = "HASHLEASE_MEMBER_KEYSTORE", value_name = "FILE")]
    pub(crate) member_keystore: Option<PathBuf>,
}

/// The settings file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct File {
    rpc: Option<Url>,
    deployment: Option<PathBuf>,
    confirmations: Option<u64>,
    poll: Option<u64>,
    password_file: Option<PathBuf>,
    node: NodeArgs,
    gateway: GatewayArgs,
    member: MemberArgs,
}

impl File {
    pub(crate) fn read(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("settings file {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("settings file {}", path.display()))
    }

    fn shared(&self) -> (ChainArgs, PasswordArgs) {
        let chain = ChainArgs {
            rpc: self.rpc.clone(),
            deployment: self.deployment.clone(),
            confirmations: self.confirmations,
            poll: self.poll,
        };
        (chain, PasswordArgs { password_file: self.password_file.clone() })
    }
}

impl NodeArgs {
    /// Flags and environment over the file.
    pub(crate) fn over(self, file: File) -> Self {
        let (chain, password) = file.shared();
        let file = file.node;
        Self {
            chain: self.chain.or(chain),
            password: self.password.or(password),
            data_dir: self.data_dir.or(file.data_dir),
            stratum: self.stratum.or(file.stratum),
            api: self.api.or(file.api),
            public_api: self.public_api.or(file.public_api),
            provider_keystore: self.provider_keystore.or(file.provider_keystore),
            node_keystore: self.node_keystore.or(file.node_keystore),
        }
    }
}

impl GatewayArgs {
    /// Flags and environment over the file.
    pub(crate) fn over(self, file: File) -> Self {
        let (chain, password) = file.shared();
        let file = file.gateway;
        Self {
            chain: self.chain.or(chain),
            password: self.password.or(password),
            data_dir: self.data_dir.or(file.data_dir),
            listen: self.listen.or(file.listen),
            job_keystore: self.job_keystore.or(file.job_keystore),
            node_keystore: self.node_keystore.or(file.node_keystore),
        }
    }
}

impl MemberArgs {
    /// Flags and environment over the file.
    pub(crate) fn over(self, file: File) -> Self {
        let (chain, password) = file.shared();
        let file = file.member;
        Self {
            chain: self.chain.or(chain),
            password: self.password.or(password),
            data_dir: self.data_dir.or(file.data_dir),
            listen: self.listen.or(file.listen),
            public_url: self.public_url.or(file.public_url),
            announce: self.announce || file.announce,
            max_evidence: self.max_evidence.or(file.max_evidence),
            checks: self.checks.or(file.checks),
            member_keystore: self.member_keystore.or(file.member_keystore),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_over_the_file_and_the_file_over_defaults() {
        let file: File = toml::from_str(
            "rpc = \"http://10.0.0.1:8545\"\npoll = 9\n[node]\ndata_dir = \"a\"\nstratum = \"127.0.0.1:1\"\n",
        )
        .unwrap();
        let flags = NodeArgs { data_dir: Some("b".into()), ..NodeArgs::default() };
        let merged = flags.over(file);
        assert_eq!(merged.data_dir, Some("b".into()));
        assert_eq!(merged.stratum, Some("127.0.0.1:1".parse().unwrap()));
        assert_eq!((merged.chain.pause(), merged.chain.depth()), (Duration::from_secs(9), 12));
    }

    #[test]
    fn a_typing_error_in_the_file_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hashlease.toml");
        std::fs::write(&path, "poll = 4\n[node]\nstratumm = \"127.0.0.1:1\"\n").unwrap();
        let error = format!("{:#}", File::read(Some(&path)).unwrap_err());
        assert!(
            error.contains("hashlease.toml") && error.contains("line 3") && error.contains("stratumm"),
            "{error}"
        );
    }
}
