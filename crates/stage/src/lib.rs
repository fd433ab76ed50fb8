//! A local world for the demo and the end-to-end tests: an anvil chain, a deployment by the forge
//! script, funded keys, and each role of Hashlease as a process. Nothing here is part of the
//! product.

mod actors;
mod anvil;
mod process;
mod relay;
mod tied;
mod world;

pub use actors::{Actors, Renting, secret};
pub use anvil::{Anvil, DEPLOY, DeployOptions, run_script};
pub use process::Role;
pub use relay::Relay;
pub use tied::outlived_by_none;
pub use world::{BLOCK_TIME, Upstream, World, WorldOptions};
