//! `docs/venues/`: a page for each venue, from one template. What stands in a venue's spec is written between markers.

use super::{document, venues::count_of_venues};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tickfan::{
    config::{self, Overrides, load, show_duration},
    market::Symbol,
    venue::{self, Credentials, CredentialsRule, ListedSymbol, Rules, Setup, Spec, VENUES},
};

/// The sections of a page, in their order.
const SECTIONS: [&str; 11] = [
    "Configure",
    "What comes from where",
    "Names of symbols",
    "Limits",
    "Silence",
    "Refusals and errors",
    "Planned ends",
    "Halts",
    "What the venue does not tell",
    "Data rights",
    "Sources",
];

/// Venues without a connection, whose page has another form.
const ELSEWHERE: [(&str, &str); 1] = [("replay", "../recordings.md")];

/// The page of a venue, as the pages here link it.
fn page(spec: &Spec) -> String {
    match ELSEWHERE.iter().find(|(name, _)| *name == spec.name) {
        Some((_, page)) => (*page).to_owned(),
        None => format!("{}.md", spec.name),
    }
}

/// The page of a venue, as the README links it.
pub(super) fn page_from_root(spec: &Spec) -> String {
    let page = page(spec);
    page.strip_prefix("../").map_or_else(|| format!("docs/venues/{page}"), |page| format!("docs/{page}"))
}

/// The venues that have a page here.
fn with_page() -> impl Iterator<Item = &'static Spec> {
    VENUES.iter().copied().filter(|spec| ELSEWHERE.iter().all(|(name, _)| *name != spec.name))
}

fn key(spec: &Spec) -> String {
    match spec.credentials {
        CredentialsRule::Public => "none".to_owned(),
        CredentialsRule::Key { key_env } => format!("a key, for example in `{key_env}`"),
        CredentialsRule::KeyAndSecret { key_env, secret_env } => {
            format!("a key and its secret, for example in `{key_env}` and `{secret_env}`")
        }
    }
}

/// A number with its thousands apart.
fn count(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

fn symbols(spec: &Spec) -> Vec<ListedSymbol> {
    spec.examples.iter().map(|name| ListedSymbol::from(name.parse::<Symbol>().unwrap())).collect()
}

/// What the venue's side of a connection with the symbols of the examples says: its address and its rules.
fn connection(spec: &'static Spec) -> (String, Rules) {
    let credentials = match spec.credentials {
        CredentialsRule::Public => None,
        CredentialsRule::Key { .. } | CredentialsRule::KeyAndSecret { .. } => Some(Credentials::new("key", "secret")),
    };
    let symbols = symbols(spec);
    let setup = Setup { url: None, symbols: &symbols, credentials: credentials.as_ref(), playback: None };
    let venue = venue::new(spec, &setup).unwrap();
    let url = if spec.local_server.is_some() {
        "a server of its own, inside the process".to_owned()
    } else {
        format!("`{}`", config::without_secrets(venue.url()))
    };
    (url, venue.rules())
}

/// The default of `mute_after`, which may depend on the length of the list.
fn mute_after(spec: &'static Spec) -> String {
    let of_list = |count: usize| {
        let list = symbols(spec).into_iter().cycle().take(count).collect();
        show_duration(config::Feed::new(spec, list).mute_limit())
    };
    let [few, many] = [1, 20].map(of_list);
    if few == many { few } else { format!("{many}; {few} where there are fewer than 20") }
}

fn facts(spec: &'static Spec) -> String {
    let (url, rules) = connection(spec);
    let time = |time: Option<Duration>, otherwise: &str| time.map_or(otherwise.to_owned(), show_duration);
    let ping =
        rules.ping.map_or("none".to_owned(), |ping| format!("`{}` every {}", ping.text, show_duration(ping.every)));
    let names: Vec<String> = spec.examples.iter().map(|name| format!("`{name}`")).collect();
    let message = spec.message_bytes_max(&symbols(spec)).div_ceil(1 << 10);
    let rows = [
        ("market", spec.about.to_owned()),
        ("class", spec.asset_class.name().to_owned()),
        ("symbols look like", names.join(", ")),
        ("address", url),
        ("hours", format!("`{}`", (spec.hours)(None).name())),
        ("key", key(spec)),
        ("symbols of a connection", format!("at most {}", count(spec.symbols_per_connection))),
        ("connections", format!("at most {}", count(spec.connections_max))),
        ("between two attempts to connect", show_duration(spec.between_connects)),
        ("between two messages to the venue", show_duration(rules.between_requests)),
        ("longest message that is read", format!("{} KiB, with the symbols above", count(message))),
        ("lifetime of a connection", time(rules.lifetime, "until it breaks")),
        ("ping of the venue's protocol", ping),
        ("heartbeats", if spec.heartbeats { "yes" } else { "no" }.to_owned()),
        ("a connection without any frame is dead after", time(rules.heartbeat_timeout, "websocket pings find it")),
        ("symbols without data are stale after (`mute_after`)", mute_after(spec)),
    ];
    let mut text = "\n| fact | value |\n|---|---|\n".to_owned();
    rows.into_iter().for_each(|(fact, value)| writeln!(text, "| {fact} | {value} |").unwrap());
    text + "\n"
}

fn path(spec: &Spec) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/venues").join(page(spec))
}

fn read(spec: &Spec) -> String {
    fs::read_to_string(path(spec))
        .unwrap_or_else(|error| panic!("docs/venues/{} has to be written, as the pages beside it: {error}", page(spec)))
}

#[test]
fn each_venue_has_a_page_with_every_section() {
    for spec in with_page() {
        let text = read(spec);
        assert!(text.starts_with(&format!("# {}\n", spec.name)), "{}", spec.name);
        let found: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(found, SECTIONS, "{}", spec.name);
        for section in text.split("\n## ").skip(1) {
            assert!(section.lines().nth(2).is_some_and(|line| !line.is_empty()), "{}: {section:?} is empty", spec.name);
        }
        let (_, sources) = text.split_once("## Sources\n").unwrap();
        assert!(sources.contains("https://") || spec.local_server.is_some(), "{} names no documentation", spec.name);
    }
}

#[test]
fn each_page_has_a_venue() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/venues")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_known = name == "README.md" || with_page().any(|spec| page(spec) == name);
        assert!(is_known, "{name} is the page of no venue");
    }
}

#[test]
fn the_facts_of_each_page_follow_from_the_spec() {
    for spec in with_page() {
        read(spec);
        document::check(
            &format!("docs/venues/{}", page(spec)),
            "<!-- facts -->",
            "<!-- end of facts -->",
            &facts(spec),
        );
    }
}

#[test]
fn the_pages_are_listed() {
    let head = "| venue | market | hours | key | symbols of a connection |\n|---|---|---|---|---|\n";
    let mut rows = format!("\n{}\n\n{head}", count_of_venues());
    for spec in VENUES {
        let hours = (spec.hours)(None).name();
        let key = match spec.credentials {
            CredentialsRule::Public => "none",
            CredentialsRule::Key { .. } | CredentialsRule::KeyAndSecret { .. } => "yes",
        };
        let symbols = count(spec.symbols_per_connection);
        let (name, about) = (spec.name, spec.about);
        writeln!(rows, "| [{name}]({}) | {about} | `{hours}` | {key} | {symbols} |", page(spec)).unwrap();
    }
    rows.push('\n');
    document::check("docs/venues/README.md", "<!-- venues -->", "<!-- end of venues -->", &rows);
}

#[test]
fn each_example_of_a_page_is_a_configuration_of_its_venue() {
    for spec in with_page() {
        let text = read(spec);
        let examples: Vec<&str> =
            text.split("```toml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
        assert!(!examples.is_empty(), "{} has no example", spec.name);
        for (place, example) in examples.into_iter().enumerate() {
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("page-{}-{place}.toml", spec.name));
            fs::write(&file, example).unwrap();
            let variables = match spec.credentials {
                CredentialsRule::Public => vec![],
                CredentialsRule::Key { key_env } => vec![key_env],
                CredentialsRule::KeyAndSecret { key_env, secret_env } => vec![key_env, secret_env],
            };
            let variables = variables.into_iter().map(|name| (name.into(), "x".into()));
            let config = load(Some(&file), variables, &Overrides::default())
                .unwrap_or_else(|error| panic!("{}: {error}\n{example}", spec.name));
            assert!(config.feeds.iter().all(|feed| feed.venue == spec), "{}: {example}", spec.name);
        }
    }
}
