//! An endpoint, asked with `cast`: the only client that the checkout has anyway.

use alloy_primitives::{Address, U256};
use anyhow::{Context as _, Result, ensure};
use hashlease_toolchain::Toolchain;
use std::process::Command;

/// An RPC endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint<'a> {
    /// The tools of the checkout.
    pub tools: &'a Toolchain,
    /// Its URL.
    pub url: &'a str,
}

impl Endpoint<'_> {
    fn ask(&self, arguments: &[&str]) -> Result<String> {
        let mut cast = Command::new(self.tools.tool("cast")?);
        let output = cast.args(arguments).args(["--rpc-url", self.url]).output().context("starting cast")?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        ensure!(output.status.success(), "--rpc-url {}: {said}", self.url);
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Chain id (EIP-155).
    ///
    /// # Errors
    /// If the endpoint does not answer.
    pub fn chain_id(&self) -> Result<u64> {
        let answer = self.ask(&["chain-id"])?;
        answer.parse().with_context(|| format!("chain id {answer}"))
    }

    /// Whether there is a contract.
    ///
    /// # Errors
    /// If the endpoint does not answer.
    pub fn has_code(&self, at: &str) -> Result<bool> {
        Ok(self.ask(&["code", at])? != "0x")
    }

    /// Whether an account can't pay for a transaction.
    ///
    /// # Errors
    /// If the endpoint does not answer.
    pub fn is_poor(&self, account: Address) -> Result<bool> {
        let number = |answer: String| answer.parse::<U256>().with_context(|| format!("balance {answer}"));
        let balance = number(self.ask(&["balance", &account.to_string()])?)?;
        Ok(balance.is_zero() && !number(self.ask(&["gas-price"])?)?.is_zero())
    }
}
