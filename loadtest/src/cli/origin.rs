//! Where a report comes from.

use crate::{
    measure::Host,
    report::{Program, Provenance},
    scenario::{Comments, LoadSetup, Scenario, printed},
};
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use std::{collections::BTreeMap, ffi::OsString, fmt::Write as _, fs, io, path::Path, time::SystemTime};
use toml::{Table, Value};

/// The option whose value is a secret.
const SECRET_OPTION: &str = "--header";
/// Parameters of a query whose values are secrets.
const SECRET_PARAMETERS: [&str; 5] = ["token=", "access_token=", "key=", "secret=", "password="];
/// What the names of the gateway's variables begin with.
pub(super) const OF_GATEWAY: &str = "TICKFAN_";
/// The variables that change the gateway, or what is started for a run, by the beginnings of their names.
const VARIABLES: [&str; 9] = [
    OF_GATEWAY,
    "NATS_SERVER",
    "MALLOC_",
    "GLIBC_TUNABLES",
    "LD_PRELOAD",
    "HTTPS_PROXY",
    "NO_PROXY",
    "https_proxy",
    "no_proxy",
];
/// Of them, those that the load tester sets itself.
const OVERWRITTEN: [&str; 2] = ["TICKFAN_LOG", "TICKFAN_LOG_FORMAT"];
/// Parts of the names of variables whose values are secrets.
const SECRET_NAMES: [&str; 4] = ["KEY", "SECRET", "TOKEN", "PASSWORD"];
/// What stands for a secret.
const HIDDEN: &str = "…";

/// Where the report of this command comes from, which loads a scenario.
pub(super) fn of_scenario(scenario: &Scenario) -> Provenance {
    let mut scenario = scenario.clone();
    let left_out = hide_secrets(&mut scenario);
    let mut files = BTreeMap::new();
    if let LoadSetup::Recording { path, .. } = &mut scenario.venue.load {
        // The report may be read in another folder.
        *path = std::path::absolute(&*path).unwrap_or_else(|_| path.clone());
        add_file(&mut files, path);
    }
    add_dictionary(&mut files, &scenario.gateway);
    Provenance { scenario: Some(printed(&scenario, Comments::Without)), left_out, files, ..of_command() }
}

/// Where the report of this command comes from, which loads what this table says.
pub(super) fn of_load(load: &Table) -> Provenance {
    let mut load = Value::Table(load.clone());
    let mut left_out = Vec::new();
    hide_in_value("load", &mut load, &mut left_out);
    Provenance { load: Some(load.as_table().map_or(String::new(), Table::to_string)), left_out, ..of_command() }
}

fn of_command() -> Provenance {
    Provenance {
        date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        command: without_secrets(std::env::args()),
        folder: std::env::current_dir().map(|folder| folder.display().to_string()).unwrap_or_default(),
        variables: variables(std::env::vars_os()),
        load_tester: Program {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            commit: Some(env!("BUILD_COMMIT")).filter(|commit| !commit.is_empty()).map(str::to_owned),
            profile: Some(env!("BUILD_PROFILE").to_owned()),
            sha256: sha256(Path::new("/proc/self/exe")).ok(),
        },
        machine: Host::now(),
        ..Provenance::default()
    }
}

/// Adds a file that a run depends on.
pub(super) fn add_file(files: &mut BTreeMap<String, String>, path: &Path) {
    if let Ok(sum) = sha256(path) {
        files.insert(path.display().to_string(), sum);
    }
}

/// Adds the dictionary that a gateway's configuration names. Other files may hold secrets, which a sum gives away if
/// they are short.
fn add_dictionary(files: &mut BTreeMap<String, String>, gateway: &BTreeMap<String, Table>) {
    let dictionary = gateway.get("server").and_then(|server| server.get("dictionary"));
    if let Some(path) = dictionary.and_then(Value::as_str) {
        add_file(files, Path::new(path));
    }
}

/// Removes the values of secrets from a scenario; returns where there were some.
fn hide_secrets(scenario: &mut Scenario) -> Vec<String> {
    let mut left_out = Vec::new();
    for (name, table) in &mut scenario.gateway {
        for (key, value) in table.iter_mut() {
            hide_in_value(&format!("gateway.{name}.{key}"), value, &mut left_out);
        }
    }
    for group in &mut scenario.groups {
        let place = format!("query of group {}", group.name);
        hide_in_text(&place, &mut group.query, &mut left_out);
    }
    left_out
}

fn hide_in_value(place: &str, value: &mut Value, left_out: &mut Vec<String>) {
    match value {
        Value::String(text) if is_secret_key(place) && !text.is_empty() => {
            HIDDEN.clone_into(text);
            left_out.push(place.to_owned());
        }
        Value::String(text) => hide_in_text(place, text, left_out),
        Value::Array(values) => values.iter_mut().for_each(|value| hide_in_value(place, value, left_out)),
        Value::Table(table) => {
            table.iter_mut().for_each(|(key, value)| hide_in_value(&format!("{place}.{key}"), value, left_out));
        }
        _ => {}
    }
}

/// Whether the last key of a path is a secret itself: `token` and `api_key`, but not `key_env` or `monkey`.
fn is_secret_key(place: &str) -> bool {
    let key = place.rsplit('.').next().unwrap_or_default();
    let last = key.rsplit(['_', '-']).next().unwrap_or_default();
    SECRET_NAMES.iter().any(|name| last.eq_ignore_ascii_case(name))
}

fn hide_in_text(place: &str, text: &mut String, left_out: &mut Vec<String>) {
    let hidden = without_secret_parameters(text);
    if hidden != *text {
        *text = hidden;
        left_out.push(place.to_owned());
    }
}

/// The SHA-256 of a file.
pub(super) fn sha256(path: &Path) -> io::Result<String> {
    let suite = TLS13_AES_128_GCM_SHA256.tls13().ok_or(io::ErrorKind::Unsupported)?;
    let hash = suite.common.hash_provider.hash(&fs::read(path)?);
    Ok(hash.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// The variables that a run depends on.
fn variables(all: impl Iterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    let all = all.filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
    let ours = all.filter(|(name, _)| {
        VARIABLES.iter().any(|prefix| name.starts_with(prefix)) && !OVERWRITTEN.contains(&name.as_str())
    });
    let hide = |(name, value): (String, String)| {
        let is_secret = SECRET_NAMES.iter().any(|part| name.contains(part));
        (name, if is_secret { HIDDEN.to_owned() } else { without_secret_parameters(&value) })
    };
    ours.map(hide).collect()
}

/// The arguments, without the values of headers, of secret parameters, and of users in URLs.
fn without_secrets(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut is_secret = false;
    let hide = |argument: String| {
        let name = argument.strip_prefix(SECRET_OPTION);
        if std::mem::replace(&mut is_secret, name == Some("")) {
            return header(&argument);
        }
        match name.and_then(|rest| rest.strip_prefix('=')) {
            Some(value) => format!("{SECRET_OPTION}={}", header(value)),
            None => without_secret_parameters(&argument),
        }
    };
    arguments.map(hide).collect()
}

/// A header without its value.
fn header(argument: &str) -> String {
    argument.split_once(':').map_or(HIDDEN.to_owned(), |(name, _)| format!("{name}: {HIDDEN}"))
}

/// A text without the values of secret parameters, and without users in URLs.
pub(super) fn without_secret_parameters(text: &str) -> String {
    let mut text = text.to_owned();
    let mut from = 0;
    while let Some(begin) = text[from..].find("://").map(|scheme| from + scheme + 3) {
        // A user ends before the host, and both before the path.
        let is_end = |c: char| c.is_whitespace() || "/?#\"'<>,;".contains(c);
        let end = text[begin..].find(is_end).map_or(text.len(), |end| begin + end);
        from = end;
        if let Some(user) = text[begin..end].rfind('@') {
            text.replace_range(begin..begin + user, HIDDEN);
            from = begin + HIDDEN.len();
        }
    }
    for name in SECRET_PARAMETERS {
        let mut from = 0;
        while let Some(place) = text[from..].find(name).map(|place| from + place) {
            from = place + name.len();
            // `monkey=` is another parameter.
            if text[..place].chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_') {
                continue;
            }
            let length = text[from..].find(|end: char| "&\"' #,\n".contains(end)).unwrap_or(text.len() - from);
            text.replace_range(from..from + length, HIDDEN);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_kept_without_its_secrets() {
        let table = [
            ("--header|authorization: Bearer s3cret|--json", "--header|authorization: …|--json"),
            ("--header=x: s3cret", "--header=x: …"),
            ("--header|s3cret", "--header|…"),
            ("--url|https://user:s3cret@host/a@b", "--url|https://…@host/a@b"),
            ("--path|/e?token=s3cret&monkey=1&key=s3cret", "--path|/e?token=…&monkey=1&key=…"),
            ("--query|access_token=s3cret", "--query|access_token=…"),
            ("run|smoke|--threshold|latency_p99=50ms", "run|smoke|--threshold|latency_p99=50ms"),
        ];
        for (arguments, expected) in table {
            let hidden = without_secrets(arguments.split('|').map(str::to_owned)).join("|");
            assert_eq!(hidden, expected);
        }
    }

    #[test]
    fn the_variables_of_a_run_are_kept_without_their_secrets() {
        let all = [
            ("TICKFAN_LOG", "debug"),
            ("MALLOC_ARENA_MAX", "2"),
            ("TICKFAN_FANOUT_WORKERS", "1"),
            ("TICKFAN_AUTH_TOKEN", "s3cret"),
            ("HOME", "/x"),
            ("NATS_SERVER", "/n"),
        ];
        let kept = variables(all.into_iter().map(|(name, value)| (name.into(), value.into())));
        let kept: Vec<_> = kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = [
            ("MALLOC_ARENA_MAX", "2"),
            ("NATS_SERVER", "/n"),
            ("TICKFAN_AUTH_TOKEN", "…"),
            ("TICKFAN_FANOUT_WORKERS", "1"),
        ];
        assert_eq!(kept, expected);
    }

    #[test]
    fn a_scenario_is_kept_without_its_secrets_and_says_which() {
        let text = "about = \"see https://example.org and a@b\"\nduration = \"1s\"\n[venue]\nsymbols = 1\n\
                    load = { steady = { rate = 1 } }\n[gateway.cluster]\nservers = [\"nats://user:s3cret@host:1\"]\n\
                    [gateway.auth]\ntoken = \"s3cret\"\nkey_env = \"NAME\"\n\
                    [[group]]\nname = \"a@b\"\ncount = 1\nquery = \"max_rate=1&token=s3cret\"\n";
        let (scenario, _) = crate::scenario::read("x", text).unwrap();
        let kept = of_scenario(&scenario);
        let toml = kept.scenario.unwrap();
        assert!(!toml.contains("s3cret") && !toml.contains("user"), "{toml}");
        for whole in ["see https://example.org and a@b", "name = \"a@b\"", "key_env = \"NAME\"", "nats://…@host:1"] {
            assert!(toml.contains(whole), "{whole} is not in {toml}");
        }
        assert_eq!(kept.left_out, ["gateway.auth.token", "gateway.cluster.servers", "query of group a@b"]);
        assert!(crate::scenario::read("again", &toml).is_ok());
    }

    #[test]
    fn a_file_is_known_by_the_sum_that_sha256sum_prints() {
        let path = std::env::temp_dir().join(format!("tickfan-loadtest-{}-sum", std::process::id()));
        fs::write(&path, "abc").unwrap();
        let sum = sha256(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
