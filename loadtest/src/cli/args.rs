//! The arguments.

use super::{
    limit_args::{CompareArgs, LimitArgs},
    output_args::OutputArgs,
};
use crate::{
    scenario::{Outage, Scenario, Span, VenueProtocol, check_duration},
    streams::{Group, Popularity, Protocol, Reads},
};
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use std::{net::SocketAddr, path::PathBuf};

const AFTER_HELP: &str = "Exit codes: 0 passed, 99 a threshold was crossed or a rule was violated, 98 inconclusive: the load tester itself was \
too late to say, 64 wrong argument or scenario, 1 any other failure.\nScenarios: smoke, hot-symbol, watchlists, many-symbols, slow-consumers, overload, storm, churn, soak, \
opening-bell, outages, light, idle, shared-rounds, ingest, stalled, blocked-tab, ramp, cluster, or a file.";

/// Load tester for tickfan and for any other server of Server-Sent Events: it checks and measures what clients get.
#[derive(Debug, Parser)]
#[command(name = "tickfan-loadtest", version = env!("BUILD_VERSION"), after_help = AFTER_HELP)]
pub struct Args {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a scenario: venue, gateway and streams together.
    Run(RunArgs),
    /// Open streams to a running server.
    Streams(StreamsArgs),
    /// Run a mock venue until it is stopped.
    Venue(VenueArgs),
    /// Run a scenario, then the same streams against a bare loop of sends, and compare the two.
    Floor(FloorArgs),
    /// Compare two reports of the same load, figure by figure.
    Compare(CompareArgs),
    /// Print the configuration of a scenario's gateway, to run it elsewhere.
    Config(ConfigArgs),
    /// Print the completions of this command line for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the manual pages into a folder, for a package.
    #[command(hide = true)]
    Man {
        /// The folder.
        folder: PathBuf,
    },
}

/// `run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// A shipped scenario, or the path of a scenario file.
    pub scenario: String,
    /// The gateway's program [default: `tickfan` in the folder of this program].
    #[arg(long, value_name = "PATH", conflicts_with = "url")]
    pub gateway: Option<PathBuf>,
    /// The program of the brokers, for a scenario with a cluster [default: NATS_SERVER].
    #[arg(long, value_name = "PATH", conflicts_with = "url")]
    pub nats_server: Option<PathBuf>,
    /// What the streams speak.
    #[command(flatten)]
    pub protocol: ProtocolArgs,
    /// How clients trust a running server, and what they tell it.
    #[command(flatten)]
    pub client: ClientArgs,
    /// Load a running gateway whose feed is the venue at --venue-listen.
    #[arg(long, value_name = "URL", requires = "venue_listen")]
    pub url: Option<String>,
    /// Load another server than tickfan, with this path for its streams. {symbols} stands for a stream's symbols joined
    /// by commas, {symbols:SEPARATOR} for another separator. Events are counted, and the latency of trades with
    /// `trade_ts` is measured; nothing is checked.
    #[arg(long, requires = "url")]
    pub path: Option<String>,
    /// The address on which the venue listens [default: any free port of loopback].
    #[arg(long, value_name = "ADDRESS")]
    pub venue_listen: Option<SocketAddr>,
    /// How long the load lasts [default: the scenario's duration].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Span>,
    /// Print the scenario with all its keys, their units, defaults and reasons, as the other arguments change it, and
    /// end.
    #[arg(long, conflicts_with = "find_limit")]
    pub print_scenario: bool,
    /// The search for a limit.
    #[command(flatten)]
    pub limit: LimitArgs,
    /// How a running server is measured.
    #[command(flatten)]
    pub watched: WatchedArgs,
    /// The output of results.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What the streams speak.
#[derive(Debug, clap::Args)]
pub struct ProtocolArgs {
    /// Let the scenario's gateway speak TLS, with a certificate that is made for the run.
    #[arg(long)]
    pub tls: bool,
    /// Speak HTTP/2 in all groups, over TLS.
    #[arg(long)]
    pub http2: bool,
    /// How many streams share a connection of HTTP/2.
    #[arg(long, value_name = "COUNT")]
    pub streams_per_connection: Option<usize>,
    /// Ask for ticks as patches in all groups.
    #[arg(long)]
    pub patch: bool,
    /// Ask in all groups for streams that are compressed with the gateway's dictionary, and decode them.
    #[arg(long)]
    pub compress: bool,
}

/// How clients trust a running server, and what they tell it.
#[derive(Debug, Default, clap::Args)]
pub struct ClientArgs {
    /// Trust the authorities in this PEM file, not the public ones.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub ca: Option<PathBuf>,
    /// Accept any certificate; the report warns of it.
    #[arg(long)]
    pub insecure: bool,
    /// Send a header with each request; may be repeated. Reports do not show it; the system's list of processes does.
    #[arg(long = "header", value_name = "'NAME: VALUE'")]
    pub headers: Vec<String>,
    /// Send a header whose value is another line of this file with each request: the streams take turns.
    #[arg(long = "header-file", value_name = "'NAME: FILE'")]
    pub header_files: Vec<String>,
}

/// How a running server is measured.
#[derive(Debug, clap::Args)]
pub struct WatchedArgs {
    /// The admin listener of a running tickfan, for its counters.
    #[arg(long, value_name = "ADDRESS")]
    pub admin: Option<SocketAddr>,
    /// The process of a server on this machine, for processor time and memory; includes its child processes.
    #[arg(long)]
    pub pid: Option<u32>,
}

/// `streams`.
#[derive(Debug, clap::Args)]
pub struct StreamsArgs {
    /// The server, such as http://127.0.0.1:8080 or https://prices.example.
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// The symbols that streams subscribe to, the most popular first.
    #[arg(long, value_delimiter = ',', required_unless_present = "path", conflicts_with = "path")]
    pub symbols: Vec<String>,
    /// Load another server than tickfan, with this path for all streams. Events are counted, and the latency of trades
    /// with `trade_ts` is measured; nothing is checked.
    #[arg(long)]
    pub path: Option<String>,
    /// Speak HTTP/2, which needs https.
    #[arg(long)]
    pub http2: bool,
    /// How many streams share a connection of HTTP/2.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub streams_per_connection: usize,
    /// How clients trust the server, and what they tell it.
    #[command(flatten)]
    pub client: ClientArgs,
    /// The number of streams.
    #[arg(long, default_value_t = 100)]
    pub count: u32,
    /// The number of symbols per stream.
    #[arg(long, default_value_t = 1, conflicts_with = "path")]
    pub each: usize,
    /// Choose symbols by Zipf: the first is twice as popular as the second.
    #[arg(long, conflicts_with = "path")]
    pub zipf: bool,
    /// Options of the stream, such as max_rate=4&on=trade.
    #[arg(long, default_value = "", conflicts_with = "path")]
    pub query: String,
    /// Ask for ticks as patches.
    #[arg(long, conflicts_with = "path")]
    pub patch: bool,
    /// Ask for streams that are compressed with the gateway's dictionary, and decode them.
    #[arg(long, conflicts_with = "path")]
    pub compress: bool,
    /// Read slowly, this many bytes per second.
    #[arg(long, value_name = "BYTES", conflicts_with = "never")]
    pub slow: Option<u32>,
    /// Stop reading once the stream is open.
    #[arg(long)]
    pub never: bool,
    /// The percentage of streams that leaves per minute and comes back.
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    pub churn: f64,
    /// Connects per second [default: all at once].
    #[arg(long, value_name = "RATE")]
    pub connect_rate: Option<f64>,
    /// How long the load lasts once all streams are open.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = duration)]
    pub duration: Span,
    /// The seed of the choice of symbols.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How a running server is measured.
    #[command(flatten)]
    pub watched: WatchedArgs,
    /// The output of results.
    #[command(flatten)]
    pub output: OutputArgs,
}

fn duration(argument: &str) -> Result<Span, String> {
    let duration: Span = argument.parse()?;
    check_duration(duration).map_err(|error| error.to_string())?;
    Ok(duration)
}

impl StreamsArgs {
    /// The streams as a group.
    pub fn group(&self) -> Group {
        let reads = match (self.slow, self.never) {
            (Some(bytes), _) => Reads::BytesPerSecond(bytes),
            (None, true) => Reads::Never,
            (None, false) => Reads::AtOnce,
        };
        let mut group = Group {
            name: "streams".to_owned(),
            count: self.count,
            symbols: self.each,
            popularity: if self.zipf { Popularity::Zipf } else { Popularity::Uniform },
            query: self.query.clone(),
            compress: self.compress,
            reads,
            churn: self.churn,
            protocol: if self.http2 { Protocol::Http2 } else { Protocol::Http1 },
            streams_per_connection: self.streams_per_connection,
            ..Group::default()
        };
        if self.patch {
            group.patch();
        }
        group
    }
}

impl ProtocolArgs {
    /// Changes a scenario's protocols as asked for.
    pub fn apply(&self, scenario: &mut Scenario) {
        scenario.tls |= self.tls;
        for group in &mut scenario.groups {
            if self.http2 {
                group.protocol = Protocol::Http2;
            }
            if self.patch {
                group.patch();
            }
            group.compress |= self.compress;
            if let Some(count) = self.streams_per_connection.filter(|_| group.beside.is_none()) {
                group.streams_per_connection = count;
            }
        }
    }
}

/// `venue`.
#[derive(Debug, clap::Args)]
pub struct VenueArgs {
    /// Its protocol.
    #[arg(long, default_value = "binance")]
    pub protocol: VenueProtocol,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:9100", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// The number of symbols.
    #[arg(long, default_value_t = 20)]
    pub symbols: usize,
    /// Updates per second of all symbols together.
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// Start at this rate and ramp up or down to --rate.
    #[arg(long, value_name = "RATE", requires = "over")]
    pub from: Option<f64>,
    /// The duration of the ramp.
    #[arg(long, value_name = "TIME")]
    pub over: Option<Span>,
    /// Send ten times the rate for one second in each period of this length, as when a market opens.
    #[arg(long, value_name = "TIME", conflicts_with = "from")]
    pub bursts: Option<Span>,
    /// Play a file of recorded messages instead.
    #[arg(long, value_name = "FILE")]
    pub recording: Option<PathBuf>,
    /// The speed of a recording, as a multiple of its own; 0: as fast as possible.
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// Start the recording over at its end.
    #[arg(long)]
    pub looped: bool,
    /// Schedule an outage, such as mute:10s:5s; may be repeated. break: reset connections and refuse new ones. mute:
    /// keep connections and answer pings, but send no data.
    #[arg(long = "outage", value_name = "KIND:AT:LASTS")]
    pub outages: Vec<Outage>,
    /// The seed of prices and of the order of symbols.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `floor`.
#[derive(Debug, clap::Args)]
pub struct FloorArgs {
    /// A shipped scenario, or the path of a scenario file; its load must be steady.
    pub scenario: String,
    /// The gateway's program [default: `tickfan` in the folder of this program].
    #[arg(long, value_name = "PATH")]
    pub gateway: Option<PathBuf>,
    /// What the gateway's streams speak; those of the bare loop speak HTTP/1.1 without TLS.
    #[command(flatten)]
    pub protocol: ProtocolArgs,
    /// How long the bare loop collects ticks before it sends them together.
    #[arg(long, default_value = "0s", value_name = "TIME")]
    pub flush_interval: Span,
    /// How long each of the two loads lasts [default: the scenario's duration].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Span>,
    /// The output of results.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `config`.
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    /// A shipped scenario, or the path of a scenario file.
    pub scenario: String,
    /// The URL of its venue.
    #[arg(long, default_value = "ws://127.0.0.1:9100", value_name = "URL")]
    pub venue: String,
    /// Write an authority (ca.pem) and a certificate from it (chain.pem, key.pem) into this folder, and configure TLS
    /// with it.
    #[arg(long, value_name = "FOLDER")]
    pub tls_folder: Option<PathBuf>,
    /// The address that the gateway listens on for TLS.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    pub tls_listen: SocketAddr,
    /// A name or an address for the certificate, beside those of this host; may be repeated.
    #[arg(long = "tls-name", value_name = "NAME")]
    pub tls_names: Vec<String>,
}
