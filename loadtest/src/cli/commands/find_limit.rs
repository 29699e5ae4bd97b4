//! `run --find-limit`: searches for the highest rate, or the most streams, at which the thresholds still hold.

use super::load::load;
use crate::{
    cli::{
        Failure,
        args::RunArgs,
        output::{exit_code, whole, write_junit},
        scenario::Request,
    },
    limit::{Found, Probe, Scaled, Search, Step, raised_limits, scaled},
    scenario::Threshold,
};
use std::{
    io::{self, Write as _},
    time::Instant,
};

pub(super) fn execute(args: &RunArgs, what: Scaled, request: &Request<'_>) -> Result<u8, Failure> {
    let begun = Instant::now();
    // A smaller load reads fewer ticks and opens fewer streams, which says nothing about the server.
    let (left_out, thresholds): (Vec<Threshold>, Vec<Threshold>) =
        request.thresholds.iter().cloned().partition(Threshold::is_at_least);
    let mut search = search(args, what, request, &thresholds)?;
    let mut probes = Vec::new();
    let mut provenance = None;
    let (mut raised, mut highest) = (Vec::new(), 0.0);
    let stopped_by = loop {
        let value = match search.step() {
            Step::Try(value) => value,
            Step::Done(stopped) => break stopped.shown().to_owned(),
        };
        let scenario = scaled(request.scenario, what, value);
        let summary = match load(args, &Request { scenario: &scenario, thresholds: &thresholds, ..request.clone() }) {
            Ok(summary) => summary,
            // A server that opens not one stream does not hold.
            Err(failure) if failure.is_of_server() => {
                let probe = Probe::no_stream(value, failure.to_string());
                writeln!(io::stderr(), "{value} {}: {}", what.name(), probe.why)?;
                search.note(probe.held());
                probes.push(probe);
                continue;
            }
            // What the machine does not allow ends the search, with what was found until then.
            Err(failure) if !probes.is_empty() => break format!("the run at {value} failed: {failure}"),
            Err(failure) => return Err(failure),
        };
        if summary.stopped {
            break "a signal".to_owned();
        }
        let probe = Probe::new(value, &summary);
        writeln!(io::stderr(), "{value} {}: {}", what.name(), probe.outcome.shown())?;
        search.note(probe.held());
        probes.push(probe);
        if let Some(last) = summary.provenance {
            provenance = Some(last);
        }
        let now = raised_limits(request.scenario, &scenario);
        if now.len() >= raised.len() && value >= highest {
            (raised, highest) = (now, value);
        }
    };
    let found = Found {
        name: request.name.to_owned(),
        // The scenario as it was given, not as the last run had it.
        provenance: provenance
            .map(|last| crate::report::Provenance { server: last.server, ..request.provenance.clone() }),
        of: what.name(),
        holds: search.holds(),
        fails: search.fails(),
        stopped_by,
        probes,
        wavered: search.wavered().to_vec(),
        raised,
        left_out: left_out.iter().map(|threshold| threshold.name().to_owned()).collect(),
    };
    let printed = if args.output.json { serde_json::to_string_pretty(&found)? + "\n" } else { found.text(whole()) };
    io::stdout().write_all(printed.as_bytes())?;
    write_junit(
        args.output.junit.as_ref(),
        &found.name,
        begun.elapsed().as_secs_f64(),
        found.provenance.as_ref(),
        &found.cases(),
    )?;
    Ok(exit_code(found.outcome()))
}

/// The search that the arguments ask for.
fn search(args: &RunArgs, what: Scaled, request: &Request<'_>, thresholds: &[Threshold]) -> Result<Search, Failure> {
    let refused = |why| Failure::usage(format!("--find-limit of {}: {why}", args.scenario));
    let begin = what.of(request.scenario).map_err(&refused)?;
    if thresholds.is_empty() {
        return Err(refused(
            "it needs a threshold that a higher load crosses, such as --threshold latency_p99=50ms".to_owned(),
        ));
    }
    if args.path.is_some() && !thresholds.iter().any(Threshold::is_of_any_server) {
        return Err(refused("another server (--path) has none of what its thresholds are on".to_owned()));
    }
    let max = args.limit.limit_max.map_or(what.max(), f64::from).min(what.max());
    let min = what.min(request.scenario);
    if max < min {
        return Err(refused(format!("--limit-max is {max}: it must be {min} or more")));
    }
    Ok(Search::new(begin, min..=max, args.limit.limit_precision / 100.0, args.limit.limit_runs))
}
