//! Gathers enough members' signatures over one batch of statements.

use crate::client::MemberClient;
use alloy_primitives::Address;
use futures::future::join_all;
use hashlease_primitives::{Domain, Statement, recover_signer};
use std::collections::BTreeMap;

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
#[error("{got} of {threshold} signatures: {}", reasons.join("; "))]
#[allow(missing_docs, reason = "the message explains the fields")]
pub struct GatherError {
    pub threshold: usize,
    pub got: usize,
    pub reasons: Vec<String>,
}

/// Asks every seat at once and packs the signatures in the oracle's order. `domain` names the
/// oracle.
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
    let answers = join_all(seats.iter().map(|seat| seat.client.sign(statements))).await;
    let mut signatures = BTreeMap::new();
    let mut reasons = Vec::new();
    for (seat, answer) in seats.iter().zip(answers) {
        let signed = match answer {
            Ok(signed) => signed,
            Err(error) => {
                reasons.push(error.to_string());
                continue;
            }
        };
        let signature: Option<[u8; 65]> = signed.signature.as_ref().try_into().ok();
        match signature.filter(|signature| recover_signer(&digest, signature) == Some(seat.key)) {
            Some(signature) => drop(signatures.insert(seat.index, signature)),
            None => {
                let member = seat.client.url();
                reasons.push(format!("member {member}: signature is not of its key {}", seat.key));
            }
        }
    }
    let got = signatures.len();
    if got < threshold {
        return Err(GatherError { threshold, got, reasons });
    }
    Ok(signatures.into_values().take(threshold).flatten().collect())
}
