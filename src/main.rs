//! The gateway's process: arguments, configuration, logs, exit codes. The library does everything else.

use clap::Parser as _;
use std::{
    error::Error,
    fmt::Display,
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tickfan::{
    cli::{
        ADMIN_VARIABLE, Args, Command, EXIT_FAILED, EXIT_OK, EXIT_USAGE, Progress, abort_on_panic, admin_address,
        completions, notify_supervisor, write_manual,
    },
    config::{self, Config, Feed, LOG_FORMAT_VARIABLE, Loader, Machine, Weight},
    gateway::{self, Gateway, Reloader, Wanted, check_local_keys, expiring, feed_to_record, try_out},
    market::Now,
    telemetry::{self, LogHandle, logs},
    tls::show_time,
    top,
};
use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

fn main() -> ExitCode {
    abort_on_panic();
    let code = start();
    logs::flush();
    code
}

/// Does what the arguments ask for.
fn start() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(message) => {
            // `--help` and `--version` are reported this way too. If standard output is closed, there is nowhere to
            // report that.
            let _ = message.print();
            return ExitCode::from(if message.use_stderr() { EXIT_USAGE } else { EXIT_OK });
        }
    };
    if let Some(unused) = args.unused_flag() {
        return fail(EXIT_USAGE, &unused);
    }
    if args.effective {
        return match loader(&args).print_effective() {
            Ok(text) => print(&text),
            Err(error) => fail(EXIT_USAGE, &error),
        };
    }
    if args.print_config {
        return print(&config::print_defaults());
    }
    if let Some(code) = args.command.as_ref().and_then(without_configuration) {
        return code;
    }
    if let Some(Command::TrainDictionary(training)) = &args.command {
        return match training.run() {
            Ok(said) => print(&said),
            Err(error) => fail(EXIT_FAILED, &error),
        };
    }
    // Before a port is bound: a wrong configuration must not become a half-started gateway.
    let loader = loader(&args);
    let (config, format) = match prepare(&loader) {
        Ok(prepared) => prepared,
        Err(error) => return fail(EXIT_USAGE, &error),
    };
    // Without logs: its lines say it all.
    if let Some(Command::Check { connect, .. }) = args.command {
        let reported = report_ok(&config, loader.file.as_deref());
        return if connect { check_outside(&config) } else { reported };
    }
    let logs = match logs::init(config.server.log.clone(), format) {
        Ok(logs) => logs,
        Err(error) => return fail(EXIT_USAGE, &error),
    };
    if let Some(Command::Record { feed, out, limit: bytes_max }) = args.command {
        return match feed_to_record(&config, Wanted { feed, out, bytes_max }) {
            Ok(feed) => done(record(&config, &feed)),
            Err(error) => fail(EXIT_USAGE, &error),
        };
    }
    done(run(config, loader, logs))
}

/// Runs a command that needs no configuration; `None` if it does need one.
fn without_configuration(command: &Command) -> Option<ExitCode> {
    let code = match command {
        Command::Top { admin, once } => match admin_listener(*admin) {
            Ok(address) => done(top::run(address, *once).map_err(Into::into)),
            Err(error) => fail(EXIT_USAGE, &error),
        },
        Command::Health { admin, live } => match admin_listener(*admin) {
            Ok(address) => top::health(address, *live)
                .map_or_else(|error| fail(EXIT_FAILED, &error), |answer| print(&format!("{answer}\n"))),
            Err(error) => fail(EXIT_USAGE, &error),
        },
        Command::DevCert(dev_cert) => match dev_cert.write() {
            Ok(guide) => print(&guide),
            Err(error) => fail(EXIT_FAILED, &error),
        },
        Command::TrainDictionary(training) => match training.run() {
            Ok(said) => print(&said),
            Err(error) => fail(EXIT_FAILED, &error),
        },
        Command::Completions { shell } => print(&completions(*shell)),
        Command::Man { folder } => {
            done(write_manual(folder).map_err(|error| format!("{}: {error}", folder.display()).into()))
        }
        Command::Check { .. } | Command::Replay(_) | Command::Record { .. } => return None,
    };
    Some(code)
}

/// The admin listener that a command asks.
fn admin_listener(flag: Option<SocketAddr>) -> Result<SocketAddr, String> {
    admin_address(flag, variable(ADMIN_VARIABLE).as_deref())
}

fn done(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::from(EXIT_OK),
        Err(error) => fail(EXIT_FAILED, &error),
    }
}

/// Where this process's configuration comes from.
fn loader(args: &Args) -> Loader {
    Loader::new(args.file().cloned(), std::env::vars_os().collect(), args.overrides())
}

/// Loads the configuration and the format of the logs.
fn prepare(loader: &Loader) -> Result<(Config, logs::Format), Box<dyn Error>> {
    Ok((loader.load()?, logs::Format::parse(variable(LOG_FORMAT_VARIABLE).as_deref())?))
}

/// The value of an environment variable.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// `tickfan check`: one line that says what would run, what would not agree on any machine, and what others could read.
fn report_ok(config: &Config, file: Option<&Path>) -> ExitCode {
    for found in config::check_together(config, &Machine::default()) {
        let word = if found.pair.weight == Weight::Told { "note" } else { "warning" };
        // If standard error is closed, there is nowhere to report that.
        let _ = writeln!(io::stderr(), "{word}: {}\n   = {}", found.what, found.help);
    }
    for certificate in config.tls.iter().flat_map(|tls| expiring(&tls.loaded, Now::read().unix.0 / 1_000_000)) {
        let chain = certificate.files.chain.display();
        let expires = show_time(certificate.expires);
        let _ = writeln!(io::stderr(), "warning: the certificate of {chain} expires at {expires}\n   = renew it");
    }
    for (feed, file) in config::exposed_proxies(config, file) {
        let file = file.display();
        let _ = writeln!(
            io::stderr(),
            "warning: all users of this machine can read {file}, with the password of the proxy of feed {feed}\n   \
             = let only the gateway's group read it: chmod 640 {file}; or set the variable https_proxy"
        );
    }
    let mut lines = format!("ok: {}\n", counted(&config.feeds));
    // The configuration has read the same file: a failure here would be a race.
    if let Some((place, Ok(found))) = check_local_keys(config) {
        lines += &format!("keys of {place}: ok ({found})\n");
    }
    print(&lines)
}

/// The feeds and their symbols. A standby has symbols of its primary: they count once.
fn counted(feeds: &[Feed]) -> String {
    let (mut own, mut doubled, mut on_demand) = (0, 0, 0);
    for feed in feeds {
        if let Some(patterns) = &feed.on_demand {
            on_demand += patterns.symbols_max;
        } else if feed.standby.is_some() {
            doubled += feed.symbols.len();
        } else {
            own += feed.symbols.len();
        }
    }
    let mut said = format!("{} feed(s), {own} symbols", feeds.len());
    if doubled > 0 {
        said += &format!(", {doubled} of them with a standby");
    }
    if on_demand > 0 {
        said += &format!(", at most {on_demand} on demand");
    }
    said
}

/// How long `check --connect` tries a feed: longer than an attempt to connect or an answer may take.
const TRIAL: Duration = Duration::from_secs(15);

/// `tickfan check --connect`: a line for each feed and each port.
fn check_outside(config: &Config) -> ExitCode {
    let tried =
        Builder::new_current_thread().enable_all().build().map(|runtime| runtime.block_on(try_out(config, TRIAL)));
    let tried = match tried {
        Ok(tried) => tried,
        Err(error) => return fail(EXIT_FAILED, &error),
    };
    let lines: String = tried.iter().map(|tried| format!("{tried}\n")).collect();
    let printed = print(&lines);
    if tried.iter().all(|tried| tried.outcome.is_ok()) { printed } else { ExitCode::from(EXIT_FAILED) }
}

/// Not `print!`, which panics on a closed pipe.
fn print(text: &str) -> ExitCode {
    let written = io::stdout().write_all(text.as_bytes());
    ExitCode::from(if written.is_ok() { EXIT_OK } else { EXIT_FAILED })
}

fn fail(code: u8, error: &dyn Display) -> ExitCode {
    // If standard error is closed, the exit code still reports the failure.
    logs::say(&format!("error: {error}\n"));
    ExitCode::from(code)
}

/// `tickfan record`: says where it writes, and records until it is told to stop.
fn record(config: &Config, feed: &config::Feed) -> Result<(), Box<dyn Error>> {
    if let Some(record) = &feed.record {
        let files = record.folder.join(format!("{}.*.txt.gz", feed.name));
        let limit = config::show_bytes(record.bytes_max);
        // Where standard output is closed, the log says it too.
        print(&format!("recording feed {} to {}, at most {limit}; Ctrl+C ends it\n", feed.name, files.display()));
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(gateway::record(feed, &config.limits, either(&mut interrupt, &mut terminate)).await?)
    })
}

fn run(config: Config, loader: Loader, logs: LogHandle) -> Result<(), Box<dyn Error>> {
    let reloader = Reloader::new(config, loader, Some(logs));
    // It waits for signals and for the gateway's parts, which have runtimes of their own.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    // Before the start: from here on a SIGHUP does not end the process.
    let hangup = runtime.block_on(async { signal(SignalKind::hangup()) })?;
    let gateway = Gateway::start(reloader.clone(), telemetry::install()?)?;
    let address = gateway.address();
    runtime.block_on(async {
        tokio::spawn(reload_on(hangup, reloader, address));
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (stop_tx, stop_rx) = oneshot::channel();
        let asked_twice = async move {
            either(&mut interrupt, &mut terminate).await;
            let _ = stop_tx.send(());
            either(&mut interrupt, &mut terminate).await;
        };
        let stop = async {
            let _ = stop_rx.await;
            notify_supervisor(Progress::Stopping);
        };
        // The ports are bound: clients that connect now are served as soon as the gateway runs.
        notify_supervisor(Progress::Ready(address));
        tokio::select! {
            ended = gateway.run(stop) => Ok(ended?),
            () = asked_twice => {
                tracing::warn!("a second signal: ending at once, without the rest of the drain");
                Ok(())
            }
        }
    })
}

/// Waits for one of two signals.
async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

/// Reloads the configuration at each signal. Signals that come during a reload are one.
async fn reload_on(mut hangup: Signal, reloader: Arc<Reloader>, address: SocketAddr) {
    while hangup.recv().await.is_some() {
        notify_supervisor(Progress::Reloading);
        // The reloader has logged how it ended.
        let _ = reloader.reload().await;
        notify_supervisor(Progress::Ready(address));
    }
}
