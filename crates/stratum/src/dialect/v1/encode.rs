//! Writes lines, each with its line end.

use super::pool_notice::swap_words;
use crate::dialect::{Notify, json_rpc::Id};
use alloy_primitives::B256;
use hashlease_primitives::{Difficulty, DifficultyBase, SignedJob, Target};
use serde_json::{Value, json};

fn line(value: &Value) -> String {
    format!("{value}\n")
}

fn notification(method: &str, params: Value) -> String {
    line(&json!({"id": null, "method": method, "params": params}))
}

/// A request or, with a null id, a notification.
#[must_use]
pub fn request(id: u64, method: &str, params: Value) -> String {
    line(&json!({"id": id, "method": method, "params": params}))
}

/// An answer.
#[must_use]
pub fn result(id: &Id, result: Value) -> String {
    format!("{{\"id\":{id},\"result\":{result},\"error\":null}}\n")
}

/// A refusal: `[code, message, null]`.
#[must_use]
pub fn error(id: &Id, code: i32, message: &str) -> String {
    format!("{{\"id\":{id},\"result\":null,\"error\":{}}}\n", json!([code, message, null]))
}

/// The answer to `mining.subscribe`.
#[must_use]
pub fn subscribed(id: &Id, session: &str, extranonce1: &[u8], extranonce2_size: usize) -> String {
    let subscriptions = json!([["mining.set_difficulty", session], ["mining.notify", session]]);
    result(id, json!([subscriptions, hex::encode(extranonce1), extranonce2_size]))
}

/// `mining.set_difficulty` in the coin's convention; never harder than `target`.
#[must_use]
pub fn set_difficulty(target: Target, base: DifficultyBase) -> String {
    // as a number, whose text is written as it is
    format!(
        "{{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[{}]}}\n",
        Difficulty::of_target(target, base)
    )
}

/// `mining.suggest_difficulty` in the coin's convention; never harder than `target`.
#[must_use]
pub fn suggest_difficulty(id: u64, target: Target, base: DifficultyBase) -> String {
    // as a number, whose text is written as it is
    format!(
        "{{\"id\":{id},\"method\":\"mining.suggest_difficulty\",\"params\":[{}]}}\n",
        Difficulty::of_target(target, base)
    )
}

/// `mining.set_extranonce`.
#[must_use]
pub fn set_extranonce(extranonce1: &[u8], extranonce2_size: usize) -> String {
    notification("mining.set_extranonce", json!([hex::encode(extranonce1), extranonce2_size]))
}

/// `mining.set_version_mask` (BIP 310).
#[must_use]
pub fn set_version_mask(mask: u32) -> String {
    notification("mining.set_version_mask", json!([format!("{mask:08x}")]))
}

/// `client.show_message`.
#[must_use]
pub fn show_message(text: &str) -> String {
    notification("client.show_message", json!([text]))
}

/// `client.reconnect` to the same place.
#[must_use]
pub fn reconnect() -> String {
    notification("client.reconnect", json!([]))
}

/// `mining.notify`.
#[must_use]
pub fn notify(job: &Notify) -> String {
    let hash = |hash: &B256| hex::encode(hash);
    notification(
        "mining.notify",
        json!([
            job.job_id,
            hash(&swap_words(&job.prev_hash)),
            hex::encode(&job.coinb1),
            hex::encode(&job.coinb2),
            job.branch.iter().map(hash).collect::<Vec<_>>(),
            format!("{:08x}", job.version),
            format!("{:08x}", job.n_bits),
            format!("{:08x}", job.ntime),
            job.clean_jobs
        ]),
    )
}

/// `hashlease.job`: the signed fields of the job that the `mining.notify` before it announced, and
/// the pool target that its shares are judged by: 64 hexadecimal digits, most significant first.
#[must_use]
pub fn hashlease_job(job_id: &str, signed: &SignedJob, pool_target: Option<Target>) -> String {
    let target = pool_target.map(|target| format!("{:064x}", target.0));
    notification("hashlease.job", json!([job_id, signed, target]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Message, PoolNotice};

    #[test]
    fn written_lines_are_read_back() {
        let job = Notify {
            job_id: "1f".into(),
            prev_hash: B256::repeat_byte(7),
            coinb1: vec![1, 2],
            coinb2: vec![3],
            branch: vec![B256::repeat_byte(9)],
            version: 0x2000_0000,
            n_bits: 0x1d00_ffff,
            ntime: 7,
            clean_jobs: true,
        };
        let Ok(Message::Request { method, params, .. }) = Message::parse(&notify(&job)) else { panic!() };
        assert_eq!(PoolNotice::read(&method, &params), Ok(PoolNotice::Notify(Box::new(job))));
        let target = Target::from_compact(0x1f00_ffff).unwrap();
        let Ok(Message::Request { method, params, .. }) =
            Message::parse(&set_difficulty(target, DifficultyBase::Scrypt))
        else {
            panic!()
        };
        let Ok(PoolNotice::Difficulty(read)) = PoolNotice::read(&method, &params) else { panic!() };
        assert!(read.target(DifficultyBase::Scrypt) >= target);
    }
}
