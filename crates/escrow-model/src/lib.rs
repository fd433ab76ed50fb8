//! The escrow in plain Rust: the arithmetic of a lease and a lease's whole life, written from the protocol and not from
//! the contracts. The contracts are checked against it (`tests/vectors/lease_math.json`, `tests/vectors/lives.jsonl`),
//! and figures are shown by it before they are final.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod arithmetic;
mod life;

pub use arithmetic::{
    PRICE_UNIT, bond, credit_cap, epoch_pay, fee, payment, released, returned, slash, termination, tolerance,
};
pub use life::{Booked, Conditions, Ending, Figures, Life, Refusal, Settlement};
