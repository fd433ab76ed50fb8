//! Steps of a task: announced, timed, and never silent for long.

use anyhow::{Context as _, Result, ensure};
use std::{
    io::Write as _,
    process::{Command, Output},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

/// Pause between two signs of life: CI systems and people take a longer silence for a hang.
const HEARTBEAT: Duration = Duration::from_secs(25);

/// Runs a step of a task: prints its name, a line every [`HEARTBEAT`], and how long it took.
pub(crate) fn step<T>(name: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("── {name}");
    let started = Instant::now();
    let result = say_when_slow(name, run).with_context(|| format!("{name} failed"))?;
    eprintln!("── {name}: done in {} s", started.elapsed().as_secs());
    Ok(result)
}

/// Runs something that is usually quick: prints its name only once it has taken longer than
/// [`HEARTBEAT`].
pub(crate) fn say_when_slow<T>(name: &str, run: impl FnOnce() -> T) -> T {
    with_heartbeat(HEARTBEAT, |elapsed| eprintln!("── {name}: still running, {} s", elapsed.as_secs()), run)
}

/// Calls `beat` with the time elapsed, every so often, until `run` returns.
fn with_heartbeat<T>(every: Duration, beat: impl Fn(Duration) + Send, run: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let (running, ended) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                beat(started.elapsed());
            }
        });
        let result = run();
        // this moves it into the closure, so that a panic of `run` ends the thread as well
        drop(running);
        result
    })
}

/// Runs a command with this process's input and output.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| shown(command))?;
    ensure!(status.success(), "{}: {status}", shown(command));
    Ok(())
}

/// Runs a command while another one may be printing: prints its output in one piece once it has
/// ended.
pub(crate) fn succeed_aside(command: &mut Command) -> Result<()> {
    let Output { status, stdout, stderr } = command.output().with_context(|| shown(command))?;
    let mut out = std::io::stderr().lock();
    // output that nobody reads is no reason to fail
    let _ = out.write_all(&[stdout, stderr].concat());
    ensure!(status.success(), "{}: {status}", shown(command));
    Ok(())
}

fn shown(command: &Command) -> String {
    format!("{} {:?}", command.get_program().display(), command.get_args().collect::<Vec<_>>())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_long_step_shows_signs_of_life() {
        let (beats, seen) = channel();
        let every = Duration::from_millis(5);
        let result = with_heartbeat(
            every,
            move |elapsed| beats.send(elapsed).unwrap(),
            || [(); 3].map(|()| seen.recv_timeout(Duration::from_secs(60)).unwrap()),
        );
        assert!(result[0] >= every && result[0] < result[1] && result[1] < result[2], "{result:?}");
    }

    #[test]
    fn a_step_that_panics_does_not_hang() {
        let step =
            || with_heartbeat(Duration::from_secs(3_600), |_| (), || std::panic::resume_unwind(Box::new(())));
        let ended: thread::Result<()> = std::panic::catch_unwind(step);
        assert!(ended.is_err());
    }
}
