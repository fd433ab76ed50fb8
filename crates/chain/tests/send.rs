//! Transactions against endpoints that name their own fees, refuse, lie and forget.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub, dead_code, unused_imports)]
mod endpoint;

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{Address, B256, U256};
use endpoint::{FeeEndpoint, NONCE, Reply, SignedCopy};
use hashlease_chain::{ChainError, FeeLimit, Receipt, Sender, bindings::LeaseEscrow};
use serde_json::json;
use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

const GWEI: u128 = 1_000_000_000;

fn key(byte: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_slice(&[byte; 32]).unwrap()
}

fn sender(endpoint: &FeeEndpoint) -> Sender {
    Sender::new(endpoint.chain.clone(), key(7))
}

fn kept(endpoint: &FeeEndpoint, file: &Path) -> Sender {
    sender(endpoint).kept_in(file.to_path_buf()).unwrap()
}

async fn collect(sender: &Sender, lease: u64) -> Result<Receipt, ChainError> {
    let call = LeaseEscrow::collectCall { id: U256::from(lease) };
    sender.call(Address::repeat_byte(1), &call).await
}

fn refusal(words: &str) -> Reply {
    Reply::Error(-32_000, words.into())
}

/// Sends without waiting for the receipt.
fn sending(sender: &Sender, lease: u64) -> tokio::task::JoinHandle<Result<Receipt, ChainError>> {
    let sender = sender.clone();
    tokio::spawn(async move { collect(&sender, lease).await })
}

#[tokio::test]
async fn a_fee_rises_to_ten_times_the_first_and_no_higher() {
    let endpoint = FeeEndpoint::start(1_000_000_000, |_| refusal("transaction underpriced")).await;
    let error = collect(&sender(&endpoint), 1).await.unwrap_err();
    assert!(matches!(error, ChainError::FeeTooHigh { call: "collect", .. }), "{error}");
    let copies = endpoint.copies();
    assert!((3..8).contains(&copies.len()), "{copies:?}");
    assert!(copies.iter().all(|copy| copy.max <= 10 * copies[0].max), "{copies:?}");
}

#[tokio::test]
async fn a_fee_above_the_limit_is_not_signed() {
    // 50,000 gwei: 6 ETH for one call
    let endpoint = FeeEndpoint::taking(50_000_000_000_000).await;
    let error = collect(&sender(&endpoint), 1).await.unwrap_err();
    assert!(matches!(error, ChainError::FeeTooHigh { gas: 120_000, .. }), "{error}");
    assert_eq!(endpoint.copies(), []);
    // the limit is a setting
    let limit = FeeLimit::wei(U256::from(10_u64.pow(18)) * U256::from(10));
    let waiting = sending(&sender(&endpoint).limited(limit), 1);
    assert_eq!(endpoint.wait_for_copies(1).await[0].tip, 50_000 * GWEI);
    waiting.abort();
}

/// An endpoint that takes tips from `smallest` on, and names the figure.
async fn with_smallest_tip(smallest: u128) -> FeeEndpoint {
    FeeEndpoint::start(1, move |copy| {
        if copy.tip >= smallest {
            return Reply::Result(json!(copy.hash));
        }
        let what = "transaction gas price below minimum";
        refusal(&format!("{what}: gas tip cap {}, minimum needed {smallest}", copy.tip))
    })
    .await
}

#[tokio::test]
async fn a_tip_that_the_endpoint_names_is_paid_within_the_limit() {
    let endpoint = with_smallest_tip(25 * GWEI).await;
    let waiting = sending(&sender(&endpoint), 1);
    let copies = endpoint.wait_for_copies(2).await;
    waiting.abort();
    let tips: Vec<_> = copies.iter().map(|copy| (copy.nonce, copy.tip)).collect();
    assert_eq!(tips, [(NONCE, 1), (NONCE, 25 * GWEI)]);

    // 0.05 for 120,000 gas are 416 gwei
    let endpoint = with_smallest_tip(420 * GWEI).await;
    let error = collect(&sender(&endpoint), 1).await.unwrap_err();
    assert!(matches!(error, ChainError::FeeTooHigh { .. }), "{error}");
    assert_eq!(endpoint.copies().len(), 1);
}

#[tokio::test]
async fn a_transaction_of_the_owner_is_not_replaced() {
    // pending ones are counted
    let endpoint = FeeEndpoint::taking(1).await;
    endpoint.pool().foreign = 2;
    let waiting = sending(&sender(&endpoint), 1);
    assert_eq!(endpoint.wait_for_copies(1).await[0].nonce, NONCE + 2);
    waiting.abort();

    // one that isn't counted is left alone: no higher fee is signed
    let endpoint = FeeEndpoint::start(1, |_| refusal("replacement transaction underpriced")).await;
    let error = collect(&sender(&endpoint), 1).await.unwrap_err();
    assert!(matches!(error, ChainError::NonceTaken { nonce: NONCE, .. }), "{error}");
    let copies = endpoint.copies();
    assert!(copies.iter().all(|copy| *copy == copies[0]), "{copies:?}");
}

#[tokio::test]
async fn no_nonce_far_ahead_is_signed() {
    let endpoint = FeeEndpoint::taking(1).await;
    endpoint.pool().foreign = 65;
    let error = collect(&sender(&endpoint), 1).await.unwrap_err();
    assert!(matches!(error, ChainError::Unexpected { what: "next nonce", .. }), "{error}");
    assert_eq!(endpoint.copies(), []);
}

#[tokio::test]
async fn a_stuck_transaction_holds_up_no_other() {
    let endpoint = FeeEndpoint::taking(1).await;
    let sender = sender(&endpoint);
    let stuck = sending(&sender, 1);
    endpoint.wait_for_copies(1).await;
    let other = sending(&sender, 2);
    let copies = endpoint.wait_for_copies(2).await;
    assert_eq!([copies[0].nonce, copies[1].nonce], [NONCE, NONCE + 1]);
    endpoint.pool().mined.insert(copies[1].hash);
    assert_eq!(other.await.unwrap().unwrap().hash, copies[1].hash);
    assert!(!stuck.is_finished());
    stuck.abort();
}

#[tokio::test]
async fn a_transaction_goes_on_under_its_nonce_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("transactions.json");
    // the node has forgotten the account's pending transactions, too
    let endpoint = FeeEndpoint::taking(1_000_000_000).await;
    let waiting = sending(&kept(&endpoint, &file), 1);
    endpoint.wait_for_copies(1).await;
    waiting.abort();
    let _ = waiting.await;

    let again = kept(&endpoint, &file);
    let other = sending(&again, 2);
    let same = sending(&again, 1);
    let copies = endpoint.wait_for_copies(3).await;
    let of = |nonce| copies.iter().filter(|copy| copy.nonce == nonce).copied().collect::<Vec<SignedCopy>>();
    assert_eq!((of(NONCE).len(), of(NONCE + 1).len()), (2, 1), "{copies:?}");
    // the first copy counts as well as the second
    endpoint.pool().mined.extend([copies[0].hash, of(NONCE + 1)[0].hash]);
    assert_eq!(same.await.unwrap().unwrap().hash, copies[0].hash);
    other.await.unwrap().unwrap();

    // what is mined is not taken up
    let later = sending(&kept(&endpoint, &file), 1);
    assert_eq!(endpoint.wait_for_copies(4).await[3].nonce, NONCE);
    later.abort();
}

#[tokio::test]
async fn a_copy_is_on_disk_before_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("transactions.json");
    let seen = file.clone();
    let endpoint = FeeEndpoint::start(1, move |copy| {
        let kept = std::fs::read_to_string(&seen).unwrap_or_default();
        assert!(kept.contains(&copy.hash.to_string()), "{kept}");
        Reply::Result(json!(copy.hash))
    })
    .await;
    let sender = kept(&endpoint, &file);
    let waiting = sending(&sender, 1);
    let copies = endpoint.wait_for_copies(1).await;
    endpoint.pool().mined.insert(copies[0].hash);
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_file_of_another_account_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("transactions.json");
    let endpoint = FeeEndpoint::taking(1).await;
    let waiting = sending(&kept(&endpoint, &file), 1);
    endpoint.wait_for_copies(1).await;
    waiting.abort();
    let other = Sender::new(endpoint.chain.clone(), key(8));
    let error = other.kept_in(file).unwrap_err();
    assert!(matches!(error, ChainError::OtherState { .. }), "{error}");
}

#[tokio::test]
async fn a_refused_call_leaves_no_nonce_behind() {
    let asked = AtomicU64::new(0);
    let endpoint = FeeEndpoint::start(1, move |copy| {
        if asked.fetch_add(1, Ordering::SeqCst) == 0 {
            return refusal("insufficient funds for gas * price + value");
        }
        Reply::Result(json!(copy.hash))
    })
    .await;
    let sender = sender(&endpoint);
    let error = collect(&sender, 1).await.unwrap_err();
    assert!(matches!(error, ChainError::NoGasMoney { .. }), "{error}");
    let waiting = sending(&sender, 2);
    let copies = endpoint.wait_for_copies(2).await;
    waiting.abort();
    assert_eq!([copies[0].nonce, copies[1].nonce], [NONCE, NONCE]);
    assert_ne!(copies[0].hash, B256::ZERO);
}
