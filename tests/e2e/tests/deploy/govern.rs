//! The governor's calls, through the timelock: planned, announced, and put into effect two days
//! later on a chain whose clock the test moves.

use crate::stand::{ANY_CODE, EVIL, GOVERNOR, GUARDIAN, LOCAL, Stand, handed_over};
use alloy_primitives::{Address, hex};
use anyhow::{Context as _, Result, ensure};
use serde_json::json;

const TOKEN: Address = Address::repeat_byte(0x77);
const ORACLE: Address = Address::repeat_byte(0x88);

impl Stand {
    /// A step of one of the governor's calls, sent by `sender`, whose key the chain stands in for.
    async fn step(&mut self, step: &str, sender: Address, call: &[&str]) -> Result<(bool, String)> {
        self.set("HASHLEASE_STEP", step);
        self.anvil.fund(sender).await?;
        self.anvil.rpc("anvil_impersonateAccount", json!([sender])).await?;
        let sender = sender.to_string();
        let sending = ["--broadcast", "--unlocked", "--sender", &sender];
        let sending: &[&str] = if matches!(step, "plan" | "record") { &[] } else { &sending };
        self.script("Govern", &[&["--sig"], call, sending].concat()).await
    }

    async fn takes(&mut self, step: &str, call: &[&str], told: &str) -> Result<()> {
        let (done, said) = self.step(step, GOVERNOR, call).await?;
        ensure!(done && said.contains(told), "{step} {call:?}: expected {told}\n{said}");
        Ok(())
    }

    async fn refuses(&mut self, step: &str, sender: Address, call: &[&str], told: &str) -> Result<()> {
        let (done, said) = self.step(step, sender, call).await?;
        ensure!(!done && said.contains(told), "{step} {call:?}: expected {told}\n{said}");
        Ok(())
    }

    /// Announces the call, waits two days, and puts it into effect.
    async fn decides(&mut self, call: &[&str], words: &str) -> Result<()> {
        self.takes("schedule", call, words).await?;
        self.two_days_later().await?;
        self.takes("execute", call, "Executed.").await?;
        self.takes("plan", call, "The chain is already so").await
    }
}

#[tokio::test]
async fn a_call_is_planned_announced_and_put_into_effect_two_days_later() -> Result<()> {
    let mut stand = handed_over("local-dry-run-govern").await?;
    for account in [TOKEN, ORACLE] {
        stand.anvil.rpc("anvil_setCode", json!([account, ANY_CODE])).await?;
    }
    let before = stand.written()?;
    let list = ["listToken(address,bool)", &TOKEN.to_string(), "true"];
    let nonce = stand.anvil.rpc("eth_getTransactionCount", json!([GOVERNOR, "latest"])).await?;
    stand
        .takes("plan", &list, "New leases may be paid in 0x7777777777777777777777777777777777777777.")
        .await?;
    stand.takes("plan", &list, "It can take effect 48 hours after it was scheduled.").await?;
    stand.takes("plan", &list, "schedule 0x").await?;
    ensure!(nonce == stand.anvil.rpc("eth_getTransactionCount", json!([GOVERNOR, "latest"])).await?);
    stand.refuses("execute", GOVERNOR, &list, "it is not scheduled").await?;
    stand.refuses("cancel", GOVERNOR, &list, "nothing to cancel").await?;
    stand
        .refuses("schedule", EVIL, &list, "pass --sender 0x1212121212121212121212121212121212121212")
        .await?;
    stand.refuses("enact", GOVERNOR, &list, "cancel or record, got enact").await?;
    stand.takes("schedule", &list, "Scheduled.").await?;
    stand.refuses("schedule", GOVERNOR, &list, "it is scheduled already").await?;
    stand.refuses("execute", GOVERNOR, &list, "too early: wait until 20").await?;
    stand.takes("cancel", &list, "Cancelled.").await?;
    stand.two_days_later().await?;
    stand.refuses("execute", GOVERNOR, &list, "it is not scheduled").await?;
    ensure!(before == stand.written()?, "the file changed before anything took effect");
    stand.is_sound().await?;
    stand.decides(&list, "New leases may be paid in").await?;
    // the file follows, so the check still passes, and lists the token
    let said = stand.is_sound().await?;
    ensure!(said.contains(&format!("listing of token {TOKEN}: true")), "{said}");
    Ok(())
}

#[tokio::test]
async fn every_decision_takes_effect_and_the_check_expects_it() -> Result<()> {
    let mut stand = handed_over("local-dry-run-decisions").await?;
    for account in [TOKEN, ORACLE] {
        stand.anvil.rpc("anvil_setCode", json!([account, ANY_CODE])).await?;
    }
    let (token, oracle) = (TOKEN.to_string(), ORACLE.to_string());
    stand.set("HASHLEASE_ORACLE_WINDOW", "86400");
    let register = ["registerVoidingOracle(address)", &oracle];
    stand
        .refuses("plan", GOVERNOR, &register, "expected a whole number from 691200 to 2592000, got 86400")
        .await?;
    stand.set("HASHLEASE_ORACLE_WINDOW", "");
    stand.set("HASHLEASE_ORACLE_ALGORITHMS", "sha256d");
    stand.takes("schedule", &register, "An oracle that can void epochs is registered").await?;
    let limits = ["setLimits(uint32,address,uint128,uint128)", "2", &token, "1000", "10"];
    stand.refuses("plan", GOVERNOR, &limits, "no oracle has that id").await?;
    stand.two_days_later().await?;
    stand.takes("execute", &register, "algorithms sha256d, window 691200 s, latest end none").await?;
    stand.refuses("plan", GOVERNOR, &register, "it is registered as oracle 2, for good").await?;
    stand.decides(&limits, "may hold 1000 base units (now 0 base units)").await?;
    stand
        .decides(&["listOracle(uint32,bool)", "1", "false"], "New leases may no longer pin oracle 1")
        .await?;
    let usdc = "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238";
    stand.decides(&["listToken(address,bool)", usdc, "false"], "may no longer be paid in").await?;
    stand.decides(&["setTreasury(address)", &oracle], "Surplus goes to 0x8888").await?;
    let native = ["setWrappedNative(address)", token.as_str()];
    stand.refuses("plan", GOVERNOR, &native, "it is set for good").await?;
    let said = stand.is_sound().await?;
    for told in ["oracle 2's power to void epochs: true", "oracle 1's listing: false", "treasury: 0x8888"] {
        ensure!(said.contains(told), "{told}\n{said}");
    }
    // the guardian pauses at once; ending a pause early is the governor's
    let pause = ["pause()"];
    stand.refuses("schedule", GUARDIAN, &pause, "nothing to schedule").await?;
    stand.refuses("execute", GOVERNOR, &pause, &format!("pass --sender {GUARDIAN}")).await?;
    let unpause = ["unpause()"];
    stand.takes("plan", &unpause, "The chain is already so").await?;
    let (done, said) = stand.step("execute", GUARDIAN, &pause).await?;
    ensure!(done && said.contains("Executed."), "{said}");
    ensure!(stand.is_sound().await?.contains("renting is paused until"));
    stand.decides(&unpause, "Renting is possible again").await?;
    Ok(())
}

#[tokio::test]
async fn what_a_multisig_sent_itself_is_recorded() -> Result<()> {
    let mut stand = handed_over("local-dry-run-record").await?;
    for account in [TOKEN, ORACLE] {
        stand.anvil.rpc("anvil_setCode", json!([account, ANY_CODE])).await?;
    }
    let (token, oracle) = (TOKEN.to_string(), ORACLE.to_string());
    let manager = stand.deployment()?.access_manager;
    for (call, differs) in [
        (vec!["listToken(address,bool)", token.as_str(), "true"], "listing of token"),
        (vec!["registerOracle(address)", oracle.as_str()], "oracle 2"),
    ] {
        stand.refuses("record", GOVERNOR, &call, "the chain is not so: there is nothing to record").await?;
        let (_, plan) = stand.step("plan", GOVERNOR, &call).await?;
        for name in ["schedule", "execute"] {
            let data =
                plan.lines().find_map(|line| line.trim().strip_prefix(name)?.trim().strip_prefix("0x"));
            let data = hex::decode(data.with_context(|| plan.clone())?)?;
            ensure!(stand.send(GOVERNOR, manager, &data).await?, "{name} {call:?}");
            stand.two_days_later().await?;
        }
        stand.sees(differs).await?;
        stand.takes("record", &call, "The chain is so: recorded.").await?;
        stand.is_sound().await?;
    }
    // what is registered with other settings is not what was asked
    stand.set("HASHLEASE_ORACLE_FEE_BPS", "7");
    stand.refuses("record", GOVERNOR, &["registerOracle(address)", &oracle], "the chain is not so").await
}

#[tokio::test]
async fn the_native_currency_is_wrapped_once_and_amounts_are_told_in_tokens() -> Result<()> {
    // the local chain has no wrapped currency, but a token that tells its name
    let mut stand = Stand::new(LOCAL, "local-dry-run-native").await?;
    let (done, said) = stand.deploy().await?;
    ensure!(done, "{said}");
    stand.is_sound().await?;
    stand.anvil.rpc("anvil_setCode", json!([TOKEN, ANY_CODE])).await?;
    let demo = stand.deployment()?.token.to_string();
    let limits = ["setLimits(uint32,address,uint128,uint128)", "1", &demo, "2500000", "10"];
    let words = format!("in DEMO ({demo}) may hold 2.500000 (now 340282366920938463463374607431768.211455)");
    stand.takes("plan", &limits, &words).await?;
    stand.takes("plan", &limits, "a new one pays at least 0.000010 (now 0.000001)").await?;
    stand.decides(&["setWrappedNative(address)", &TOKEN.to_string()], "for good").await?;
    stand.is_sound().await.map(drop)
}
