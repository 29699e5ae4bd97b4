//! `config`: prints the configuration of a scenario's gateway.

use crate::{
    cli::{EXIT_OK, Failure, args::ConfigArgs},
    run::gateway_config,
    scenario::{self, symbol_names},
};
use std::io::{self, Write as _};

pub(super) fn execute(args: &ConfigArgs) -> Result<u8, Failure> {
    let (scenario, _) = scenario::load(&args.scenario).map_err(Failure::usage)?;
    let symbols = symbol_names(scenario.venue.symbols, scenario.venue.protocol);
    io::stdout().write_all(gateway_config(&scenario, &symbols, &args.venue).as_bytes())?;
    Ok(EXIT_OK)
}
