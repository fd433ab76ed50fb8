//! Lines of miners and pools: everything readable keeps its meaning when it is written again.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use hashlease_primitives::DifficultyBase;
use hashlease_stratum::{Message, MinerRequest, PoolNotice, encode};
use libfuzzer_sys::fuzz_target;
use serde_json::{json, value::RawValue};

const METHODS: [&str; 14] = [
    "mining.subscribe",
    "mining.authorize",
    "mining.submit",
    "mining.configure",
    "mining.suggest_difficulty",
    "mining.suggest_difficulty(0.5)",
    "mining.suggest_target",
    "mining.ping",
    "mining.notify",
    "mining.set_difficulty",
    "mining.set_extranonce",
    "mining.set_version_mask",
    "client.reconnect",
    "client.show_message",
];

#[derive(Debug)]
struct Line(String);

impl<'a> Arbitrary<'a> for Line {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        if u.ratio(1, 4)? {
            return Ok(Self(u.arbitrary()?));
        }
        let method = *u.choose(&METHODS)?;
        let mut params = Vec::new();
        for _ in 0..u.int_in_range(0..=10)? {
            params.push(match u.int_in_range(0..=7)? {
                0 => u.arbitrary::<i64>()?.to_string(),
                1 => u.arbitrary::<f64>()?.to_string(),
                2 => (*u.choose(&["true", "false", "null", "[]", "{}", "[\"version-rolling\"]"])?).to_owned(),
                3 => json!(u.arbitrary::<&str>()?).to_string(),
                4 => json!(format!("{:08x}", u.arbitrary::<u32>()?)).to_string(),
                5 => json!("5a".repeat(u.int_in_range(0..=70)?)).to_string(),
                6 => json!(format!("{:064x}", u.arbitrary::<u64>()?)).to_string(),
                _ => json!([format!("{:064x}", u.arbitrary::<u128>()?)]).to_string(),
            });
        }
        let id = json!(u.arbitrary::<Option<&str>>()?);
        Ok(Self(format!("{{\"id\":{id},\"method\":\"{method}\",\"params\":[{}]}}", params.join(","))))
    }
}

fn request(line: &str) -> (String, Box<RawValue>) {
    match Message::parse(line).unwrap() {
        Message::Request { method, params, .. } => (method, params),
        other => panic!("a request was written, and read as {other:?}"),
    }
}

fn of_miner(method: &str, params: &RawValue) {
    let Ok(MinerRequest::Submit(submit)) = MinerRequest::read(method, params) else { return };
    let hex: String = submit.extranonce2.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut list = vec![
        json!(submit.worker),
        json!(submit.job_id),
        json!(hex),
        json!(format!("{:08x}", submit.ntime)),
        json!(format!("{:08x}", submit.nonce)),
    ];
    list.extend(submit.version_bits.map(|bits| json!(format!("{bits:08x}"))));
    assert!(submit.extranonce2.len() <= 64);
    let (method, params) = request(&encode::request(1, "mining.submit", list.into()));
    assert_eq!(MinerRequest::read(&method, &params), Ok(MinerRequest::Submit(submit)));
}

fn of_pool(method: &str, params: &RawValue) {
    let Ok(notice) = PoolNotice::read(method, params) else { return };
    let line = match &notice {
        PoolNotice::Notify(notify) => encode::notify(notify),
        PoolNotice::Extranonce { extranonce1, extranonce2_size } => {
            encode::set_extranonce(extranonce1, *extranonce2_size)
        }
        PoolNotice::VersionMask(mask) => encode::set_version_mask(*mask),
        PoolNotice::Message(text) => encode::show_message(text),
        PoolNotice::Reconnect => encode::reconnect(),
        PoolNotice::Difficulty(difficulty) => {
            // rounding is allowed, towards the easier side
            let base = DifficultyBase::Bitcoin;
            let target = difficulty.target(base);
            let (method, params) = request(&encode::set_difficulty(target, base));
            let Ok(PoolNotice::Difficulty(again)) = PoolNotice::read(&method, &params) else {
                panic!("our own difficulty is not read");
            };
            return assert!(again.target(base) >= target);
        }
        PoolNotice::Other { .. } => return,
    };
    assert!(line.ends_with('\n') && line.matches('\n').count() == 1);
    let (method, params) = request(&line);
    assert_eq!(PoolNotice::read(&method, &params), Ok(notice));
}

fuzz_target!(|line: Line| {
    let line = line.0.trim();
    match Message::parse(line) {
        Err(_) => {}
        Ok(Message::Request { id, method, params }) => {
            let again = format!("{{\"id\":{id},\"method\":{},\"params\":{params}}}", json!(method));
            let Message::Request { id: other, method: named, params: same } = Message::parse(&again).unwrap()
            else {
                panic!("{again}");
            };
            assert_eq!((other, &named, same.get()), (id, &method, params.get()));
            of_miner(&method, &params);
            of_pool(&method, &params);
        }
        Ok(Message::Response { id, result, .. }) => {
            // an answer with this id reaches its request
            let again = encode::result(&id, result.clone());
            let Message::Response { id: other, result: same, error: None } = Message::parse(&again).unwrap()
            else {
                panic!("{again}");
            };
            assert_eq!((other, same), (id, result));
        }
    }
});
