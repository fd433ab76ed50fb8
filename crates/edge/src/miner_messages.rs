//! Messages to miners in words (`client.show_message`). Many miners show them to people.
//!
//! Today there is one. A gateway that lost its pool tells the node, which logs it: a miner learns
//! only that no new job comes. The words for that belong here.

/// The lease is over and no other one needs the miner.
pub(crate) const LEASE_OVER: &str = "lease is over";
