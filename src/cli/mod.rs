//! The command line, and what a process's end tells its caller.

use crate::config::{Overrides, parse_address};
use clap::{Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf};

/// Exit code: all went well, or the gateway was asked to stop.
pub const EXIT_OK: u8 = 0;
/// Exit code: the gateway could not start or go on, for example because an address is taken. A supervisor may try again.
pub const EXIT_FAILED: u8 = 1;
/// Exit code: a flag, the file or a variable is wrong. Trying again brings the same (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Market data from websocket feeds, fanned out over Server-Sent Events. Without a configuration it serves a simulated market.
#[derive(Debug, Parser)]
#[command(name = "tickfan", version, after_help = EXIT_CODES)]
pub struct Args {
    /// The configuration, a TOML file
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Where clients connect, such as 127.0.0.1:8080
    #[arg(long, value_name = "ADDR", global = true, value_parser = parse_address)]
    pub listen: Option<SocketAddr>,
    /// Where operators connect: metrics and health
    #[arg(long, value_name = "ADDR", global = true, value_parser = parse_address)]
    pub admin_listen: Option<SocketAddr>,
    /// Print every key with its default, unit and reason, as a file, and end
    #[arg(long)]
    pub print_config: bool,
    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do instead of serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Read the configuration, say whether it is right, and end
    Check,
    /// Show what a running gateway does, refreshed each second; q quits
    Top {
        /// The gateway's admin listener
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081", value_parser = parse_address)]
        admin: SocketAddr,
        /// Print one look as plain text and end
        #[arg(long)]
        once: bool,
    },
}

impl Args {
    /// What the flags set over the file.
    pub fn overrides(&self) -> Overrides {
        Overrides { listen: self.listen, admin_listen: self.admin_listen }
    }
}

const EXIT_CODES: &str = "\
Variables named TICKFAN_<SECTION>_<KEY> set single keys over the file, such as TICKFAN_LIMITS_STREAMS=1000.
TICKFAN_LOG filters logs (info), TICKFAN_LOG_FORMAT=json writes them as JSON.

Exit codes: 0 stopped as asked, 1 could not start or go on, 64 a flag, the configuration or a variable is wrong.";

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
            assert_eq!(args.command, Some(Command::Check));
            assert_eq!(args.overrides().listen, Some("[::1]:9".parse().unwrap()));
        }
        assert!(
            Args::try_parse_from(["tickfan", "--listen", "localhost:80"])
                .unwrap_err()
                .to_string()
                .contains("127.0.0.1:80")
        );
    }
}
