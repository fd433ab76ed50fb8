//! Settlement against endpoints that a test scripts.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod chain;
mod closing;
