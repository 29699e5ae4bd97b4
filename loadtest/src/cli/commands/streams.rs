//! `streams`: opens streams to any running server.

use crate::{
    cli::{
        Failure,
        args::StreamsArgs,
        origin,
        output::{check_report_file, write_results},
        scenario::{merged_thresholds, run_with_progress},
        server::{Target, watched_server, wire},
        server_program::{ServerProgram, program_of},
    },
    measure::Admin,
    run::{Run, Stop},
    scenario::{Scenario, Threshold, check_measurable, check_streams},
    streams::{Setup, need_descriptors, probe},
};

/// The default thresholds, so that a server that crashes is not a success.
const THRESHOLDS: [&str; 2] = ["failed=0", "lost=0"];

pub(super) fn execute(args: &StreamsArgs) -> Result<u8, Failure> {
    check_report_file(&args.output).map_err(Failure::usage)?;
    let groups = vec![args.group()];
    let target = Target::of_url(&args.url, &args.client, &groups)?;
    check_streams(&groups, args.symbols.len().max(1), args.connect_rate).map_err(Failure::usage)?;
    let defaults: Result<_, _> = THRESHOLDS.into_iter().map(Threshold::from_argument).collect();
    let thresholds = merged_thresholds(defaults?, &args.output.thresholds);
    let names = groups.iter().map(|group| group.name.as_str());
    thresholds.iter().try_for_each(|threshold| threshold.check_group(names.clone())).map_err(Failure::usage)?;
    let check = |threshold| check_measurable(threshold, &groups, false);
    thresholds.iter().try_for_each(check).map_err(Failure::usage)?;
    let provenance = origin::of_load(&load(args, &thresholds));
    need_descriptors(u64::from(args.count).div_ceil(args.streams_per_connection as u64))?;
    let streams = Setup {
        targets: vec![target.address],
        host: target.host,
        tls: target.tls,
        headers: target.headers,
        wire: wire(args.path.as_ref()),
        symbols: args.symbols.clone(),
        groups,
        connect_rate: args.connect_rate,
        answer_max: Setup::ANSWER_MAX,
        old_after: Scenario::old_after().0,
        percentiles: args.output.asked(&thresholds).map_err(Failure::usage)?,
        seed: args.seed,
        history: None,
    };
    probe(&streams)?;
    let mut summary = run_with_progress(&Run {
        name: "streams",
        about: &args.url,
        streams,
        duration: args.duration.0,
        outages: &[],
        server: watched_server(&args.watched)?,
        cluster: None,
        venue: None,
        thresholds: &thresholds,
        stop: Stop::on_signals()?,
    })?;
    let program = program_of(args.watched.pid);
    let server = ServerProgram::running(&args.url, program.as_deref(), args.watched.admin.map(Admin::new).as_ref());
    if !server.has_config() && args.path.is_none() {
        summary.warnings.push("the gateway's configuration is not known; --admin tells it".to_owned());
    }
    server.add_to(&mut summary, &provenance);
    Ok(write_results(&summary, &args.output)?)
}

/// The whole load as TOML.
fn load(args: &StreamsArgs, thresholds: &[Threshold]) -> toml::Table {
    let mut load = toml::Table::new();
    let mut set = |key: &str, value: toml::Value| load.insert(key.to_owned(), value);
    set("duration", args.duration.to_string().into());
    set("seed", i64::try_from(args.seed).unwrap_or(i64::MAX).into());
    set("old_after", Scenario::old_after().to_string().into());
    if let Some(path) = &args.path {
        set("path", path.clone().into());
    }
    set("symbols", args.symbols.clone().into());
    if let Some(rate) = args.connect_rate {
        set("connect_rate", rate.into());
    }
    if let Ok(group) = toml::Value::try_from(args.group()) {
        set("group", toml::Value::Array(vec![group]));
    }
    let thresholds = thresholds.iter().map(|threshold| (threshold.name().to_owned(), threshold.to_toml()));
    set("thresholds", toml::Value::Table(thresholds.collect()));
    load
}
