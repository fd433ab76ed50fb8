//! Deploying: what was asked for is checked before anything is compiled, then the forge scripts
//! deploy and check, and the inputs for explorers are written beside the deployment.
//!
//! The rules are also those of `script/Settings.sol`, in the same words, for whoever calls forge
//! directly; an end-to-end test compares the two.

mod chain;
mod facts;
mod files;
mod forge;
mod run;
mod settings;
mod sources;

pub use chain::Endpoint;
pub use facts::{Facts, chain_problems};
pub use files::{Deployed, DeployedContract, account_problems};
pub use forge::{forge_script, lock};
pub use run::{Request, deploy, preflight};
pub use settings::{Environment, Place, problems};
pub use sources::write_inputs;

use alloy_primitives::Address;

/// A chain whose leases last seconds.
pub const LOCAL: u64 = 31_337;
/// The factory of CREATE2 that forge uses.
pub const FACTORY: &str = "0x4e59b44847b379578588920cA78FbF26c0B4956C";

/// One line about something that is wrong.
pub(crate) fn problem(name: &str, expected: &str, got: &str) -> String {
    format!("{name}: expected {expected}, got {}", if got.is_empty() { "nothing" } else { got })
}

/// An address in hex; capitals must be its checksum.
pub(crate) fn address(text: &str) -> Option<Address> {
    let lower = text.to_lowercase();
    let found: Address = (text.len() == 42 && text.starts_with("0x")).then(|| lower.parse().ok())??;
    (text == lower || found.to_string() == text).then_some(found)
}
