//! Runs roles of Hashlease as processes.

use crate::tied::tied;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
    time::timeout,
};

/// A running role. Dropping it ends the process.
#[derive(Debug)]
pub struct Role {
    name: String,
    child: Child,
    ready: Value,
    log: PathBuf,
}

impl Role {
    /// Starts `hashlease <arguments>`, appends its log to `log`, and waits for the JSON line on
    /// standard output in which it reports its addresses.
    ///
    /// # Errors
    /// If it ends or reports nothing for a minute. The error shows the end of its log.
    pub async fn start(
        binary: &Path,
        name: &str,
        arguments: &[String],
        environment: &[(&str, String)],
        log: &Path,
    ) -> Result<Self> {
        let file =
            File::options().create(true).append(true).open(log).with_context(|| log.display().to_string())?;
        let mut command = tied(binary.as_os_str());
        command
            .args(arguments)
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| !name.starts_with("HASHLEASE_")))
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(file));
        let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
        let stdout = child.stdout.take().context("output")?;
        let mut lines = BufReader::new(stdout).lines();
        let first = timeout(Duration::from_secs(60), lines.next_line()).await;
        let Ok(Ok(Some(first))) = first else {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            let end: Vec<&str> = said.lines().rev().take(12).collect();
            let end: Vec<&str> = end.into_iter().rev().collect();
            bail!("{name} did not start; end of {}:\n{}", log.display(), end.join("\n"));
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let ready = serde_json::from_str(&first).with_context(|| format!("{name} printed {first:?}"))?;
        Ok(Self { name: name.to_owned(), child, ready, log: log.to_owned() })
    }

    /// Name of the role.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Log file.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Address from its first line: `stratum`, `api` or `link`.
    ///
    /// # Errors
    /// If it did not report that address.
    pub fn address(&self, what: &str) -> Result<std::net::SocketAddr> {
        let text = self.ready.get(what).and_then(Value::as_str);
        let text = text.with_context(|| {
            format!("{} did not report the address of its {what}: {}", self.name, self.ready)
        })?;
        text.parse().with_context(|| format!("{} {what}: {text}", self.name))
    }

    /// Process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills the process (`SIGKILL`) and waits until it has ended.
    ///
    /// # Errors
    /// If the system refuses.
    pub async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.with_context(|| format!("killing {}", self.name))
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}
