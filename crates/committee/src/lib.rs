//! The committee: members that re-check every share and co-sign, and how their signatures are gathered.
//!
//! In: jobs from gateways, roots from providers, evidence files over HTTP. Out: signatures over cumulative statements,
//! or a refusal with its reason. A member trusts neither: it verifies every job's signature and every proof of work,
//! rebuilds the root, and counts what was due from the jobs that reached it.
//!
//! [`Member`] is one member; [`MemberClient`] is how everybody else talks to it; [`propose`] and [`gather`] turn what
//! the members say into one batch that the oracle takes.

mod api;
mod client;
mod clock;
mod fetch;
mod figures;
mod gather;
mod http;
mod member;
mod store;
mod turns;
mod verify;

pub use api::{
    EpochState, EpochView, JobReceipt, Refusal, RootReceipt, RootView, SignedBatch, StatementView,
};
pub use client::{ClientError, MemberClient};
pub use fetch::FetchLimits;
pub use gather::{GatherError, Seat, gather, propose};
pub use member::{LeaseView, LeaseViews, Member, MemberConfig, MemberError};
