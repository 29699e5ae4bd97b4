//! Loads a scenario once: a gateway of its own, a cluster, or a running server that reads its venue.

use crate::{
    cli::{
        Failure,
        args::RunArgs,
        scenario::{
            Request, broker_program, gateway_program, load_own_cluster, load_own_gateway, run_with_progress,
            stream_setup,
        },
        server::{Target, watched_server, wire},
        server_program::{ServerProgram, program_of},
    },
    measure::Admin,
    report::Summary,
    run::{Run, start_venue},
    streams::{Setup, need_descriptors, probe},
};

/// Loads the server that the arguments name, or one that is started for it.
pub(super) fn load(args: &RunArgs, request: &Request<'_>) -> Result<Summary, Failure> {
    need_descriptors(request.scenario.connections())?;
    match (&args.url, request.scenario.cluster) {
        (None, None) => load_own_gateway(request, &gateway_program(args.gateway.as_ref())),
        (None, Some(setup)) => {
            let nats = broker_program(args.nats_server.as_ref())?;
            load_own_cluster(request, setup, &nats, &gateway_program(args.gateway.as_ref()))
        }
        (Some(url), None) => load_running_server(url, args, request),
        (Some(_), Some(_)) => Err(Failure::usage("a scenario with a cluster starts its own gateways: leave out --url")),
    }
}

fn load_running_server(url: &str, args: &RunArgs, request: &Request<'_>) -> Result<Summary, Failure> {
    let scenario = request.scenario;
    let target = Target::of_url(url, &args.client, &scenario.groups)?;
    let (venue, symbols) = start_venue(&scenario.venue, request.venue_address()).map_err(Failure::usage)?;
    let streams = Setup {
        wire: wire(args.path.as_ref()),
        percentiles: request.percentiles,
        ..stream_setup(scenario, symbols, target)
    };
    probe(&streams)?;
    let mut summary = run_with_progress(&Run {
        name: request.name,
        about: &scenario.about,
        streams,
        duration: scenario.duration.0,
        outages: &scenario.outages,
        server: watched_server(&args.watched)?,
        cluster: None,
        venue: Some(&venue),
        thresholds: request.thresholds,
        stop: request.stop.clone(),
    })?;
    let program = program_of(args.watched.pid);
    let server = ServerProgram::running(url, program.as_deref(), args.watched.admin.map(Admin::new).as_ref());
    if !server.has_config() && args.path.is_none() {
        summary.warnings.push("the gateway's configuration is not known; --admin tells it".to_owned());
    }
    server.add_to(&mut summary, request.provenance);
    Ok(summary)
}
