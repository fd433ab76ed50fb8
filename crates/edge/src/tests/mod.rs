//! The node's miner side over real sockets, without a chain.
#![allow(clippy::arithmetic_side_effects)]

mod dialect;
mod durable;
mod evidence;
mod extranonces;
mod forwarding;
mod gateway;
mod idle;
mod jobs;
mod leases;
mod link;
mod miner;
mod recordings;
mod refusals;
mod rude;
mod shown;
mod targets;
mod twice;
mod version_rolling;
mod world;
