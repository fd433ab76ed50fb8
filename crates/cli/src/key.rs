//! `hashlease key`: makes and shows keystore files.

use crate::{
    keys::{self, PasswordArgs},
    out,
};
use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand, ValueEnum};
use crypto_box::aead::OsRng;
use hashlease_primitives::{LocalSigner, NodeKey};
use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

#[derive(Args, Debug)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key in a new keystore file.
    #[command(after_help = "Examples:
  HASHLEASE_PASSWORD=… hashlease key new provider.json
  hashlease key new --kind box --password-file password.txt box.json")]
    New {
        /// What the key is for.
        #[arg(long, value_enum, default_value_t = Kind::Signing)]
        kind: Kind,
        #[command(flatten)]
        password: PasswordArgs,
        /// File to write; it must not exist.
        file: PathBuf,
    },
    /// Show the public part of a keystore file.
    Show {
        /// What the key is for.
        #[arg(long, value_enum, default_value_t = Kind::Signing)]
        kind: Kind,
        #[command(flatten)]
        password: PasswordArgs,
        /// Keystore file.
        file: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// secp256k1: provider, member and job keys.
    Signing,
    /// X25519: opens the boxes of nodes and gateways.
    Box,
}

pub(crate) fn run(arguments: &KeyArgs) -> Result<()> {
    match &arguments.command {
        KeyCommand::New { kind, password, file } => new(*kind, password, file),
        KeyCommand::Show { kind, password, file } => {
            let secret = keys::decrypt(file, password)?;
            show(*kind, &secret)
        }
    }
}

fn new(kind: Kind, password: &PasswordArgs, file: &Path) -> Result<()> {
    ensure!(!file.exists(), "{} exists: a key is never overwritten", file.display());
    let name = file.file_name().and_then(|name| name.to_str()).context("file name")?;
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let password = password.read()?;
    ensure!(!password.reveal().is_empty(), "the password is empty");
    // 32 random bytes are always a valid X25519 secret, and a valid secp256k1 one except with
    // probability 2^-128
    let secret = hex::decode(NodeKey::generate().to_hex().reveal()).context("fresh key")?;
    eth_keystore::encrypt_key(dir, &mut OsRng, &secret, password.reveal(), Some(name))
        .with_context(|| format!("writing {}", file.display()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))
            .with_context(|| format!("permissions of {}", file.display()))?;
    }
    show(kind, &secret)
}

fn show(kind: Kind, secret: &[u8]) -> Result<()> {
    let (what, public) = match kind {
        Kind::Signing => ("address", LocalSigner::from_bytes(secret)?.address().to_string()),
        Kind::Box => {
            let key = NodeKey::from_hex(&hex::encode(secret))?;
            ("X25519 public key", format!("0x{}", hex::encode(key.public())))
        }
    };
    if std::io::stdout().is_terminal() {
        out::print(format_args!("{what} {public}"))?;
    } else {
        out::print(public)?;
    }
    Ok(())
}
