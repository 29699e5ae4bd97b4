//! What `[auth]` names: the secret, the set of keys, the certificates, and the groups of its lists. It is looked at
//! once all of the configuration is read.

use super::{
    Auth,
    auth::{AuthMode, KeySource, KeysAddress},
    ca_file,
    environment::Variables,
    error::{Wrong, Wrongs, shown},
    proxy,
};
use crate::{
    auth::{KEY_SET_BYTES_MAX, KeyOrigin, KeySet, Pattern, SECRET_BYTES_MAX, SECRET_BYTES_MIN, SECRET_FILE_BYTES_MAX},
    suggest::nearest,
    venue::Secret,
};
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read as _},
    path::Path,
    sync::Arc,
};

/// Where a relative path begins.
const BASE: &str = "the folder of the configuration, or, in a variable, at the working directory";

/// An error, with the key of `[auth]` that it is about.
pub(super) struct Of(pub(super) &'static str, pub(super) Box<Wrong>);

impl Of {
    fn new(key: &'static str, wrong: Wrong) -> Self {
        Self(key, Box::new(wrong))
    }
}

/// Checks the groups of the lists, and loads what verifies tokens, where clients sign on.
///
/// # Errors
/// The first mistake.
pub(super) fn load(auth: &mut Auth, variables: &Variables) -> Result<(), Of> {
    for (key, patterns) in [
        ("default_live", &auth.defaults.live),
        ("default_delayed", &auth.defaults.delayed),
        ("live", &auth.anonymous.live),
        ("delayed", &auth.anonymous.delayed),
    ] {
        check_groups(auth, patterns).map_err(|wrong| Of::new(key, wrong))?;
    }
    if auth.mode != AuthMode::Off {
        auth.source = Some(source(auth, variables)?);
    }
    auth.compile();
    Ok(())
}

/// An issuer may name a group that is not there yet. The file that holds the groups may not.
fn check_groups(auth: &Auth, patterns: &[Pattern]) -> Result<(), Wrong> {
    let names: Vec<&str> = auth.groups.iter().map(|group| group.name.as_str()).collect();
    let mut wrongs = Wrongs::default();
    for pattern in patterns {
        if let Pattern::Group(name) = pattern
            && !names.contains(&&**name)
        {
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            wrongs.push(
                Wrong::new(format!("the group `{}` is not defined", shown(name)))
                    .did_you_mean(nearest(name, names.iter().copied()))
                    .help(format!("the groups of [auth.groups] are: {known}")),
            );
        }
    }
    wrongs.none()
}

fn source(auth: &Auth, variables: &Variables) -> Result<KeySource, Of> {
    let set = [
        ("keys", auth.keys.is_some()),
        ("secret_env", !auth.secret_env.is_empty()),
        ("secret_file", !auth.secret_file.as_os_str().is_empty()),
    ];
    let mut set = set.into_iter().filter_map(|(name, is_set)| is_set.then_some(name));
    let Some(first) = set.next() else {
        return Err(Of::new(
            "mode",
            Wrong::new(format!("[auth] with mode = \"{}\" requires `keys`", auth.mode.name()))
                .help("write keys = \"https://login.example.com/.well-known/jwks.json\", or \"file:/etc/tickfan/keys.json\"")
                .help("for HS256, name the secret in secret_env or secret_file"),
        ));
    };
    if let Some(second) = set.next() {
        let wrong = Wrong::new(format!("`{first}` and `{second}` are both set"));
        return Err(Of::new(second, wrong.help("tokens are verified by one of them: remove the other")));
    }
    let has_ca_file = !auth.ca_file.as_os_str().is_empty();
    if has_ca_file && !matches!(auth.keys, Some(KeysAddress::Https(_))) {
        let wrong = Wrong::new("`ca_file` is set, but the keys are not fetched from a server");
        return Err(Of::new("ca_file", wrong.help("remove it, or set `keys` to an https address")));
    }
    match &auth.keys {
        Some(KeysAddress::File(path)) => key_set(path).map_err(|wrong| Of::new("keys", wrong)),
        Some(KeysAddress::Https(url)) => {
            let of_ca_file = |path: &Path| ca_file::read(&path.display().to_string(), BASE);
            let ca_file = has_ca_file.then(|| of_ca_file(&auth.ca_file)).transpose();
            let ca_file = ca_file.map_err(|wrong| Of::new("ca_file", wrong))?;
            let proxy = proxy::of_variables(&url.to_string(), variables);
            let proxy = proxy.map_err(|wrong| {
                Of::new("keys", wrong.help("NO_PROXY with the host of `keys` overrides it").without_line())
            })?;
            Ok(KeySource::Https { url: url.clone(), ca_file, proxy })
        }
        None if first == "secret_env" => secret_of_variable(&auth.secret_env, variables),
        None => secret_of_file(&auth.secret_file),
    }
}

fn key_set(path: &Path) -> Result<KeySource, Wrong> {
    let name = shown(&path.display().to_string());
    let bytes = read(path, KEY_SET_BYTES_MAX)?;
    let loaded = KeySet::read(&bytes, KeyOrigin::File).map_err(|error| {
        Wrong::new(format!("{name} does not hold keys that verify tokens: {error}"))
            .help("a JWK set is {\"keys\":[{\"kty\":\"RSA\",\"kid\":\"...\",\"n\":\"...\",\"e\":\"AQAB\"}]}")
    })?;
    Ok(KeySource::File { path: path.to_owned(), keys: Arc::new(loaded.keys), skipped: loaded.skipped })
}

fn secret_of_variable(name: &str, variables: &Variables) -> Result<KeySource, Of> {
    let found = variables.iter().find(|(variable, _)| variable.as_os_str() == OsStr::new(name));
    let secret = match found {
        None => Err(Wrong::new(format!("the variable {name} of `secret_env` is not set"))
            .help(format!("set it before the start: export {name}=..."))),
        Some((_, value)) => {
            let value = value.to_str().unwrap_or_default().trim_ascii();
            let keys = secret(value.as_bytes(), &format!("the variable {name} of `secret_env`"));
            keys.map(|keys| KeySource::SecretVariable { name: name.to_owned(), secret: Secret::new(value), keys })
        }
    };
    secret.map_err(|wrong| Of::new("secret_env", wrong))
}

fn secret_of_file(path: &Path) -> Result<KeySource, Of> {
    let name = shown(&path.display().to_string());
    let keys = read(path, SECRET_FILE_BYTES_MAX).and_then(|bytes| secret(&bytes, &name));
    let keys = keys.map_err(|wrong| Of::new("secret_file", wrong))?;
    Ok(KeySource::SecretFile { path: path.to_owned(), keys })
}

/// Blanks and line ends around a secret are not its.
fn secret(bytes: &[u8], place: &str) -> Result<Arc<KeySet>, Wrong> {
    let secret = bytes.trim_ascii();
    let wrong = || {
        Wrong::new(format!("{place} does not hold a secret for HS256"))
            .help(format!("a secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes: openssl rand -base64 32"))
    };
    KeySet::of_secret(secret).map(Arc::new).map_err(|_| wrong())
}

/// Reads a file of at most so many bytes.
pub(super) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Wrong> {
    let name = shown(&path.display().to_string());
    let failed = |error: io::Error| {
        let wrong = Wrong::new(format!("cannot read {name}: {error}"));
        match error.kind() {
            io::ErrorKind::NotFound => wrong.help(format!("a relative path begins at {BASE}")),
            _ => wrong,
        }
    };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() > limit {
        return Err(Wrong::new(format!("{name} is too large")).help(format!("at most {limit} bytes")));
    }
    Ok(bytes)
}
