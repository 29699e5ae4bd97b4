//! `venue`: runs the mock venue until a signal ends it, or until standard output is closed.

use crate::{
    cli::{Failure, args::VenueArgs},
    report::time,
    run::{Step, Steps, start_venue},
    scenario::{LoadSetup, Span, VenueSetup, check_venue},
    venue::Venue,
};
use std::{
    io::{self, Stdout, Write as _},
    time::{Duration, Instant},
};

/// How often it prints what it has sent.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// How many times the rate is during a burst, and how long one lasts.
const BURST_FACTOR: f64 = 10.0;
const BURST_LASTS: Span = Span(Duration::from_secs(1));

pub(super) fn execute(args: &VenueArgs) -> Result<u8, Failure> {
    let setup = VenueSetup {
        protocol: args.protocol,
        symbols: args.symbols,
        load: load(args),
        batch_interval: VenueSetup::batch_interval(),
        seed: args.seed,
    };
    check_venue(&setup).map_err(Failure::usage)?;
    let (venue, symbols) = start_venue(&setup, args.listen).map_err(Failure::usage)?;
    venue.begin_load();
    let mut out = io::stdout();
    writeln!(out, "venue at {}, symbols {}", venue.url(), symbols.join(","))?;
    let mut steps = Steps::of(&args.outages);
    let mut reporter = Reporter { begun: Instant::now(), reported_at: Duration::ZERO, updates: venue.sent().updates };
    loop {
        let next_report = reporter.reported_at + REPORT_INTERVAL;
        let next = steps.next().map_or(next_report, |step| step.min(next_report));
        std::thread::sleep(next.saturating_sub(reporter.begun.elapsed()));
        while let Some(step) = steps.take(reporter.begun.elapsed()) {
            if let Step::Command(command) = step {
                venue.command(command);
                writeln!(out, "{command}")?;
            }
        }
        reporter.report_if_due(&venue, &mut out)?;
    }
}

fn load(args: &VenueArgs) -> LoadSetup {
    if let Some(path) = &args.recording {
        let speed = (args.speed != 0.0).then_some(args.speed);
        return LoadSetup::Recording { path: path.clone(), speed, looped: args.looped };
    }
    if let Some((from, over)) = args.from.zip(args.over) {
        return LoadSetup::Ramp { from, to: args.rate, over };
    }
    match args.bursts {
        Some(every) => LoadSetup::Bursts { rate: args.rate, factor: BURST_FACTOR, every, lasts: BURST_LASTS },
        None => LoadSetup::Steady { rate: args.rate },
    }
}

struct Reporter {
    begun: Instant,
    reported_at: Duration,
    /// Up to the last report.
    updates: u64,
}

impl Reporter {
    fn report_if_due(&mut self, venue: &Venue, out: &mut Stdout) -> io::Result<()> {
        let elapsed = self.begun.elapsed();
        if elapsed < self.reported_at + REPORT_INTERVAL {
            return Ok(());
        }
        self.reported_at = elapsed;
        let sent = venue.sent();
        let rate = sent.updates - self.updates;
        self.updates = sent.updates;
        let latest = time(sent.latest.as_micros() as f64);
        writeln!(out, "{rate} updates/s, {} in all, at most {latest} late", sent.updates)
    }
}
