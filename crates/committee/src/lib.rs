//! The protocol between a committee's members and everybody who talks to them: what their API carries, a client for it,
//! and how the members' views become one signed batch.
//!
//! In: what members count of a lease ([`StatementView`]). Out: the strongest statement that enough of them can sign
//! ([`propose`]) with their signatures ([`gather`]). The members themselves are in `hashlease-member`.

mod api;
mod client;
mod gather;
mod propose;

pub use api::{
    EpochState, EpochView, ErrorBody, JobReceipt, Refusal, Refusals, RootReceipt, RootView, SignRequest,
    SignedBatch, StatementView,
};
pub use client::{ClientError, MemberClient, http_client};
pub use gather::{GatherError, Seat, gather};
pub use propose::{least_last_due, propose};
