//! The values of `[auth]` that have a form of their own: modes, addresses of keys, patterns, groups.

use super::{
    auth::{AuthMode, Group, KeysAddress},
    error::{Wrong, Wrongs, shown},
    names,
    raw::{Raw, kind},
};
use crate::{
    auth::{Pattern, is_group_name},
    suggest::nearest,
};
use http::Uri;
use rustls::pki_types::ServerName;
use std::path::Path;
use toml::{Spanned, de::DeValue};

/// The most groups.
pub const GROUPS_MAX: usize = 256;
/// The most symbols and prefixes of a group: those of a large exchange.
pub const GROUP_PATTERNS_MAX: usize = 10_000;
/// The longest address of keys.
const URL_LENGTH_MAX: usize = 2048;
/// The longest issuer and audience, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// The longest name of a variable.
const VARIABLE_LENGTH_MAX: usize = 64;
/// Groups, as a file has them.
const EXAMPLE: &str = "us = [\"AAPL\", \"BRK.*\"]";

pub(super) fn mode(text: &str) -> Result<AuthMode, Wrong> {
    let names = AuthMode::ALL.map(AuthMode::name);
    AuthMode::ALL.into_iter().find(|mode| mode.name() == text).ok_or_else(|| {
        Wrong::new(format!("`{}` is not a mode", shown(text)))
            .did_you_mean(nearest(text, names))
            .help("write \"off\", \"optional\" or \"required\"")
    })
}

/// The address of a JWK set. A relative path begins at `folder`.
pub(super) fn keys(text: &str, folder: &Path) -> Result<Option<KeysAddress>, Wrong> {
    // It repeats nothing of the value, which may be the keys themselves.
    let wrong = |what: &str| {
        Wrong::new(what)
            .help(
                "write \"https://login.example.com/.well-known/jwks.json\", or \"file:/etc/tickfan/keys.json\" for a file",
            )
            .help("the secret of HS256 has its own keys: secret_env and secret_file")
    };
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > URL_LENGTH_MAX {
        return Err(wrong(&format!("the address of `keys` has more than {URL_LENGTH_MAX} characters")));
    }
    if let Some(path) = text.strip_prefix("file:") {
        return match path.strip_prefix("//").unwrap_or(path) {
            "" => Err(wrong("`keys` names no file")),
            path => Ok(Some(KeysAddress::File(folder.join(path)))),
        };
    }
    let address: Uri = text.parse().map_err(|_| wrong("`keys` is not an address"))?;
    match (address.scheme_str(), address.host()) {
        (Some("https"), Some(host)) if !host.is_empty() && !names::has_wrong_port(&address) => {}
        (Some("https"), _) => return Err(wrong("`keys` is not an address with a host")),
        (Some("http"), _) => {
            return Err(wrong("`keys` must be fetched by https: a key that is changed on its way signs every token"));
        }
        _ => return Err(wrong("`keys` is neither an https address nor a file")),
    }
    if address.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(wrong("the address of `keys` has a user: a set of public keys needs none"));
    }
    let host = address.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    if ServerName::try_from(host).is_err() {
        return Err(wrong("the host of `keys` is neither a name nor an IP address"));
    }
    Ok(Some(KeysAddress::Https(address)))
}

/// The issuer; it may be empty.
pub(super) fn issuer(text: &str) -> Result<String, Wrong> {
    let is_plain = text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control);
    let wrong = || {
        Wrong::new("`issuer` is not the `iss` of a token")
            .help(format!("write at most {NAME_BYTES_MAX} bytes, such as \"https://login.example.com\""))
    };
    if is_plain { Ok(text.to_owned()) } else { Err(wrong()) }
}

/// The audience.
pub(super) fn audience(text: &str) -> Result<String, Wrong> {
    let is_plain = (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    let wrong = || {
        Wrong::new("`audience` is not a name in the `aud` of a token")
            .help(format!("write 1 to {NAME_BYTES_MAX} bytes, such as \"tickfan\""))
            .help("tokens that are made for another service must not count here, so it cannot be empty")
    };
    if is_plain { Ok(text.to_owned()) } else { Err(wrong()) }
}

/// The name of a variable, or an empty string for none.
pub(super) fn variable(text: &str) -> Result<String, Wrong> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_name = text.len() <= VARIABLE_LENGTH_MAX
        && text.bytes().all(is_plain)
        && !text.starts_with(|first: char| first.is_ascii_digit());
    if is_name {
        return Ok(text.to_owned());
    }
    // Perhaps it is the secret itself: then the line must not be shown.
    Err(Wrong::new("`secret_env` is not the name of a variable")
        .help("write the name of the variable that holds the secret, never the secret itself")
        .without_line())
}

/// A symbol, a prefix or a group.
pub(super) fn pattern(text: &str) -> Result<Pattern, Wrong> {
    text.parse().map_err(|_| {
        Wrong::new(format!("`{}` is not a symbol, a prefix or a group", shown(text))).help(
            "write a symbol such as \"AAPL\", a prefix such as \"BTC-*\", \"*\" for all, or a group such as \"@us\"",
        )
    })
}

/// A symbol or a prefix.
fn pattern_of_group(text: &str) -> Result<Pattern, Wrong> {
    match pattern(text)? {
        Pattern::Group(_) => Err(Wrong::new(format!("`{}` is a group within a group", shown(text)))
            .help("write its symbols and prefixes here")),
        pattern => Ok(pattern),
    }
}

/// Groups: a table of lists; in a variable `us:AAPL,us:BRK.*,fx:EUR-*`.
pub(super) fn groups(raw: Raw<'_>) -> Result<Vec<Group>, Wrong> {
    let groups = match raw {
        Raw::Toml(value, _) => of_table(value)?,
        Raw::Variable(text) => of_variable(text)?,
    };
    if groups.len() > GROUPS_MAX {
        return Err(Wrong::new(format!("there are {} groups", groups.len())).help(format!("at most {GROUPS_MAX}")));
    }
    for group in &groups {
        if group.patterns.len() > GROUP_PATTERNS_MAX {
            let count = group.patterns.len();
            return Err(Wrong::new(format!("the group `{}` has {count} entries", group.name))
                .help(format!("at most {GROUP_PATTERNS_MAX}")));
        }
    }
    Ok(groups)
}

fn of_table(value: &DeValue<'_>) -> Result<Vec<Group>, Wrong> {
    let table = value.as_table().ok_or_else(|| {
        Wrong::new(format!("`groups` must be a table, not {}", kind(value)))
            .help(format!("write [auth.groups], and below it {EXAMPLE}"))
    })?;
    let mut wrongs = Wrongs::default();
    let mut groups = Vec::new();
    for (name, list) in table {
        let name = wrongs.take(group_name(name.get_ref()).map_err(|wrong| wrong.at(name.span())));
        let patterns = wrongs.take(list_of(list).map_err(|wrong| wrong.at(list.span())));
        groups.extend(name.zip(patterns).map(|(name, patterns)| Group { name, patterns }));
    }
    wrongs.value(Some(groups))
}

fn list_of(list: &Spanned<DeValue<'_>>) -> Result<Vec<Pattern>, Wrong> {
    let entries = list.get_ref().as_array().ok_or_else(|| {
        Wrong::new(format!("a group is a list of strings, not {}", kind(list.get_ref())))
            .help(format!("write {EXAMPLE}"))
    })?;
    let entry = |item: &Spanned<DeValue<'_>>| {
        let text = item.get_ref().as_str().ok_or_else(|| {
            Wrong::new(format!("an entry of a group is a string, not {}", kind(item.get_ref())))
                .help("write each entry in quotes")
        });
        text.and_then(pattern_of_group).map_err(|wrong| wrong.at(item.span()))
    };
    Wrong::all(entries.iter().map(entry))
}

fn of_variable(text: &str) -> Result<Vec<Group>, Wrong> {
    let mut groups: Vec<Group> = Vec::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (name, pattern) = entry.split_once(':').ok_or_else(|| {
            Wrong::new(format!("`{}` is not an entry of a group", shown(entry)))
                .help("in a variable, write the group and its symbol with a colon between: us:AAPL,us:BRK.*")
        })?;
        let name = group_name(name)?;
        let pattern = pattern_of_group(pattern)?;
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.patterns.push(pattern),
            None => groups.push(Group { name, patterns: vec![pattern] }),
        }
    }
    Ok(groups)
}

fn group_name(name: &str) -> Result<String, Wrong> {
    if is_group_name(name) {
        return Ok(name.to_owned());
    }
    Err(Wrong::new(format!("`{}` is not the name of a group", shown(name)))
        .help("a name has 1 to 32 characters of a-z, 0-9, '-' and '_'"))
}
