//! Downloads a file from an untrusted server to disk, within limits on bytes and time.

use crate::config::{FetchLimits, MemberConfig};
use hashlease_net::{HttpClient, HttpError, HttpLimits, is_public};
use hashlease_primitives::Terms;
use std::{
    io,
    path::{Path, PathBuf},
};
use tokio::{
    fs::File,
    io::AsyncWriteExt as _,
    time::{Instant, timeout},
};
use url::{Host, Url};

/// Why a file did not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("evidence: {0}")]
    Url(url::ParseError),
    #[error("evidence: {0}")]
    Connection(HttpError),
    #[error("evidence: the server answers {0}")]
    Status(u16),
    #[error("evidence arrives too slowly: {bytes} bytes in {seconds} s")]
    Slow { bytes: u64, seconds: u64 },
    #[error("evidence is longer than {most} bytes, the limit for its number of shares")]
    TooLong { most: u64 },
    #[error("evidence can't be kept: {0}")]
    Disk(io::Error),
}

impl FetchError {
    /// Stable kebab-case name.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Url(_) | Self::Connection(_) => "evidence-unreachable",
            Self::Status(_) => "evidence-status",
            Self::Slow { .. } => "evidence-slow",
            Self::TooLong { .. } => "evidence-too-long",
            Self::Disk(_) => "disk",
        }
    }

    /// Whether the provider's server is at fault, not this machine or its network.
    pub(crate) fn is_providers(&self) -> bool {
        match self {
            Self::Disk(_) => false,
            Self::Connection(HttpError::Connect(error)) => !error.is_own(),
            _ => true,
        }
    }
}

/// The id of local chains: everything of theirs runs on one machine.
const LOCAL_CHAIN: u64 = 31_337;

/// Whether evidence of a lease may be at any address, loopback and private ones included.
pub(crate) const fn may_be_private(config: &MemberConfig, terms: &Terms) -> bool {
    config.private_evidence || terms.domain.chain_id == LOCAL_CHAIN
}

/// Whether evidence of a lease may be fetched from a URL, as far as the URL tells. A host's name is
/// looked up, and its addresses are checked, when it is fetched.
pub(crate) fn may_fetch(config: &MemberConfig, terms: &Terms, url: &Url) -> bool {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => address.into(),
        Some(Host::Ipv6(address)) => address.into(),
        Some(Host::Domain(_)) => return true,
        None => return false,
    };
    may_be_private(config, terms) || is_public(address)
}

/// Files of one root on disk, deleted when this is dropped.
pub(crate) struct Scratch {
    /// The evidence as received.
    pub(crate) evidence: PathBuf,
    /// Keys of its shares, 32 bytes each.
    pub(crate) keys: PathBuf,
}

impl Scratch {
    pub(crate) fn new(dir: &Path, name: &str) -> Self {
        Self { evidence: dir.join(format!("{name}.hlev")), keys: dir.join(format!("{name}.keys")) }
    }

    /// Makes an empty directory for them: files of a killed member are useless.
    pub(crate) fn empty(dir: &Path) -> io::Result<()> {
        match std::fs::remove_dir_all(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir_all(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for path in [&self.evidence, &self.keys] {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Downloads `url` into a file, at most `most` bytes. `fetched` counts the received bytes.
pub(crate) async fn fetch(
    client: &HttpClient,
    url: &str,
    into: &Path,
    most: u64,
    limits: &FetchLimits,
    fetched: &mut u64,
) -> Result<(), FetchError> {
    let started = Instant::now();
    let slow = |bytes| FetchError::Slow { bytes, seconds: started.elapsed().as_secs() };
    let failed = |error, bytes| match error {
        HttpError::Slow(_) => slow(bytes),
        HttpError::BodyTooLong { most } => FetchError::TooLong { most },
        other => FetchError::Connection(other),
    };
    let url = Url::parse(url).map_err(FetchError::Url)?;
    let download = client.download(&url, HttpLimits { time: limits.whole, body: most });
    // the server may have to make the file first
    let download = timeout(limits.idle.saturating_mul(3), download).await;
    let mut download = download.map_err(|_| slow(0))?.map_err(|error| failed(error, 0))?;
    if !download.is_success() {
        return Err(FetchError::Status(download.status()));
    }
    let mut file = File::create(into).await.map_err(FetchError::Disk)?;
    let answered = Instant::now();
    loop {
        let piece = timeout(limits.idle, download.piece()).await.map_err(|_| slow(*fetched))?;
        let Some(piece) = piece.map_err(|error| failed(error, *fetched))? else { break };
        // a length in memory fits 64 bits
        *fetched = fetched.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let seconds = answered.elapsed().saturating_sub(limits.idle).as_secs();
        if *fetched < seconds.saturating_mul(limits.least_rate) {
            return Err(slow(*fetched));
        }
        file.write_all(&piece).await.map_err(FetchError::Disk)?;
    }
    file.flush().await.map_err(FetchError::Disk)
}
