//! Stratum as stock miners and pools really speak it: lines, dialects, a server and a client.
//!
//! - [`LineReader`] bounds what a peer may send;
//! - a [`Dialect`] reads requests and writes answers and notifications. One module per dialect in
//!   `dialect/`; today there is [`V1`] for SHA-256d and scrypt;
//! - [`server`] accepts connections and runs their sessions, under the edge and the gateway;
//! - [`client`] is the miner's side towards a pool, and the edge's towards a gateway.
//!
//! [`Message`] reads one line leniently (ids of any kind, errors in any form), [`MinerRequest`] and
//! [`PoolNotice`] read the fields strictly (hex is hex, lengths are exact). Difficulties are
//! decimal numbers and become 256-bit targets without a float. Shares are not checked here.
//!
//! Sources: BIP 310 (`mining.configure`), BIP 320 and BIP 323 (version bits), and the dialogues
//! recorded in `tests/vectors/sessions`.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

pub mod client;
mod dialect;
mod line;
pub mod server;

pub use dialect::{
    Answer, Dialect, Event, MinerRequest, Notify, Received, Rejection, RequestError, Submit, VersionRolling,
    json_rpc::{Id, IdText, Message, MessageError, RpcError},
    v1::{BIP320_MASK, NoticeError, PoolNotice, V1, encode, error_number},
};
pub use line::{LineError, LineLimits, LineReader};
