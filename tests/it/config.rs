//! The configuration as a person meets it: each broken file beside its exact message, and what the binary makes of it.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};
use tickfan::config::{
    CA_FILE_BYTES_MAX, CLOSED_DAYS_MAX, Config, EVENTS_MAX, FEEDS_MAX, FILE_BYTES_MAX, FeedKey, KEYS, Overrides,
    SYMBOLS_MAX, Setting, feed_keys, load, print_defaults, show_bytes, show_duration, variable_name,
};
use tickfan::market::{Hours, Schedule};
use tickfan::venue::Options;

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

/// The bounds of a key as texts, with what lies just outside: (minimum, maximum, below, above).
fn bounds(setting: &Setting) -> Option<(String, String, Option<String>, String)> {
    let plain = |range: &std::ops::RangeInclusive<usize>, show: &dyn Fn(usize) -> String| {
        let below = range.start().checked_sub(1).map(show);
        (show(*range.start()), show(*range.end()), below, show(range.end() + 1))
    };
    match setting {
        Setting::Duration { range, .. } | Setting::DurationOrAuto { range, .. } => {
            let step = Duration::from_nanos(1);
            let below = range.start().checked_sub(step).map(show_duration);
            Some((
                show_duration(*range.start()),
                show_duration(*range.end()),
                below,
                show_duration(*range.end() + step),
            ))
        }
        Setting::Count { range, .. } => Some(plain(range, &|value| value.to_string())),
        Setting::Bytes { range, .. } | Setting::BytesOrAuto { range, .. } => {
            Some(plain(range, &|value| show_bytes(value as u64)))
        }
        Setting::Address { .. } | Setting::HeaderName { .. } | Setting::Log { .. } => None,
        Setting::Strings { .. } | Setting::Nets { .. } | Setting::Certificates { .. } => None,
        Setting::Switch { .. } | Setting::TlsVersion { .. } => None,
        Setting::Text { .. } | Setting::Path { .. } | Setting::AuthMode { .. } | Setting::Keys { .. } => None,
        Setting::Patterns { .. } | Setting::Groups { .. } => None,
    }
}

#[test]
fn each_key_keeps_its_range_and_says_it() {
    for key in KEYS {
        let Some((min, max, below, above)) = bounds(&key.setting) else { continue };
        let name = variable_name(key);
        for good in [&min, &max] {
            // A bound of max_lag, ring_age or flush_interval may contradict another key; then the message is about
            // that, not about the range.
            let result = set_variable(name.clone(), good);
            let range_is_fine = result.as_ref().map_or_else(|error| !error.contains("out of range"), |_| true);
            assert!(range_is_fine, "{name}={good}: {result:?}");
        }
        for bad in below.iter().chain([&above]) {
            let error = set_variable(name.clone(), bad).expect_err(&format!("{name}={bad} is accepted"));
            assert!(error.contains(&format!("from {min} to {max}")), "{name}={bad}: {error}");
        }
    }
}

#[test]
fn each_list_has_its_limit() {
    for key in KEYS {
        let (Setting::Strings { max, .. } | Setting::Nets { max, .. } | Setting::Patterns { max, .. }) = key.setting
        else {
            continue;
        };
        let entries = |count: usize| {
            let entry = |n: usize| match key.name {
                "trusted_proxies" => format!("\"10.0.{}.{}\"", n / 256, n % 256),
                "hosts" => format!("\"h{n}\""),
                _ if key.section.starts_with("auth") => format!("\"S{n}\""),
                _ => format!("\"http://h{n}\""),
            };
            let entries = (0..count).map(entry).collect::<Vec<_>>().join(",");
            load_text(key.name, format!("[{}]\n{} = [{entries}]", key.section, key.name))
        };
        assert!(entries(max).is_ok());
        assert!(entries(max + 1).unwrap_err().contains(&format!("at most {max}")));
    }
}

#[test]
fn a_list_in_a_variable_is_separated_by_commas() {
    let hosts = |value: &str| set_variable("TICKFAN_SERVER_HOSTS".into(), value).map(|config| config.server.hosts);
    assert_eq!(hosts("a.example, B.example ,c").unwrap(), ["a.example", "b.example", "c"]);
    for empty in ["", " "] {
        assert!(hosts(empty).unwrap().is_empty());
    }
    let origins = set_variable("TICKFAN_SERVER_CORS_ORIGINS".into(), "").unwrap().server.cors_origins;
    assert!(origins.is_empty(), "an empty variable is an empty list, not the default");
    let proxies = set_variable("TICKFAN_SERVER_TRUSTED_PROXIES".into(), "10.0.0.0/8,fd00::7").unwrap();
    assert_eq!(proxies.server.trusted_proxies.len(), 2);
    for (value, said) in [
        ("a,,b", "`` is not a host name\n --> TICKFAN_SERVER_HOSTS\n  |\n  | a,,b\n  |   ^"),
        ("a, b:80", "`b:80` is not a host name\n --> TICKFAN_SERVER_HOSTS\n  |\n  | a, b:80\n  |    ^^^^"),
        ("a,", "`` is not a host name"),
        ("a;b", "`a;b` is not a host name"),
        ("[\"a\"]", "without brackets and quotes, separated by commas"),
    ] {
        let error = hosts(value).unwrap_err();
        assert!(error.contains(said), "{value}: {error}");
    }
    let many = vec!["a"; 257].join(",");
    assert!(hosts(&many).unwrap_err().contains("`hosts` has 257 entries\n"));
}

#[test]
fn a_log_level_that_does_not_exist_ends_the_start() {
    for (value, said) in [
        (
            "warning",
            "error: `warning` is not a log level\n --> TICKFAN_LOG\n  |\n  | warning\n  | ^^^^^^^\n  = did you mean `warn`?\n",
        ),
        ("Tickfan=info", "did you mean `tickfan`?"),
        ("info,tickfan::fed=debug", "did you mean `feed`?"),
        ("[x]=info", "is neither tickfan nor a library"),
        (",", "the log filter is empty"),
    ] {
        for arguments in [&[][..], &["check"]] {
            check_exit(&tickfan(arguments, &[("TICKFAN_LOG", value)]), 64, "", said);
        }
    }
    for value in ["", "INFO", "off", "info,", " warn , tickfan::feed=debug", "hyper=debug"] {
        check_exit(&tickfan(&["check"], &[("TICKFAN_LOG", value)]), 0, "ok: 1 feed(s), 30 symbols\n", "");
    }
    let of_file = |text: &str| load_text("log", format!("[server]\nlog = {text}\n"));
    assert_eq!(of_file("\"warn, tickfan::feed=debug\"").unwrap().server.log.to_string(), "warn,tickfan::feed=debug");
    for (text, said) in [("\"warning\"", "did you mean `warn`?"), ("\"\"", "is empty"), ("3", "must be a string")] {
        assert!(of_file(text).unwrap_err().contains(said), "{text}");
    }
    assert!(set_variable("TICKFAN_SERVER_LOG".into(), "info").unwrap_err().contains("TICKFAN_LOG"));
}

#[test]
fn each_default_is_within_its_range_and_has_a_reason() {
    for key in KEYS {
        assert!(!key.reason.is_empty());
        let fits = match &key.setting {
            Setting::Duration { default, range, .. } => range.contains(default),
            Setting::Count { default, range, .. } | Setting::Bytes { default, range, .. } => range.contains(default),
            Setting::Address { .. }
            | Setting::Nets { .. }
            | Setting::HeaderName { .. }
            | Setting::Log { .. }
            | Setting::Switch { .. }
            | Setting::TlsVersion { .. }
            | Setting::Certificates { .. }
            | Setting::Text { .. }
            | Setting::Path { .. }
            | Setting::AuthMode { .. }
            | Setting::Keys { .. }
            | Setting::Groups { .. }
            | Setting::DurationOrAuto { .. }
            | Setting::BytesOrAuto { .. } => true,
            Setting::Strings { default, max, .. } | Setting::Patterns { default, max, .. } => default.len() <= *max,
        };
        assert!(fits, "{}", key.name);
    }
}

/// A file of this length with a certificate of a CA, in a temporary folder.
fn ca_file(bytes: usize) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("ca-{bytes}.pem"));
    let certificate = rcgen::generate_simple_self_signed(["venue.test".to_owned()]).unwrap().cert.pem();
    fs::write(&path, format!("{certificate}{}", "\n".repeat(bytes - certificate.len()))).unwrap();
    path
}

/// Lines of a feed at the limit of a key and over it, with the message for the latter. The list of keys is the
/// configuration's own.
fn limit_of(key: &FeedKey) -> (String, String, &'static str) {
    let stocks = |key_env: &str, secret_env: &str| {
        format!("venue = \"alpaca\"\nsymbols = [\"A\"]\nkey_env = \"{key_env}\"\nsecret_env = \"{secret_env}\"")
    };
    let crypto = |symbols: &str, url: &str| format!("venue = \"binance\"\nsymbols = {symbols}\nurl = \"{url}\"");
    let one_connection = |max: usize| crypto("[\"A-B\"]", "ws://a") + &format!("\nconnections_max = {max}");
    let recorded = |line: &str| {
        let path = format!("{}/tests/fixtures/recordings/sim.txt", env!("CARGO_MANIFEST_DIR"));
        format!("venue = \"replay\"\nfiles = [{path:?}]\n{line}")
    };
    let with = |line: &dyn Fn(usize) -> String, max: usize| (line(max), line(max + 1));
    let ((most, over), said) = match key.name {
        "name" => (with(&|count| format!("name = \"{}\"", "n".repeat(count)), 32), "1 to 32 characters"),
        "venue" => (("venue = \"sim\"".to_owned(), "venue = \"moon\"".to_owned()), "the venues are"),
        "url" => {
            let address = |count: usize| format!("ws://{}", "u".repeat(count - "ws://".len()));
            (with(&|count| crypto("[\"A-B\"]", &address(count)), 2_048), "at most 2048 characters")
        }
        "key_env" => (with(&|count| stocks(&"K".repeat(count), "SECRET"), 64), "not the name of a variable"),
        "secret_env" => (with(&|count| stocks("KEY", &"K".repeat(count)), 64), "not the name of a variable"),
        "symbols" => {
            let named = |count: usize| crypto(&format!("{{ A = \"{}\" }}", "V".repeat(count)), "ws://a");
            (with(&named, 64), "1 to 64 bytes")
        }
        "hours" => (("hours = \"always\"".to_owned(), "hours = \"at-night\"".to_owned()), "hours"),
        "closed_days" => {
            let days = |count| format!("hours = \"us-equities\"\nclosed_days = [{}]", "\"2025-01-09\",".repeat(count));
            (with(&days, CLOSED_DAYS_MAX), "at most 366")
        }
        "mute_after" => (with(&|seconds| format!("mute_after = \"{seconds}s\""), 86_400), "from 1s to 1day"),
        "proxy" => {
            let through = |count: usize| format!("\nproxy = \"http://{}\"", "p".repeat(count - "http://".len()));
            (with(&|count| crypto("[\"A-B\"]", "ws://a") + &through(count), 2_048), "at most 2048 characters")
        }
        "ca_file" => {
            let file = |bytes| format!("\nca_file = {:?}", ca_file(bytes));
            (with(&|bytes| crypto("[\"A-B\"]", "wss://a") + &file(bytes), CA_FILE_BYTES_MAX), "at most 1MiB")
        }
        "record" => (
            ("record = \"/tmp/recordings\"".to_owned(), "record = \"/dev/null/recordings\"".to_owned()),
            "it is not a folder",
        ),
        "record_bytes_max" => {
            let limit = |bytes| format!("record = \"/tmp/recordings\"\nrecord_bytes_max = {bytes}");
            (with(&limit, 64 << 40), "from 16MiB to 65536GiB")
        }
        "part_mute_after" => (with(&|seconds| format!("part_mute_after = \"{seconds}s\""), 86_400), "from 1s to 1day"),
        "tier" => (("tier = \"live\"".to_owned(), "tier = \"late\"".to_owned()), "the tiers are live, delayed"),
        "delayed_by" => {
            let late = |seconds| format!("tier = \"delayed\"\ndelayed_by = \"{seconds}s\"");
            (with(&late, 86_400), "from 1s to 1day")
        }
        "delay" => (with(&|seconds| format!("delay = \"{seconds}s\""), 86_400), "from 1s to 1day"),
        "delay_step" => {
            let step = |seconds| format!("delay = \"1day\"\ndelay_step = \"{seconds}s\"");
            (with(&step, 3_600), "from 100ms to 1h")
        }
        "connections_max" => ((one_connection(64), one_connection(65)), "from 1 to 64"),
        "event" => {
            let event = "{ at = \"1s\", do = \"gap\" },";
            (with(&|count| format!("event = [{}]", event.repeat(count)), EVENTS_MAX), "at most 100 events")
        }
        "protocol" => ((recorded("protocol = \"sim\""), recorded("protocol = \"simm\"")), "unknown protocol"),
        "files" => {
            let files = |count: usize| {
                let path = format!("{}/tests/fixtures/recordings/sim.txt", env!("CARGO_MANIFEST_DIR"));
                format!("venue = \"replay\"\nfiles = [{}]", format!("{path:?},").repeat(count))
            };
            (with(&files, 100), "at most 100 entries")
        }
        "speed" => (with(&|speed| recorded(&format!("speed = {speed}")), 1_000), "from 0.01 to 1000"),
        "loop" => ((recorded("loop = true"), recorded("loop = 1")), "true or false"),
        "rate" => (with(&|rate| format!("rate = {rate}"), 1_000_000), "from 0.1 to 1000000"),
        name => panic!("{name} of [[feed]] has a limit that nothing here reaches"),
    };
    (most, over, said)
}

#[test]
fn rule_10_each_key_of_a_feed_has_its_limit() {
    let variables = ["KEY", "SECRET", &"K".repeat(64)].map(|name| (name.into(), "x".into()));
    for key in &feed_keys() {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("feed-{}.toml", key.name));
        let read = |lines: &str| {
            fs::write(&path, format!("[[feed]]\n{lines}\n")).unwrap();
            load(Some(&path), variables.clone(), &Overrides::default()).map_err(|error| error.to_string())
        };
        let (most, over, said) = limit_of(key);
        assert!(read(&most).is_ok(), "{}: {:?}", key.name, read(&most));
        let error = read(&over).unwrap_err();
        assert!(error.contains(said), "{}: {error}", key.name);
    }
}

#[test]
fn a_symbol_list_is_spread_over_as_many_connections_as_the_feed_may_open() {
    let load = |count: usize, more: &str| {
        let symbols: Vec<String> = (0..count).map(|n| format!("\"A{n}-USDT\"")).collect();
        load_text("spread", format!("[[feed]]\nvenue = \"binance\"\n{more}\nsymbols = [{}]", symbols.join(",")))
    };
    let connections = |count: usize, more: &str| load(count, more).unwrap().feeds[0].connections().collect::<Vec<_>>();
    assert_eq!(connections(341, "").len(), 1);
    assert_eq!(connections(342, ""), [0..171, 171..342], "a connection of one quiet symbol would count as mute");
    assert_eq!(connections(8 * 341, "").len(), 8);
    assert_eq!(connections(9 * 341, "connections_max = 9").len(), 9);
    let error = load(8 * 341 + 1, "").unwrap_err();
    assert!(error.starts_with("2729 symbols are too many for this feed\n"), "{error}");
    assert!(
        error.ends_with(
            " = a connection to binance carries 341 symbols, and the feed may open 8\n   = set connections_max = 9"
        ),
        "{error}"
    );
    let error = load(342, "connections_max = 1").unwrap_err();
    assert!(error.ends_with("set connections_max = 2"), "{error}");
    let error = load(64 * 341 + 1, "").unwrap_err();
    assert!(error.ends_with("split the symbols over several feeds, or remove some"), "{error}");
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
fn feeds_of_one_account_stay_within_its_connections_together() {
    let feed = |name: &str, more: &str| {
        format!(
            "[[feed]]\nname = \"{name}\"\nvenue = \"alpaca\"\nkey_env = \"{more}K\"\nsecret_env = \"S\"\nsymbols = [\"{}\"]\n",
            name.to_uppercase()
        )
    };
    let read = |name: &str, text: String| {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"));
        fs::write(&path, text).unwrap();
        let variables = [("K", "one"), ("OTHERK", "two"), ("S", "hush")];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        load(Some(&path), variables, &Overrides::default()).map_err(|error| error.to_string())
    };
    assert!(read("accounts", feed("a", "") + &feed("b", "OTHER")).is_ok());
    let apart = feed("a", "") + &feed("b", "") + "url = \"wss://stream.example/v2/sip\"\n";
    assert!(read("addresses", apart).is_ok(), "each address has its own limit");
    let error = read("account", feed("a", "") + &feed("b", "")).unwrap_err();
    assert!(error.starts_with("the feeds with one key open 2 connections to alpaca\n"), "{error}");
    assert!(error.contains("alpaca accepts 1 from one account"), "{error}");
}

#[test]
fn too_many_symbols_are_refused() {
    let text = |count: usize| {
        let symbols: Vec<String> = (0..count).map(|n| format!("\"S{n}\"")).collect();
        format!("[[feed]]\nsymbols = [{}]", symbols.join(","))
    };
    assert_eq!(load_text("symbols", text(SYMBOLS_MAX)).unwrap().feeds[0].symbols.len(), SYMBOLS_MAX);
    let error = load_text("symbols", text(SYMBOLS_MAX + 1)).unwrap_err();
    assert!(error.starts_with("too many symbols\n") && error.contains("at most 100000"), "{error}");
    assert!(error.chars().count() < 1000, "the line is a megabyte, what is shown of it is not");
}

#[test]
fn too_many_feeds_are_refused() {
    let text = |count: usize| {
        (0..count).map(|n| format!("[[feed]]\nname = \"f{n}\"\nsymbols = [\"S{n}\"]\n")).collect::<String>()
    };
    assert_eq!(load_text("feeds", text(FEEDS_MAX)).unwrap().feeds.len(), FEEDS_MAX);
    let error = load_text("feeds", text(FEEDS_MAX + 1)).unwrap_err();
    assert!(error.starts_with("too many feeds\n") && error.contains(":193:1"), "{error}");
}

#[test]
fn a_file_has_a_longest_length_and_one_without_end_is_not_read_to_it() {
    let longest = [vec![b'#'], vec![b' '; FILE_BYTES_MAX - 1]].concat();
    assert!(load_text("longest", &longest).is_ok());
    assert!(load_text("longest", [longest, vec![b' ']].concat()).unwrap_err().contains("at most 16MiB"));
    assert!(load_file(Path::new("/dev/zero")).unwrap_err().contains("too large for a configuration"));
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

fn tickfan(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickfan"));
    command.env_clear().args(arguments).envs(variables.iter().copied());
    command.output().unwrap()
}

#[track_caller]
fn check_exit(output: &Output, code: i32, out: &str, err: &str) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), out);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(if err.is_empty() { stderr.is_empty() } else { stderr.contains(err) }, "{stderr}");
}

#[test]
fn the_printed_configuration_is_the_defaults() {
    let printed = tickfan(&["--print-config"], &[]);
    check_exit(&printed, 0, &print_defaults(), "");
    let defaults = format!("{:?}", load(None, Vec::new(), &Overrides::default()).unwrap());
    assert_eq!(format!("{:?}", load_text("printed", print_defaults()).unwrap()), defaults);
    for key in KEYS {
        let mark = if key.section == "tls" { "#" } else { "" };
        assert!(print_defaults().contains(&format!("\n{mark}{} = ", key.name)), "{} is not printed", key.name);
    }
    assert!(print_defaults().lines().all(|line| line.chars().count() <= 100));
}

/// Keys that a feed like the printed example cannot have, or that name a file.
const OF_OTHER_FEEDS: [&str; 11] = [
    "rate",
    "event",
    "ca_file",
    "record",
    "record_bytes_max",
    "protocol",
    "files",
    "speed",
    "loop",
    "tier",
    "delayed_by",
];

#[test]
fn the_printed_example_of_a_feed_is_one() {
    let used = |line: &str| match line.strip_prefix('#') {
        Some(code) if !code.starts_with([' ', '#']) && !OF_OTHER_FEEDS.iter().any(|key| code.starts_with(key)) => {
            code.to_owned() + "\n"
        }
        _ => String::new(),
    };
    let text: String = print_defaults().lines().take_while(|line| *line != "#[tls]").map(used).collect();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("example.toml");
    fs::write(&path, &text).unwrap();
    let keys = ["ALPACA_KEY", "ALPACA_SECRET"].map(|name| (name.into(), "x".into()));
    let config = load(Some(&path), keys, &Overrides::default()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!((config.feeds.len(), config.feeds[0].name.as_str()), (1, "us-stocks"));
    assert!(
        feed_keys().iter().all(|key| OF_OTHER_FEEDS.contains(&key.name) || text.contains(&format!("{} = ", key.name))),
        "{text}"
    );
}

#[test]
fn each_broken_file_ends_the_start_with_64_and_its_message() {
    for entry in fs::read_dir("tests/fixtures/config").unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "toml") {
            let message = fs::read_to_string(file.with_extension("txt")).unwrap();
            let output = tickfan(&["--config", file.to_str().unwrap()], &[]);
            check_exit(&output, 64, "", &format!("error: {message}"));
        }
    }
}

#[test]
fn the_file_is_named_by_an_argument_a_flag_or_a_variable_in_this_order() {
    let broken = "tests/fixtures/config/unknown_key.toml";
    let good = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("named.toml");
    fs::write(&good, "[[feed]]\nsymbols = [\"AAPL\"]\n").unwrap();
    let good = good.to_str().unwrap();
    let one = "ok: 1 feed(s), 1 symbols\n";
    let variable = |file: &'static str| [("TICKFAN_CONFIG", file)];
    check_exit(&tickfan(&["check"], &[("TICKFAN_CONFIG", good)]), 0, one, "");
    check_exit(&tickfan(&["check"], &variable(broken)), 64, "", "unknown_key.toml:5:1");
    check_exit(&tickfan(&[], &variable("nowhere.toml")), 64, "", "cannot read nowhere.toml");
    check_exit(&tickfan(&["check"], &variable("")), 0, "ok: 1 feed(s), 30 symbols\n", "");
    check_exit(&tickfan(&["check", "--config", good], &variable(broken)), 0, one, "");
    check_exit(&tickfan(&["check", good], &variable(broken)), 0, one, "");
    check_exit(&tickfan(&["check", broken], &[]), 64, "", "unknown_key.toml:5:1");
    check_exit(&tickfan(&["check", good, "--config", good], &[]), 64, "", "cannot be used with");
}

#[test]
fn the_effective_configuration_says_where_each_value_comes_from_and_tells_no_secret() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("effective.toml");
    let text = "[server]\nheartbeat = \"20s\"\nlisten = \"127.0.0.1:1\"\n\n[limits]\nstreams = 7\n\
         [[feed]]\nvenue = \"alpaca\"\nurl = \"wss://a.example/v2?token=hush\"\nkey_env = \"K\"\nsecret_env = \"S\"\n\
         symbols = [\"AAPL\"]\n\
         [[feed]]\nvenue = \"sim\"\nsymbols = { \"B-C\" = \"b/c\", MSFT = \"m\" }\nrate = 5\nmute_after = \"45s\"\n\
         event = [{ at = \"1s\", do = \"halt\", symbol = \"MSFT\", lasts = \"2s\" }]\n\
         [[feed]]\nvenue = \"binance\"\nsymbols = [\"BTC-USDT\"]\nproxy = \"http://u:hush@[::1]:3128\"\n";
    let recording = format!("{}/tests/fixtures/recordings/sim.txt", env!("CARGO_MANIFEST_DIR"));
    let replay =
        format!("[[feed]]\nvenue = \"replay\"\nfiles = [{recording:?}]\nsymbols = [\"KO\"]\nspeed = \"max\"\n");
    fs::write(&file, text.to_owned() + &replay).unwrap();
    let arguments = ["--print-config", "--effective", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:9"];
    let variables = [
        ("K", "hush"),
        ("S", "hush"),
        ("TICKFAN_LIMITS_STREAMS", "8"),
        ("TICKFAN_SERVER_HOSTS", ""),
        ("TICKFAN_LOG", ""),
    ];
    let output = tickfan(&arguments, &variables);
    let printed = String::from_utf8(output.stdout).unwrap();
    for line in [
        "listen = \"127.0.0.1:9\" # --listen",
        "admin_listen = \"127.0.0.1:8081\" # default",
        "hosts = [] # TICKFAN_SERVER_HOSTS",
        "heartbeat = \"20s\" # line 2",
        "log = \"info\" # default",
        "streams = 8 # TICKFAN_LIMITS_STREAMS",
        "url = \"wss://a.example/v2?…\" # line 9",
        "key_env = \"K\" # line 10",
        "symbols = [\"AAPL\"] # line 12",
        "hours = \"us-equities\" # default",
        "mute_after = \"2m\" # default",
        "# part_mute_after is not set",
        "symbols = { \"B-C\" = \"b/c\", \"MSFT\" = \"m\" } # line 15",
        "rate = 5 # line 16",
        "mute_after = \"45s\" # line 17",
        "event = [{ at = \"1s\", do = \"halt\", symbol = \"MSFT\", lasts = \"2s\" }] # line 18",
        "proxy = \"http://[::1]:3128\" # line 22",
        "protocol = \"sim\" # default",
        "speed = \"max\" # line 27",
        "loop = false # default",
        "hours = \"always\" # default",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}: {printed}");
    }
    assert!(!printed.contains("hush"), "{printed}");
    let of_this_file = KEYS.iter().filter(|key| key.section != "tls");
    assert!(of_this_file.map(|key| format!("\n{} = ", key.name)).all(|line| printed.contains(&line)), "{printed}");
    assert!(!printed.contains("[tls]"), "{printed}");
    let has_feed_key =
        |name| printed.contains(&format!("\n{name} = ")) || printed.contains(&format!("# {name} is not"));
    assert!(feed_keys().iter().all(|key| has_feed_key(key.name)), "{printed}");
    let wrong = tickfan(&["--print-config", "--effective"], &[("TICKFAN_LOG", "warning")]);
    check_exit(&wrong, 64, "", "did you mean `warn`?");
    check_exit(&tickfan(&["--effective"], &[]), 64, "", "--print-config");
}

#[test]
fn check_shows_every_error_of_the_file_and_of_the_variables() {
    let file = "tests/fixtures/config/several_errors.toml";
    let variables = [("TICKFAN_LIMITS_STREAMS", "many"), ("TICKFAN_STREMS", "1"), ("TICKFAN_LOG", "warning")];
    for arguments in [&["check", "--config", file][..], &["--config", file]] {
        let output = tickfan(arguments, &variables);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        check_exit(&output, 64, "", "error: `localhost:8080` has a host name");
        let lines = |place: &str| stderr.contains(&format!("--> {file}:{place}\n"));
        for place in [
            "2:10", "3:1", "4:24", "4:32", "9:24", "9:48", "10:14", "11:1", "14:8", "15:9", "18:8", "19:20", "22:8",
            "23:11", "25:2",
        ] {
            assert!(lines(place), "{place}: {stderr}");
        }
        for of_variable in ["--> TICKFAN_LIMITS_STREAMS", "unknown variable TICKFAN_STREMS", "did you mean `warn`?"] {
            assert!(stderr.contains(of_variable), "{of_variable}: {stderr}");
        }
        assert_eq!(stderr.matches("error: ").count(), 18, "{stderr}");
    }
}

#[test]
fn rule_10_of_many_errors_some_are_shown_and_the_rest_is_counted() {
    let lines = |count: usize| (0..count).map(|n| format!("unknown_{n} = 1\n")).collect::<String>();
    for (count, end) in [(20, None), (21, Some("\n\nand 1 more error")), (70_000, Some("\n\nand 69980 more errors"))] {
        let error = load_text("many", format!("[server]\n{}", lines(count))).unwrap_err();
        assert_eq!(error.matches("unknown key `unknown_").count(), 20, "{count}");
        assert!(end.is_none_or(|end| error.ends_with(end)), "{count}: {error}");
    }
    let symbols = vec!["\"a b\""; 50_000].join(",");
    let error = load_text("many", format!("[[feed]]\nsymbols = [{symbols}]")).unwrap_err();
    assert!(error.ends_with("and 49980 more errors") && error.len() < 20_000, "{}", error.len());
}

#[test]
fn check_says_ok_or_exits_with_64() {
    check_exit(&tickfan(&["check"], &[]), 0, "ok: 1 feed(s), 30 symbols\n", "");
    let broken = tickfan(&["check", "--config", "tests/fixtures/config/unknown_key.toml"], &[]);
    check_exit(
        &broken,
        64,
        "",
        "error: unknown key `max_lgg` in [fanout]\n  --> tests/fixtures/config/unknown_key.toml:5:1\n",
    );
}

#[test]
fn a_wrong_start_exits_with_64_before_it_serves() {
    check_exit(&tickfan(&["--config", "nowhere.toml"], &[]), 64, "", "cannot read nowhere.toml");
    check_exit(
        &tickfan(&["check", "--config", "deploy/"], &[]),
        64,
        "",
        "name a file in it, such as deploy/tickfan.toml",
    );
    check_exit(&tickfan(&["--lissten", "127.0.0.1:0"], &[]), 64, "", "--listen");
    check_exit(&tickfan(&["--listen", "localhost:80"], &[]), 64, "", "127.0.0.1:80");
    check_exit(&tickfan(&[], &[("TICKFAN_LIMITS_STREAMS", "0")]), 64, "", "from 1 to 1000000");
    check_exit(&tickfan(&[], &[("TICKFAN_LOG", "tickfan=loud")]), 64, "", "is not a log level");
    check_exit(&tickfan(&["check"], &[("TICKFAN_LOG_FORMAT", "xml")]), 64, "", "is not a log format");
    check_exit(&tickfan(&["--version"], &[]), 0, "tickfan 0.1.0\n", "");
}

#[test]
fn the_unit_for_systemd_starts_it_again_for_ever_but_not_with_a_wrong_configuration() {
    let unit = fs::read_to_string("deploy/tickfan.service").unwrap();
    let set = |name: &str| -> Vec<&str> {
        unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect()
    };
    // systemd reads exit codes only of the main process. If a process before it failed, systemd would restart the unit
    // forever.
    assert_eq!(unit.matches("\nExecStart").count(), 1);
    assert_eq!(set("ExecReload"), ["/bin/kill -HUP $MAINPID"]);
    let [start] = set("ExecStart")[..] else { panic!("one ExecStart") };
    let words: Vec<&str> = start.split(' ').map(|word| word.trim_start_matches("/etc/")).collect();
    let output = tickfan(&words[1..], &[]);
    check_exit(&output, 64, "", "cannot read tickfan/tickfan.toml");
    assert_eq!((set("Restart"), set("RestartPreventExitStatus")), (vec!["on-failure"], vec!["64"]));
    // By default five failures in ten seconds are the last. In another section systemd would not read it.
    let (of_unit, _) = unit.split_once("[Service]").unwrap();
    assert!(of_unit.contains("\nStartLimitIntervalSec=0\n"));
    assert_eq!((set("RestartSteps"), set("RestartMaxDelaySec")), (vec!["5"], vec!["30s"]));
}

#[test]
fn the_dockerfile_builds_with_the_toolchain_of_this_folder_and_runs_on_the_debian_it_was_built_on() {
    let dockerfile = fs::read_to_string("deploy/Dockerfile").unwrap();
    let toolchain: toml::Table = fs::read_to_string("rust-toolchain.toml").unwrap().parse().unwrap();
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    let images: Vec<&str> = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    assert_eq!(
        images,
        [
            &format!("rust:{channel}-slim-bookworm AS build"),
            "gcr.io/distroless/cc-debian12:nonroot" // Debian 12 is bookworm.
        ]
    );
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
