//! A committee member: re-checks every share of an epoch's evidence, counts what was due, and
//! co-signs.
//!
//! In: jobs from gateways, epoch roots from providers (in this crate simply *roots*), evidence
//! files over HTTP. Out: signatures over cumulative statements, or refusals with a reason. A member
//! trusts neither side: it verifies every job's signature and every proof of work, rebuilds the
//! trie's root, and counts due work from the jobs that reached it.
//!
//! ```text
//! routes ─▶ state (jobs, roots, figures, sign rules) ─▶ store
//!    └────▶ evidence_check ─▶ fetch, turns
//! ```
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod complaint;
mod due;
mod evidence_check;
mod fetch;
mod figures;
mod member;
mod root_signer;
mod routes;
mod sign_refusal;
mod sign_rules;
mod state;
mod store;
mod turns;

pub use fetch::FetchLimits;
pub use member::{Member, MemberError};
pub use state::{LeaseView, LeaseViews, MemberConfig};
