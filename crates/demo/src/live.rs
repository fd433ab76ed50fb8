//! Progress of the demo: a status line on a terminal, plain lines elsewhere.

use super::report;
use hashlease_primitives::{Clock as _, Lease, SystemClock, Work};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::Write as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Prints a line on standard error. If that is full or closed, nobody can be told.
pub(super) fn complain(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

/// Shows progress on standard error.
pub(super) struct Live {
    bar: ProgressBar,
    terminal: bool,
    last: Mutex<Shown>,
}

/// State of the lease as last shown.
#[derive(Default)]
struct Shown {
    epoch: Option<u32>,
    credited: Work,
    collected: Work,
}

impl Live {
    pub(super) fn new(terminal: bool) -> Self {
        let bar = if terminal { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar, terminal, last: Mutex::default() }
    }

    /// Prints a line that stays.
    pub(super) fn say(&self, words: &str) {
        if self.terminal {
            self.bar.println(words);
        } else {
            complain(words);
        }
    }

    /// Shows the current step.
    pub(super) fn step(&self, words: &str) {
        if self.terminal {
            self.bar.set_message(words.to_owned());
        } else {
            complain(words);
        }
    }

    /// Shows the state of the running lease, and prints what changed.
    pub(super) fn show(&self, lease: &Lease, counted: u128, hashes: u64, idle: bool) {
        let terms = &lease.terms;
        let now = SystemClock.seconds();
        let epoch = terms.epoch_of(now).ok();
        let news = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let mut news = Vec::new();
            if epoch != last.epoch {
                last.epoch = epoch;
                news.extend(epoch.map(|epoch| format!("epoch {epoch} begins")));
            }
            if lease.credited != last.credited {
                last.credited = lease.credited;
                let released = report::money(lease.released(lease.credited));
                news.push(format!(
                    "credited on chain: {}, {released} released",
                    report::work(lease.credited.hashes())
                ));
            }
            if lease.collected != last.collected {
                last.collected = lease.collected;
                news.push("collected: booked to the provider, minus the fee".to_owned());
            }
            news
        };
        for words in news {
            self.say(&words);
        }
        if !self.terminal {
            return;
        }
        let when = match epoch {
            Some(epoch) => {
                let left = terms.epoch_end(epoch).since(now);
                format!("epoch {epoch} of {}, {left:2} s left", terms.epochs())
            }
            None if now < terms.start => format!("starts in {} s", terms.start.since(now)),
            None => "over: closing, co-signing, settling".to_owned(),
        };
        let idle = if idle { " · IDLE" } else { "" };
        self.bar.set_message(format!(
            "{when}{idle} · hashed {} · counted {} · credited {} of {} · released {} of {}",
            report::work(u128::from(hashes)),
            report::work(counted),
            report::work(lease.credited.hashes()),
            report::work(terms.committed().hashes()),
            report::money(lease.released(lease.credited)),
            report::money(lease.payment),
        ));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
