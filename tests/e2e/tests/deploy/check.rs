//! The check sees back doors, and parameters that are not those that were asked for.

use crate::stand::{EVIL, PAYEE, call, handed_over, word};
use alloy_primitives::{Address, U256};
use anyhow::{Result, ensure};
use hashlease_chain::Deployment;
use serde_json::json;
use std::fs;

#[tokio::test]
async fn the_check_sees_back_doors() -> Result<()> {
    let stand = handed_over("local-dry-run-back-doors").await?;
    let found = stand.deployment()?;
    let Deployment { access_manager: manager, registry, directory, .. } = found;
    stand.is_sound().await?;
    let doors: [(Address, Vec<u8>, &str); 9] = [
        (
            manager,
            call("grantRole(uint64,address,uint32)", &[U256::ZERO, word(EVIL), U256::ZERO]),
            "may have role 0: ",
        ),
        (
            manager,
            call("grantRole(uint64,address,uint32)", &[U256::from(7), word(EVIL), U256::ZERO]),
            "may have role 7: ",
        ),
        (
            manager,
            call("updateAuthority(address,address)", &[word(registry), word(directory)]),
            "the registry obeys the access manager",
        ),
        (
            manager,
            call("setTargetClosed(address,bool)", &[word(registry), U256::from(1)]),
            "the registry is not closed",
        ),
        (
            manager,
            call("setRoleAdmin(uint64,uint64)", &[U256::from(1), U256::from(7)]),
            "the governor grants role 1",
        ),
        (
            registry,
            call("listToken(address,bool)", &[word(EVIL), U256::from(1)]),
            "listing of token 0x6666666666666666666666666666666666666666: expected false, got true",
        ),
        (
            registry,
            call(
                "setLimits(uint32,address,(uint128,uint128))",
                &[U256::from(1), word(EVIL), U256::MAX >> 128, U256::from(1)],
            ),
            "exposure cap of oracle 1 in token 0x6666666666666666666666666666666666666666: expected 0, got 3402",
        ),
        (
            registry,
            call(
                "registerOracle((address,uint32,uint16,bool,address,uint32,uint40,uint16))",
                &[
                    word(EVIL),
                    U256::from(86_400),
                    U256::ZERO,
                    U256::ZERO,
                    word(EVIL),
                    U256::from(2),
                    U256::ZERO,
                    U256::ZERO,
                ],
            ),
            "oracle 2 is expected: 0x6666",
        ),
        (registry, call("setTreasury(address)", &[word(EVIL)]), "treasury: expected 0x1414"),
    ];
    for (target, data, wrong) in doors {
        let before = stand.anvil.rpc("evm_snapshot", json!([])).await?;
        stand.govern(target, &data).await?;
        stand.sees(wrong).await?;
        stand.anvil.rpc("evm_revert", json!([before])).await?;
    }
    // what is announced is printed
    let data = call("listToken(address,bool)", &[word(EVIL), U256::from(1)]);
    ensure!(stand.announce(registry, &data).await?);
    let said = stand.is_sound().await?;
    ensure!(said.contains("the governor has scheduled") && said.contains("listToken"), "{said}");

    // the check also covers the addresses in the file, since nodes follow them
    let sound = stand.written()?;
    for (key, address) in [
        ("escrow", found.escrow),
        ("registry", registry),
        ("oracle", found.oracle),
        ("lens", found.lens),
        ("directory", directory),
        ("access_manager", manager),
    ] {
        let line = format!("\n{key} = \"{address}\"");
        ensure!(format!("\n{sound}").matches(&line).count() == 1, "expected {key} once in\n{sound}");
        let spoiled = format!("\n{sound}").replace(&line, &format!("\n{key} = \"{EVIL}\""));
        fs::write(stand.file(), spoiled)?;
        stand.sees(&format!("the file names the right .{key}")).await?;
    }
    // a later first block would hide earlier grants
    let late = stand.height().await?;
    fs::write(stand.file(), sound.replace(&format!("block = {}", found.block), &format!("block = {late}")))?;
    stand.sees("the rights are known from the beginning").await?;
    fs::write(stand.file(), sound)?;
    stand.is_sound().await.map(drop)
}

/// Every parameter in the file is compared: each is spoiled here, all at once.
#[tokio::test]
async fn the_check_compares_every_parameter() -> Result<()> {
    let stand = handed_over("local-dry-run-parameters").await?;
    let said = stand.is_sound().await?;
    let sound = stand.written()?;
    let (head, expected) = sound.split_once("[expected]").unwrap();
    let spoils = [
        ("window = 172800", "window = 86400", "oracle 1's window: expected 86400, got 172800"),
        ("fee_bps = 100", "fee_bps = 101", "oracle 1's fee in basis points: expected 101, got 100"),
        ("voids = false", "voids = true", "oracle 1's power to void epochs: expected true, got false"),
        (
            &format!("payee = \"{PAYEE}\""),
            &format!("payee = \"{EVIL}\""),
            "oracle 1's payee: expected 0x6666",
        ),
        (
            "algorithms = 30",
            "algorithms = 2",
            "oracle 1's algorithms (sha256d, scrypt, ethash, etchash): expected 2",
        ),
        ("latest_end = 0", "latest_end = 9", "oracle 1's latest end: expected 9, got 0"),
        ("min_bond_bps = 0", "min_bond_bps = 7", "oracle 1's least bond in basis points: expected 7, got 0"),
        ("exposure_cap = \"1000000000000\"", "exposure_cap = \"1\"", "exposure cap of oracle 1 in token"),
        ("least_payment = \"100000\"", "least_payment = \"2\"", "least payment of oracle 1 in token"),
        (
            "timelock = 172800",
            "timelock = 172801",
            "the governor's timelock in seconds: expected 172801, got 172800",
        ),
        ("listed = true", "listed = false", "oracle 1's listing: expected false, got true"),
        ("listed = true", "listed = false", "listing of token 0x1c7D"),
        ("treasury = \"0x1414", "treasury = \"0x1514", "treasury: expected 0x1514"),
        ("guardian = \"0x1313", "guardian = \"0x1613", "guardian, who pauses at once: 0x1613"),
        ("wrapped_native = \"0xfF", "wrapped_native = \"0xaF", "wrapped native currency: expected 0xaF"),
    ];
    let mut spoiled = expected.to_owned();
    for (right, wrong, _) in &spoils {
        ensure!(expected.contains(right), "{right} is not in\n{expected}");
        spoiled = spoiled.replace(right, wrong);
    }
    fs::write(stand.file(), [head, "[expected]", &spoiled].concat())?;
    let (done, failed) = stand.check().await?;
    ensure!(!done, "{failed}");
    for (.., told) in &spoils {
        ensure!(failed.contains(&format!("FAILED {told}")), "expected: FAILED {told}\n{failed}");
    }
    // and each bound is printed
    for bound in ["minDuration: 3600", "maxDuration: 2592000", "minEpochs: 6", "minVoidingWindow: 691200"] {
        ensure!(said.contains(&format!("ok     {bound}")), "{bound}\n{said}");
    }
    Ok(())
}
