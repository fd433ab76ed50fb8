//! A committee member: re-checks every share of an epoch's evidence, counts what was due, and
//! co-signs.
//!
//! In: jobs from gateways, epoch roots from providers (in this crate simply *roots*), evidence
//! files over HTTP. Out: signatures over cumulative statements, or refusals with a reason. A member
//! trusts neither side: it verifies every job's signature and every proof of work, rebuilds the
//! trie's root, and counts due work from the jobs that reached it.
//!
//! ```text
//! routes ─▶ jobs ──▶ taken_jobs ─┐
//!    ├────▶ roots ─▶ standing ───┼▶ figures ─▶ sign_rules ─▶ statements
//!    │        └────▶ evidence_check ─▶ fetch, turns, shelf
//!    └────▶ peers: tells and asks the other members          all ─▶ store
//! ```
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod complaint;
mod config;
mod evidence_check;
mod fetch;
mod figures;
mod jobs;
mod lease_room;
mod limits;
mod member;
mod outbox;
mod owners;
mod peers;
mod request_refusal;
mod roots;
mod routes;
mod shelf;
mod shown_shares;
mod sign_refusal;
mod sign_rules;
mod standing;
mod state;
mod statements;
mod store;
mod store_writer;
mod taken_jobs;
mod turns;
mod view;

pub use config::{FetchLimits, MemberConfig};
pub use member::{Member, MemberError};
pub use view::{LeaseView, LeaseViews, SeatView};
