//! What outlives a process: small JSON files in a role's data directory, each bound to one
//! deployment and one subject, and replaced as a whole.

use crate::{ChainError, Deployment};
use alloy_primitives::Address;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// A file of one deployment.
#[derive(Clone, Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    bound: Bound,
}

/// Whose file it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Bound {
    chain_id: u64,
    escrow: Address,
    /// Account, or another name of what the file is about.
    subject: String,
}

#[derive(Serialize)]
struct Written<'a, T> {
    bound: &'a Bound,
    state: &'a T,
}

#[derive(Deserialize)]
struct Read<T> {
    bound: Bound,
    state: T,
}

impl StateFile {
    /// The file of a deployment and a subject at this path, which may not exist yet.
    pub(crate) fn new(path: PathBuf, deployment: &Deployment, subject: String) -> Self {
        let bound = Bound { chain_id: deployment.chain_id, escrow: deployment.escrow, subject };
        Self { path, bound }
    }

    /// The last state that was written; none before the first.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, ChainError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        };
        let read: Read<T> = serde_json::from_slice(&bytes).map_err(|error| self.failed(error.into()))?;
        if read.bound != self.bound {
            return Err(ChainError::OtherState { path: self.path.display().to_string() });
        }
        Ok(Some(read.state))
    }

    /// Replaces the state. It is on disk when this returns.
    pub(crate) fn write<T: Serialize>(&self, state: &T) -> Result<(), ChainError> {
        self.replace(state).map_err(|error| self.failed(error))
    }

    fn replace<T: Serialize>(&self, state: &T) -> io::Result<()> {
        let bytes = serde_json::to_vec(&Written { bound: &self.bound, state })?;
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        match self.path.parent().filter(|dir| *dir != Path::new("")) {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    }

    fn failed(&self, source: io::Error) -> ChainError {
        ChainError::State { path: self.path.display().to_string(), source }
    }
}
