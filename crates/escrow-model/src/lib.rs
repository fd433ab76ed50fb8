//! The escrow in plain Rust, written from the protocol and not from the contracts: single amounts,
//! and the whole life of a lease.
//!
//! In: a lease's conditions and the calls on it. Out: what each account gets. The contracts are
//! tested against it (`tests/vectors/lease_math.json`, `tests/vectors/lives.jsonl`), and it
//! estimates amounts that are not final yet. Sums saturate, because payments and bonds of a real
//! token are far below 2^128 base units.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod arithmetic;
mod life;

pub use arithmetic::{
    PRICE_UNIT, Run, bond, capacity_fee, credit_cap, cut_off, epoch_pay, fee, missing, payment, released,
    returned, slash, termination, tolerance,
};
pub use life::{Booked, Conditions, Ending, EscrowError, Life, Settlement, StatementFigures};
