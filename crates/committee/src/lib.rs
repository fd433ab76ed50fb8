//! The protocol between a committee's members and their peers: the bodies of the members' API, a
//! client for it, and the way from several members' figures to one signed batch.
//!
//! In: the members' figures of a lease ([`StatementView`]). Out: the strongest statement that
//! enough members sign ([`agree`]): what they may sign ([`proposals`]), and their signatures over it
//! ([`gather`]). The member itself is `hashlease-member`.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod agree;
mod api;
mod client;
mod gather;
mod proposals;

pub use agree::{NoAgreement, SignedStatement, agree};
pub use api::{
    EpochState, EpochView, ErrorBody, JobReceipt, LostJob, LostJobs, MAX_STATEMENTS, Refusal, Refusals,
    RootReceipt, RootView, ShareReceipt, ShownShare, SignRequest, SignedBatch, StatementView, TakenJob,
    TakenJobs,
};
pub use client::{ClientError, MemberClient};
pub use gather::{GatherError, NoSignature, Seat, gather, in_a_row};
pub use proposals::proposals;
