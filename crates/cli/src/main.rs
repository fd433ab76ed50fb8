//! The `hashlease` binary: each role is a subcommand, and so are the offline check and the demo.

mod data_dir;
mod descriptors;
mod keep;
mod key;
mod keys;
mod native_amount;
mod out;
mod roles;
mod settings;
mod verify;

use clap::{Parser, Subcommand};
use settings::{GatewaySettings, MemberSettings, NodeSettings, RoleArgs, Settings};
use std::{io::IsTerminal as _, path::PathBuf, process::ExitCode};
use tracing_subscriber::EnvFilter;

/// First line of the examples, if the binary has the demo.
const DEMO_EXAMPLE: &str = if cfg!(feature = "demo") {
    "\n  hashlease demo                             the whole system on this machine, in about two minutes"
} else {
    ""
};
const EXAMPLES: &str = "
  hashlease verify lease-1-epoch-0.hlev      recount an epoch, offline
  hashlease key new provider.json            make a key
  hashlease node --rpc https://… --deployment mainnet.toml --data-dir node \\
      --provider-keystore provider.json --node-keystore box.json";

/// Exit status when the reader of standard output has gone: what shells report of programs that
/// `SIGPIPE` ended. Not 0, because the reader did not see whether everything holds.
const READER_HAS_GONE: u8 = 141;

/// Leases of hash power, paid only for verified work.
#[derive(Debug, Parser)]
#[command(name = "hashlease", version, about, after_help = format!("Examples:{DEMO_EXAMPLE}{EXAMPLES}"))]
struct Cli {
    /// TOML file with settings; the environment and flags override it.
    #[arg(long, global = true, env = "HASHLEASE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Log filter: `error`, `warn`, `info`, `debug`, or per target. Roles log `info` by default,
    /// other commands `warn`.
    #[arg(long, global = true, env = "HASHLEASE_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// Log JSON lines.
    #[arg(long, global = true, env = "HASHLEASE_LOG_JSON")]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve miners as a provider: check every share, keep the evidence, collect the payment.
    Node(RoleArgs<NodeSettings>),
    /// Connect to renters' pools and sign every job.
    Gateway(RoleArgs<GatewaySettings>),
    /// Sit on a committee: re-check every share and co-sign.
    Member(RoleArgs<MemberSettings>),
    /// Bring the last statements of leases whose provider doesn't, and settle them.
    Keep(keep::KeepArgs),
    /// Recount an epoch from its evidence file, offline.
    Verify(verify::VerifyArgs),
    /// Make keys and show their public part.
    Key(key::KeyArgs),
    /// Run the whole system on this machine, on real work: chain, contracts, committee, gateway,
    /// node, and a simulated pool and miner.
    #[cfg(feature = "demo")]
    Demo(hashlease_demo::DemoArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match log(&cli).and_then(|()| run(cli)) {
        Ok(code) => code,
        Err(error) if out::reader_has_gone(&error) => ExitCode::from(READER_HAS_GONE),
        Err(error) => {
            out::complain(format_args!("error: {}", in_words(&error)));
            ExitCode::from(2)
        }
    }
}

/// An error and its causes. Many errors end with the text of their cause, which is then not
/// repeated.
fn in_words(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |words, cause| {
        let cause = cause.to_string();
        match words.as_str() {
            "" => cause,
            said if said.ends_with(&cause) => words,
            said => format!("{said}: {cause}"),
        }
    })
}

fn log(cli: &Cli) -> anyhow::Result<()> {
    let filter = match (&cli.command, &cli.log) {
        // the demo shows its own progress; its roles log to files
        #[cfg(feature = "demo")]
        (Command::Demo(_), _) => "warn",
        (Command::Verify(_) | Command::Key(_), None) => "warn",
        (_, Some(filter)) => filter,
        (_, None) => "info",
    };
    let filter: EnvFilter = filter.parse().map_err(|error| anyhow::anyhow!("--log: {error}"))?;
    let stderr = std::io::stderr;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    // by default it panics where standard error is full
    let builder = builder.log_internal_errors(false);
    if cli.log_json {
        builder.json().init();
    } else {
        builder.with_ansi(stderr().is_terminal()).init();
    }
    Ok(())
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Command::Verify(arguments) = &cli.command {
        return verify::run(arguments);
    }
    #[cfg(feature = "demo")]
    if let Command::Demo(arguments) = cli.command {
        return demo(arguments);
    }
    let file = Settings::read(cli.config.as_deref())?;
    descriptors::raise_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Node(arguments) => {
                roles::node::run(arguments.over(file, |file| file.node.clone())).await?
            }
            Command::Gateway(arguments) => {
                roles::gateway::run(arguments.over(file, |file| file.gateway.clone())).await?
            }
            Command::Member(arguments) => {
                roles::member::run(arguments.over(file, |file| file.member.clone())).await?
            }
            Command::Keep(arguments) => return keep::run(arguments, file).await,
            Command::Key(arguments) => key::run(&arguments)?,
            #[cfg(feature = "demo")]
            Command::Demo(_) => {}
            Command::Verify(_) => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}

#[cfg(feature = "demo")]
fn demo(arguments: hashlease_demo::DemoArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(hashlease_demo::run(arguments, &mut out::Output));
    // an interrupted demo may wait on a thread, for another's forge say, which must not delay its end
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_named_once() {
        let cause = std::io::Error::other("disk full");
        let error = anyhow::Error::new(cause).context("journal: disk full").context("node");
        assert_eq!(in_words(&error), "node: journal: disk full");
    }

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
        for role in Cli::command().get_subcommands() {
            for arg in role.get_arguments() {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                // clap breaks the line there
                assert!(!help.contains("{n}"), "{} of {}: {help}", arg.get_id(), role.get_name());
            }
        }
    }
}
