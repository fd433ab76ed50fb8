//! Compares the terms in a file with the arguments and with the chain.

use super::args::VerifyArgs;
use alloy_primitives::Address;
use hashlease_chain::Deployment;
use hashlease_evidence::TermsDiffer;
use hashlease_primitives::{Lease, Terms};

/// Differences between the terms and the arguments, and the lease on the chain if it was read, in
/// words.
pub(super) fn differences(
    wanted: &VerifyArgs,
    deployment: Option<&Deployment>,
    lease: Option<&Lease>,
    terms: &Terms,
) -> Vec<String> {
    let mut differences = Vec::new();
    let mut expect = |what: &str, expected: Option<String>, actual: String| {
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            differences.push(format!("{what}: expected {expected}, got {actual}"));
        }
    };
    let of = |get: fn(&Deployment) -> Address| deployment.map(|deployment| get(deployment).to_string());
    expect("chain id", deployment.map(|d| d.chain_id.to_string()), terms.domain.chain_id.to_string());
    let escrow = terms.domain.contract.to_string();
    expect("escrow", of(|d| d.escrow), escrow.clone());
    expect("escrow", wanted.escrow.map(|address| address.to_string()), escrow);
    expect("oracle", of(|d| d.oracle), terms.oracle.to_string());
    expect("provider", wanted.provider.map(|address| address.to_string()), terms.provider.to_string());
    expect("job signer", wanted.job_signer.map(|address| address.to_string()), terms.job_signer.to_string());
    if let Some(differ) = lease.and_then(|lease| TermsDiffer::between(terms, &lease.terms)) {
        differences.push(format!("on the chain: {differ}"));
    }
    differences
}
