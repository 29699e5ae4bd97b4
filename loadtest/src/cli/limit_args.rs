//! The arguments of `compare` and of the search for a limit.

use crate::limit::{RUNS, Scaled};
use std::path::PathBuf;

/// The search for a limit.
#[derive(Debug, clap::Args)]
pub struct LimitArgs {
    /// Search for the highest rate, or the most streams, at which the thresholds still hold: runs the scenario again
    /// and again, each time with more or less.
    #[arg(long, value_name = "WHAT", conflicts_with = "html")]
    pub find_limit: Option<Scaled>,
    /// The most runs of the search.
    #[arg(long, default_value_t = 20, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(i64::from(*RUNS.start())..=i64::from(*RUNS.end())), requires = "find_limit")]
    pub limit_runs: u32,
    /// Stop when what holds and what fails are so many percent apart.
    #[arg(long, default_value_t = 5.0, value_name = "PERCENT", value_parser = percent, requires = "find_limit")]
    pub limit_precision: f64,
    /// The highest value to try [default: 10000000 updates per second, 1000000 streams].
    #[arg(long, value_name = "NUMBER", requires = "find_limit")]
    pub limit_max: Option<u32>,
}

/// `compare`.
#[derive(Debug, clap::Args)]
pub struct CompareArgs {
    /// The report to compare with, as --json printed it.
    pub a: PathBuf,
    /// The report that is compared.
    pub b: PathBuf,
    /// More pairs of the same load, A and B in turn: then the verdict is what all pairs agree on, and the ratio their
    /// middle one.
    #[arg(value_name = "A B")]
    pub more: Vec<PathBuf>,
    /// By how many percent a figure may differ and count as the same. Runs of the same program on a quiet machine
    /// differ by some percent, their 99th percentiles by more.
    #[arg(long, default_value_t = 10.0, value_name = "PERCENT", value_parser = percent)]
    pub tolerance: f64,
    /// Compare only these figures, such as latency_p99,cpu_per_tick.
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    pub only: Vec<String>,
    /// Print the comparison as JSON.
    #[arg(long)]
    pub json: bool,
    /// Write the verdicts as JUnit's XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

fn percent(argument: &str) -> Result<f64, String> {
    let percent = argument.parse().ok().filter(|percent| (0.0..=1_000.0).contains(percent));
    percent.ok_or_else(|| format!("`{argument}` is not a percentage from 0 to 1000"))
}
