//! `tests/vectors/lease_math.json` and `tests/vectors/lives.jsonl`: results of the plain Rust
//! escrow, which `tests/differential` compares with those of the contracts.
//!
//! `UPDATE_VECTORS=1 cargo test -p hashlease-escrow-model --test vectors` rewrites the files. With
//! `HASHLEASE_LIVES=<number>` it also writes that many other lives into `cache/lives.jsonl`, for a
//! longer comparison.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{U256, keccak256};
use hashlease_escrow_model::{
    Conditions, Ending, EscrowError, Life, StatementFigures, bond, credit_cap, epoch_pay, fee, missing,
    payment, released, returned, slash, tolerance,
};
use hashlease_primitives::{HashRate, SettlementWeight, Work};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// Numbers drawn from a seed, the same on every machine and in every version.
struct Draw {
    seed: String,
    count: u64,
}

impl Draw {
    fn new(seed: &str) -> Self {
        Self { seed: seed.into(), count: 0 }
    }

    fn word(&mut self) -> U256 {
        self.count += 1;
        U256::from_be_bytes(keccak256(format!("{}/{}", self.seed, self.count)).0)
    }

    /// A number below `limit`.
    fn below(&mut self, limit: u128) -> u128 {
        (self.word() % U256::from(limit)).to()
    }

    /// A number of at most `most` bits; each size is equally likely.
    fn bits(&mut self, most: u32) -> u128 {
        let bits = u32::try_from(self.below(u128::from(most) + 1)).unwrap();
        if bits == 0 {
            0
        } else {
            self.word().to_be_bytes::<32>().iter().fold(0u128, |n, b| n << 8 | u128::from(*b)) >> (128 - bits)
        }
    }

    fn one_in(&mut self, chances: u128) -> bool {
        self.below(chances) == 0
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// Compares `text` with the committed file, or writes it.
fn compare(name: &str, text: &str) {
    let file = path(name);
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::write(&file, text).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap();
    assert!(written == text, "{name} differs from the code's results: UPDATE_VECTORS=1 rewrites it");
}

fn numbers(values: impl IntoIterator<Item = u128>) -> Value {
    // as strings, since many JSON readers limit numbers to 53 bits
    values.into_iter().map(|n| Value::from(n.to_string())).collect()
}

// ------------------------------------------------------------------ single amounts

#[test]
fn amounts() {
    let mut draw = Draw::new("lease math");
    let mut rows = Vec::new();
    for _ in 0..400 {
        let (price, money) = (draw.bits(127), draw.bits(128));
        let bps = u16::try_from(draw.below(10_001)).unwrap();
        let epoch_length = u32::try_from(draw.below(86_400) + 1).unwrap();
        let epochs = u32::try_from(draw.below(8_192) + 1).unwrap().min(2_592_000 / epoch_length);
        let duration = epoch_length * epochs.max(1);
        let rate = HashRate::capped(draw.bits(96 - 22).max(1));
        let committed = rate.over(u64::from(duration));
        let ran = u64::try_from(draw.below(u128::from(duration) + 1)).unwrap();
        let due = Work::capped(draw.below(rate.over(ran).hashes() + 1));
        let credited = Work::capped(draw.below(committed.hashes() + 1));
        let weight = SettlementWeight::of_lease(rate, epoch_length, duration);
        let log2 = weight.map_or(0, SettlementWeight::log2);
        let w = weight.map_or(Work::new(1), SettlementWeight::work);
        let paid = payment(price, rate, duration);
        rows.push(numbers([
            price,
            money,
            bps.into(),
            rate.per_second(),
            epoch_length.into(),
            duration.into(),
            ran.into(),
            due.hashes(),
            credited.hashes(),
            // results
            paid.unwrap_or_default(),
            u128::from(paid.is_some()),
            u128::from(weight.is_some()),
            log2.into(),
            bond(money, bps),
            fee(money, bps),
            credit_cap(rate, duration, ran).hashes(),
            released(money, credited, committed),
            tolerance(due, w).hashes(),
            slash(money, due, credited, committed, w),
            returned(money, rate, ran, duration),
            missing(due, credited, w).hashes(),
            epoch_pay(money, epochs.max(1)),
        ]));
    }
    let columns = [
        "price",
        "money",
        "bps",
        "rate",
        "epochLength",
        "duration",
        "ran",
        "due",
        "credited",
        "payment",
        "paymentFits",
        "weightExists",
        "weightLog2",
        "bond",
        "fee",
        "creditCap",
        "released",
        "tolerance",
        "slash",
        "returned",
        "missing",
        "epochPay",
    ];
    let text = serde_json::to_string(&json!({ "columns": columns, "rows": rows })).unwrap();
    compare("tests/vectors/lease_math.json", &(text.replace("],[", "],\n[") + "\n"));
}

// ------------------------------------------------------------------ whole lives

const RENTED_AT: u64 = 1_760_000_000;
const NOTICE: u64 = 60;
const WINDOW: u32 = 172_800;
const FEE_BPS: u16 = 100;

/// The attempted events, in the order of the column `what`.
#[derive(Clone, Copy)]
enum Event {
    Credit = 1,
    Void,
    Collect,
    Cancel,
    Terminate,
    Settle,
}

/// 0 for no change, 1 for a change, the refusal's number from 2 on.
fn outcome(result: Result<bool, EscrowError>) -> u128 {
    match result {
        Ok(changed) => u128::from(changed),
        Err(refusal) => match refusal {
            EscrowError::AlreadySettled => 2,
            EscrowError::AsOfInFuture => 3,
            EscrowError::AsOfAfterEnd => 4,
            EscrowError::AsOfNotEpochEnd => 5,
            EscrowError::NothingToCollect => 6,
            EscrowError::NotSettleable => 7,
            EscrowError::AlreadyEnding => 8,
            EscrowError::NothingToShorten => 9,
            EscrowError::EpochOutOfBounds => 10,
            EscrowError::EpochIsVoid => 11,
            EscrowError::OracleNeverVoids => 12,
        },
    }
}

/// A lease that can be rented, and the price that gives its payment.
fn conditions(draw: &mut Draw) -> (Conditions, u128) {
    loop {
        let epoch_length = u32::try_from(draw.below(86_341) + 60).unwrap();
        let most = (2_592_000 / epoch_length).min(40);
        let epochs = u32::try_from(draw.below(most.into()) + 2).unwrap().min(2_592_000 / epoch_length);
        let duration = epoch_length * epochs;
        let rate = HashRate::capped(draw.bits(70));
        let price = draw.bits(120);
        let bond_bps = u16::try_from(if draw.one_in(4) { 0 } else { draw.below(10_001) }).unwrap();
        let cancel_bps = u16::try_from(draw.below(u128::from(bond_bps) + 1)).unwrap();
        let start = RENTED_AT + NOTICE + u64::try_from(draw.below(80_000)).unwrap();
        let (Some(weight), Some(paid)) =
            (SettlementWeight::of_lease(rate, epoch_length, duration), payment(price, rate, duration))
        else {
            continue;
        };
        if duration < 3_600
            || paid > u128::MAX / 4
            || rate.per_second().saturating_mul(duration.into()) >= 1 << 96
        {
            continue;
        }
        let terms = Conditions {
            payment: paid,
            bond_bps,
            cancel_bps,
            fee_bps: FEE_BPS,
            rate,
            weight,
            start,
            epoch_length,
            epochs,
            window: WINDOW,
            voids: draw.one_in(2),
            dictated: draw.one_in(3),
        };
        return (terms, price);
    }
}

/// Attempts one event; returns its row.
fn try_one(draw: &mut Draw, life: &mut Life, now: u64) -> [u128; 6] {
    let Conditions { start, epoch_length, epochs, rate, .. } = life.conditions;
    let length = u64::from(epoch_length);
    let over = now.saturating_sub(start) / length;
    match draw.below(12) {
        0..=5 => {
            let mut epoch = if draw.one_in(3) { draw.below(u128::from(epochs) + 2) } else { over.into() };
            if draw.one_in(2) && now >= life.end {
                epoch = u128::from((life.end - start) / length);
            }
            let as_of = start + length * u64::try_from(epoch).unwrap() + u64::from(draw.one_in(20));
            let promise = rate.per_second() * u128::from(as_of - start);
            let part =
                |draw: &mut Draw| Work::capped((promise / 1_000 * draw.below(1_400)).min(Work::MAX.hashes()));
            let (work, due) = if draw.one_in(30) { (Work::MAX, Work::MAX) } else { (part(draw), part(draw)) };
            let said = StatementFigures { as_of, work, due, last: draw.one_in(2) };
            let result = outcome(life.credit(now, &said));
            [Event::Credit as u128, as_of.into(), work.hashes(), due.hashes(), said.last.into(), result]
        }
        6 => {
            let epoch = u32::try_from(draw.below(u128::from(epochs) + 1)).unwrap();
            let result = outcome(life.void_epoch(epoch).map(|()| true));
            [Event::Void as u128, epoch.into(), 0, 0, 0, result]
        }
        7 | 8 => [Event::Collect as u128, 0, 0, 0, 0, outcome(life.collect().map(|()| true))],
        9 if draw.one_in(2) => [Event::Cancel as u128, 0, 0, 0, 0, outcome(life.cancel(now).map(|()| true))],
        9 => [Event::Terminate as u128, 0, 0, 0, 0, outcome(life.terminate(now).map(|()| true))],
        _ => [Event::Settle as u128, 0, 0, 0, 0, outcome(life.settle(now).map(|()| true))],
    }
}

fn life(seed: &str) -> Value {
    let mut draw = Draw::new(seed);
    let (terms, price) = conditions(&mut draw);
    let mut life = Life::rented(terms);
    let mut now = RENTED_AT;
    let mut steps = Vec::new();
    for index in 0..14 {
        let pace = u128::from(terms.duration()) / 5 + u128::from(terms.start - RENTED_AT) / 3;
        now += u64::try_from(draw.below(pace)).unwrap();
        if index == 12 {
            now = now.max(life.end + u64::from(WINDOW));
        }
        let tried = if index >= 12 {
            [Event::Settle as u128, 0, 0, 0, 0, outcome(life.settle(now).map(|()| true))]
        } else {
            try_one(&mut draw, &mut life, now)
        };
        let booked = life.booked;
        steps.extend([u128::from(now)].into_iter().chain(tried).chain([
            booked.provider,
            booked.holder,
            booked.payee,
            booked.challenger,
            life.credited.hashes(),
            life.due.hashes(),
            life.as_of.into(),
            life.end.into(),
            life.ending.map_or(0, |ending| if ending == Ending::Cancelled { 1 } else { 2 }),
            life.last.into(),
            life.settled.into(),
            life.bond,
        ]));
    }
    json!({
        "terms": numbers([
            price,
            terms.payment,
            terms.bond_bps.into(),
            terms.cancel_bps.into(),
            terms.rate.per_second(),
            terms.start.into(),
            terms.epoch_length.into(),
            terms.epochs.into(),
            terms.weight.log2().into(),
            terms.voids.into(),
            terms.dictated.into(),
        ]),
        "steps": numbers(steps),
    })
}

/// A line with the columns' names, then a line for each life.
fn lines(lives: &[Value]) -> String {
    let head = json!({
        "rentedAt": RENTED_AT,
        "notice": NOTICE,
        "window": WINDOW,
        "feeBps": FEE_BPS,
        "termsColumns": [
            "price", "payment", "bondBps", "cancelBps", "rate", "start", "epochLength", "epochs", "weightLog2",
            "voids", "dictated",
        ],
        "stepColumns": [
            "now", "what", "a", "b", "c", "d", "outcome", "provider", "holder", "payee", "challenger", "credited",
            "due", "asOf", "end", "ending", "last", "settled", "bond",
        ],
    });
    [&head].into_iter().chain(lives).map(|line| serde_json::to_string(line).unwrap() + "\n").collect()
}

fn lives(name: &str, count: usize) -> Vec<Value> {
    (0..count).map(|index| life(&format!("{name} {index}"))).collect()
}

#[test]
fn whole_lives() {
    let short = lives("life", 120);
    compare("tests/vectors/lives.jsonl", &lines(&short));
    // every branch must occur, whatever chance draws
    let steps: Vec<Vec<u128>> = short
        .iter()
        .flat_map(|life| {
            let flat: Vec<u128> = life["steps"]
                .as_array()
                .unwrap()
                .iter()
                .map(|n| n.as_str().unwrap().parse().unwrap())
                .collect();
            flat.chunks(19).map(<[u128]>::to_vec).collect::<Vec<_>>()
        })
        .collect();
    for what in 1..=6 {
        assert!(steps.iter().any(|step| step[1] == what && step[6] == 1), "event {what} never succeeds");
    }
    for refusal in 2..=12 {
        assert!(steps.iter().any(|step| step[6] == refusal), "refusal {refusal} never seen");
    }
    if let Ok(count) = std::env::var("HASHLEASE_LIVES") {
        let long = lives("long life", count.parse().expect("HASHLEASE_LIVES is a number"));
        fs::create_dir_all(path("cache")).unwrap();
        fs::write(path("cache/lives.jsonl"), lines(&long)).unwrap();
    }
}
