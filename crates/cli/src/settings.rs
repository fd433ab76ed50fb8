//! Settings of the roles with their defaults. Flags override the environment, which overrides the
//! settings file.
//!
//! ```toml
//! rpc = "http://127.0.0.1:8545"
//! deployment = "deployment.toml"
//! [node]
//! data_dir = "node"
//! stratum = "0.0.0.0:3333"
//! ```

use crate::keys::PasswordArgs;
use crate::native_amount::NativeAmount;
use anyhow::{Context as _, Result};
use clap::Args;
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// Settings from one source, which may leave some of them to the source below it.
pub(crate) trait Layer {
    /// Settings of this source, and from `below` those that it lacks.
    fn over(self, below: Self) -> Self;
}

impl<T> Layer for Option<T> {
    fn over(self, below: Self) -> Self {
        self.or(below)
    }
}

impl Layer for bool {
    fn over(self, below: Self) -> Self {
        self || below
    }
}

impl Layer for PasswordArgs {
    fn over(self, below: Self) -> Self {
        Self { password_file: self.password_file.over(below.password_file) }
    }
}

/// Help text of a setting, with its default.
fn help(text: &str, default: Option<&str>) -> String {
    let text = text.trim().trim_end_matches('.');
    default.map_or_else(|| text.to_owned(), |default| format!("{text} [default: {default}]"))
}

/// A group of settings. One entry declares a setting's field, flag, TOML key, environment variable,
/// help text and default.
///
/// An entry reads `name: Type = default, "ENVIRONMENT_VARIABLE", "VALUE_NAME";`. The default is
/// optional and in the form that users write. The method `name()` returns the setting, or its
/// default if no source has it. `also` adds plain fields.
macro_rules! settings {
    (
        $(#[doc = $about:literal])+
        $group:ident {
            $(
                $(#[doc = $help:literal])+
                $(#[arg($($parser:tt)+)])?
                $name:ident: $type:ty $(= $default:literal)?, $env:literal, $value_name:literal;
            )+
        }
        $(also { $($(#[$attribute:meta])* $field:ident: $field_type:ty;)+ })?
    ) => {
        $(#[doc = $about])+
        #[derive(Args, Clone, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct $group {
            $(
                $(#[doc = $help])+
                #[arg(
                    long,
                    env = $env,
                    value_name = $value_name,
                    help = help(concat!($($help),+), settings!(@default $($default)?))
                )]
                $(#[arg($($parser)+)])?
                pub(crate) $name: Option<$type>,
            )+
            $($($(#[$attribute])* pub(crate) $field: $field_type,)+)?
        }

        impl Layer for $group {
            fn over(self, below: Self) -> Self {
                Self {
                    $($name: self.$name.over(below.$name),)+
                    $($($field: self.$field.over(below.$field),)+)?
                }
            }
        }

        impl $group {
            $(settings!(@value $name: $type $(= $default)?);)+
        }
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
    (@value $name:ident: $type:ty) => {};
    (@value $name:ident: $type:ty = $default:literal) => {
        #[doc = concat!("The setting, or ", $default, ".")]
        pub(crate) fn $name(&self) -> Result<$type> {
            match Clone::clone(&self.$name) {
                Some(value) => Ok(value),
                None => $default.parse::<$type>().context(concat!("default of ", stringify!($name))),
            }
        }
    };
}

settings! {
    /// The settings file: keys that all roles share, and a table for each role. A role's flags are
    /// the shared keys and the keys of its own table.
    Settings {
        /// RPC endpoint of the chain
        rpc: Url = "http://127.0.0.1:8545", "HASHLEASE_RPC", "URL";
        /// File with the contracts' addresses, as the deployment script writes it
        deployment: PathBuf, "HASHLEASE_DEPLOYMENT", "FILE";
        /// Confirmations that a lease's log needs before the role acts on it
        confirmations: u64 = "12", "HASHLEASE_CONFIRMATIONS", "BLOCKS";
        /// Most that one transaction may cost, in the chain's native currency
        max_fee: NativeAmount = "0.05", "HASHLEASE_MAX_FEE", "AMOUNT";
        /// Seconds between two reads of the chain's logs
        #[arg(value_parser = clap::value_parser!(u64).range(1..))]
        poll: u64 = "4", "HASHLEASE_POLL", "SECONDS";
    }
    also {
        #[command(flatten)]
        #[serde(rename = "password_file")]
        password: PasswordArgs;
        #[arg(skip)]
        node: NodeSettings;
        #[arg(skip)]
        gateway: GatewaySettings;
        #[arg(skip)]
        member: MemberSettings;
    }
}

settings! {
    /// Settings of `hashlease node`.
    NodeSettings {
        /// Directory of the journal and the evidence files; two nodes must never share it
        data_dir: PathBuf = "hashlease-node", "HASHLEASE_DATA_DIR", "DIR";
        /// Address for miners of SHA-256d leases
        stratum: SocketAddr = "127.0.0.1:3333", "HASHLEASE_STRATUM", "ADDRESS";
        /// Address for miners of scrypt leases, if it is not two ports after that for SHA-256d
        stratum_scrypt: SocketAddr, "HASHLEASE_STRATUM_SCRYPT", "ADDRESS";
        /// Address of the API, which serves evidence and status
        api: SocketAddr = "127.0.0.1:8645", "HASHLEASE_API", "ADDRESS";
        /// URL under which the committee reaches the API, if it differs from its address
        public_api: Url, "HASHLEASE_PUBLIC_API", "URL";
        /// Keystore of the provider's key, which sends transactions; else `HASHLEASE_PROVIDER_KEY`
        provider_keystore: PathBuf, "HASHLEASE_PROVIDER_KEYSTORE", "FILE";
        /// Keystore of the X25519 key that opens boxes; else `HASHLEASE_NODE_KEY`
        node_keystore: PathBuf, "HASHLEASE_NODE_KEYSTORE", "FILE";
    }
}

settings! {
    /// Settings of `hashlease gateway`.
    GatewaySettings {
        /// Directory of the job sequences; never share it, and never restore it from a backup
        data_dir: PathBuf = "hashlease-gateway", "HASHLEASE_DATA_DIR", "DIR";
        /// Address for nodes
        listen: SocketAddr = "127.0.0.1:3334", "HASHLEASE_LISTEN", "ADDRESS";
        /// Address of the API, which serves status and health
        api: SocketAddr = "127.0.0.1:8647", "HASHLEASE_API", "ADDRESS";
        /// Keystore of the key that signs jobs; else `HASHLEASE_JOB_KEY`
        job_keystore: PathBuf, "HASHLEASE_JOB_KEYSTORE", "FILE";
        /// Keystore of the key that pays for bringing statements; else `HASHLEASE_KEEPER_KEY`
        keeper_keystore: PathBuf, "HASHLEASE_KEEPER_KEYSTORE", "FILE";
        /// Keystore of the X25519 key that opens boxes; else `HASHLEASE_NODE_KEY`
        node_keystore: PathBuf, "HASHLEASE_NODE_KEYSTORE", "FILE";
    }
}

settings! {
    /// Settings of `hashlease member`.
    MemberSettings {
        /// Directory of jobs, epoch roots and counted keys
        data_dir: PathBuf = "hashlease-member", "HASHLEASE_DATA_DIR", "DIR";
        /// Address of the API
        listen: SocketAddr = "127.0.0.1:8646", "HASHLEASE_LISTEN", "ADDRESS";
        /// URL under which others reach the API, if it differs from its address
        public_url: Url, "HASHLEASE_PUBLIC_URL", "URL";
        /// Longest evidence file that the member fetches, bytes
        max_evidence: u64 = "1073741824", "HASHLEASE_MAX_EVIDENCE", "BYTES";
        /// Verified evidence that the member keeps for the others, bytes in all
        kept_evidence: u64 = "4294967296", "HASHLEASE_KEPT_EVIDENCE", "BYTES";
        /// Evidence files that the member checks at once, each on every core
        checks: usize = "2", "HASHLEASE_CHECKS", "COUNT";
        /// Keystore of the member's key; else `HASHLEASE_MEMBER_KEY`
        member_keystore: PathBuf, "HASHLEASE_MEMBER_KEYSTORE", "FILE";
    }
    also {
        /// Don't bring the last statements of leases whose provider doesn't, and don't settle them.
        #[arg(long, env = "HASHLEASE_NO_KEEPING")]
        no_keeping: bool;
        /// Announce that URL on the chain if the chain has another or none.
        #[arg(long, env = "HASHLEASE_ANNOUNCE")]
        announce: bool;
        /// Fetch evidence from private and loopback addresses, too; on a local chain it always may be.
        #[arg(long, env = "HASHLEASE_PRIVATE_EVIDENCE")]
        private_evidence: bool;
    }
}

/// Arguments of a role.
#[derive(Args, Clone, Debug)]
pub(crate) struct RoleArgs<T: Args> {
    #[command(flatten)]
    pub(crate) shared: Settings,
    #[command(flatten)]
    pub(crate) role: T,
}

impl<T: Args + Layer> RoleArgs<T> {
    /// Lays flags and environment over the file; `table` picks the role's table.
    pub(crate) fn over(self, file: Settings, table: impl FnOnce(&Settings) -> T) -> Self {
        Self { role: self.role.over(table(&file)), shared: self.shared.over(file) }
    }
}

impl Settings {
    /// Reads the file. Without a path, no setting is given.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("settings file {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("settings file {}", path.display()))
    }

    /// Pause between two reads of the chain's logs, at least a second: a file may say 0.
    pub(crate) fn pause(&self) -> Result<Duration> {
        Ok(Duration::from_secs(self.poll()?.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::utils::format_ether;
    use std::collections::BTreeMap;

    #[test]
    fn flags_override_the_file_and_the_file_overrides_defaults() {
        let file: Settings = toml::from_str(
            "rpc = \"http://10.0.0.1:8545\"\npoll = 9\npassword_file = \"p\"\n\
             [node]\ndata_dir = \"a\"\nstratum = \"127.0.0.1:1\"\n[member]\nannounce = true\n",
        )
        .unwrap();
        let role = NodeSettings { data_dir: Some("b".into()), ..NodeSettings::default() };
        let flags = RoleArgs { shared: Settings::default(), role };
        let RoleArgs { shared, role } = flags.over(file.clone(), |file| file.node.clone());
        assert_eq!(role.data_dir().unwrap(), Path::new("b"));
        assert_eq!(role.stratum().unwrap(), "127.0.0.1:1".parse().unwrap());
        assert_eq!(role.api().unwrap(), "127.0.0.1:8645".parse().unwrap());
        assert_eq!(shared.rpc().unwrap().as_str(), "http://10.0.0.1:8545/");
        assert_eq!(shared.password.password_file, Some("p".into()));
        assert_eq!((shared.pause().unwrap(), shared.confirmations().unwrap()), (Duration::from_secs(9), 12));
        let flags = RoleArgs { shared: Settings::default(), role: MemberSettings::default() };
        assert!(flags.over(file, |file| file.member.clone()).role.announce);
    }

    #[test]
    fn a_typing_error_in_the_file_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hashlease.toml");
        std::fs::write(&path, "poll = 4\n[node]\nstratumm = \"127.0.0.1:1\"\n").unwrap();
        let error = format!("{:#}", Settings::read(Some(&path)).unwrap_err());
        assert!(
            error.contains("hashlease.toml") && error.contains("line 3") && error.contains("stratumm"),
            "{error}"
        );
    }

    /// Flags of a role with the defaults that their help texts name.
    fn shown<T: Args>() -> BTreeMap<String, String> {
        let command = RoleArgs::<T>::augment_args(clap::Command::new("role"));
        let default = |argument: &clap::Arg| {
            let help = argument.get_help()?.to_string();
            let (_, default) = help.split_once(" [default: ")?;
            Some((argument.get_id().to_string(), default.trim_end_matches(']').to_owned()))
        };
        command.get_arguments().filter_map(default).collect()
    }

    #[test]
    fn help_texts_name_the_defaults_that_are_used() {
        fn used(role: &[(&str, String)]) -> BTreeMap<String, String> {
            let shared = Settings::default();
            let rpc = shared.rpc().unwrap().to_string();
            let shared = [
                ("rpc", rpc.trim_end_matches('/').to_owned()),
                ("confirmations", shared.confirmations().unwrap().to_string()),
                ("max_fee", format_ether(shared.max_fee().unwrap().wei()).trim_end_matches('0').to_owned()),
                ("poll", shared.pause().unwrap().as_secs().to_string()),
            ];
            shared.iter().chain(role).map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
        }
        let node = NodeSettings::default();
        let node = [
            ("data_dir", node.data_dir().unwrap().display().to_string()),
            ("stratum", node.stratum().unwrap().to_string()),
            ("api", node.api().unwrap().to_string()),
        ];
        assert_eq!(shown::<NodeSettings>(), used(&node));
        let gateway = GatewaySettings::default();
        let gateway = [
            ("data_dir", gateway.data_dir().unwrap().display().to_string()),
            ("listen", gateway.listen().unwrap().to_string()),
            ("api", gateway.api().unwrap().to_string()),
        ];
        assert_eq!(shown::<GatewaySettings>(), used(&gateway));
        let member = MemberSettings::default();
        let member = [
            ("data_dir", member.data_dir().unwrap().display().to_string()),
            ("listen", member.listen().unwrap().to_string()),
            ("max_evidence", member.max_evidence().unwrap().to_string()),
            ("kept_evidence", member.kept_evidence().unwrap().to_string()),
            ("checks", member.checks().unwrap().to_string()),
        ];
        assert_eq!(shown::<MemberSettings>(), used(&member));
    }
}
