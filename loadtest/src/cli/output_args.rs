//! The arguments about the results.

use crate::{
    measure::{Asked, Percent, TooManyPercentiles},
    scenario::Threshold,
};
use std::path::PathBuf;

/// The output of results.
#[derive(Debug, clap::Args)]
pub struct OutputArgs {
    /// Print the results as JSON.
    #[arg(long)]
    pub json: bool,
    /// Write a report with plots, as one self-contained HTML file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the verdicts on rules and thresholds as JUnit's XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Report these percentiles of all times beside p50, p90, p99 and p99.9, such as 75,99.99.
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    pub percentiles: Vec<Percent>,
    /// Add a threshold, such as latency_p99=50ms, latency_p99.9[GROUP]=1s; may be repeated. It replaces a threshold
    /// of the scenario on the same measure, or a default of `streams`, which are failed=0 and lost=0.
    #[arg(long = "threshold", value_name = "NAME=VALUE", value_parser = Threshold::from_argument)]
    pub thresholds: Vec<Threshold>,
}

impl OutputArgs {
    /// The percentiles to measure: those that are asked for, and those of thresholds.
    ///
    /// # Errors
    /// [`TooManyPercentiles`].
    pub fn asked(&self, thresholds: &[Threshold]) -> Result<Asked, TooManyPercentiles> {
        let mut asked = Asked::default();
        let of_thresholds = thresholds.iter().filter_map(Threshold::percent);
        self.percentiles.iter().copied().chain(of_thresholds).try_for_each(|percent| asked.add(percent))?;
        Ok(asked)
    }
}
