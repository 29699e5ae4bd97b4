//! The progress bar of a run, and the output of its results.

use super::{EXIT_CROSSED, EXIT_FAILED, EXIT_INCONCLUSIVE, EXIT_OK, output_args::OutputArgs};
use crate::{
    report::{Case, CaseResult, Outcome, Provenance, Summary, Whole, junit, page, text},
    run::RunProgress,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs::File,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::{Instant, SystemTime},
};

/// The resolution of the bar.
const STEPS: u64 = 1_000;

/// A progress bar on standard error, if that is a terminal.
pub(super) struct Bar {
    bar: ProgressBar,
    /// When the rate was last measured, and the ticks up to then.
    measured: (Instant, u64),
    ticks_per_second: f64,
}

impl Bar {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new(STEPS);
        let style = ProgressStyle::with_template("{elapsed_precise} {bar:30} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, measured: (Instant::now(), 0), ticks_per_second: 0.0 }
    }

    pub(super) fn show(&mut self, run: RunProgress<'_>) {
        let ticks = run.streams.ticks.load(Ordering::Relaxed);
        let open = run.streams.open.load(Ordering::Relaxed);
        let violations = run.streams.violations.load(Ordering::Relaxed);
        let (measured_at, ticks_before) = self.measured;
        let seconds = measured_at.elapsed().as_secs_f64();
        if seconds >= 1.0 {
            self.ticks_per_second = ticks.saturating_sub(ticks_before) as f64 / seconds;
            self.measured = (Instant::now(), ticks);
        }
        self.bar.set_position((run.share * STEPS as f64) as u64);
        self.bar.set_message(format!(
            "{}: {open} open, {ticks} ticks, {:.0}/s, {violations} violations",
            run.phase, self.ticks_per_second
        ));
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Opens the report's file, so that an hour of load does not end with a file that cannot be written. The verdicts of an
/// earlier run do not stay, whatever happens to this one.
pub(super) fn check_report_file(output: &OutputArgs) -> io::Result<()> {
    for (option, path) in [("--html", &output.html), ("--junit", &output.junit)] {
        let Some(path) = path else { continue };
        // Its content stays until the new report replaces it.
        let opened = File::options().write(true).create(true).truncate(false).open(path);
        opened.map(drop).map_err(|error| report_error(option, path, &error))?;
    }
    write_failed(output.junit.as_ref(), "the run has not come to its end")
}

fn report_error(option: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{option} {}: {error}", path.display()))
}

/// Writes cases as JUnit's XML, if a file is asked for.
pub(super) fn write_junit(
    path: Option<&PathBuf>,
    suite: &str,
    seconds: f64,
    origin: Option<&Provenance>,
    cases: &[Case],
) -> io::Result<()> {
    let Some(path) = path else { return Ok(()) };
    let properties = origin.map_or(Vec::new(), Provenance::properties);
    let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    std::fs::write(path, junit(suite, &date, seconds, &properties, cases))
        .map_err(|error| report_error("--junit", path, &error))
}

/// Writes that nothing was judged as JUnit's XML, and why, if a file is asked for.
pub(super) fn write_failed(path: Option<&PathBuf>, why: &str) -> io::Result<()> {
    let case = Case { class: "run", name: "run".to_owned(), result: CaseResult::Error(why.to_owned()) };
    write_junit(path, "tickfan-loadtest", 0.0, None, &[case])
}

/// A report on a terminal is read once; what goes to a file is kept.
pub(super) fn whole() -> Whole {
    if io::stdout().is_terminal() { Whole::No } else { Whole::Yes }
}

/// The exit code for an outcome.
pub(super) fn exit_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Failed => EXIT_CROSSED,
        Outcome::Inconclusive => EXIT_INCONCLUSIVE,
        // The thresholds were met for only a part of the time.
        Outcome::Stopped => EXIT_FAILED,
        Outcome::Passed | Outcome::NotJudged => EXIT_OK,
    }
}

/// Prints the results and writes the report; returns the exit code.
pub(super) fn write_results(summary: &Summary, output: &OutputArgs) -> io::Result<u8> {
    let results = if output.json {
        serde_json::to_string_pretty(summary).map_err(io::Error::other)? + "\n"
    } else {
        text(summary, whole())
    };
    // If one output fails, the other is still written.
    let printed = io::stdout().write_all(results.as_bytes());
    if let Some(path) = &output.html {
        std::fs::write(path, page(summary)).map_err(|error| report_error("--html", path, &error))?;
    }
    write_junit(
        output.junit.as_ref(),
        &summary.name,
        summary.seconds_measured,
        summary.provenance.as_ref(),
        &summary.cases(),
    )?;
    printed?;
    Ok(exit_code(summary.outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_an_exit_code() {
        let outcomes = [Outcome::Passed, Outcome::NotJudged, Outcome::Stopped, Outcome::Inconclusive, Outcome::Failed];
        assert_eq!(outcomes.map(exit_code), [0, 0, 1, 98, 99]);
    }
}
