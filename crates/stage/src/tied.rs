//! Child processes that do not outlive this one.
//!
//! Dropping a child kills it. A process that is killed itself drops nothing: on Linux the kernel
//! then kills its children, if `setpriv` (util-linux) can ask for that.

use std::{ffi::OsStr, process::Stdio, sync::OnceLock};
use tokio::process::Command;

/// Whether the system ends the children of this process however it ends, also by `SIGKILL`.
/// Elsewhere they end with it in every other way.
#[must_use]
pub fn outlived_by_none() -> bool {
    static KNOWS: OnceLock<bool> = OnceLock::new();
    let asks = || {
        let mut probe = std::process::Command::new(SETPRIV[0]);
        probe.args(SETPRIV.iter().skip(1)).arg("true");
        probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    };
    *KNOWS.get_or_init(|| cfg!(target_os = "linux") && asks())
}

/// Becomes the program that follows, with the kernel's promise to kill it once the thread that
/// started it has ended.
const SETPRIV: [&str; 4] = ["setpriv", "--pdeathsig", "KILL", "--"];

/// A command whose process is killed when it is dropped or when this process ends. Call it from a
/// thread that lives as long as the process should: the main thread, or a runtime's worker.
pub(crate) fn tied(program: &OsStr) -> Command {
    let mut command = if outlived_by_none() {
        let mut command = Command::new(SETPRIV[0]);
        command.args(SETPRIV.iter().skip(1)).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.kill_on_drop(true);
    command
}

/// As [`tied`], for a command that was made elsewhere: its program, arguments, variables and folder.
pub(crate) fn tied_like(made: &std::process::Command) -> Command {
    let mut command = tied(made.get_program());
    command.args(made.get_args());
    for (name, value) in made.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(dir) = made.get_current_dir() {
        command.current_dir(dir);
    }
    command
}

/// The processes of a group, led by the one with this id. Dropping it kills them all, unless
/// [`Group::has_ended`] was called.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Group(Option<rustix::process::Pid>);

#[cfg(unix)]
impl Group {
    /// The group that `child` leads: it was started with `process_group(0)`.
    pub(crate) fn of(child: &tokio::process::Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(rustix::process::Pid::from_raw))
    }

    /// The leader has ended by itself, so its id may be another's by now.
    pub(crate) fn has_ended(mut self) {
        self.0 = None;
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0.take() {
            // an error means that none of them is left
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::{
        io::{BufRead as _, BufReader},
        path::Path,
        thread,
    };

    fn runs(pid: u32) -> bool {
        let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
        status.is_ok_and(|status| !status.contains(") Z "))
    }

    fn gone(pid: u32) -> bool {
        (0..500).any(|_| {
            thread::sleep(std::time::Duration::from_millis(10));
            !runs(pid)
        })
    }

    #[test]
    fn a_child_ends_with_a_parent_that_is_killed() {
        assert!(outlived_by_none(), "setpriv is missing here");
        // the parent: a shell that starts the tied child as this crate would, and tells its id
        let arguments: Vec<String> =
            tied(OsStr::new("sleep")).as_std().get_args().map(|arg| arg.display().to_string()).collect();
        let mut parent = std::process::Command::new("sh")
            .args(["-c", &format!("{} {} 600 & echo $!; wait", SETPRIV[0], arguments.join(" "))])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(parent.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let child: u32 = line.trim().parse().unwrap();
        // until then the shell's copy of itself has not become the child
        let became =
            || std::fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|n| n.trim() == "sleep");
        assert!((0..500).any(|_| {
            thread::sleep(std::time::Duration::from_millis(10));
            became()
        }));
        parent.kill().unwrap();
        parent.wait().unwrap();
        assert!(gone(child));
    }

    #[tokio::test]
    async fn a_group_ends_with_what_its_leader_started() {
        let mut command = tied(OsStr::new("sh"));
        command.args(["-c", "sleep 600 & echo $!; wait"]).stdout(Stdio::piped()).process_group(0);
        let mut leader = command.spawn().unwrap();
        let group = Group::of(&leader);
        let mut out = tokio::io::BufReader::new(leader.stdout.take().unwrap());
        let mut line = String::new();
        tokio::io::AsyncBufReadExt::read_line(&mut out, &mut line).await.unwrap();
        let grandchild: u32 = line.trim().parse().unwrap();
        assert!(runs(grandchild));
        drop(group);
        assert!(gone(grandchild));
        leader.wait().await.unwrap();
    }

    #[test]
    fn a_command_made_elsewhere_keeps_all_it_was_given() {
        let mut made = std::process::Command::new("forge");
        made.args(["script", "x"]).env("A", "1").env_remove("B").current_dir("/");
        let tied = tied_like(&made);
        let tied = tied.as_std();
        assert!(tied.get_args().map(|arg| arg.display().to_string()).collect::<Vec<_>>().ends_with(&[
            "forge".to_owned(),
            "script".to_owned(),
            "x".to_owned()
        ]));
        assert_eq!(tied.get_envs().collect::<Vec<_>>(), made.get_envs().collect::<Vec<_>>());
        assert_eq!(tied.get_current_dir(), made.get_current_dir());
    }
}
