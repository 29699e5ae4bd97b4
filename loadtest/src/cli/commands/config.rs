//! `config`: prints the configuration of a scenario's gateway.

use crate::{
    cli::{EXIT_OK, Failure, args::ConfigArgs},
    run::gateway_config,
    scenario::{self, symbol_names},
    tls::TlsFiles,
};
use std::{
    io::{self, Write as _},
    path::Path,
};
use toml::Value;

pub(super) fn execute(args: &ConfigArgs) -> Result<u8, Failure> {
    let (mut scenario, _) = scenario::load(&args.scenario).map_err(Failure::usage)?;
    let symbols = symbol_names(scenario.venue.symbols, scenario.venue.protocol);
    let files = args.tls_folder.as_ref().map(|folder| write_certificate(folder, &args.tls_names)).transpose()?;
    if files.is_some() {
        let tls = scenario.gateway.entry("tls".to_owned()).or_default();
        tls.insert("listen".to_owned(), Value::from(args.tls_listen.to_string()));
    }
    let config = gateway_config(&scenario, &symbols, &args.venue, files.as_ref());
    io::stdout().write_all(config.as_bytes())?;
    Ok(EXIT_OK)
}

fn write_certificate(folder: &Path, names: &[String]) -> io::Result<TlsFiles> {
    let files = TlsFiles::write(folder, names);
    files.map_err(|error| io::Error::new(error.kind(), format!("--tls-folder {}: {error}", folder.display())))
}
