//! What is shown while a run lasts, and after it.

use super::{EXIT_CROSSED, EXIT_FAILED, EXIT_OK, args::OutputArgs};
use crate::{
    report::{Summary, page, text},
    run::RunProgress,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
    sync::atomic::Ordering,
    time::Instant,
};

/// Steps of the bar.
const STEPS: u64 = 1_000;

/// A bar on standard error, if that is a terminal.
pub(super) struct Bar {
    bar: ProgressBar,
    last: (Instant, u64),
    rate: f64,
}

impl Bar {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new(STEPS);
        let style = ProgressStyle::with_template("{elapsed_precise} {bar:30} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, last: (Instant::now(), 0), rate: 0.0 }
    }

    pub(super) fn show(&mut self, now: RunProgress<'_>) {
        let read = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let (streams, ticks) = (now.streams, read(&now.streams.ticks));
        let since = self.last.0.elapsed().as_secs_f64();
        if since >= 1.0 {
            self.rate = ticks.saturating_sub(self.last.1) as f64 / since;
            self.last = (Instant::now(), ticks);
        }
        self.bar.set_position((now.share * STEPS as f64) as u64);
        self.bar.set_message(format!(
            "{}: {} open, {ticks} ticks, {:.0}/s, {} violations",
            now.phase,
            read(&streams.open),
            self.rate,
            read(&streams.violations)
        ));
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Tries to open the report: an hour of load must not end with a file that cannot be written.
pub(super) fn check_report_file(output: &OutputArgs) -> io::Result<()> {
    let Some(path) = &output.html else { return Ok(()) };
    // What it held stays until there is something better.
    let opened = File::options().write(true).create(true).truncate(false).open(path);
    opened.map(drop).map_err(|error| of_report(path, &error))
}

fn of_report(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("--html {}: {error}", path.display()))
}

/// Tells the results; returns the exit code that they mean.
pub(super) fn write_results(summary: &Summary, output: &OutputArgs) -> io::Result<u8> {
    let told = if output.json {
        serde_json::to_string_pretty(summary).map_err(io::Error::other)? + "\n"
    } else {
        text(summary)
    };
    // The one that cannot be written must not cost the other.
    let printed = io::stdout().write_all(told.as_bytes());
    if let Some(path) = &output.html {
        std::fs::write(path, page(summary)).map_err(|error| of_report(path, &error))?;
    }
    printed?;
    Ok(match (summary.has_passed(), summary.stopped) {
        (false, _) => EXIT_CROSSED,
        // What was kept for a part of the time is not what was asked for.
        (true, true) => EXIT_FAILED,
        (true, false) => EXIT_OK,
    })
}
