//! The outcome of a named test.

use std::process::Output;

/// A finished run of a named test.
pub(super) struct Run {
    pub verdict: Verdict,
    /// Everything that was printed.
    pub said: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Passes,
    Fails,
    /// No test has that name.
    NotFound,
    DoesNotCompile,
}

impl Run {
    /// From a program's output.
    pub(super) fn new(output: &Output, verdict: impl FnOnce(&str, bool) -> Verdict) -> Self {
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        Self { verdict: verdict(&said, output.status.success()), said }
    }
}
