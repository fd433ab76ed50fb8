//! The parts that the tasks of a provider's leases share.

use alloy_primitives::Address;
use hashlease_chain::{Chain, Committee, Committees, Sender};
use hashlease_committee::{MemberClient, Seat};
use hashlease_ledger::Book;
use hashlease_net::HttpClient;
use hashlease_primitives::{AgreedClock, EpochId, LocalSigner};
use std::sync::Arc;
use url::Url;

/// Book, chain, committees and keys of a provider.
#[derive(Debug)]
pub struct Context {
    /// Counted shares and closed epochs.
    pub book: Book,
    /// Reads the contracts.
    pub chain: Chain,
    /// The members that co-sign, per oracle.
    pub committees: Committees,
    /// Connects to the members.
    pub http: HttpClient,
    /// Sends transactions.
    pub sender: Sender,
    /// Signs epoch roots.
    pub provider: LocalSigner,
    /// Where the evidence is served.
    pub evidence: EvidenceBase,
    /// The clock by which epochs close, for good.
    pub clock: Arc<AgreedClock>,
}

/// URL under which the committee reaches the provider's API.
#[derive(Clone, Debug)]
pub struct EvidenceBase(Url);

impl EvidenceBase {
    /// A base for evidence URLs.
    ///
    /// # Errors
    /// When no path can be joined to it, as with `mailto:`.
    pub fn new(base: Url) -> Result<Self, url::ParseError> {
        base.join("v1/")?;
        Ok(Self(base))
    }

    /// Where the evidence of an epoch is served.
    ///
    /// # Errors
    /// [`url::ParseError`], which [`EvidenceBase::new`] rules out for every epoch.
    pub fn url(&self, EpochId { lease, epoch }: EpochId) -> Result<Url, url::ParseError> {
        self.0.join(&format!("v1/leases/{lease}/epochs/{epoch}/evidence"))
    }
}

/// Seats of the members that sign and announced a URL.
pub(crate) fn seats(committee: &Committee, http: &HttpClient) -> Vec<Seat> {
    let seat = |(index, key, url): (usize, Address, &Url)| Seat {
        index,
        key,
        client: MemberClient::new(url.clone(), http.clone()),
    };
    committee.reachable().map(seat).collect()
}
