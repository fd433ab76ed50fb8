//! SIMULATOR of a pool's habits: what it changes while it runs.

use std::time::Duration;

/// Something that a pool does at a moment.
#[derive(Clone, Debug, PartialEq)]
pub enum PoolStep {
    /// Changes the difficulty of all connections, without a job.
    Difficulty(f64),
    /// Changes the version bits that miners may roll (`mining.set_version_mask`).
    Mask(u32),
    /// Gives every connection another extranonce1 and this size of extranonce2
    /// (`mining.set_extranonce`), with a job.
    Extranonce(usize),
    /// Announces this many blocks, each with a clean job.
    Blocks(usize),
    /// Announces this many jobs over the same block, each flagged as clean.
    CleanFlags(usize),
    /// Announces a job over the same block.
    Job,
    /// Sets its clock this many seconds ahead, or behind if negative, from the next job on.
    Ahead(i64),
    /// Whether it refuses every share from now on.
    Refuses(bool),
    /// Closes all connections; new ones are accepted.
    Drop,
    /// With `true`, closes all connections and accepts none; with `false`, accepts them again.
    Down(bool),
}

/// What a pool does, and how long after its start.
pub type PoolSchedule = Vec<(Duration, PoolStep)>;
