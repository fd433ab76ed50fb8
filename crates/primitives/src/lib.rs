//! The vocabulary of every other crate: units of work and time, a lease as the escrow holds it, the
//! signed EIP-712 structs, and the sealed boxes.
//!
//! In: bytes, JSON and numbers of the chain. Out: values that are in range. Nothing here does I/O.
//! Every other crate may import this one; it imports none of them.
//!
//! ```
//! use hashlease_primitives::{HashRate, SettlementWeight};
//!
//! // 100 TH/s for 24 h in epochs of 1 h: every share is worth 2^48 expected hashes.
//! let w = SettlementWeight::of_lease(HashRate::new(100_000_000_000_000), 3_600, 86_400).unwrap();
//! assert_eq!(w.work().hashes(), 1 << 48);
//! ```
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod algorithm;
mod clock;
mod commitment;
mod difficulty;
mod domain;
mod epoch_id;
mod job;
mod lease;
mod sealed;
mod signer;
mod statement;
mod time;
pub mod typed;
mod units;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use clock::{Clock, SharedClock, SystemClock};
pub use commitment::Commitment;
pub use difficulty::{Difficulty, DifficultyBase, DifficultyError};
pub use domain::{Domain, recover_signer};
pub use epoch_id::EpochId;
pub use job::{EpochRoot, EthashJob, HeaderJob, Job, JobKind, SignedEpochRoot, SignedJob};
pub use lease::{Lease, SignerChoice, Terms, TimeOutsideLease};
pub use sealed::{BoxContent, BoxError, GatewayBox, MAX_BOX, NodeBox, NodeKey, Secret};
pub use signer::{KeyError, LocalSigner};
pub use statement::Statement;
pub use time::{HeaderTimeError, UnixMillis, UnixSeconds};
pub use units::{AboveUint96, HashRate, LeaseId, SettlementWeight, Target, WeightTooLarge, Work};
