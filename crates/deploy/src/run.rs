//! From a request to a checked deployment.

use crate::{
    Endpoint, Environment, Facts, Place, account_problems, chain_problems,
    forge::{OUT, forge_script, lock},
    problems, write_inputs,
};
use alloy_primitives::Address;
use anyhow::{Context as _, Result, bail, ensure};
use hashlease_toolchain::Toolchain;
use std::time::{SystemTime, UNIX_EPOCH};

/// What to do, and where.
#[derive(Clone, Debug)]
pub struct Request {
    /// URL of the chain's RPC endpoint.
    pub rpc_url: String,
    /// The deployer.
    pub sender: Address,
    /// Whether to send the transactions.
    pub broadcast: bool,
    /// Options for the forge script that deploys, such as the key's.
    pub forge: Vec<String>,
}

/// Checks, deploys, checks the chain, and writes the inputs for explorers.
///
/// # Errors
/// Everything that is wrong with the request, or what failed.
pub fn deploy(tools: &Toolchain, environment: &Environment, request: &Request) -> Result<()> {
    let chain_id = preflight(tools, environment, request)?;
    let sender = request.sender.to_string();
    let sending: &[&str] = if request.broadcast { &["--broadcast", "--slow"] } else { &[] };
    let mut arguments = [&["--sender", &sender], sending].concat();
    arguments.extend(request.forge.iter().map(String::as_str));
    run(tools, environment, request, ("script/Deploy.s.sol", &arguments))?;
    if !request.broadcast {
        eprintln!("Nothing was sent: pass --broadcast to send it.");
        return Ok(());
    }
    run(tools, environment, request, ("script/Check.s.sol", &[]))?;
    let name = match environment.get("HASHLEASE_DEPLOYMENT_NAME") {
        "" => chain_id.to_string(),
        name => name.to_owned(),
    };
    let file = tools.root().join(format!("script/deployments/{name}.toml"));
    for path in write_inputs(tools.root(), &file, &tools.root().join(OUT))? {
        eprintln!("wrote {}", path.display());
    }
    eprintln!("deployed: {}", file.display());
    Ok(())
}

/// Checks everything that can be known before compiling; returns the chain's id.
///
/// # Errors
/// All that is wrong, a line each.
pub fn preflight(tools: &Toolchain, environment: &Environment, request: &Request) -> Result<u64> {
    let endpoint = Endpoint { tools, url: &request.rpc_url };
    let chain_id = endpoint.chain_id();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock")?.as_secs();
    // an endpoint that does not answer is held to the bounds of public chains
    let place = Place { chain_id: *chain_id.as_ref().unwrap_or(&0), deployer: request.sender, now };
    let mut lines = problems(environment, &place);
    lines.extend(account_problems(tools.root(), environment)?);
    match &chain_id {
        Err(error) => lines.push(format!("{error:#}")),
        Ok(chain_id) => lines.extend(of_chain(&endpoint, request, *chain_id)?),
    }
    if lines.is_empty() {
        return chain_id;
    }
    bail!("nothing was compiled or sent, because this is wrong:\n{}", lines.join("\n"));
}

fn of_chain(endpoint: &Endpoint<'_>, request: &Request, chain_id: u64) -> Result<Vec<String>> {
    let facts = match Facts::read(endpoint.tools.root(), chain_id) {
        Ok(facts) => facts,
        Err(error) => return Ok(vec![format!("{error:#}")]),
    };
    let lines = facts.problems(chain_id);
    if lines.is_empty() {
        chain_problems(endpoint, &facts, request.sender, request.broadcast)
    } else {
        Ok(lines)
    }
}

fn run(
    tools: &Toolchain,
    environment: &Environment,
    request: &Request,
    (script, arguments): (&str, &[&str]),
) -> Result<()> {
    let _alone = lock(tools.root())?;
    let mut forge = forge_script(tools, &request.rpc_url, script)?;
    let status = forge.args(arguments).envs(environment.all()).status().context("starting forge")?;
    ensure!(status.success(), "{script}: {status}");
    Ok(())
}
