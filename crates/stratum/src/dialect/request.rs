//! Requests of miners, whatever dialect they arrive in.

use hashlease_primitives::{Difficulty, JobKind, Target};

/// A field of a request that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{method}: {field}: expected {expected}, got {got:?}")]
pub struct RequestError {
    /// Method as it came.
    pub method: &'static str,
    /// The field.
    pub field: &'static str,
    /// What it should be.
    pub expected: String,
    /// What it is, shortened.
    pub got: String,
}

/// What a miner asks of `version-rolling` (BIP 310).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRolling {
    /// Bits that it can roll.
    pub mask: u32,
    /// Smallest number of bits that it accepts.
    pub min_bit_count: u32,
}

/// A share of a header job as submitted, all fields read strictly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// Worker name.
    pub worker: String,
    /// Job id, an opaque string.
    pub job_id: String,
    /// The miner's part of the extranonce.
    pub extranonce2: Vec<u8>,
    /// Header time.
    pub ntime: u32,
    /// Header nonce.
    pub nonce: u32,
    /// Version bits (BIP 310), if it sent any.
    pub version_bits: Option<u32>,
}

/// A request of a miner.
#[derive(Clone, Debug, PartialEq)]
pub enum MinerRequest {
    /// `mining.subscribe`, with whatever parameters.
    Subscribe {
        /// User agent.
        agent: Option<String>,
    },
    /// `mining.authorize`; the password may be missing.
    Authorize {
        /// Worker name.
        user: String,
        /// Password.
        password: Option<String>,
    },
    /// `mining.submit`.
    Submit(Submit),
    /// `mining.configure` (BIP 310).
    Configure {
        /// The version bits that it asks for.
        version_rolling: Option<VersionRolling>,
        /// Names of other extensions.
        others: Vec<String>,
    },
    /// `mining.extranonce.subscribe`.
    ExtranonceSubscribe,
    /// `mining.suggest_difficulty` or `mining.suggest_target`: a suggestion, nothing more.
    Suggest {
        /// The difficulty if it could be read.
        difficulty: Option<Difficulty>,
        /// The target if it could be read.
        target: Option<Target>,
    },
    /// `mining.ping`.
    Ping,
    /// `mining.get_transactions`, `mining.multi_version` and others that can be answered and
    /// ignored.
    Harmless,
    /// A request of a dialect for another kind of job.
    OtherDialect {
        /// The kind of job it is for.
        kind: JobKind,
        /// As it came, shortened.
        method: String,
    },
    /// Anything else.
    Unknown {
        /// As it came, shortened.
        method: String,
    },
}
