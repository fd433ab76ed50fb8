//! Where and how to connect to a pool.

use crate::line::LineLimits;
use hashlease_primitives::{DifficultyBase, Secret, Target};
use std::time::Duration;

/// Requests that some pools don't know: such a pool may close the connection instead of answering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionalRequests {
    /// `mining.configure`.
    pub configure: bool,
    /// `mining.extranonce.subscribe`.
    pub extranonce: bool,
    /// `mining.suggest_difficulty`.
    pub difficulty: bool,
}

/// Where to connect, and with which credentials.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    pub(super) scheme: Option<String>,
    pub(super) address: String,
    pub(super) agent: String,
    pub(super) user: String,
    pub(super) password: Secret,
    pub(super) version_mask: Option<u32>,
    pub(super) extranonce_subscribe: bool,
    pub(super) suggested: Option<Target>,
    pub(super) notifications: Vec<String>,
    pub(super) difficulty: DifficultyBase,
    /// Longest wait for the connection, for the answers of the handshake, and for every write.
    pub handshake: Duration,
    /// Longest wait for the answer to a share; then the share counts as lost.
    pub answer: Duration,
    /// Bounds of what the pool may send.
    pub limits: LineLimits,
}

impl ConnectOptions {
    /// To `host:port`, with or without `stratum+tcp://`. A user and a password inside the address
    /// are dropped: they belong in [`credentials`](Self::credentials), and addresses are logged.
    #[must_use]
    pub fn new(address: &str, agent: &str) -> Self {
        let (scheme, rest) = match address.trim().split_once("://") {
            Some(("stratum+tcp" | "tcp" | "stratum", rest)) => (None, rest),
            Some((scheme, rest)) => (Some(scheme.to_owned()), rest),
            None => (None, address.trim()),
        };
        // the first part of any text exists
        let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        Self {
            scheme,
            address: rest.to_owned(),
            agent: agent.to_owned(),
            user: String::new(),
            password: Secret::new("x"),
            version_mask: None,
            extranonce_subscribe: true,
            suggested: None,
            notifications: Vec::new(),
            difficulty: DifficultyBase::Bitcoin,
            handshake: Duration::from_secs(15),
            answer: Duration::from_secs(60),
            limits: LineLimits {
                length: 256 * 1_024,
                idle: Duration::from_secs(300),
                line: Duration::from_secs(20),
            },
        }
    }

    /// The address as `host:port`, without secrets.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Worker and password.
    #[must_use]
    pub fn credentials(mut self, user: String, password: Secret) -> Self {
        self.user = user;
        self.password = password;
        self
    }

    /// Version bits to ask for (BIP 310).
    #[must_use]
    pub const fn version_mask(mut self, mask: u32) -> Self {
        self.version_mask = Some(mask);
        self
    }

    /// The pool's convention for difficulties; Bitcoin's by default.
    #[must_use]
    pub const fn difficulty(mut self, base: DifficultyBase) -> Self {
        self.difficulty = base;
        self
    }

    /// Whether to ask for `mining.set_extranonce` once authorised; on by default. Some pools drop
    /// clients that ask.
    #[must_use]
    pub const fn extranonce_subscribe(mut self, ask: bool) -> Self {
        self.extranonce_subscribe = ask;
        self
    }

    /// A target to suggest once authorised.
    #[must_use]
    pub const fn suggest_target(mut self, target: Target) -> Self {
        self.suggested = Some(target);
        self
    }

    /// Further notifications to pass on as [`UpstreamEvent::Other`](super::UpstreamEvent::Other).
    #[must_use]
    pub fn notifications<const N: usize>(mut self, methods: [&str; N]) -> Self {
        self.notifications = methods.map(str::to_owned).to_vec();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cleaned_of_scheme_path_and_credentials() {
        for (written, address) in [
            ("pool.example:3333", "pool.example:3333"),
            ("stratum+tcp://pool.example:3333/", "pool.example:3333"),
            (" tcp://user:secret@[::1]:3333/path?x", "[::1]:3333"),
        ] {
            let options = ConnectOptions::new(written, "agent");
            assert_eq!(options.address(), address);
            assert!(!format!("{options:?}").contains("secret"));
        }
    }
}
