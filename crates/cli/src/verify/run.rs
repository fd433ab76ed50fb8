//! Checks each file, whether evidence or a single share, and combines the results to an exit code.

use super::{
    args::VerifyArgs, caches::caches, differences::differences, epoch, on_chain::OnChain, report, single,
};
use anyhow::{Result, bail};
use hashlease_chain::Deployment;
use hashlease_check::Caches;
use std::{
    fs::File,
    io::{Read as _, Seek as _},
    path::Path,
    process::ExitCode,
};

pub(crate) fn run(arguments: &VerifyArgs) -> Result<ExitCode> {
    let deployment = arguments.deployment.as_deref().map(Deployment::read).transpose()?;
    let chain = match (&arguments.rpc, &deployment) {
        (Some(rpc), Some(deployment)) => Some(OnChain::connect(rpc, deployment.clone())?),
        // the arguments allow no endpoint without a deployment
        _ => None,
    };
    let caches = caches(arguments);
    let (mut all_hold, mut all_read) = (true, true);
    for path in &arguments.files {
        match verify_file(path, arguments, deployment.as_ref(), chain.as_ref(), &caches) {
            Ok(holds) => all_hold &= holds,
            Err(error) => {
                all_read = false;
                let (file, error) = (path.display().to_string(), format!("{error:#}"));
                if arguments.json {
                    println!("{}", serde_json::json!({"file": file, "holds": false, "error": error}));
                }
                eprintln!("error: file {file}: {error}");
            }
        }
    }
    Ok(ExitCode::from(match (all_read, all_hold) {
        (false, _) => 2,
        (true, false) => 1,
        (true, true) => 0,
    }))
}

/// Checks a file of either kind and prints the result. Returns whether the file holds.
fn verify_file(
    path: &Path,
    arguments: &VerifyArgs,
    deployment: Option<&Deployment>,
    chain: Option<&OnChain>,
    caches: &Caches,
) -> Result<bool> {
    let mut file = File::open(path)?;
    let single = match (is_json(&mut file)?, arguments.share) {
        (true, Some(_)) => bail!("--share picks a share from an evidence file, but this is a single share"),
        (true, None) if arguments.root.is_some() => {
            bail!("--root is the root of a whole epoch, but this is a single share")
        }
        (true, None) => Some(single::read(file)?),
        (false, Some(number)) => Some(single::pick(file, number)?),
        (false, None) => None,
    };
    if let Some(single) = single {
        let lease = chain.map(|chain| chain.lease(single.terms.id)).transpose()?;
        let mut differences = differences(arguments, deployment, lease.as_ref(), &single.terms);
        differences.extend(single.contradiction().map(|found| found.to_string()));
        return Ok(report::single(path, &single, lease.as_ref(), &differences, arguments, caches));
    }
    let file = File::open(path)?;
    let checked = epoch::check(file, arguments, deployment, chain, caches)?;
    if arguments.json {
        println!("{}", report::as_json(path, &checked));
    } else {
        report::print(path, &checked, arguments);
    }
    Ok(checked.holds())
}

/// Whether a file starts like JSON. Evidence files start with their magic number.
fn is_json(file: &mut File) -> Result<bool> {
    let mut start = Vec::new();
    file.by_ref().take(256).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start.trim_ascii_start().first() == Some(&b'{'))
}
