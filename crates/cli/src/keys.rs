//! Secrets, from web3 keystore files (version 3) or from the environment. They are never flags and
//! never logged.

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use eth_keystore::KeystoreError;
use hashlease_primitives::{LocalSigner, NodeKey, Secret};
use serde::Deserialize;
use std::{
    env::VarError,
    path::{Path, PathBuf},
};

/// Environment variable with the password of keystore files.
const PASSWORD: &str = "HASHLEASE_PASSWORD";

/// The password of keystore files.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct PasswordArgs {
    /// File whose first line is the password of the keystore files; else `HASHLEASE_PASSWORD`.
    #[arg(long, env = "HASHLEASE_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

impl PasswordArgs {
    pub(crate) fn read(&self) -> Result<Secret> {
        if let Some(path) = &self.password_file {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("password file {}", path.display()))?;
            let Some(password) = text.lines().next() else {
                bail!("password file {}: expected a password in the first line, got nothing", path.display());
            };
            return Ok(Secret::new(password));
        }
        match secret_variable(PASSWORD)? {
            Some(password) => Ok(password),
            None => bail!("keystore files need a password: pass --password-file FILE or set {PASSWORD}"),
        }
    }
}

/// An environment variable that holds a secret; its value is not repeated in the error.
fn secret_variable(name: &str) -> Result<Option<Secret>> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(Secret::new(value))),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => bail!("{name}: expected text, got bytes that are not UTF-8"),
    }
}

/// Opens a keystore file.
pub(crate) fn decrypt(path: &Path, password: &PasswordArgs) -> Result<Vec<u8>> {
    let password = password.read()?;
    eth_keystore::decrypt_key(path, password.reveal()).map_err(|error| {
        let why = match error {
            KeystoreError::MacMismatch => "the password does not open it".to_owned(),
            other => other.to_string(),
        };
        anyhow!("keystore {}: {why}", path.display())
    })
}

/// Environment variable of a key.
fn variable(name: &str) -> String {
    format!("HASHLEASE_{}_KEY", name.to_uppercase())
}

/// Where one key of a role comes from.
struct Source<'a> {
    /// `provider`, `member`, `job`, `keeper` or `node`.
    name: &'a str,
    keystore: Option<&'a Path>,
    password: &'a PasswordArgs,
}

impl Source<'_> {
    /// The secret as hexadecimal digits.
    fn read(&self) -> Result<Secret> {
        let variable = variable(self.name);
        match (self.keystore, secret_variable(&variable)?) {
            (Some(path), None) => {
                let secret = decrypt(path, self.password).with_context(|| format!("{} key", self.name))?;
                Ok(Secret::new(hex::encode(secret)))
            }
            (None, Some(secret)) => Ok(secret),
            (Some(path), Some(_)) => {
                let path = path.display();
                bail!("two {} keys: {variable} is set and {path} is given; keep one", self.name)
            }
            (None, None) => bail!(
                "no {name} key: pass --{name}-keystore FILE (`hashlease key new FILE` makes one) or set {variable}",
                name = self.name
            ),
        }
    }
}

/// A key that signs: `provider`, `member`, `job` or `keeper`.
pub(crate) fn signing(name: &str, keystore: Option<&Path>, password: &PasswordArgs) -> Result<LocalSigner> {
    let secret = Source { name, keystore, password }.read()?;
    LocalSigner::from_hex(secret.reveal()).with_context(|| format!("{name} key"))
}

/// A key that signs, if there is one.
pub(crate) fn optional(
    name: &str,
    keystore: Option<&Path>,
    password: &PasswordArgs,
) -> Result<Option<LocalSigner>> {
    let is_set = secret_variable(&variable(name))?.is_some();
    if is_set || keystore.is_some() { signing(name, keystore, password).map(Some) } else { Ok(None) }
}

/// The X25519 key that opens boxes.
pub(crate) fn boxes(keystore: Option<&Path>, password: &PasswordArgs) -> Result<NodeKey> {
    let secret = Source { name: "node", keystore, password }.read()?;
    NodeKey::from_hex(secret.reveal()).context("node key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keystore_opens_with_its_password_only_and_no_error_shows_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let (file, right, wrong) =
            (dir.path().join("key.json"), dir.path().join("right"), dir.path().join("wrong"));
        std::fs::write(&right, "open sesame\n").unwrap();
        std::fs::write(&wrong, "open barley\n").unwrap();
        let mut rng = crypto_box::aead::OsRng;
        eth_keystore::encrypt_key(dir.path(), &mut rng, [7u8; 32], "open sesame", Some("key.json")).unwrap();
        let with = |file: &Path| PasswordArgs { password_file: Some(file.to_owned()) };
        assert_eq!(decrypt(&file, &with(&right)).unwrap(), [7; 32]);
        let error = format!("{:#}", decrypt(&file, &with(&wrong)).unwrap_err());
        assert!(error.contains("key.json") && error.contains("the password does not open it"), "{error}");
        assert!(!error.contains("barley"), "{error}");
        std::fs::write(&wrong, "").unwrap();
        let error = format!("{:#}", decrypt(&file, &with(&wrong)).unwrap_err());
        assert!(error.contains("expected a password in the first line"), "{error}");
        let error = format!("{:#}", decrypt(&right, &with(&right)).unwrap_err());
        assert!(error.contains("right"), "{error}");
    }
}
