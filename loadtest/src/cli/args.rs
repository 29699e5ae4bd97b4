//! What can be asked for.

use crate::{
    scenario::{Outage, Span, Threshold, VenueProtocol, check_duration},
    streams::{Group, Popularity, Reads},
};
use clap::{Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf};

const AFTER_HELP: &str = "Exit codes: 0 all kept, 99 a threshold crossed or a rule broken, 64 a wrong argument or scenario, \
1 anything else.\nScenarios: smoke, hot-symbol, watchlists, many-symbols, slow-consumers, overload, storm, churn, soak, \
opening-bell, outages, light, idle, shared-rounds, ingest, stalled, or a file.";

/// Loads a tickfan gateway, or any server of Server-Sent Events, and tells what its clients get.
#[derive(Debug, Parser)]
#[command(name = "tickfan-loadtest", version, after_help = AFTER_HELP)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a scenario: venue, gateway and streams together.
    Run(RunArgs),
    /// Open streams to a server that runs.
    Streams(StreamsArgs),
    /// Run a venue until it is stopped.
    Venue(VenueArgs),
    /// Run a scenario, then a bare loop that sends as much to the same streams, and compare the two.
    Floor(FloorArgs),
    /// Print the configuration of a scenario's gateway, to run it elsewhere.
    Config(ConfigArgs),
}

/// How results are told.
#[derive(Debug, clap::Args)]
pub struct OutputArgs {
    /// Print the results as JSON.
    #[arg(long)]
    pub json: bool,
    /// Write a report with plots, one file that needs nothing else.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// What must be kept to, beside the scenario's own, or, of `streams`, beside failed=0 and lost=0; repeat it for more. It
    /// replaces theirs on the same measure.
    #[arg(long = "threshold", value_name = "NAME=VALUE", value_parser = Threshold::from_argument)]
    pub thresholds: Vec<Threshold>,
}

/// `run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// A shipped scenario, or the path of a file.
    pub scenario: String,
    /// The gateway's program; without it `tickfan` beside this one.
    #[arg(long, value_name = "PATH", conflicts_with = "url")]
    pub gateway: Option<PathBuf>,
    /// A gateway that runs already, whose feed is the venue at --venue-listen.
    #[arg(long, value_name = "URL", requires = "venue_listen")]
    pub url: Option<String>,
    /// That one is no tickfan: the path that streams ask for, in which {symbols} stands for a stream's list. Events are counted
    /// and trades that write_results `trade_ts` are measured; nothing is judged.
    #[arg(long, requires = "url")]
    pub path: Option<String>,
    /// Where the venue listens.
    #[arg(long, value_name = "ADDRESS")]
    pub venue_listen: Option<SocketAddr>,
    /// How long the load lasts, instead of the scenario's time.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Span>,
    /// Where and what the gateway tells of itself.
    #[command(flatten)]
    pub watched: WatchedArgs,
    /// How results are told.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Where a server is watched.
#[derive(Debug, clap::Args)]
pub struct WatchedArgs {
    /// The admin listener of a gateway that runs already.
    #[arg(long, value_name = "ADDRESS")]
    pub admin: Option<SocketAddr>,
    /// The process of a server that runs on this machine; its children are counted with it.
    #[arg(long)]
    pub pid: Option<u32>,
}

/// `streams`.
#[derive(Debug, clap::Args)]
pub struct StreamsArgs {
    /// The server, such as http://127.0.0.1:8080.
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// The symbols that streams ask for, the most popular first.
    #[arg(long, value_delimiter = ',', required_unless_present = "path", conflicts_with = "path")]
    pub symbols: Vec<String>,
    /// Of a server that is no tickfan: the path that all streams ask for. Events are counted, trades that write_results `trade_ts`
    /// are measured; nothing is judged.
    #[arg(long)]
    pub path: Option<String>,
    /// How many streams.
    #[arg(long, default_value_t = 100)]
    pub count: u32,
    /// How many symbols each stream asks for.
    #[arg(long, default_value_t = 1)]
    pub each: usize,
    /// By Zipf: the first symbol is asked for twice as often as the second.
    #[arg(long)]
    pub zipf: bool,
    /// Options of the wire, such as max_rate=4&on=trade.
    #[arg(long, default_value = "")]
    pub query: String,
    /// Read so many bytes a second.
    #[arg(long, value_name = "BYTES", conflicts_with = "never")]
    pub slow: Option<u32>,
    /// Read nothing once the stream is open.
    #[arg(long)]
    pub never: bool,
    /// How many percent of the streams leave each minute, and come back.
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    pub churn: f64,
    /// How many streams connect a second; without it all at once.
    #[arg(long, value_name = "RATE")]
    pub connect_rate: Option<f64>,
    /// How long, once all streams are there.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = duration)]
    pub duration: Span,
    /// Decides who asks for what.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where and what the server tells of itself.
    #[command(flatten)]
    pub watched: WatchedArgs,
    /// How results are told.
    #[command(flatten)]
    pub output: OutputArgs,
}

fn duration(text: &str) -> Result<Span, String> {
    let duration: Span = text.parse()?;
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
        Group {
            name: "streams".to_owned(),
            count: self.count,
            symbols: self.each,
            popularity: if self.zipf { Popularity::Zipf } else { Popularity::Uniform },
            query: self.query.clone(),
            reads,
            churn: self.churn,
        }
    }
}

/// `venue`.
#[derive(Debug, clap::Args)]
pub struct VenueArgs {
    /// What it speaks.
    #[arg(long, default_value = "binance")]
    pub protocol: VenueProtocol,
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:9100", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// How many symbols it has.
    #[arg(long, default_value_t = 20)]
    pub symbols: usize,
    /// Updates a second, of all symbols together.
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// Reach that rate from this one.
    #[arg(long, value_name = "RATE", requires = "over")]
    pub from: Option<f64>,
    /// How long that takes.
    #[arg(long, value_name = "TIME")]
    pub over: Option<Span>,
    /// Ten times the rate for one second in each such time, as when a market opens.
    #[arg(long, value_name = "TIME", conflicts_with = "from")]
    pub bursts: Option<Span>,
    /// Play recorded messages instead.
    #[arg(long, value_name = "FILE")]
    pub recording: Option<PathBuf>,
    /// How many times its own speed a recording is played; 0: as fast as can be.
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// Begin the recording again at its end.
    #[arg(long)]
    pub looped: bool,
    /// What happens, when since its start, and for how long, such as mute:10s:5s; repeat it for more. break: connections are
    /// reset, and none is taken meanwhile; mute: they stay, and pings are answered, but no data come.
    #[arg(long = "outage", value_name = "KIND:AT:LASTS")]
    pub outages: Vec<Outage>,
    /// Decides prices and which symbol is next.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `floor`.
#[derive(Debug, clap::Args)]
pub struct FloorArgs {
    /// A shipped scenario, or the path of a file; its load must be steady.
    pub scenario: String,
    /// The gateway's program; without it `tickfan` beside this one.
    #[arg(long, value_name = "PATH")]
    pub gateway: Option<PathBuf>,
    /// How long the bare loop gathers ticks before it sends them together.
    #[arg(long, default_value = "0s", value_name = "TIME")]
    pub flush_interval: Span,
    /// How long each of the two lasts, instead of the scenario's time.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Span>,
    /// How results are told.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `config`.
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    /// A shipped scenario, or the path of a file.
    pub scenario: String,
    /// Where its venue will be.
    #[arg(long, default_value = "ws://127.0.0.1:9100", value_name = "URL")]
    pub venue: String,
}
