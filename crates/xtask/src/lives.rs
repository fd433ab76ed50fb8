//! Whole lives of leases, compared between the contracts and their model in Rust.

use crate::{step::succeed, workshop::Workshop};
use anyhow::Result;

/// Writes `count` random lives from the model, and replays them on the contracts.
pub(crate) fn run(workshop: &Workshop, count: u32) -> Result<()> {
    let write = ["test", "--locked", "-p", "hashlease-escrow-model", "--test", "vectors", "whole_lives"];
    succeed(workshop.cargo(&write).env("HASHLEASE_LIVES", count.to_string()))?;
    let mut forge = workshop.forge(&["test", "--match-path", "tests/differential/Lives.t.sol"])?;
    forge.env("HASHLEASE_LIVES_FILE", "cache/lives.jsonl").env("FORGE_SNAPSHOT_EMIT", "false");
    // a life takes about as much gas as a tenth of a block
    forge.env("FOUNDRY_GAS_LIMIT", i64::MAX.to_string()).env("FOUNDRY_MEMORY_LIMIT", u32::MAX.to_string());
    succeed(&mut forge)
}
