//! Standard output that can't be written: a full disk, and a reader that has gone.

use crate::program::*;
use hashlease_primitives::Algorithm;
use std::{
    fs::File,
    path::Path,
    process::{Command, Stdio},
};

fn program(arguments: &[&str]) -> Command {
    let mut command = cleared(Command::new(env!("CARGO_BIN_EXE_hashlease")));
    command.args(arguments);
    command
}

/// A role that finds no chain, and runs all the same.
fn role(name: &str, dir: &Path) -> Command {
    let zero = "0x0000000000000000000000000000000000000001";
    let addresses = ["escrow", "registry", "lens", "directory", "oracle", "token", "access_manager"];
    let mut deployment = "chain_id = 31337\nblock = 0\noracle_id = 1\n".to_owned();
    for address in addresses {
        deployment.push_str(&format!("{address} = \"{zero}\"\n"));
    }
    let deployment = written(dir, "deployment.toml", deployment.as_bytes());
    let data = dir.join(name).display().to_string();
    let mut command = program(&[name, "--rpc", "http://127.0.0.1:1", "--deployment", &deployment]);
    command.args(["--data-dir", &data]);
    match name {
        "node" => command.args(["--stratum", "127.0.0.1:0", "--api", "127.0.0.1:0"]),
        _ => command.args(["--listen", "127.0.0.1:0"]),
    };
    for key in ["PROVIDER", "JOB", "MEMBER", "NODE"] {
        command.env(format!("HASHLEASE_{key}_KEY"), "11".repeat(32));
    }
    command
}

#[cfg(target_os = "linux")]
#[test]
fn full_standard_output_is_an_error_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = evidence(Algorithm::Sha256d).encode().unwrap();
    let file = written(dir.path(), "good.hlev", &bytes);
    let mut commands = vec![
        program(&["verify", &file]),
        program(&["verify", "--json", &file]),
        program(&["verify", "--share", "7", &file]),
        program(&["verify", "--json", "/nowhere.hlev"]),
    ];
    commands.extend(["member", "gateway", "node"].map(|name| role(name, dir.path())));
    for mut command in commands {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
        let (status, _, error) = said(output);
        assert_eq!(status, 2, "{command:?}: {error}");
        let last = error.lines().last().unwrap();
        assert!(last.starts_with("error: ") && last.contains("standard output: No space left"), "{error}");
        assert!(!error.contains("panicked"), "{error}");
        // and when nobody can be told at all; one role stands for three, which wait for their chain
        if ["gateway", "node"].iter().any(|role| command.get_args().any(|argument| argument == *role)) {
            continue;
        }
        let full = || File::options().write(true).open("/dev/full").unwrap();
        let status = command.stdout(full()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(2), "{command:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_gone_ends_the_program_quietly() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = evidence(Algorithm::Sha256d).encode().unwrap();
    let file = written(dir.path(), "good.hlev", &bytes);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = program(&["verify", &file]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(said(output), (141, String::new(), String::new()));
}
