//! A local world for the demo and the end-to-end tests: an embedded chain, a deployment by the forge script, funded
//! keys, and the roles of Hashlease as processes of their own. Tools only: nothing here is part of the product.

mod actors;
mod anvil;
mod process;
mod relay;
mod world;

pub use actors::{Actors, Renting, secret};
pub use anvil::{Anvil, DEPLOY, DeployOptions};
pub use process::Role;
pub use relay::Relay;
pub use world::{BLOCK_TIME, Upstream, World, WorldOptions};
