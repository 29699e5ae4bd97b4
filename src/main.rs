//! The gateway's process: arguments, configuration, logs, exit codes. The library does everything else.

use clap::Parser as _;
use std::{
    error::Error,
    fmt::Display,
    io::{self, Write as _},
    process::ExitCode,
};
use tickfan::{
    cli::{Args, Command, EXIT_FAILED, EXIT_OK, EXIT_USAGE, abort_on_panic},
    config::{self, Config, LOG_FORMAT_VARIABLE, Machine, Weight},
    gateway::Gateway,
    telemetry::{self, logs},
    top,
};
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

fn main() -> ExitCode {
    abort_on_panic();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(message) => {
            // `--help` and `--version` are reported this way too. If standard output is closed, there is nowhere to
            // report that.
            let _ = message.print();
            return ExitCode::from(if message.use_stderr() { EXIT_USAGE } else { EXIT_OK });
        }
    };
    if args.print_config {
        return print(&config::print_defaults());
    }
    if let Some(Command::Top { admin, once }) = args.command {
        return match top::run(admin, once) {
            Ok(()) => ExitCode::from(EXIT_OK),
            Err(error) => fail(EXIT_FAILED, &error),
        };
    }
    // Before a port is bound: a wrong configuration must not become a half-started gateway.
    let config = match prepare(&args) {
        Ok(config) => config,
        Err(error) => return fail(EXIT_USAGE, &error),
    };
    if args.command == Some(Command::Check) {
        return report_ok(&config);
    }
    match run(&config) {
        Ok(()) => ExitCode::from(EXIT_OK),
        Err(error) => fail(EXIT_FAILED, &error),
    }
}

/// Loads the configuration, then starts the logs.
fn prepare(args: &Args) -> Result<Config, Box<dyn Error>> {
    let config = config::load(args.config.as_deref(), std::env::vars_os(), &args.overrides())?;
    let format = logs::Format::parse(variable(LOG_FORMAT_VARIABLE).as_deref())?;
    logs::init(config.server.log.clone(), format)?;
    Ok(config)
}

/// The value of an environment variable.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// `tickfan check`: one line that says what would run, and what would not agree on any machine.
fn report_ok(config: &Config) -> ExitCode {
    let symbols: usize = config.feeds.iter().map(|feed| feed.symbols.len()).sum();
    for found in config::check_together(config, &Machine::default()) {
        let word = if found.pair.weight == Weight::Told { "note" } else { "warning" };
        // If standard error is closed, there is nowhere to report that.
        let _ = writeln!(io::stderr(), "{word}: {}\n   = {}", found.what, found.help);
    }
    print(&format!("ok: {} feed(s), {symbols} symbols\n", config.feeds.len()))
}

/// Not `print!`, which panics on a closed pipe.
fn print(text: &str) -> ExitCode {
    let written = io::stdout().write_all(text.as_bytes());
    ExitCode::from(if written.is_ok() { EXIT_OK } else { EXIT_FAILED })
}

fn fail(code: u8, error: &dyn Display) -> ExitCode {
    // If standard error is closed, the exit code still reports the failure.
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::from(code)
}

fn run(config: &Config) -> Result<(), Box<dyn Error>> {
    let gateway = Gateway::start(config, telemetry::install()?)?;
    // It waits for signals and for the gateway's parts, which have runtimes of their own.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let stop = async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        Ok(gateway.run(stop).await?)
    })
}
