//! Each key has its range, and each list its longest length.

use super::*;

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
                "servers" => format!("\"nats://h{n}\""),
                _ if key.section.starts_with("auth") => format!("\"S{n}\""),
                _ => format!("\"http://h{n}\""),
            };
            let entries = (0..count).map(entry).collect::<Vec<_>>().join(",");
            let table = match key.section {
                "auth" => "[auth]\nmode = \"off\"".to_owned(),
                "auth.anonymous" => "[auth]\nmode = \"off\"\n[auth.anonymous]".to_owned(),
                "cluster" => "[cluster]\nname = \"prod\"\nnode = \"gw-1\"".to_owned(),
                section => format!("[{section}]"),
            };
            load_text(key.name, format!("{table}\n{} = [{entries}]", key.name))
        };
        assert!(entries(max).is_ok());
        assert!(entries(max + 1).unwrap_err().contains(&format!("at most {max}")));
    }
}

#[test]
fn keys_of_auth_are_refused_without_a_mode() {
    let load_with = |variables: &[(&str, &str)]| {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        load(None, variables, &Overrides::default()).map(drop).map_err(|error| error.to_string())
    };
    let keys = ("TICKFAN_AUTH_KEYS", "https://login.example.com/jwks.json");
    for set in [keys, ("TICKFAN_AUTH_ISSUER", "https://login.example.com"), ("TICKFAN_AUTH_ANONYMOUS_LIVE", "AAPL")] {
        let error = load_with(&[set]).unwrap_err();
        assert!(error.starts_with("[auth] requires `mode`") && error.contains("TICKFAN_AUTH_MODE=required"), "{error}");
        for mode in ["off", "optional"] {
            assert_eq!(load_with(&[keys, set, ("TICKFAN_AUTH_MODE", mode)]), Ok(()), "{set:?}");
        }
    }
    assert_eq!(load_with(&[("TICKFAN_AUTH_KEYS", "")]), Ok(()), "an empty one sets nothing");
    let empty = "[auth]\n[auth.anonymous]\n[[feed]]\nvenue = \"sim\"\n";
    assert!(load_text("auth-empty", empty).is_ok());
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
    let standby = |primary: &str, line: &str| {
        format!(
            "name = \"{primary}\"\nsymbols = [\"A\"]\n[[feed]]\nname = \"spare\"\nstandby_for = \"{primary}\"\n\
             symbols = [\"A\"]\n{line}"
        )
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
        "rotate_at" => {
            let at = |time: &str| crypto("[\"A-B\"]", "ws://a") + &format!("\nrotate_at = \"{time} UTC\"");
            ((at("23:59"), at("24:00")), "from 00:00 to 23:59")
        }
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
        "standby_for" => (with(&|count| standby(&"p".repeat(count), ""), 32), "1 to 32 characters"),
        "standby_age" => {
            (with(&|seconds| standby("p", &format!("standby_age = \"{seconds}s\"")), 86_400), "from 100ms to 1day")
        }
        "failback_after" => {
            (with(&|seconds| standby("p", &format!("failback_after = \"{seconds}s\"")), 86_400), "from 100ms to 1day")
        }
        "on_demand" => (("on_demand = true".to_owned(), "on_demand = 1".to_owned()), "true or false"),
        "on_demand_symbols" => {
            let symbols = |count| format!("on_demand = true\non_demand_symbols = {count}");
            let connections = CONNECTIONS_DEFAULT.min(venue::DEFAULT.connections_max);
            let most = (venue::DEFAULT.symbols_per_connection * connections).min(SYMBOLS_MAX);
            (with(&symbols, most), "write a value from 1 to")
        }
        "linger" => (with(&|seconds| format!("on_demand = true\nlinger = \"{seconds}s\""), 86_400), "from 1s to 1day"),
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
