//! The demo's result, and whether it is sound.

use super::books::{Books, Money};
use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use hashlease_escrow_model as escrow;
use hashlease_primitives::{Lease, Work};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Formats a number of hashes.
pub(super) fn work(hashes: u128) -> String {
    scaled(hashes as f64, "H")
}

/// Formats hashes per second.
pub(super) fn rate(hashes: u64) -> String {
    scaled(hashes as f64, "H/s")
}

fn scaled(value: f64, unit: &str) -> String {
    const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    let mut value = value;
    let mut prefixes = PREFIXES.iter().peekable();
    while value >= 1_000.0 && prefixes.len() > 1 {
        value /= 1_000.0;
        prefixes.next();
    }
    format!("{value:.2} {}{unit}", prefixes.peek().copied().unwrap_or(&""))
}

/// Formats base units of the demo token (6 decimals).
pub(super) fn money(base_units: u128) -> String {
    format!("{}.{:06} DEMO", base_units / 1_000_000, base_units % 1_000_000)
}

/// As [`money`], with a sign where it is negative.
fn signed_money(base_units: i128) -> String {
    format!("{}{}", if base_units < 0 { "-" } else { "" }, money(base_units.unsigned_abs()))
}

/// The pool's verdicts on the shares.
pub(super) struct PoolTally {
    pub(super) name: String,
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) reasons: String,
}

/// Result of the demo.
pub(super) struct Outcome {
    lease: Lease,
    books: Books,
    money: Money,
    /// Hashes that the miners counted themselves during the lease.
    hashes: u64,
    /// Shares that the node accepted.
    accepted: u64,
    pool: PoolTally,
    pub(super) dir: PathBuf,
}

impl Outcome {
    pub(super) fn new(
        lease: Lease,
        books: Books,
        money: Money,
        hashes: u64,
        accepted: u64,
        pool: PoolTally,
    ) -> Self {
        Self { lease, books, money, hashes, accepted, pool, dir: PathBuf::new() }
    }

    fn shares(&self) -> u64 {
        self.books.epochs.iter().map(|epoch| epoch.shares).sum()
    }

    fn delivered(&self) -> Work {
        self.books.epochs.iter().fold(Work::ZERO, |sum, epoch| sum.saturating_add(epoch.delivered))
    }

    /// Difference between credited work and the miners' own count, as a part of that count, and the
    /// difference that chance explains: four standard errors.
    fn agreement(&self) -> (f64, f64) {
        let hashes = self.hashes.max(1) as f64;
        let off = (self.lease.credited.hashes() as f64 - hashes).abs() / hashes;
        (off, 4.0 / (self.shares().max(1) as f64).sqrt())
    }

    fn evidence_holds(&self) -> bool {
        self.books.epochs.iter().all(|epoch| epoch.complaint.is_none())
            && self.delivered().min(self.lease.terms.committed()) == self.lease.credited
    }

    /// Money adds up, the evidence holds, and independent counts agree.
    pub(super) fn is_sound(&self) -> bool {
        let (off, allowed) = self.agreement();
        self.why_nothing().is_none() && self.money.adds_up() && self.evidence_holds() && off <= allowed
    }

    pub(super) fn as_json(&self) -> Value {
        let (off, allowed) = self.agreement();
        let epochs: Vec<Value> = self
            .books
            .epochs
            .iter()
            .map(|epoch| {
                json!({
                    "promised": epoch.promised.to_string(),
                    "due": epoch.due.to_string(),
                    "delivered": epoch.delivered.to_string(),
                    "shares": epoch.shares,
                    "released": epoch.released.to_string(),
                    "refunded": epoch.refunded.to_string(),
                    "root": epoch.commitment.root,
                    "file": epoch.file,
                    "complaint": epoch.complaint,
                })
            })
            .collect();
        let expected = &self.money.expected;
        json!({
            "sound": self.is_sound(),
            "lease": self.lease.terms.id,
            "rate": self.lease.terms.rate.per_second().to_string(),
            "weight": self.lease.terms.weight.work().to_string(),
            "credited": self.lease.credited.to_string(),
            "due": self.lease.due.to_string(),
            "evidence": self.books.evidence,
            "epochs": epochs,
            "money": {
                "addsUp": self.money.adds_up(),
                "payment": self.money.payment.to_string(),
                "bond": self.money.bond.to_string(),
                "deposit": self.money.deposit.to_string(),
                "released": (expected.provider + expected.fee).to_string(),
                "fee": expected.fee.to_string(),
                "refund": expected.refund.to_string(),
                "slashed": expected.slashed.to_string(),
                "leftInEscrow": self.money.left_in_escrow.to_string(),
            },
            "miner": {"hashes": self.hashes, "accepted": self.accepted, "off": off, "allowed": allowed},
            "pool": {"accepted": self.pool.accepted, "refused": self.pool.refused, "reasons": self.pool.reasons},
            "evidenceHolds": self.evidence_holds(),
            "noShares": self.why_nothing(),
            "dir": self.dir,
        })
    }

    /// Why no share was counted, if none was. Nothing is shown then, however well it adds up.
    fn why_nothing(&self) -> Option<String> {
        if self.shares() > 0 {
            return None;
        }
        let logs = self.dir.join("logs");
        let pool = &self.pool.name;
        Some(if self.lease.due == Work::ZERO {
            format!(
                "no share was counted: no job of the pool ({pool}) reached the committee, so nothing was due; see {}",
                logs.join("gateway.log").display()
            )
        } else {
            format!(
                "no share was counted, though the pool ({pool}) had jobs; see {}",
                logs.join("node.log").display()
            )
        })
    }

    /// What was short, and what of it the bond paid for.
    fn shortage(&self) -> String {
        let (due, credited, weight) = (self.lease.due, self.lease.credited, self.lease.terms.weight.work());
        let short = due.saturating_sub(credited.min(due));
        let (tolerance, beyond) = (escrow::tolerance(due, weight), escrow::missing(due, credited, weight));
        let [short, tolerance, over] = [short, tolerance, beyond].map(|missing| work(missing.hashes()));
        if beyond == Work::ZERO {
            return format!(
                "of the due work {short} is missing, within the tolerance of {tolerance}: nothing slashed"
            );
        }
        format!(
            "of the due work {short} is missing, {over} beyond the tolerance of {tolerance}: {} of the bond slashed",
            money(self.money.expected.slashed)
        )
    }

    /// The result for people, line by line.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.epochs().to_string()];
        if self.books.epochs.iter().any(|epoch| epoch.refunded < 0) {
            lines.push("negative: the epoch delivered more than promised and made up for another".to_owned());
        }
        lines.push(self.accounts().to_string());
        match self.why_nothing() {
            Some(why) => lines.push(why),
            None => lines.extend(self.verdicts()),
        }
        lines.push(format!("logs: {}", self.dir.join("logs").display()));
        lines
    }

    fn verdicts(&self) -> Vec<String> {
        let verdict = |good: bool| if good { "yes" } else { "NO" };
        let (off, allowed) = self.agreement();
        let PoolTally { name, accepted, refused, reasons } = &self.pool;
        let reasons = if reasons.is_empty() { String::new() } else { format!(" ({reasons})") };
        let mut lines = vec![
            self.shortage(),
            format!("every base unit accounted for: {}", verdict(self.money.adds_up())),
            format!(
                "miners' own count {} hashes, credited {}: {:.2} % apart, chance allows {:.2} % (4/√{}): {}",
                self.hashes,
                self.lease.credited,
                off * 100.0,
                allowed * 100.0,
                self.shares(),
                verdict(off <= allowed)
            ),
            format!("pool ({name}): {accepted} shares accepted as the renter's, {refused} refused{reasons}"),
            format!("evidence re-verified offline, share by share: {}", verdict(self.evidence_holds())),
        ];
        for epoch in &self.books.epochs {
            let complaint = epoch.complaint.as_ref();
            lines.extend(complaint.map(|complaint| format!("  {}: {complaint}", epoch.file.display())));
        }
        if let Some(epoch) = self.books.epochs.first() {
            lines.push(format!("check it yourself: hashlease verify {}", epoch.file.display()));
        }
        lines
    }

    fn epochs(&self) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header([
            "epoch",
            "promised",
            "due",
            "delivered",
            "shares",
            "released",
            "refunded",
        ]);
        for (number, epoch) in self.books.epochs.iter().enumerate() {
            table.add_row([
                number.to_string(),
                work(epoch.promised.hashes()),
                work(epoch.due.hashes()),
                work(epoch.delivered.hashes()),
                epoch.shares.to_string(),
                money(epoch.released),
                signed_money(epoch.refunded),
            ]);
        }
        let expected = &self.money.expected;
        table.add_row([
            "all".to_owned(),
            work(self.lease.terms.committed().hashes()),
            work(self.lease.due.hashes()),
            work(self.delivered().hashes()),
            self.shares().to_string(),
            money(expected.provider + expected.fee),
            money(expected.refund),
        ]);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    fn accounts(&self) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header(["money", "base units", ""]);
        let expected = &self.money.expected;
        let rows = [
            ("renter paid", self.money.payment.to_string(), "in"),
            ("provider deposited", self.money.deposit.to_string(), "in"),
            ("released to the provider", expected.provider.to_string(), "out"),
            ("fee to the oracle's payee", expected.fee.to_string(), "out"),
            ("refunded to the renter", expected.refund.to_string(), "out"),
            ("slashed from the bond, to the renter", expected.slashed.to_string(), "out"),
            (
                "deposit and bond back to the provider",
                (self.money.deposit - self.money.bond + expected.bond).to_string(),
                "out",
            ),
            ("left in the escrow", self.money.left_in_escrow.to_string(), ""),
        ];
        for (what, amount, way) in rows {
            table.add_row([what.to_owned(), amount, way.to_owned()]);
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_scaled_and_have_units() {
        assert_eq!(work(0), "0.00 H");
        assert_eq!(work(12_345_678), "12.35 MH");
        assert_eq!(rate(1_500), "1.50 kH/s");
        assert_eq!(money(250_000_001), "250.000001 DEMO");
    }
}
