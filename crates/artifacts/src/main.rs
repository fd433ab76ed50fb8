//! Builds the ABIs in `contracts/abi`, for pages, scripts and the Rust bindings, or checks that the
//! committed ones are those of the contracts. A developer's command: nothing of the product depends
//! on it, so the product builds without a Solidity compiler.

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use foundry_compilers::{
    ProjectBuilder, ProjectPathsConfig,
    artifacts::{
        Remapping, Settings,
        output_selection::{ContractOutputSelection, OutputSelection},
    },
    solc::{Solc, SolcCompiler, SolcSettings},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Contracts of a deployment, with the demo's token, and the source each is in.
const CONTRACTS: [(&str, &str); 8] = [
    ("AccessManager", "contracts/node_modules/@openzeppelin/contracts/access/manager/AccessManager.sol"),
    ("CommitteeOracle", "contracts/src/oracles/CommitteeOracle.sol"),
    ("DemoToken", "script/DemoToken.sol"),
    ("Directory", "contracts/src/registry/Directory.sol"),
    ("LeaseDescriptor", "contracts/src/metadata/LeaseDescriptor.sol"),
    ("LeaseEscrow", "contracts/src/escrow/LeaseEscrow.sol"),
    ("LeaseLens", "contracts/src/lens/LeaseLens.sol"),
    ("Registry", "contracts/src/registry/Registry.sol"),
];

/// Builds the ABIs of the contracts into `contracts/abi`.
#[derive(Parser)]
struct Args {
    /// Only compare: exit 1 when a committed ABI is not the contract's.
    #[arg(long)]
    check: bool,
    /// Root of the repository.
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let root = args.root.canonicalize().context("repository root")?;
    ensure!(root.join("foundry.toml").is_file(), "{} holds no foundry.toml: pass --root", root.display());
    let folder = root.join("contracts/abi");
    let mut differing = strangers(&folder)?;
    for (name, abi) in abis(&root)? {
        let path = folder.join(format!("{name}.json"));
        if fs::read_to_string(&path).ok().as_deref() == Some(abi.as_str()) {
            continue;
        }
        if args.check {
            differing.push(name);
        } else {
            fs::write(&path, abi).with_context(|| format!("writing {}", path.display()))?;
            println!("wrote {}", path.display());
        }
    }
    if !differing.is_empty() {
        bail!(
            "contracts/abi differs from the contracts: {}; run `cargo xtask bindings`, remove what is no contract's, and commit",
            differing.join(", ")
        );
    }
    Ok(())
}

/// Files that are no contract's ABI.
fn strangers(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_known =
            name.strip_suffix(".json").is_some_and(|name| CONTRACTS.iter().any(|(of, _)| *of == name));
        if !is_known && name != "README.md" {
            found.push(name);
        }
    }
    Ok(found)
}

/// Compiles, ABIs only, so that no code is generated and the compiler takes seconds.
fn abis(root: &Path) -> Result<Vec<(String, String)>> {
    let modules = root.join("contracts/node_modules");
    ensure!(modules.is_dir(), "contracts/node_modules is missing: run `npm ci --prefix contracts`");
    let remapping = |name: &str, path: PathBuf| Remapping {
        context: None,
        name: name.to_owned(),
        path: format!("{}/", path.display()),
    };
    let remappings = vec![
        remapping("@openzeppelin/", modules.join("@openzeppelin")),
        remapping("solady/", modules.join("solady/src")),
        remapping("contracts/", root.join("contracts")),
    ];
    let solc = Solc::new(root.join("contracts/tools/solc.js")).context("solc script")?;
    let cache = tempdir(root);
    let paths = ProjectPathsConfig::builder()
        .root(root)
        .sources(root.join("contracts/src"))
        .lib(&modules)
        .remappings(remappings.clone())
        .artifacts(cache.join("out"))
        .cache(cache.join("cache.json"))
        .build_with_root(root);
    let output_selection =
        OutputSelection::common_output_selection([ContractOutputSelection::Abi.to_string()]);
    let settings = Settings { output_selection, remappings, ..Settings::default() };
    let project = ProjectBuilder::<SolcCompiler>::new(Default::default())
        .paths(paths)
        .settings(SolcSettings { settings, ..SolcSettings::default() })
        .ephemeral()
        .no_artifacts()
        .build(SolcCompiler::Specific(solc))?;
    let output = project.compile_files(CONTRACTS.map(|(_, file)| root.join(file)))?;
    ensure!(!output.has_compiler_errors(), "{output}");
    CONTRACTS
        .iter()
        .map(|(name, file)| {
            let contract = output
                .output()
                .contracts_iter()
                .find_map(|(found, contract)| (found == name).then_some(contract))
                .with_context(|| format!("{file} holds no contract {name}"))?;
            let abi = contract.abi.as_ref().with_context(|| format!("no ABI of {name}"))?;
            Ok(((*name).to_owned(), serde_json::to_string_pretty(abi)? + "\n"))
        })
        .collect()
}

fn tempdir(root: &Path) -> PathBuf {
    root.join("target/artifacts")
}
