//! Where a report comes from.

use crate::{
    measure::Host,
    report::{Program, Provenance, Summary},
};
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use std::{collections::BTreeMap, ffi::OsString, fmt::Write as _, fs, io, path::Path, time::SystemTime};

/// The option whose value is a secret.
const SECRET_OPTION: &str = "--header";
/// Parameters of a query whose values are secrets.
const SECRET_PARAMETERS: [&str; 5] = ["token=", "access_token=", "key=", "secret=", "password="];
/// The variables that change the gateway, or what is started for a run.
const VARIABLES: [&str; 2] = ["TICKFAN_", "NATS_SERVER"];
/// Parts of the names of variables whose values are secrets.
const SECRET_NAMES: [&str; 4] = ["KEY", "SECRET", "TOKEN", "PASSWORD"];
/// What stands for a secret.
const HIDDEN: &str = "…";

/// Where the report of this command comes from; `scenario` is the whole scenario.
pub(super) fn provenance(scenario: String) -> Provenance {
    Provenance {
        date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        command: without_secrets(std::env::args()),
        variables: variables(std::env::vars_os()),
        scenario: without_secret_parameters(&scenario),
        load_tester: Program {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            commit: Some(env!("BUILD_COMMIT")).filter(|commit| !commit.is_empty()).map(str::to_owned),
            sha256: None,
        },
        server: None,
        machine: Host::now(),
    }
}

/// Adds it to the results, with what is known of the server: its program, if the load tester started it, or its
/// address.
pub(super) fn add(summary: &mut Summary, provenance: &Provenance, program: Option<&Path>, address: &str) {
    let gateway = summary.gateway.as_ref();
    let version = gateway.and_then(|gateway| gateway.version.clone());
    let sha256 = program.and_then(|program| sha256(program).ok());
    let name = program.map_or_else(|| without_secret_parameters(address), |program| program.display().to_string());
    let commit = gateway.and_then(|gateway| gateway.commit.clone());
    let server = Program { name, version, commit, sha256 };
    summary.provenance = Some(Provenance { server: Some(server), ..provenance.clone() });
}

/// The SHA-256 of a file.
fn sha256(path: &Path) -> io::Result<String> {
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
    let ours = all.filter(|(name, _)| VARIABLES.iter().any(|prefix| name.starts_with(prefix)));
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
fn without_secret_parameters(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(begin) = text.find("://").map(|scheme| scheme + 3) {
        let end = text[begin..].find('/').map_or(text.len(), |end| begin + end);
        if let Some(user) = text[begin..end].rfind('@') {
            text.replace_range(begin..begin + user, HIDDEN);
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
        let all =
            [("TICKFAN_FANOUT_WORKERS", "1"), ("TICKFAN_AUTH_TOKEN", "s3cret"), ("HOME", "/x"), ("NATS_SERVER", "/n")];
        let kept = variables(all.into_iter().map(|(name, value)| (name.into(), value.into())));
        let kept: Vec<_> = kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(kept, [("NATS_SERVER", "/n"), ("TICKFAN_AUTH_TOKEN", "…"), ("TICKFAN_FANOUT_WORKERS", "1")]);
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
