//! Stratum V1 as stock miners and pools really speak it.
//!
//! [`LineReader`] bounds what a peer may send, [`Message`] reads one line leniently (ids of any kind, errors in any
//! form), [`MinerRequest`] and [`PoolNotice`] read the fields strictly (hex is hex, lengths are exact), [`Difficulty`](hashlease_primitives::Difficulty)
//! turns decimal difficulties into 256-bit targets without a float, [`encode`] writes answers and notifications, and
//! [`client`] is the miner's side towards a pool. Shares are not checked here.
//!
//! Sources: BIP 310 (`mining.configure`), BIP 320 and BIP 323 (version bits), and the dialogues recorded in
//! `tests/vectors/sessions`.
#![deny(clippy::indexing_slicing)]

pub mod client;
pub mod encode;
mod line;
mod message;
mod miner;
mod pool;

pub use line::{LineError, LineLimits, LineReader};
pub use message::{Id, IdText, Message, MessageError, RpcError};
pub use miner::{MinerRequest, RequestError, Submit, VersionRolling};
pub use pool::{NoticeError, Notify, PoolNotice};
