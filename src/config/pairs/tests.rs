use super::*;
use crate::{
    config::{AuthMode, Cluster, DelayLine, Feed, FeedTier, KEYS, Record, Standby, Tls, feed_keys},
    market::FailoverLimits,
    venue,
};
use std::time::Duration;

/// A machine that has enough of everything.
const LARGE: Machine = Machine { client_descriptors: Some(1 << 30), memory: Some(1 << 50), somaxconn: Some(65_536) };

fn feed(venue: &str, symbols: usize, length: usize) -> Feed {
    let names =
        (0..symbols).map(|number| format!("{number:A>length$}").parse::<crate::market::Symbol>().unwrap().into());
    Feed::new(venue::find(venue).unwrap(), names.collect())
}

/// The keys of what does not agree, and the message.
fn found(set: impl FnOnce(&mut Config, &mut Machine)) -> Vec<(&'static [&'static str], String)> {
    let mut config = Config { feeds: vec![feed("sim", 30, 4)], ..Config::default() };
    let mut machine = LARGE;
    set(&mut config, &mut machine);
    let found = check_together(&config, &machine).into_iter();
    found.map(|found| (found.pair.keys, format!("{}\n{}", found.what, found.help))).collect()
}

/// Values that just agree, and values that just do not, for the pair of these keys.
fn check(keys: &[&str], agrees: impl FnOnce(&mut Config, &mut Machine), fails: impl FnOnce(&mut Config, &mut Machine)) {
    assert_eq!(found(agrees), [], "{keys:?}");
    let [(found_keys, message)] = &found(fails)[..] else { panic!("{keys:?} do agree, or others do not") };
    assert_eq!(*found_keys, keys);
    for key in keys {
        let name = key.trim_end_matches('=');
        assert!(message.contains(&format!("`{name}`")) || message.contains(name), "{key} is not in {message}");
    }
}

#[test]
fn defaults_agree_on_a_machine_that_is_large_enough() {
    assert_eq!(found(|_, _| {}), []);
    assert_eq!(found(|_, machine| *machine = Machine::default()), [], "what is not known disagrees with nothing");
    assert_eq!(found(|config, _| config.feeds = vec![feed("alpaca", 20_000, 5)]), []);
}

#[test]
fn rule_10_each_pair_of_limits_is_checked_at_its_bound() {
    check(
        &["ring", "max_lag"],
        |config, _| {
            (config.fanout.ring, config.fanout.max_lag) = (100, super::super::units::parse_duration("10s").unwrap())
        },
        |config, _| {
            (config.fanout.ring, config.fanout.max_lag) = (99, super::super::units::parse_duration("10s").unwrap())
        },
    );
    for (keep, agrees) in [(0, true), (1, true), (86_400, true), (86_401, false), (86_401_000, false)] {
        let set = |config: &mut Config| {
            config.history.every = std::time::Duration::from_millis(1);
            config.history.keep = std::time::Duration::from_millis(keep);
        };
        assert_eq!(found(|config, _| set(config)).is_empty(), agrees, "{keep}");
    }
    let every = |millis: u64| {
        move |config: &mut Config, _: &mut Machine| {
            config.history.keep = std::time::Duration::from_secs(10);
            config.history.every = std::time::Duration::from_millis(millis);
        }
    };
    check(&["keep", "every"], every(10_000), every(10_001));
    let answer = |symbols: usize| (1 << 10) + 7 * symbols * 8;
    for symbols in [1, 6_000, 20_000] {
        let limit = |bytes: usize| {
            move |config: &mut Config, _: &mut Machine| {
                config.feeds.push(feed("alpaca", symbols, 5));
                config.limits.venue_message_bytes = Some(bytes);
            }
        };
        let bound = answer(symbols).max(4 << 10);
        check(&["venue_message_bytes", "symbols"], limit(bound), limit(answer(symbols) - 1));
    }
    for (symbols, length) in [(500, 22), (2_400, 4), (1_500, 8)] {
        let fits = (12 * 1024 - 128) / (length + 1);
        let list = |count: usize| {
            move |config: &mut Config, _: &mut Machine| {
                config.feeds = vec![feed("sim", symbols + 100, length)];
                config.limits.symbols_per_stream = count;
            }
        };
        let encoded = (12 * 1024 - 128) / (length + 3);
        check(&["symbols_per_stream", "head_bytes"], list(encoded.min(symbols)), list(fits + 1));
        let is_found = |(keys, _): &(&[&str], String)| *keys == ["symbols_per_stream", "head_bytes"];
        assert!(!found(list(fits)).iter().any(is_found), "commas that are not encoded fit");
    }
    let with_long_names = |count: usize| {
        move |config: &mut Config, _: &mut Machine| {
            config.feeds = vec![feed("sim", 900, 4), feed("binance", 500, 31)];
            config.limits.symbols_per_stream = count;
        }
    };
    check(&["symbols_per_stream", "head_bytes", "symbols"], with_long_names(357), with_long_names(358));
    check(
        &["subscriptions", "symbols_per_stream"],
        |config, _| (config.limits.subscriptions, config.limits.streams) = (30, 30),
        |config, _| (config.limits.subscriptions, config.limits.streams) = (29, 29),
    );
    check(
        &["subscriptions_per_address", "symbols_per_stream"],
        |config, _| config.limits.subscriptions_per_address = 30,
        |config, _| config.limits.subscriptions_per_address = 29,
    );
    check(
        &["subscriptions", "streams"],
        |config, _| config.limits.subscriptions = 100_000,
        |config, _| config.limits.subscriptions = 99_999,
    );
    check(
        &["streams_per_address", "streams"],
        |config, _| config.limits.streams_per_address = 100_000,
        |config, _| config.limits.streams_per_address = 100_001,
    );
    check(
        &["subscriptions_per_address", "subscriptions"],
        |config, _| config.limits.subscriptions_per_address = 5_000_000,
        |config, _| config.limits.subscriptions_per_address = 5_000_001,
    );
    check(
        &["auth.mode", "auth.keys", "auth.secret_env", "auth.secret_file"],
        |config, _| (config.auth.mode, config.auth.secret_env) = (AuthMode::Optional, "SECRET".to_owned()),
        |config, _| config.auth.secret_env = "SECRET".to_owned(),
    );
    check(
        &["streams", "connections", "ulimit -n"],
        |_, machine| machine.client_descriptors = Some(108_192),
        |_, machine| machine.client_descriptors = Some(108_191),
    );
    let full = MemoryAtLimits::of(&Config { feeds: vec![feed("sim", 30, 4)], ..Config::default() }, &LARGE).total();
    check(
        &[
            "streams",
            "subscriptions",
            "connections",
            "ring",
            "ring_age",
            "delay_step",
            "symbols",
            "bytes_max",
            "memory",
        ],
        |_, machine| machine.memory = Some(full),
        |_, machine| machine.memory = Some(full - 1),
    );
    check(
        &["connections", "net.core.somaxconn"],
        |_, machine| machine.somaxconn = Some(4_096),
        |_, machine| machine.somaxconn = Some(4_095),
    );
    let tls = |set: fn(&mut Config)| {
        move |config: &mut Config, _: &mut Machine| {
            config.tls = Some(Tls::default());
            set(config);
        }
    };
    check(
        &["handshakes", "connections"],
        tls(|config| config.limits.connections = 64),
        tls(|c| c.limits.connections = 63),
    );
    check(
        &["h2_streams", "streams_per_address"],
        tls(|config| config.limits.streams_per_address = 100),
        tls(|config| config.limits.streams_per_address = 99),
    );
    // 200 notes of each symbol: one for each second of the delay, and one more.
    let line = |symbols| {
        move |config: &mut Config, _: &mut Machine| {
            let tier =
                FeedTier::LiveAndDelayed(DelayLine { delay: Duration::from_secs(199), step: Duration::from_secs(1) });
            config.feeds = vec![Feed { tier, ..feed("sim", symbols, 5) }];
        }
    };
    check(&["delay", "delay_step", "symbols"], line(2_500), line(2_501));
    let delayed = |is_cluster: bool| {
        move |config: &mut Config, _: &mut Machine| {
            let line = DelayLine { delay: Duration::from_secs(10), step: Duration::from_secs(1) };
            config.feeds[0].tier = FeedTier::LiveAndDelayed(line);
            config.cluster = is_cluster.then(|| Cluster { name: "prod".to_owned(), ..Cluster::default() });
        }
    };
    check(&["cluster.name", "delay"], delayed(false), delayed(true));
    let late = |is_cluster: bool| {
        move |config: &mut Config, _: &mut Machine| {
            config.feeds[0].tier = FeedTier::Delayed { by: Duration::from_secs(900) };
            config.cluster = is_cluster.then(|| Cluster { name: "prod".to_owned(), ..Cluster::default() });
        }
    };
    check(&["cluster.name", "tier"], late(false), late(true));
    let recorded = |is_cluster: bool| {
        move |config: &mut Config, _: &mut Machine| {
            config.feeds[0].record = Some(Record { folder: "recordings".into(), bytes_max: 1 << 30 });
            config.cluster = is_cluster.then(|| Cluster { name: "prod".to_owned(), ..Cluster::default() });
        }
    };
    check(&["cluster.name", "record"], recorded(false), recorded(true));
    let limits = FailoverLimits { age: Duration::from_secs(5), failback_after: Duration::from_secs(30) };
    let with_standby = |is_cluster: bool| {
        move |config: &mut Config, _: &mut Machine| {
            config.feeds[0].standby = Some(Standby { primary: "main".to_owned(), limits });
            config.cluster = is_cluster.then(|| Cluster { name: "prod".to_owned(), ..Cluster::default() });
        }
    };
    check(&["cluster.name", "standby_for"], with_standby(false), with_standby(true));
    let feeds = |count: usize| {
        move |config: &mut Config, _: &mut Machine| {
            config.feeds = (0..count).map(|_| feed("sim", 1, 4)).collect();
            config.cluster = Some(Cluster { name: "prod".to_owned(), ..Cluster::default() });
        }
    };
    check(&["cluster.name", "[[feed]]"], feeds(64), feeds(65));
    let drain =
        |seconds| move |config: &mut Config, _: &mut Machine| config.server.drain = Duration::from_secs(seconds);
    check(&["drain_delay", "drain", "TimeoutStopSec="], drain(27), drain(28));
    let of_node = |seconds| {
        move |config: &mut Config, machine: &mut Machine| {
            config.cluster = Some(Cluster { name: "x".to_owned(), ..Cluster::default() });
            drain(seconds)(config, machine);
        }
    };
    check(&["drain_delay", "drain", "TimeoutStopSec="], of_node(23), of_node(24));
}

#[test]
fn the_listeners_of_http_and_https_differ() {
    let listeners = |tls: &str, listen: &str| {
        let messages = found(|config, _| {
            config.server.listen = listen.parse().unwrap();
            config.tls = Some(Tls { listen: tls.parse().unwrap(), ..Tls::default() });
        });
        messages.into_iter().next()
    };
    for (tls, listen) in [
        ("127.0.0.1:80", "127.0.0.1:81"),
        ("127.0.0.1:80", "127.0.0.2:80"),
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("0.0.0.0:80", "127.0.0.1:81"),
    ] {
        assert_eq!(listeners(tls, listen), None, "{tls} {listen}");
    }
    for (tls, listen, other) in [
        ("127.0.0.1:80", "127.0.0.1:80", "`listen` (127.0.0.1:80)"),
        ("0.0.0.0:80", "127.0.0.1:80", "`listen` (127.0.0.1:80)"),
        ("127.0.0.1:80", "[::]:80", "`listen` ([::]:80)"),
        ("127.0.0.1:8081", "127.0.0.1:80", "`admin_listen` (127.0.0.1:8081)"),
    ] {
        let (keys, message) = listeners(tls, listen).unwrap();
        assert_eq!(keys, ["tls.listen", "listen", "admin_listen"]);
        assert!(message.contains(&format!("`tls.listen` ({tls})")) && message.contains(other), "{message}");
    }
}

#[test]
fn fewer_streams_have_descriptors_and_rings_hold_no_more_than_arrives() {
    let mut config = Config { feeds: vec![feed("sim", 20_000, 5)], ..Config::default() };
    let of = |config: &Config, left| MemoryAtLimits::of(config, &Machine { client_descriptors: left, ..LARGE });
    assert_eq!(of(&config, Some(1_000)).streams, 1_000 * (5 << 10));
    assert_eq!(of(&config, None).streams, 100_000 * (5 << 10));
    assert_eq!(of(&config, None).rings, 10_000_000 * 600, "10 s of a million ticks a second");
    assert_eq!(of(&config, None).history, 256 << 20, "`bytes_max`");
    config.feeds = vec![feed("sim", 10, 5)];
    assert_eq!(of(&config, None).rings, 10 * 1024 * 600);
    assert_eq!(of(&config, None).requests, 4_096 * (16_384 + 21_024));
    assert_eq!(of(&config, None).history, 10 * (200 + 900 * 48));
    config.history.keep = std::time::Duration::ZERO;
    assert_eq!(of(&config, None).history, 0);
    config.tls = Some(Tls::default());
    assert_eq!(of(&config, None).requests, 4_096 * (3 * 16_384 + 2 * 21_024), "and as many over HTTP/2");
    assert_eq!(of(&config, None).streams, 100_000 * (10 << 10), "and each may be one by TLS");
    assert_eq!(of(&config, None).delayed, 0);
    let line = DelayLine { delay: Duration::from_secs(900), step: Duration::from_secs(5) };
    let delayed = |symbols| Feed { tier: FeedTier::LiveAndDelayed(line), ..feed("sim", symbols, 5) };
    config.feeds = vec![delayed(10), delayed(20)];
    assert_eq!(of(&config, None).delayed, 30 * (181 * 1_100 + 1_024 + 3 * 600), "10 s of ticks are in rings");
    config.feeds = vec![delayed(10_000)];
    let states = 10_000 * (1_024 + 3 * 600);
    assert_eq!(of(&config, None).delayed, 500_000 * 1_100 + states, "the step doubles before there are more");
}

#[test]
fn the_keys_of_a_pair_are_keys_of_the_configuration_or_of_the_system() {
    let of_system = ["ulimit -n", "memory", "net.core.somaxconn", "TimeoutStopSec=", "chmod", "[[feed]]"];
    let of_feeds = feed_keys();
    for key in PAIRS.iter().flat_map(|pair| pair.keys) {
        let is_key = KEYS.iter().any(|known| known.is_called(key)) || of_feeds.iter().any(|known| known.name == *key);
        assert!(is_key || of_system.contains(key), "{key}");
    }
}
