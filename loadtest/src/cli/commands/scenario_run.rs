//! `run`: runs a scenario against a gateway of its own, or against a running server that reads its venue.

use super::{find_limit, load::load};
use crate::scenario::Scenario;
use crate::{
    cli::{
        EXIT_OK, Failure,
        args::RunArgs,
        output::{check_report_file, write_results},
        scenario::{Request, load_scenario, provenance},
        server::headers,
    },
    run::Stop,
    scenario::{Comments, printed},
};
use std::io::{self, Write as _};

pub(super) fn execute(args: &RunArgs) -> Result<u8, Failure> {
    if !args.print_scenario {
        check_report_file(&args.output).map_err(Failure::usage)?;
    }
    let (mut scenario, thresholds) = load_scenario(&args.scenario, args.duration, &args.protocol, &args.output)?;
    if let Some(url) = &args.url {
        for_running_server(&mut scenario, url, args).map_err(Failure::usage)?;
    }
    if args.print_scenario {
        io::stdout().write_all(printed(&scenario, Comments::With).as_bytes())?;
        return Ok(EXIT_OK);
    }
    let request = Request {
        name: &args.scenario,
        scenario: &scenario,
        thresholds: &thresholds,
        percentiles: args.output.asked(&thresholds).map_err(Failure::usage)?,
        provenance: &provenance(&scenario),
        venue_listen: args.venue_listen,
        headers: headers(&args.client)?,
        stop: &Stop::on_signals()?,
    };
    if let Some(what) = args.limit.find_limit {
        return find_limit::execute(args, what, &request);
    }
    let summary = load(args, &request)?;
    Ok(write_results(&summary, &args.output)?)
}

/// Leaves only what applies to a server that is running already.
fn for_running_server(scenario: &mut Scenario, url: &str, args: &RunArgs) -> Result<(), String> {
    let is_https = url.starts_with("https://");
    if scenario.tls && !is_https {
        return Err(format!("TLS is asked for, and {url} is not https"));
    }
    scenario.tls = is_https;
    // Its configuration is its own.
    scenario.gateway.clear();
    let groups = scenario.groups.iter().filter(|_| args.path.is_some());
    let mut asked = groups.filter_map(|group| {
        let query = Some(group.query.as_str()).filter(|query| !query.is_empty());
        Some((group, query.or(group.compress.then_some("compression"))?))
    });
    asked.next().map_or(Ok(()), |(group, what)| {
        Err(format!("group `{}` asks for {what}, and another server (--path) has no such options", group.name))
    })
}
