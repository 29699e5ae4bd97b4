//! What the program says of a configuration, and how it ends for one that is wrong.

use super::*;
use crate::support::log_watch::looked_at;
use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

fn tickfan(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickfan"));
    command.env_clear().args(arguments).envs(variables.iter().copied());
    looked_at(command.output().unwrap())
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
        let mark = if OPTIONAL_SECTIONS.contains(&key.section) { "#" } else { "" };
        assert!(print_defaults().contains(&format!("\n{mark}{} = ", key.name)), "{} is not printed", key.name);
    }
    assert!(print_defaults().lines().all(|line| line.chars().count() <= 100));
}

/// Keys that a feed like the printed example cannot have, or that name a file or another feed.
const OF_OTHER_FEEDS: [&str; 18] = [
    "rate",
    "on_demand",
    "on_demand_symbols",
    "linger",
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
    "standby_for",
    "standby_age",
    "failback_after",
    "rotate_at",
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
fn check_counts_a_symbol_with_a_standby_once_and_names_what_is_on_demand() {
    let path = format!("{}/counted.toml", env!("CARGO_TARGET_TMPDIR"));
    let standby = "[[feed]]\nname = \"first\"\nsymbols = [\"AAPL\", \"MSFT\"]\n\
                   [[feed]]\nname = \"second\"\nsymbols = [\"AAPL\"]\nstandby_for = \"first\"\n";
    let on_demand = "[[feed]]\nname = \"third\"\non_demand = true\nsymbols = [\"X*\"]\non_demand_symbols = 8\n";
    for (text, said) in [
        (standby, "ok: 2 feed(s), 2 symbols, 1 of them with a standby\n"),
        (on_demand, "ok: 1 feed(s), 0 symbols, at most 8 on demand\n"),
    ] {
        fs::write(&path, text).unwrap();
        check_exit(&tickfan(&["check", &path], &[]), 0, said, "");
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
    let of_this_file = KEYS.iter().filter(|key| !OPTIONAL_SECTIONS.contains(&key.section));
    assert!(of_this_file.map(|key| format!("\n{} = ", key.name)).all(|line| printed.contains(&line)), "{printed}");
    assert!(!printed.contains("[tls]") && !printed.contains("[cluster]"), "{printed}");
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
fn check_warns_of_a_proxys_password_that_all_users_can_read() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("a-proxys-password.toml");
    let path = file.to_str().unwrap();
    let feed = "[[feed]]\nname = \"us\"\nvenue = \"binance\"\nsymbols = [\"BTC-USDT\"]\n";
    let ok = "ok: 1 feed(s), 1 symbols\n";
    let check = |text: String, mode: u32, variables: &[(&str, &str)], warning: &str| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let output = tickfan(&["check", path], variables);
        check_exit(&output, 0, ok, warning);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("hush"), "{output:?}");
    };
    let with = |address: &str| format!("{feed}proxy = \"{address}\"\n");
    let secret = "http://me:hush@proxy.example.com:3128";
    check(with(secret), 0o644, &[], "with the password of the proxy of feed us\n   = let only");
    check(with(secret), 0o640, &[], "");
    check(with("http://me@proxy.example.com:3128"), 0o644, &[], "");
    // The file does not hold it.
    check(feed.to_owned(), 0o644, &[("https_proxy", secret)], "");
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
    // A release build also names its commit.
    let version = String::from_utf8(tickfan(&["--version"], &[]).stdout).unwrap();
    let of_manifest = concat!("tickfan ", env!("CARGO_PKG_VERSION"));
    let rest = version.strip_prefix(of_manifest).unwrap_or_else(|| panic!("{version}"));
    assert!(rest == "\n" || rest.starts_with(" ("), "{version}");
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
    assert_eq!(set("ExecReload"), ["/bin/sh -c 'kill -HUP $MAINPID'"]);
    // Without it systemd would take the start for done before a port is bound.
    assert_eq!(set("Type"), ["notify"]);
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
fn the_configurations_for_docker_compose_start_a_gateway() {
    let one = "ok: 1 feed(s), 30 symbols\n";
    check_exit(&tickfan(&["check", "grafana/tickfan.toml"], &[]), 0, one, "");
    // The compose file gives each gateway these.
    let compose = fs::read_to_string("grafana/docker-compose.cluster.yml").unwrap();
    let variables = ["NATS_USER", "NATS_PASSWORD", "TICKFAN_CLUSTER_NODE"].map(|name| (name, "gateway-2"));
    assert!(variables.iter().all(|(name, _)| compose.contains(&format!("{name}: "))));
    check_exit(&tickfan(&["check", "grafana/tickfan.cluster.toml"], &variables), 0, one, "");
}

#[test]
fn the_configuration_for_kubernetes_starts_a_node_of_a_cluster() {
    let manifest = fs::read_to_string("deploy/kubernetes/configmap.yaml").unwrap();
    let (_, text) = manifest.split_once("  tickfan.toml: |\n").unwrap();
    let text: String = text.lines().map(|line| format!("{}\n", line.trim_start_matches("    "))).collect();
    let path = format!("{}/kubernetes.toml", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&path, text).unwrap();
    let variables = [("NATS_USER", "x"), ("NATS_PASSWORD", "x"), ("TICKFAN_CLUSTER_NODE", "tickfan-0")];
    let output = tickfan(&["check", &path], &variables);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!((output.status.code(), &*stdout), (Some(0), "ok: 1 feed(s), 4 symbols\n"), "{output:?}");
}

#[test]
fn the_image_is_built_with_the_toolchain_of_this_folder_and_runs_on_the_debian_it_was_built_on() {
    let containerfile = fs::read_to_string("deploy/Containerfile").unwrap();
    let toolchain: toml::Table = fs::read_to_string("rust-toolchain.toml").unwrap().parse().unwrap();
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    let bases: Vec<&str> =
        containerfile.lines().filter_map(|line| line.split_once("_BASE=")).map(|base| base.1).collect();
    assert_eq!(
        bases,
        [
            &format!("docker.io/library/rust:{channel}-slim-bookworm"),
            "gcr.io/distroless/cc-debian12:nonroot" // Debian 12 is bookworm.
        ]
    );
}

#[test]
fn the_configuration_of_the_package_starts_a_gateway_as_it_is_and_with_all_its_comments() {
    check_exit(&tickfan(&["check", "deploy/tickfan.toml"], &[]), 0, "ok: 1 feed(s), 4 symbols\n", "");
    // What a comment offers must not be refused. The files and keys of the last two tables are not there.
    let text = fs::read_to_string("deploy/tickfan.toml").unwrap();
    let (offered, _) = text.split_once("# https and HTTP/2").unwrap();
    let mut all = String::new();
    for line in offered.lines() {
        let is_toml = line.starts_with("# [[") || line.contains(" = ");
        all += line.strip_prefix("# ").filter(|_| is_toml).unwrap_or(line);
        all.push('\n');
    }
    let path = format!("{}/package.toml", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&path, all).unwrap();
    let keys = [("ALPACA_KEY", "key"), ("ALPACA_SECRET", "secret")];
    check_exit(&tickfan(&["check", &path], &keys), 0, "ok: 3 feed(s), 7 symbols\n", "");
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
