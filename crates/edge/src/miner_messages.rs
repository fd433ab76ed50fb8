//! Messages to miners in words (`client.show_message`). Many miners show them to people.

/// The lease is over and no other one needs the miner.
pub(crate) const LEASE_OVER: &str = "lease is over";
/// The lease has had no job for so long that the miner is let go.
pub(crate) const NO_JOB: &str = "the lease has had no job for two minutes";
/// The miner's shares are worth nothing.
pub(crate) const REFUSED_SHARES: &str = "all of the last shares were refused: check algorithm and difficulty";
