//! Gathers enough members' signatures over one batch of statements.

use crate::client::{ClientError, MemberClient};
use alloy_primitives::{Address, B256};
use futures::{StreamExt as _, stream::FuturesUnordered};
use hashlease_primitives::{Domain, Statement, recover_signer};
use std::collections::BTreeMap;
use url::Url;

/// A seat of a committee whose member can be asked.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Position in the contract's list.
    pub index: usize,
    /// Its signing key.
    pub key: Address,
    /// Its API.
    pub client: MemberClient,
}

/// Too few signatures.
#[derive(Debug, thiserror::Error)]
#[error("{got} of {threshold} signatures: {}", in_a_row(missing))]
#[allow(missing_docs, reason = "the message explains the fields")]
pub struct GatherError {
    pub threshold: usize,
    pub got: usize,
    /// Why each of the others is missing.
    pub missing: Vec<NoSignature>,
}

/// Why a member's signature is missing.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields")]
pub enum NoSignature {
    /// The member can't be asked, or does not sign.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The signature is no 65 bytes, or of another key.
    #[error("member {member}: signature is not by its key {key}")]
    OtherKey { member: Url, key: Address },
}

/// Several errors as one text.
#[must_use]
pub fn in_a_row(errors: &[impl ToString]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Asks every seat at once and packs the signatures in the oracle's order, as soon as `threshold`
/// of them are there, or can't be there any more. `domain` names the oracle.
///
/// # Errors
/// [`GatherError`] with each refusing member's message.
pub async fn gather(
    seats: &[Seat],
    statements: &[Statement],
    domain: &Domain,
    threshold: usize,
) -> Result<Vec<u8>, GatherError> {
    let digest = domain.digest(&Statement::batch(statements));
    let ask = async |seat| (seat, Seat::signature(seat, statements, &digest).await);
    let mut asked: FuturesUnordered<_> = seats.iter().map(ask).collect();
    let mut signatures = BTreeMap::new();
    let mut missing = Vec::new();
    while signatures.len() < threshold && signatures.len().saturating_add(asked.len()) >= threshold {
        match asked.next().await {
            Some((seat, Ok(signature))) => drop(signatures.insert(seat.index, signature)),
            Some((_, Err(error))) => missing.push(error),
            None => break,
        }
    }
    let got = signatures.len();
    if got < threshold {
        return Err(GatherError { threshold, got, missing });
    }
    Ok(signatures.into_values().flatten().collect())
}

impl Seat {
    /// The member's signature over a batch with this digest.
    async fn signature(&self, statements: &[Statement], digest: &B256) -> Result<[u8; 65], NoSignature> {
        let signed = self.client.sign(statements).await?;
        let signature: Option<[u8; 65]> = signed.signature.as_ref().try_into().ok();
        signature
            .filter(|signature| recover_signer(digest, signature) == Some(self.key))
            .ok_or_else(|| NoSignature::OtherKey { member: self.client.url().clone(), key: self.key })
    }
}
