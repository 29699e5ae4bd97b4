//! Runs a scenario's load, behind a progress bar.

use super::{
    Failure,
    args::ProtocolArgs,
    origin,
    output::Bar,
    output_args::OutputArgs,
    server::{self, Target},
    server_program::ServerProgram,
};
use crate::{
    measure::{Asked, Process},
    report::{Provenance, Summary},
    run::{Cluster, Gateway, Run, Server, Stop, TlsFolder, gateway_config, run, start_venue},
    scenario::{self, ClusterSetup, Scenario, Span, Threshold, check_length, check_measurable, check_streams},
    streams::{Header, Setup, Wire},
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The variable that names the program of the brokers.
const BROKER_VARIABLE: &str = "NATS_SERVER";

/// A scenario as a command line asks for it.
#[derive(Clone)]
pub(super) struct Request<'a> {
    /// The scenario's name in the report.
    pub(super) name: &'a str,
    pub(super) scenario: &'a Scenario,
    pub(super) thresholds: &'a [Threshold],
    /// The percentiles that are reported beside the usual ones.
    pub(super) percentiles: Asked,
    /// Where its report comes from.
    pub(super) provenance: &'a Provenance,
    /// Where the venue listens; `None`: any free port.
    pub(super) venue_listen: Option<SocketAddr>,
    /// What clients tell the gateway with each request.
    pub(super) headers: Vec<Header>,
    pub(super) stop: &'a Stop,
}

impl Request<'_> {
    /// Where the venue listens.
    pub(super) fn venue_address(&self) -> SocketAddr {
        self.venue_listen.unwrap_or_else(server::free_port)
    }
}

/// A scenario with its thresholds, changed as the command line asks for.
pub(super) fn load_scenario(
    name: &str,
    duration: Option<Span>,
    protocol: &ProtocolArgs,
    output: &OutputArgs,
) -> Result<(Scenario, Vec<Threshold>), Failure> {
    let (mut scenario, thresholds) = scenario::load(name).map_err(Failure::usage)?;
    scenario.duration = duration.unwrap_or(scenario.duration);
    protocol.apply(&mut scenario);
    check_streams(&scenario.groups, scenario.venue.symbols, scenario.connect_rate).map_err(Failure::usage)?;
    check_length(&scenario).map_err(Failure::usage)?;
    let thresholds = merged_thresholds(thresholds, &output.thresholds);
    let names = scenario.groups.iter().map(|group| group.name.as_str());
    thresholds.iter().try_for_each(|threshold| threshold.check_group(names.clone())).map_err(Failure::usage)?;
    let is_cluster = scenario.cluster.is_some();
    let check = |threshold| check_measurable(threshold, &scenario.groups, is_cluster);
    thresholds.iter().try_for_each(check).map_err(Failure::usage)?;
    scenario.thresholds =
        thresholds.iter().map(|threshold| (threshold.name().to_owned(), threshold.to_toml())).collect();
    Ok((scenario, thresholds))
}

/// Where the report of a scenario comes from.
pub(super) fn provenance(scenario: &Scenario) -> Provenance {
    origin::of_scenario(scenario)
}

/// Starts a gateway for the scenario, loads it and stops it.
pub(super) fn load_own_gateway(request: &Request<'_>, program: &Path) -> Result<Summary, Failure> {
    let scenario = request.scenario;
    let (venue, symbols) = start_venue(&scenario.venue, request.venue_address()).map_err(Failure::usage)?;
    let folder = scenario.uses_tls().then(TlsFolder::create).transpose()?;
    let files = folder.as_ref().map(|folder| &folder.files);
    let gateway = Gateway::start(program, &gateway_config(scenario, &symbols, &venue.url(), files))?;
    let mut target = Target { headers: request.headers.clone(), ..Target::plain(gateway.address) };
    if let Some(folder) = &folder {
        target.address = gateway.tls_address()?;
        target.host = format!("localhost:{}", target.address.port());
        target.tls = Some(folder.clients()?);
    }
    let streams =
        Setup { history: venue.history(), percentiles: request.percentiles, ..stream_setup(scenario, symbols, target) };
    let mut summary = run_with_progress(&Run {
        name: request.name,
        about: &scenario.about,
        streams,
        duration: scenario.duration.0,
        outages: &scenario.outages,
        server: Server { process: Some(Process::new(gateway.pid())?), admin: Some(gateway.admin) },
        cluster: None,
        venue: Some(&venue),
        thresholds: request.thresholds,
        stop: request.stop.clone(),
    })?;
    let server = ServerProgram::own(program, &gateway.admin);
    if !gateway.stop() {
        summary.warnings.push("the gateway did not shut down cleanly".to_owned());
    }
    server.add_to(&mut summary, request.provenance);
    Ok(summary)
}

/// Starts a cluster for the scenario, loads it while its gateways are restarted, and stops it.
pub(super) fn load_own_cluster(
    request: &Request<'_>,
    setup: ClusterSetup,
    nats: &Path,
    program: &Path,
) -> Result<Summary, Failure> {
    let scenario = request.scenario;
    if scenario.uses_tls() {
        return Err(Failure::usage("the gateways of a cluster are loaded without TLS"));
    }
    let (venue, symbols) = start_venue(&scenario.venue, request.venue_address()).map_err(Failure::usage)?;
    let cluster = Cluster::start(setup, nats, program, &gateway_config(scenario, &symbols, &venue.url(), None))?;
    let addresses = cluster.addresses();
    let target = Target { headers: request.headers.clone(), ..Target::plain(addresses[0]) };
    let streams = Setup {
        targets: addresses,
        history: venue.history(),
        percentiles: request.percentiles,
        ..stream_setup(scenario, symbols, target)
    };
    let mut summary = run_with_progress(&Run {
        name: request.name,
        about: &scenario.about,
        streams,
        duration: scenario.duration.0,
        outages: &scenario.outages,
        server: Server::default(),
        cluster: Some(&cluster),
        venue: Some(&venue),
        thresholds: request.thresholds,
        stop: request.stop.clone(),
    })?;
    let server = ServerProgram::own(program, &cluster.admin());
    if !cluster.stop() {
        summary.warnings.push("a gateway did not shut down cleanly".to_owned());
    }
    let mut provenance = request.provenance.clone();
    origin::add_file(&mut provenance.files, nats);
    server.add_to(&mut summary, &provenance);
    Ok(summary)
}

/// The program of the brokers, which the command line or the environment names.
pub(super) fn broker_program(named: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    let of_environment = || std::env::var_os(BROKER_VARIABLE).map(PathBuf::from);
    named.cloned().or_else(of_environment).ok_or_else(|| {
        Failure::usage(format!(
            "this scenario starts brokers: give the path of nats-server with --nats-server, or in {BROKER_VARIABLE}; it is one \
             file, from https://github.com/nats-io/nats-server/releases"
        ))
    })
}

/// The streams of a scenario against a server.
pub(super) fn stream_setup(scenario: &Scenario, symbols: Vec<String>, target: Target) -> Setup {
    Setup {
        targets: vec![target.address],
        host: target.host,
        tls: target.tls,
        headers: target.headers,
        wire: Wire::Tickfan,
        symbols,
        groups: scenario.groups.clone(),
        connect_rate: scenario.connect_rate,
        answer_max: Setup::ANSWER_MAX,
        old_after: scenario.old_after.0,
        percentiles: Asked::default(),
        seed: scenario.venue.seed,
        history: None,
    }
}

/// Runs a load and shows its progress.
pub(super) fn run_with_progress(load: &Run<'_>) -> Result<Summary, Failure> {
    let mut bar = Bar::new();
    let summary = run(load, &mut |progress| bar.show(progress));
    bar.clear();
    Ok(summary?)
}

/// The thresholds of a scenario with those of the command line, which replace a scenario's on the same measure.
pub(super) fn merged_thresholds(mut thresholds: Vec<Threshold>, own: &[Threshold]) -> Vec<Threshold> {
    thresholds.retain(|threshold| own.iter().all(|own| own.name() != threshold.name()));
    thresholds.extend_from_slice(own);
    thresholds
}

/// The gateway's program that a command line names, or the one beside this program.
pub(super) fn gateway_program(named: Option<&PathBuf>) -> PathBuf {
    named.cloned().unwrap_or_else(server::sibling_gateway)
}
