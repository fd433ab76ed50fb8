//! The numbers that Stratum V1 gives to refusals. Another protocol has a table of its own beside
//! its dialect.

/// The number of a refusal, by its stable kebab-case code: 21 unknown or stale job, 22 duplicate,
/// 23 low difficulty, 24 unauthorised, 25 not subscribed, 20 everything else.
#[must_use]
pub fn error_number(code: &str) -> i32 {
    match code {
        "unknown-job" | "job-superseded" | "job-window-over" => 21,
        "duplicate" | "seen-in-other-lease" => 22,
        "above-target" => 23,
        "unauthorized"
        | "no-active-lease"
        | "connection-of-other-lease"
        | "lease-of-other-algorithm"
        | "too-many-workers"
        | "worker-name-too-long" => 24,
        "not-subscribed" => 25,
        _ => 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_the_numbers_that_miners_know() {
        let numbers = [
            ("unknown-job", 21),
            ("job-superseded", 21),
            ("job-window-over", 21),
            ("duplicate", 22),
            ("seen-in-other-lease", 22),
            ("above-target", 23),
            ("unauthorized", 24),
            ("no-active-lease", 24),
            ("connection-of-other-lease", 24),
            ("lease-of-other-algorithm", 24),
            ("too-many-workers", 24),
            ("worker-name-too-long", 24),
            ("not-subscribed", 25),
            ("malformed", 20),
            ("epoch-closed", 20),
        ];
        for (code, number) in numbers {
            assert_eq!(error_number(code), number, "{code}");
        }
    }
}
