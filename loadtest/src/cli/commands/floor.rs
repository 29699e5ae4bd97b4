//! `floor`: runs a scenario, then the same streams against the bare loop, and compares the two.

use crate::{
    cli::{
        Failure,
        args::FloorArgs,
        output::{check_report_file, write_results},
        scenario::{
            Request, gateway_program, load_own_gateway, load_scenario, provenance, run_with_progress, stream_setup,
        },
        server::Target,
    },
    measure::Asked,
    report::{FloorSummary, Summary},
    run::{Floor, FloorSetup, Run, Server, Stop},
    scenario::{Scenario, symbol_names},
    streams::{Group, Setup, need_descriptors},
};
use std::time::Duration;

pub(super) fn execute(args: &FloorArgs) -> Result<u8, Failure> {
    check_report_file(&args.output).map_err(Failure::usage)?;
    let (scenario, thresholds) = load_scenario(&args.scenario, args.duration, &args.protocol, &args.output)?;
    let rate = Floor::rate(&scenario).map_err(|what| Failure::usage(format!("floor {}: {what}", args.scenario)))?;
    need_descriptors(scenario.streams() * 2)?;
    let stop = Stop::on_signals()?;
    let percentiles = args.output.asked(&thresholds).map_err(Failure::usage)?;
    let request = Request {
        name: &args.scenario,
        scenario: &scenario,
        thresholds: &[],
        percentiles,
        provenance: &provenance(&scenario),
        venue_listen: None,
        headers: Vec::new(),
        stop: &stop,
    };
    let mut summary = load_own_gateway(&request, &gateway_program(args.gateway.as_ref()))?;
    if summary.stopped {
        summary.apply_thresholds(&thresholds);
        return Ok(write_results(&summary, &args.output)?);
    }
    let floor = load_floor(&plain(scenario), rate, args.flush_interval.0, percentiles, stop)?;
    add_floor(&mut summary, floor);
    summary.apply_thresholds(&thresholds);
    Ok(write_results(&summary, &args.output)?)
}

/// The same streams without TLS and compression, each on a connection of its own.
fn plain(mut scenario: Scenario) -> Scenario {
    for group in &mut scenario.groups {
        let Group { protocol, compress, streams_per_connection, beside, windows, .. } = Group::default();
        *group = Group { protocol, compress, streams_per_connection, beside, windows, ..group.clone() };
    }
    Scenario { tls: false, ..scenario }
}

/// Loads the bare loop with the scenario's streams.
fn load_floor(
    scenario: &Scenario,
    rate: f64,
    flush_interval: Duration,
    percentiles: Asked,
    stop: Stop,
) -> Result<FloorSummary, Failure> {
    let symbols = symbol_names(scenario.venue.symbols, scenario.venue.protocol);
    let floor = Floor::start(FloorSetup {
        streams: scenario.streams() as usize,
        symbols: symbols.clone(),
        seed: scenario.venue.seed,
        rate,
        flush_interval,
    })?;
    let read = run_with_progress(&Run {
        name: "floor",
        about: "a bare loop of sends to the same streams",
        streams: Setup { percentiles, ..stream_setup(scenario, symbols, Target::plain(floor.address)) },
        duration: scenario.duration.0,
        outages: &[],
        server: Server::default(),
        cluster: None,
        venue: None,
        thresholds: &[],
        stop,
    })?;
    Ok(FloorSummary {
        latency: read.latency.or(read.age),
        failed: read.streams.failed,
        lost: read.streams.lost,
        violations: read.violations,
        ..floor.finish()?
    })
}

fn add_floor(summary: &mut Summary, floor: FloorSummary) {
    let gateway = summary.gateway.as_ref().and_then(|gateway| gateway.cpu_micros_per_tick);
    summary.cpu_to_floor = gateway.zip(floor.cpu_micros_per_tick).map(|(gateway, floor)| gateway / floor);
    if floor.cut > 0 {
        summary.warnings.push(format!("the bare loop dropped {} streams that were too slow for it", floor.cut));
    }
    summary.floor = Some(floor);
}
