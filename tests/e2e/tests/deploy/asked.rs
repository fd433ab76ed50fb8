//! What is asked for: told at once where it is senseless, and never other than what is registered.

use crate::stand::{DEPLOYER, EVIL, GOVERNOR, OTHER_DEPLOYER, SEPOLIA, Stand, handed_over};
use alloy_primitives::{Address, hex, keccak256};
use anyhow::{Result, ensure};
use hashlease_deploy::{Place, Request, deploy, preflight, problems};
use hashlease_stage::DEPLOY;
use serde_json::{Value, json};
use std::{fs, process::Stdio, time::SystemTime};
use tokio::process::Command;

/// Lines in which the script says what is wrong, out of its error: a trace has them too.
fn told(said: &str) -> Vec<&str> {
    let (_, error) = said.split_once("Error: script failed: ").unwrap_or_default();
    error.lines().filter(|line| line.contains(": expected ") && line.contains(", got ")).collect()
}

#[tokio::test]
async fn senseless_settings_are_told_at_once_by_the_script_and_before_it_in_the_same_words() -> Result<()> {
    let mut stand = Stand::new(SEPOLIA, "local-dry-run-senseless").await?;
    let now = SystemTime::UNIX_EPOCH.elapsed()?.as_secs();
    let place = Place { chain_id: SEPOLIA, deployer: DEPLOYER.parse()?, now };
    let twice = [1, 2, 1].map(|n| Address::repeat_byte(n).to_string()).join(",");
    let some_wrong = format!("0x12, {}, {DEPLOYER}x", Address::ZERO);
    let environments: [&[(&str, &str)]; 3] = [
        &[
            ("HASHLEASE_COMMITTEE_OWNERS", ""),
            ("HASHLEASE_COMMITTEE_KEYS", ""),
            ("HASHLEASE_COMMITTEE_THRESHOLD", ""),
            ("HASHLEASE_ORACLE_PAYEE", ""),
            ("HASHLEASE_GOVERNOR", ""),
            ("HASHLEASE_GUARDIAN", ""),
            ("HASHLEASE_TREASURY", ""),
        ],
        &[
            ("HASHLEASE_COMMITTEE_OWNERS", &twice),
            ("HASHLEASE_COMMITTEE_KEYS", &some_wrong),
            ("HASHLEASE_COMMITTEE_THRESHOLD", "4"),
            ("HASHLEASE_ORACLE_PAYEE", "0x0000000000000000000000000000000000000000"),
            ("HASHLEASE_ORACLE_WINDOW", "3600"),
            ("HASHLEASE_ORACLE_FEE_BPS", "301"),
            ("HASHLEASE_ORACLE_ALGORITHMS", "sha256d,x11"),
            ("HASHLEASE_ORACLE_LATEST_END", "1700000000"),
            ("HASHLEASE_ORACLE_MIN_BOND_BPS", "10001"),
            ("HASHLEASE_GOVERNOR", DEPLOYER),
            ("HASHLEASE_GUARDIAN", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB49"),
            ("HASHLEASE_TREASURY", "treasury"),
        ],
        &[
            ("HASHLEASE_COMMITTEE_OWNERS", DEPLOYER),
            ("HASHLEASE_COMMITTEE_KEYS", &twice),
            ("HASHLEASE_COMMITTEE_THRESHOLD", "0x1"),
            ("HASHLEASE_ORACLE_WINDOW", "2592001"),
            ("HASHLEASE_ORACLE_FEE_BPS", "1e2"),
            ("HASHLEASE_ORACLE_LATEST_END", "1099511627776"),
            ("HASHLEASE_DEPLOYMENT_NAME", "../senseless"),
        ],
    ];
    for settings in environments {
        for (name, value) in settings {
            stand.set(name, *value);
        }
        let expected = problems(&stand.environment(), &place);
        ensure!(expected.len() >= settings.len(), "{expected:#?}");
        let (done, said) = stand.deploy().await?;
        ensure!(!done && told(&said) == expected, "expected {expected:#?}\n{said}");
        ensure!(stand.nonce().await? == json!("0x0"), "something was sent");
    }
    Ok(())
}

/// `cargo xtask deploy`, from its checks to the inputs for explorers.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_checks_deploys_and_writes() -> Result<()> {
    let mut stand = Stand::empty(SEPOLIA, "local-dry-run-command").await?;
    let key = DEPLOY.iter().skip(1).map(ToString::to_string).collect();
    let mut request =
        Request { rpc_url: stand.url().to_string(), sender: DEPLOYER.parse()?, broadcast: true, forge: key };
    let ask = |stand: &Stand, request: &Request| {
        tokio::task::block_in_place(|| preflight(&stand.tools, &stand.environment(), request))
    };
    stand.set("HASHLEASE_ORACLE_FEE_BPS", "400");
    request.sender = Address::repeat_byte(0x99);
    let wrong = ask(&stand, &request).unwrap_err().to_string();
    for told in [
        "HASHLEASE_ORACLE_FEE_BPS: expected a whole number from 0 to 300, got 400",
        "USDC: expected a contract at 0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238, got no code",
        "wrapped_native: expected a contract at 0xfFf9976782d46CC05630D1f6eBAb18b2324d6B14, got no code",
        "deployer 0x9999999999999999999999999999999999999999: expected native currency for gas, got nothing",
    ] {
        ensure!(wrong.contains(told), "{told}\n{wrong}");
    }
    stand.set("HASHLEASE_ORACLE_FEE_BPS", "100");
    stand.tokens_exist(SEPOLIA).await?;
    request.sender = DEPLOYER.parse()?;
    ensure!(ask(&stand, &request)? == SEPOLIA);
    tokio::task::block_in_place(|| deploy(&stand.tools, &stand.environment(), &request))?;
    stand.is_sound().await?;
    let folder = stand.file().with_extension("");
    for name in [
        "AccessManager",
        "CommitteeOracle",
        "Directory",
        "LeaseDescriptor",
        "LeaseEscrow",
        "LeaseLens",
        "Registry",
    ] {
        let input = fs::read_to_string(folder.join(format!("{name}.json")))?;
        let input: Value = serde_json::from_str(&input)?;
        ensure!(input["settings"]["viaIR"] == true && input["sources"].is_object(), "{name}");
    }
    compiles_to_the_deployed_code(&stand, "Registry").await?;
    // the contract's own address is known from the file
    let escrow = stand.deployment()?.escrow.to_string();
    stand.set("HASHLEASE_ORACLE_PAYEE", escrow.as_str());
    let wrong = ask(&stand, &request).unwrap_err().to_string();
    let told = format!("expected an account outside of the deployment, got LeaseEscrow {escrow}");
    ensure!(wrong.contains(&told), "{wrong}");
    // an endpoint that does not answer hides no other problem
    request.rpc_url = "http://127.0.0.1:9".into();
    let wrong = ask(&stand, &request).unwrap_err().to_string();
    ensure!(wrong.contains(&told) && wrong.contains("--rpc-url http://127.0.0.1:9"), "{wrong}");
    Ok(())
}

/// Compiled alone, as an explorer does it, the input gives the code that was deployed.
async fn compiles_to_the_deployed_code(stand: &Stand, name: &str) -> Result<()> {
    let input = fs::File::open(stand.file().with_extension("").join(format!("{name}.json")))?;
    let mut solc = Command::new("node");
    solc.args(["contracts/tools/solc.js", "--standard-json"]).current_dir(stand.tools.root());
    let output = solc.stdin(Stdio::from(input)).output().await?;
    let output: Value = serde_json::from_slice(&output.stdout)?;
    let contracts = output["contracts"].as_object().unwrap();
    let compiled = contracts.values().find_map(|file| file.get(name)).unwrap();
    let mut code = hex::decode(compiled["evm"]["bytecode"]["object"].as_str().unwrap())?;
    let written = stand.written()?;
    let (_, entry) = written.split_once(&format!("[contracts.{name}]")).unwrap();
    let field = |key: &str| entry.split_once(&format!("\n{key} = \"")).unwrap().1.split_once('"').unwrap().0;
    code.extend(hex::decode(field("constructor_arguments"))?);
    ensure!(keccak256(code).to_string() == field("initcode_hash"), "{name}: other code");
    Ok(())
}

#[tokio::test]
async fn only_a_run_that_sends_writes_and_never_over_a_deployment_that_exists() -> Result<()> {
    let stand = Stand::new(SEPOLIA, "local-dry-run-file").await?;
    let (done, said) = stand.dry_run(DEPLOYER).await?;
    ensure!(done && said.contains("Nothing was written"), "{said}");
    ensure!(!stand.file().exists(), "a dry run wrote");
    // a sender without gas sends nothing
    stand.anvil.rpc("anvil_setBalance", json!([DEPLOYER, "0x0"])).await?;
    let (done, said) = stand.deploy().await?;
    ensure!(!done && said.contains("expected native currency for gas"), "{said}");
    ensure!(!stand.file().exists(), "a run that sent nothing wrote");
    stand.anvil.fund(DEPLOYER.parse()?).await?;
    let (done, said) = stand.deploy().await?;
    ensure!(done, "{said}");
    let written = stand.written()?;
    // another deployer has other addresses, where nothing is yet
    let (_, said) = stand.dry_run(OTHER_DEPLOYER).await?;
    ensure!(written == stand.written()?, "a dry run replaced the file:\n{said}");
    let key = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
    let (done, said) =
        stand.script("Deploy", &["--broadcast", "--non-interactive", "--private-key", key]).await?;
    ensure!(!done && said.contains("describes a deployment that exists"), "{said}");
    ensure!(written == stand.written()?, "the file was replaced");
    // the escrow's address is none that a fee could be paid to
    let mut stand = stand;
    let escrow = stand.deployment()?.escrow;
    stand.set("HASHLEASE_ORACLE_PAYEE", escrow.to_string());
    let (done, said) = stand.deploy().await?;
    let told = format!(
        "HASHLEASE_ORACLE_PAYEE: expected an account outside of the deployment, got LeaseEscrow {escrow}"
    );
    ensure!(!done && said.contains(&told), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_registration_that_differs_from_what_is_asked_fails() -> Result<()> {
    let mut stand = handed_over("local-dry-run-differs").await?;
    let before = stand.written()?;
    let changes = [
        ("HASHLEASE_ORACLE_WINDOW", "86400".to_owned(), "172800, with which"),
        ("HASHLEASE_ORACLE_FEE_BPS", "300".to_owned(), "100, with which"),
        (
            "HASHLEASE_ORACLE_PAYEE",
            EVIL.to_string(),
            "0x1111111111111111111111111111111111111111, with which",
        ),
        ("HASHLEASE_ORACLE_ALGORITHMS", "sha256d".to_owned(), "sha256d, scrypt, ethash, etchash, with which"),
        ("HASHLEASE_ORACLE_LATEST_END", "4000000000".to_owned(), "0, with which"),
        ("HASHLEASE_ORACLE_MIN_BOND_BPS", "1".to_owned(), "0, with which"),
        ("HASHLEASE_GOVERNOR", EVIL.to_string(), "an administrator of the AccessManager"),
    ];
    for (name, value, _) in &changes {
        stand.set(name, value.as_str());
    }
    let (done, said) = stand.deploy().await?;
    ensure!(!done, "{said}");
    for (name, value, expected) in &changes {
        let line =
            told(&said).into_iter().find(|line| line.starts_with(&format!("{name}: expected {expected}")));
        ensure!(
            line.is_some_and(|line| line.ends_with(&format!("got {value}"))),
            "{name}: {expected}\n{said}"
        );
    }
    ensure!(before == stand.written()?);
    Ok(())
}

#[tokio::test]
async fn after_the_hand_over_a_further_committee_needs_the_governor() -> Result<()> {
    let mut stand = handed_over("local-dry-run-committee").await?;
    let before = stand.written()?;
    stand.set("HASHLEASE_COMMITTEE_THRESHOLD", "3");
    let (done, said) = stand.deploy().await?;
    ensure!(done && said.contains("--sig 'registerOracle(address)'"), "{said}");
    ensure!(before == stand.written()?, "a file with a committee that nobody can pin");
    stand.is_sound().await?;
    ensure!(before.contains(&GOVERNOR.to_string()));
    Ok(())
}
