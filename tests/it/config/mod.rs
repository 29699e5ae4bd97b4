//! The configuration as a person meets it: each broken file beside its exact message, and what the binary makes of it.

mod dictionary;
mod ranges;
mod program;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};
use tickfan::config::{
    CA_FILE_BYTES_MAX, CLOSED_DAYS_MAX, CONNECTIONS_DEFAULT, Config, EVENTS_MAX, FEEDS_MAX, FILE_BYTES_MAX, FeedKey,
    KEYS, OPTIONAL_SECTIONS, Overrides, SYMBOLS_MAX, Setting, feed_keys, load, print_defaults, show_bytes,
    show_duration, variable_name,
};
use tickfan::market::{Hours, Schedule};
use tickfan::venue::{self, Options};

fn load_file(path: &Path) -> Result<Config, String> {
    load(Some(path), Vec::new(), &Overrides::default()).map_err(|error| error.to_string())
}

/// Loads `text` from a file of its own.
fn load_text(test: &str, text: impl AsRef<[u8]>) -> Result<Config, String> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.toml"));
    fs::write(&path, text).unwrap();
    load_file(&path)
}

fn set_variable(name: String, value: impl Into<OsString>) -> Result<Config, String> {
    load(None, [(name.into(), value.into())], &Overrides::default()).map_err(|error| error.to_string())
}

/// A file of this length with a certificate of a CA, in a temporary folder.
fn ca_file(bytes: usize) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("ca-{bytes}.pem"));
    let certificate = rcgen::generate_simple_self_signed(["venue.test".to_owned()]).unwrap().cert.pem();
    fs::write(&path, format!("{certificate}{}", "\n".repeat(bytes - certificate.len()))).unwrap();
    path
}

/// Each `tests/fixtures/config/*.toml` is broken, and the `.txt` beside it is its message. `TICKFAN_BLESS=1` rewrites
/// the messages.
#[test]
fn each_broken_file_has_its_message() {
    let folder = Path::new("tests/fixtures/config");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(files.len() >= 12);
    for file in files {
        let message = load_file(&file).expect_err(&format!("{} is accepted", file.display())) + "\n";
        let expected = file.with_extension("txt");
        if std::env::var_os("TICKFAN_BLESS").is_some_and(|value| value == "1") {
            fs::write(&expected, &message).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(
            message,
            expected,
            "the message of {}, left, is not what its .txt says; TICKFAN_BLESS=1 rewrites it",
            file.display()
        );
    }
}

#[test]
fn without_a_file_it_is_the_simulator_with_every_default() {
    let config = load(None, Vec::new(), &Overrides::default()).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.server.admin_listen, "127.0.0.1:8081".parse().unwrap());
    assert!(config.server.hosts.is_empty());
    assert_eq!(config.server.cors_origins, ["*"]);
    assert_eq!((config.server.heartbeat, config.server.drain), (Duration::from_secs(15), Duration::from_secs(10)));
    assert_eq!((config.fanout.workers, config.fanout.ring), (0, 1024));
    assert_eq!((config.fanout.max_lag, config.fanout.flush_interval), (Duration::from_millis(250), None));
    assert_eq!(
        (config.fanout.ring_age, config.fanout.stall_timeout),
        (Duration::from_secs(10), Duration::from_secs(30))
    );
    assert_eq!((config.limits.streams, config.limits.connections), (100_000, 4096));
    assert_eq!((config.limits.head_timeout, config.limits.head_bytes), (Duration::from_secs(10), 16 << 10));
    assert_eq!((config.limits.symbols_per_stream, config.limits.venue_message_bytes), (500, None));
    let [feed] = config.feeds.as_slice() else { panic!("one feed") };
    assert_eq!((feed.name.as_str(), feed.venue.name), ("sim", "sim"));
    assert_eq!(feed.venue.options.iter().map(|option| feed.options.get(option)).collect::<Vec<_>>(), [100.0]);
    assert_eq!((feed.symbols.len(), feed.connection_count()), (30, 1));
    assert!(feed.url.is_none() && feed.symbols.iter().all(|symbol| symbol.venue_name.is_none()));
}

#[test]
fn a_full_file_is_read() {
    let text = r#"
        [server]
        hosts = ["Ticks.Example.com"]
        cors_origins = ["https://app.example.com"]
        drain = "0s"
        [[feed]]
        name = "crypto"
        venue = "binance"
        url = "wss://stream.example.com:9443"
        symbols = { "BTC-USDT" = "BTCUSDT", "ETH-USDT" = "ETHUSDT" }
        [[feed]]
        symbols = ["AAPL", "BRK.B"]
        rate = 2.5
        [fanout]
        ring = 0x10
        [limits]
        streams = 1_000
        venue_message_bytes = "5MiB"
        head_bytes = 8192
    "#;
    let config = load_text("full", text).unwrap();
    assert_eq!(config.server.hosts, ["ticks.example.com"]);
    assert_eq!(config.server.drain, Duration::ZERO);
    assert_eq!(config.feeds.len(), 2);
    assert_eq!(config.feeds[0].url.as_deref(), Some("wss://stream.example.com:9443"));
    assert_eq!(config.feeds[0].symbols[0].venue_name.as_deref(), Some("BTCUSDT"));
    assert_eq!(
        (config.feeds[1].name.as_str(), config.feeds[1].options.clone()),
        ("sim", Options::default().with("rate", 2.5))
    );
    assert_eq!(config.feeds[1].symbols[1].symbol.as_str(), "BRK.B");
    assert_eq!((config.fanout.ring, config.limits.streams), (16, 1000));
    assert_eq!((config.limits.venue_message_bytes, config.limits.head_bytes), (Some(5 << 20), 8192));
    assert_eq!(config.limits.connections, 4096, "what the file leaves out keeps its default");
}

#[test]
fn a_feed_of_stocks_has_a_key_and_hours() {
    let text = r#"
        [[feed]]
        name = "us-stocks"
        venue = "alpaca"
        key_env = "ALPACA_KEY"
        secret_env = "ALPACA_SECRET"
        symbols = ["AAPL", "BRK.B"]
        closed_days = ["2025-01-09"]
        mute_after = "1m"
        [[feed]]
        venue = "alpaca"
        url = "wss://stream.data.alpaca.markets/v2/test"
        key_env = "ALPACA_KEY"
        secret_env = "ALPACA_SECRET"
        symbols = ["FAKEPACA"]
        hours = "always"
    "#;
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("stocks.toml");
    fs::write(&path, text).unwrap();
    let with = |key: &str, secret: &str| {
        let variables = [("ALPACA_KEY", key), ("ALPACA_SECRET", secret)];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        load(Some(&path), variables, &Overrides::default()).map_err(|error| error.to_string())
    };
    let config = with("PKTEST", "s3cr3t/+\n").unwrap();
    let [stocks, test] = config.feeds.as_slice() else { panic!("two feeds") };
    let credentials = stocks.credentials.as_ref().unwrap();
    assert_eq!((credentials.key.expose(), credentials.secret.as_ref().unwrap().expose()), ("PKTEST", "s3cr3t/+"));
    let closed_days = vec!["2025-01-09".parse().unwrap()];
    assert_eq!(stocks.schedule, Schedule::new(Hours::UsEquities, closed_days));
    assert_eq!((stocks.mute_after, test.mute_after), (Some(Duration::from_secs(60)), None));
    assert_eq!(test.schedule, Schedule::always());
    let shown = format!("{config:?} {config:#?}");
    assert!(!shown.contains("PKTEST") && !shown.contains("s3cr3t"), "{shown}");
    for no_key in ["", " ", "two words", "sécret", &"x".repeat(513)] {
        let error = with("PKTEST", no_key).unwrap_err();
        assert!(error.starts_with("the variable ALPACA_SECRET of `secret_env` does not hold a key\n"), "{error}");
        assert!(no_key.trim().is_empty() || !error.contains(no_key), "{error}");
    }
}

#[test]
fn a_feed_chooses_when_its_connections_are_replaced_where_the_venue_ends_them() {
    let text = |venue: &str, symbol: &str| {
        format!("[[feed]]\nvenue = \"{venue}\"\nsymbols = [\"{symbol}\"]\nrotate_at = \"05:00 UTC\"\n")
    };
    let config = load_text("rotate", text("binance", "BTC-USDT")).unwrap();
    assert_eq!(config.feeds[0].rotate_at, Some("05:00 UTC".parse().unwrap()));
    for (venue, symbol) in [("okx", "BTC-USDT"), ("sim", "AAPL")] {
        let error = load_text("rotate-never", text(venue, symbol)).unwrap_err().to_string();
        assert!(error.contains(&format!("{venue} does not end connections after a time")), "{error}");
    }
}

#[test]
fn rule_7_a_short_list_and_a_venue_with_heartbeats_may_be_silent_for_longer() {
    let symbols = |count: usize| (0..count).map(|n| format!("\"A{n}-USDT\",")).collect::<String>();
    for (venue, count, more, seconds) in [
        ("binance", 20, "", 30),
        ("binance", 400, "", 30),
        ("binance", 19, "", 120),
        ("binance", 1, "", 120),
        ("binance", 1, "mute_after = \"45s\"", 45),
        ("sim", 1, "", 300),
        ("sim", 40, "", 300),
        ("sim", 40, "mute_after = \"10s\"", 10),
    ] {
        let symbols = if venue == "sim" { String::new() } else { format!("symbols = [{}]", symbols(count)) };
        let config = load_text("silence", format!("[[feed]]\nvenue = \"{venue}\"\n{more}\n{symbols}")).unwrap();
        let feed = &config.feeds[0];
        assert_eq!(feed.mute_limit().as_secs(), seconds, "{venue} with {count} symbols {more}");
        assert_eq!(feed.part_mute_after, None, "off by default");
    }
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let error = load_file(Path::new("tests/fixtures/config/nowhere")).unwrap_err();
    assert_eq!(
        error,
        "cannot read tests/fixtures/config/nowhere: No such file or directory (os error 2)\n   \
         = `tickfan --print-config > tests/fixtures/config/nowhere` writes one, with every default\n   \
         = without --config tickfan serves a simulated market"
    );
    assert!(load_file(Path::new("tests")).unwrap_err().starts_with("cannot read tests: "));
}

#[test]
fn variables_go_over_the_file_and_flags_over_variables() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("order.toml");
    fs::write(&path, "[server]\nlisten = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\n[limits]\nstreams = 3\n")
        .unwrap();
    let variables = [("TICKFAN_SERVER_LISTEN", "127.0.0.1:11"), ("TICKFAN_SERVER_ADMIN_LISTEN", "127.0.0.1:12")];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let flags = Overrides { listen: Some("127.0.0.1:21".parse().unwrap()), ..Overrides::default() };
    let config = load(Some(&path), variables, &flags).unwrap();
    assert_eq!((config.server.listen.port(), config.server.admin_listen.port(), config.limits.streams), (21, 12, 3));
}

#[test]
fn a_contradiction_is_the_files_only_while_nothing_else_has_changed_it() {
    let path = Path::new("tests/fixtures/config/same_listeners.toml");
    let with = |name: &str, value: &str| load(Some(path), [(name.into(), value.into())], &Overrides::default());
    assert!(with("TICKFAN_SERVER_LISTEN", "127.0.0.1:1").is_ok());
    let error = with("TICKFAN_FANOUT_MAX_LAG", "20s").unwrap_err().to_string();
    assert!(error.contains("same_listeners.toml:3:16"), "{error}");
    let error = set_variable("TICKFAN_FANOUT_MAX_LAG".into(), "20s").unwrap_err();
    assert!(error.starts_with("`ring_age` (10s) is shorter than `max_lag` (20s)\n   = "), "{error}");
}

#[test]
fn a_venues_message_limit_is_a_size_or_auto() {
    let load = |value: &str| load_text("message", format!("[limits]\nvenue_message_bytes = {value}"));
    for (value, limit) in [("\"auto\"", None), ("\"1MiB\"", Some(1 << 20)), ("4096", Some(4_096))] {
        assert_eq!(load(value).unwrap().limits.venue_message_bytes, limit, "{value}");
    }
    let error = load("true").unwrap_err();
    assert!(
        error.contains("must be \"auto\", a number of bytes, or a string with a size, not true or false"),
        "{error}"
    );
}

#[test]
fn a_recording_goes_to_a_folder_beside_the_file_unless_its_path_is_whole() {
    let beside = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rec/of-the-day");
    for (written, folder) in [("rec/of-the-day", beside), ("/tmp", "/tmp".into())] {
        let config =
            load_text("record", format!("[[feed]]\nrecord = \"{written}\"\nrecord_bytes_max = \"1GiB\"")).unwrap();
        let record = config.feeds[0].record.clone().unwrap();
        assert_eq!((record.folder, record.bytes_max), (folder, 1 << 30));
    }
}

#[test]
fn a_flush_interval_is_a_time_or_auto() {
    for (text, interval) in [("auto", None), ("0s", Some(Duration::ZERO)), ("20ms", Some(Duration::from_millis(20)))] {
        let of_variable = set_variable("TICKFAN_FANOUT_FLUSH_INTERVAL".into(), text).unwrap();
        let of_file = load_text("flush_interval", format!("[fanout]\nflush_interval = \"{text}\"")).unwrap();
        assert_eq!([of_variable.fanout.flush_interval, of_file.fanout.flush_interval], [interval; 2]);
    }
    let error = load_text("flush_interval", "[fanout]\nflush_interval = 20").unwrap_err();
    assert!(error.contains("must be \"auto\" or a string with a duration, not a number"), "{error}");
}

#[test]
fn a_ca_file_that_cannot_be_used_is_an_error_that_says_why() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let certificate = fs::read_to_string(ca_file(10_000)).unwrap();
    let broken = certificate.replacen("MII", "!!!", 1);
    let empty_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (name, content, said) in [
        ("absent", None, "No such file or directory"),
        ("empty", Some(String::new()), "does not hold a certificate in PEM form"),
        ("der", Some("0\u{1}binary".to_owned()), "does not hold a certificate in PEM form"),
        ("cut", Some(certificate[..200].to_owned()), "is not a valid PEM file"),
        ("broken", Some(broken), "is not a valid PEM file"),
        ("second", Some(format!("{certificate}{empty_certificate}")), "certificate 2 of "),
    ] {
        let path = folder.join(format!("{name}.pem"));
        let _ = fs::remove_file(&path);
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let feed = format!("[[feed]]\nvenue = \"binance\"\nsymbols = [\"BTC-USDT\"]\nca_file = {path:?}\n");
        let error = load_text(&format!("ca-{name}"), feed).unwrap_err();
        assert!(error.contains(said) && error.contains("ca_file = "), "{name}: {error}");
    }
    let directory = format!("[[feed]]\nvenue = \"binance\"\nsymbols = [\"BTC-USDT\"]\nca_file = {folder:?}\n");
    assert!(load_text("ca-directory", directory).unwrap_err().contains("cannot read "));

    let two = folder.join("two.pem");
    fs::write(&two, format!("{certificate}{certificate}# a comment\n")).unwrap();
    let feed = format!("[[feed]]\nvenue = \"binance\"\nsymbols = [\"BTC-USDT\"]\nca_file = {two:?}\n");
    let config = load_text("ca-two", feed).unwrap();
    assert_eq!(config.feeds[0].ca_file.as_ref().unwrap().certificates.len(), 2);

    for address in ["venue = \"binance\"\nsymbols = [\"BTC-USDT\"]\nurl = \"ws://venue.test\"", "venue = \"sim\""] {
        let error = load_text("ca-plain", format!("[[feed]]\n{address}\nca_file = {two:?}\n")).unwrap_err();
        assert!(error.starts_with("`ca_file` is set, but the feed connects without TLS"), "{error}");
    }
}

#[test]
fn a_proxy_of_the_environment_is_taken_where_the_file_has_none() {
    let file = |more: &str| format!("[[feed]]\nvenue = \"binance\"\nsymbols = [\"BTC-USDT\"]\n{more}\n");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("proxy.toml");
    let load = |more: &str, variables: &[(&str, &str)]| {
        fs::write(&path, file(more)).unwrap();
        let variables: Vec<(OsString, OsString)> =
            variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let config = load(Some(&path), variables, &Overrides::default()).map_err(|error| error.to_string())?;
        Ok::<_, String>(config.feeds[0].proxy.as_ref().map(|proxy| format!("{}:{}", proxy.host, proxy.port)))
    };
    let of_variable = [("HTTPS_PROXY", "http://u:hush@variable:3128")];
    assert_eq!(load("", &[]), Ok(None));
    assert_eq!(load("", &of_variable).unwrap().as_deref(), Some("variable:3128"));
    let of_file = "proxy = \"http://file:3128\"";
    assert_eq!(load(of_file, &of_variable).unwrap().as_deref(), Some("file:3128"));
    assert_eq!(load("url = \"wss://127.0.0.1:1\"", &of_variable), Ok(None));
    assert_eq!(load("url = \"ws://venue.test\"", &of_variable), Ok(None));
    assert_eq!(load("", &[of_variable[0], ("NO_PROXY", "*")]), Ok(None));
    let socks = [("ALL_PROXY", "socks5://u:hush@variable:1080")];
    let error = load("", &socks).unwrap_err();
    assert!(error.starts_with("the variable ALL_PROXY: a proxy of the kind socks5:// is not supported"), "{error}");
    assert!(!error.contains("hush"), "{error}");
    assert!(error.contains("`proxy` of the feed, or NO_PROXY, overrides it"), "{error}");
    assert_eq!(load(of_file, &socks).unwrap().as_deref(), Some("file:3128"));
    // `[auth]` has no `proxy`, and the query of its address may hold a key.
    for (address, variables, says) in [
        ("https://login.example/keys?code=hush", &socks[..], "NO_PROXY with the host of `keys` overrides it"),
        ("https://login.example:0/keys?code=hush", &[], "`keys` is not an address with a host"),
    ] {
        fs::write(&path, format!("[auth]\nmode = \"required\"\nkeys = {address:?}\n")).unwrap();
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let error = tickfan::config::load(Some(&path), variables, &Overrides::default()).unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains("of the feed") && !error.contains("hush"), "{error}");
    }
    fs::write(&path, "").unwrap();
    let simulator =
        tickfan::config::load(Some(&path), [("all_proxy".into(), "socks5://a".into())], &Overrides::default());
    assert!(simulator.unwrap().feeds[0].proxy.is_none(), "the simulator is in this process");
}
