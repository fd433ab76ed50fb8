//! Counts the instructions of the hot paths, in the benches named `instructions`. They fail above
//! their limits.

use crate::{step::succeed, tools};
use anyhow::{Result, bail, ensure};
use std::{
    path::Path,
    process::{Command, Stdio},
};

pub(crate) fn run(root: &Path) -> Result<()> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "the limits are those of x86-64 code on Linux: run this there"
    );
    let valgrind = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    if !valgrind.is_ok_and(|status| status.success()) {
        bail!(
            "valgrind, which counts the instructions, is not on the PATH: `apt install valgrind`, `dnf install valgrind` \
             or `pacman -S valgrind`, version 3.19 or newer"
        );
    }
    // library and runner must have the same version
    tools::install(root, "gungraun-runner", &tools::locked(root, "gungraun")?)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut bench = Command::new(cargo);
    bench.args(["bench", "--locked", "--no-fail-fast", "--bench", "instructions"]);
    for package in ["hashlease-pow", "hashlease-share", "hashlease-trie"] {
        bench.args(["-p", package]);
    }
    succeed(bench.current_dir(root).env("PATH", tools::path(root)?))
}
