//! Brings the last statements of leases at once, and settles the leases: anyone may, for the gas.

use crate::{
    keys, out,
    roles::{COMMITTEE_AGE, chain, paying},
    settings::{Layer as _, Settings},
};
use anyhow::{Context as _, Result, ensure};
use clap::Args;
use hashlease_chain::{Chain, Committees};
use hashlease_keeper::Keeper;
use hashlease_net::{HttpClient, Tcp};
use hashlease_primitives::{Lease, LeaseId};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

const EXAMPLES: &str = "Examples:
  hashlease keep 7 --rpc https://… --deployment mainnet.toml --keeper-keystore keeper.json
  HASHLEASE_KEEPER_KEY=… hashlease keep 7 8 9 --json";

/// Arguments of `hashlease keep`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct KeepArgs {
    #[command(flatten)]
    shared: Settings,
    /// Keystore of the key that pays for gas; else `HASHLEASE_KEEPER_KEY`
    #[arg(long, env = "HASHLEASE_KEEPER_KEYSTORE", value_name = "FILE")]
    keeper_keystore: Option<PathBuf>,
    /// Print one JSON line for each lease
    #[arg(long)]
    json: bool,
    /// Numbers of the leases
    #[arg(required = true, value_name = "LEASE")]
    leases: Vec<u64>,
}

/// Looks after each lease in turn. The exit status is 1 if one of them could not be looked after.
pub(crate) async fn run(
    KeepArgs { shared, keeper_keystore, json, leases }: KeepArgs,
    file: Settings,
) -> Result<ExitCode> {
    let shared = shared.over(file);
    let key = keys::signing("keeper", keeper_keystore.as_deref(), &shared.password)?;
    let chain = chain(&shared).await?;
    let committees = Committees::new(chain.clone(), COMMITTEE_AGE);
    let sender = paying(&chain, &key, &shared)?;
    let keeper = Keeper::new(chain.clone(), committees, HttpClient::new(Tcp::shared()), sender);
    let mut all_kept = true;
    for id in leases.into_iter().map(LeaseId) {
        let kept = keep(&keeper, &chain, id).await;
        all_kept &= kept.is_ok();
        out::print(match (kept, json) {
            (Ok(lease), true) => json!({
                "lease": id, "settled": lease.settled, "last": lease.last,
                "credited": lease.credited.to_string(), "due": lease.due.to_string(),
            })
            .to_string(),
            (Ok(lease), false) => in_words(&lease),
            (Err(error), true) => json!({"lease": id, "error": format!("{error:#}")}).to_string(),
            (Err(error), false) => format!("lease {id}: {error:#}"),
        })?;
    }
    Ok(if all_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn keep(keeper: &Keeper, chain: &Chain, id: LeaseId) -> Result<Lease> {
    let lease = chain.lease(id).await.context("reading the lease")?;
    if lease.settled {
        return Ok(lease);
    }
    let (from, now) = (lease.roots_due(), chain.time().await?);
    ensure!(now >= from, "its last statement can be brought from {from} on, and it is {now}: try again then");
    keeper.keep(id).await?;
    Ok(chain.lease(id).await?)
}

fn in_words(lease: &Lease) -> String {
    let Lease { terms, credited, due, .. } = lease;
    let state = match (lease.settled, lease.last) {
        (true, _) => "settled".to_owned(),
        (false, true) => "has its last statement; it can be settled from the next block on".to_owned(),
        (false, false) => {
            format!("waits for the members; without them it is settled from {} on", lease.settle_after())
        }
    };
    format!("lease {}: {state}; {credited} credited, {due} due, {} promised", terms.id, terms.committed())
}
