//! The command line, the exit codes, and the end by a panic.

mod abort;
mod admin;
mod dev_cert;
mod replay;
mod supervisor;
mod train_dictionary;
mod written;

pub use abort::abort_on_panic;
pub use admin::{ADMIN_VARIABLE, admin_address};
pub use dev_cert::{DevCert, DevCertError};
pub use replay::Replay;
pub use supervisor::{Progress, notify_supervisor};
pub use train_dictionary::{ReadError, TrainDictionary, TrainDictionaryError};
pub use written::{completions, write_manual};

use crate::config::{Overrides, parse_address, parse_record_limit};
use admin::parse_admin;
use clap::{Arg, Args as _, Parser, Subcommand};
use clap_complete::Shell;
use std::{net::SocketAddr, path::PathBuf};

/// Exit code: the command succeeded, or the gateway stopped as asked.
pub const EXIT_OK: u8 = 0;
/// Exit code: the gateway could not start or go on, for example because an address is in use. A supervisor may restart
/// it. Or something that `check --connect` tried failed, or a recording did, or `health` found a gateway not ready.
pub const EXIT_FAILED: u8 = 1;
/// Exit code: a flag, the configuration file or a variable is wrong, so a restart would fail again (`EX_USAGE` of
/// sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Market data from websocket feeds, fanned out over Server-Sent Events. Without a configuration it serves a simulated
/// market.
#[derive(Debug, Parser)]
#[command(name = "tickfan", version = env!("BUILD_VERSION"), after_help = EXIT_CODES)]
pub struct Args {
    /// The flags of a gateway.
    #[command(flatten)]
    gateway: GatewayFlags,
    /// Print a configuration file with every key, its default, unit and reason, and exit
    #[arg(long)]
    pub print_config: bool,
    /// With --print-config: print the values that a start would have, and where each comes from
    #[arg(long, requires = "print_config")]
    pub effective: bool,
    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What a gateway starts with. Some commands refuse it, see [`Args::unused_flag`].
#[derive(Debug, clap::Args)]
struct GatewayFlags {
    /// Read the configuration from this TOML file
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Listen for clients on this address, such as 127.0.0.1:8080
    #[arg(long, value_name = "ADDR", global = true, value_parser = parse_address)]
    listen: Option<SocketAddr>,
    /// Listen for operators (metrics and health) on this address
    #[arg(long, value_name = "ADDR", global = true, value_parser = parse_address)]
    admin_listen: Option<SocketAddr>,
}

impl GatewayFlags {
    /// The same for a command that refuses them: its help leaves them out. Without these it would inherit the visible
    /// ones.
    fn hidden() -> Vec<Arg> {
        GatewayFlags::augment_args(clap::Command::new("")).get_arguments().map(|arg| arg.clone().hide(true)).collect()
    }
}

/// What to do instead of serving.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Check the configuration and exit
    Check {
        /// Try every feed's venue, for 15 seconds at most, and the ports too
        #[arg(long)]
        connect: bool,
        /// The file, in place of --config
        #[arg(conflicts_with = "config")]
        file: Option<PathBuf>,
    },
    /// Serve recorded frames of a venue, with the page, without a configuration
    Replay(Replay),
    /// Record what a feed's venue sends, without serving, until Ctrl+C or SIGTERM
    Record {
        /// The feed; needed where the configuration has several
        #[arg(long, value_name = "NAME")]
        feed: Option<String>,
        /// The folder for the files, in place of the feed's `record`, or else of the working directory
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// The most bytes of the feed's files, in place of `record_bytes_max`; the oldest file is deleted
        #[arg(long, value_name = "SIZE", value_parser = parse_record_limit)]
        limit: Option<u64>,
    },
    /// Write a certificate for https on this machine, with a CA to trust for it
    #[command(args = GatewayFlags::hidden())]
    DevCert(DevCert),
    /// Make a dictionary for compressed streams of a running gateway's ticks
    #[command(args = GatewayFlags::hidden())]
    TrainDictionary(TrainDictionary),
    /// Show the state of a running gateway, refreshed every second; q quits
    #[command(args = GatewayFlags::hidden())]
    Top {
        /// The admin address of the gateway [default: TICKFAN_SERVER_ADMIN_LISTEN, or 127.0.0.1:8081]
        #[arg(long, value_name = "ADDR", value_parser = parse_admin)]
        admin: Option<SocketAddr>,
        /// Print the state once as plain text and exit
        #[arg(long)]
        once: bool,
    },
    /// Ask a running gateway whether clients may be sent to it; 0 if so, otherwise 1 and the reason
    #[command(args = GatewayFlags::hidden())]
    Health {
        /// Ask only whether it answers: what should decide over a restart, which does not repair a venue
        #[arg(long)]
        live: bool,
        /// The admin address of the gateway [default: TICKFAN_SERVER_ADMIN_LISTEN, or 127.0.0.1:8081]
        #[arg(long, value_name = "ADDR", value_parser = parse_admin)]
        admin: Option<SocketAddr>,
    },
    /// Print the completions of this command line for a shell
    #[command(args = GatewayFlags::hidden())]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages into a folder, for a package
    #[command(hide = true, args = GatewayFlags::hidden())]
    Man {
        /// The folder
        folder: PathBuf,
    },
}

impl Args {
    /// The configuration file that the command line names.
    pub fn file(&self) -> Option<&PathBuf> {
        match &self.command {
            Some(Command::Check { file: Some(file), .. }) => Some(file),
            _ => self.gateway.config.as_ref(),
        }
    }

    /// A flag of the gateway that the command has no use for, and what to do instead.
    pub fn unused_flag(&self) -> Option<UnusedFlag> {
        let command = match &self.command {
            Some(Command::DevCert(_)) => "dev-cert",
            Some(Command::Top { .. }) => "top",
            Some(Command::Health { .. }) => "health",
            Some(Command::Completions { .. }) => "completions",
            Some(Command::Man { .. }) => "man",
            Some(Command::TrainDictionary(_)) => "train-dictionary",
            _ => return None,
        };
        let instead = match command {
            "train-dictionary" => "name the address for clients of the gateway by --from",
            "top" | "health" => "name the admin address of the gateway by --admin",
            "dev-cert" => "edit the configuration that it writes, such as `listen` under [tls]",
            _ => "the command line is the same with any configuration",
        };
        let flags = [
            ("--config", self.gateway.config.is_some()),
            ("--listen", self.gateway.listen.is_some()),
            ("--admin-listen", self.gateway.admin_listen.is_some()),
        ];
        let flag = flags.into_iter().find_map(|(flag, is_set)| is_set.then_some(flag))?;
        Some(UnusedFlag { flag, command, instead })
    }

    /// The keys that flags override.
    pub fn overrides(&self) -> Overrides {
        let text = match &self.command {
            Some(Command::Replay(replay)) => Some(replay.config()),
            _ => None,
        };
        Overrides { listen: self.gateway.listen, admin_listen: self.gateway.admin_listen, text }
    }
}

/// A flag that a command would drop in silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{flag}` has no effect on `tickfan {command}`\n   = leave it out; {instead}")]
pub struct UnusedFlag {
    flag: &'static str,
    command: &'static str,
    instead: &'static str,
}

const EXIT_CODES: &str = "\
Variables named TICKFAN_<SECTION>_<KEY> override single keys of the file, such as TICKFAN_LIMITS_STREAMS=1000.
TICKFAN_CONFIG names the file where --config does not. TICKFAN_LOG filters logs (default: info), TICKFAN_LOG_FORMAT=json writes them as JSON.

Exit codes: 0 stopped as asked, 1 could not start or go on, or `check --connect` or a recording failed, or `health` found the gateway not ready, 64 a flag, the configuration or a variable is wrong.";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn flags_stand_before_and_after_the_command() {
        for line in [["tickfan", "--listen", "[::1]:9", "check"], ["tickfan", "check", "--listen", "[::1]:9"]] {
            let args = Args::try_parse_from(line).unwrap();
            assert_eq!(args.command, Some(Command::Check { file: None, connect: false }));
            assert_eq!(args.overrides().listen, Some("[::1]:9".parse().unwrap()));
        }
        assert!(
            Args::try_parse_from(["tickfan", "--listen", "localhost:80"])
                .unwrap_err()
                .to_string()
                .contains("127.0.0.1:80")
        );
    }

    #[test]
    fn a_flag_that_a_command_has_no_use_for_is_refused() {
        let flags = [("--config", "a.toml"), ("--listen", "127.0.0.1:9443"), ("--admin-listen", "[::1]:9")];
        for (command, uses) in [
            (&["dev-cert"][..], false),
            (&["top"], false),
            (&["health"], false),
            (&["completions", "bash"], false),
            (&["man", "."], false),
            (&["train-dictionary", "--out", "d"], false),
            (&["check"], true),
            (&["record"], true),
        ] {
            let unused = |arguments: &[&str]| {
                let arguments = [&["tickfan"], command, arguments].concat();
                Args::try_parse_from(arguments).unwrap().unused_flag().map(|unused| unused.to_string())
            };
            assert_eq!(unused(&[]), None);
            let help = Args::try_parse_from([&["tickfan"], command, &["--help"]].concat()).unwrap_err().to_string();
            for (flag, value) in flags {
                let said = unused(&[flag, value]);
                let expected = format!("`{flag}` has no effect on `tickfan {}`", command[0]);
                assert_eq!(said.is_some_and(|said| said.starts_with(&expected)), !uses, "{command:?} {flag}");
                assert_eq!(help.contains(&format!("{flag} <")), uses, "{command:?} {flag}: {help}");
            }
        }
    }
}
