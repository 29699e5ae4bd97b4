//! `key_env` and `secret_env` of `[[feed]]`: the variables that hold a venue's key.

use super::{
    environment::Variables,
    error::{Wrong, Wrongs, shown},
    value::text,
};
use crate::venue::{Credentials, CredentialsRule, Secret, Spec};
use std::{ffi::OsStr, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The longest name of a variable that is looked for.
const NAME_LENGTH_MAX: usize = 64;
/// The longest secret, in bytes: no venue's is over 100.
const SECRET_BYTES_MAX: usize = 512;

/// Reads the credentials that the feed's venue requires, from the variables that the feed names.
pub(super) fn read(
    fields: &DeTable<'_>,
    venue: &Spec,
    table: Range<usize>,
    variables: &Variables,
) -> Result<Option<Credentials>, Wrong> {
    let refuse = |name: &str| match fields.get(name) {
        Some(value) => Err(Wrong::new(format!("`{name}` is set, but {} {}", venue.name, unwanted(venue)))
            .help("remove it")
            .at(value.span())),
        None => Ok(()),
    };
    let required = |name: &'static str| {
        fields.get(name).map(|value| (name, value)).ok_or_else(|| {
            Wrong::new(format!("a feed of {} requires `{name}`", venue.name))
                .help(format!("name the variables that hold the key: {}", example(venue)))
                .at(table.clone())
        })
    };
    // Both keys are looked for before a variable is read: a wrong file is reported as such on every machine.
    match venue.credentials {
        CredentialsRule::Public => {
            refuse("key_env")?;
            refuse("secret_env")?;
            Ok(None)
        }
        CredentialsRule::Key { .. } => {
            refuse("secret_env")?;
            let key = required("key_env")?;
            Ok(Some(Credentials { key: read_secret(key, venue, variables)?, secret: None }))
        }
        CredentialsRule::KeyAndSecret { .. } => {
            let key = required("key_env")?;
            let secret = required("secret_env")?;
            let mut wrongs = Wrongs::default();
            let [key, secret] = [key, secret].map(|name| wrongs.take(read_secret(name, venue, variables)));
            wrongs.value(key.map(|key| Some(Credentials { key, secret })))
        }
    }
}

/// Why a key is not wanted.
fn unwanted(venue: &Spec) -> &'static str {
    match venue.credentials {
        CredentialsRule::Public => "requires no key",
        CredentialsRule::Key { .. } | CredentialsRule::KeyAndSecret { .. } => "requires a key alone",
    }
}

fn example(venue: &Spec) -> String {
    match venue.credentials {
        CredentialsRule::Public => String::new(),
        CredentialsRule::Key { key_env } => format!("key_env = \"{key_env}\""),
        CredentialsRule::KeyAndSecret { key_env, secret_env } => {
            format!("key_env = \"{key_env}\", secret_env = \"{secret_env}\"")
        }
    }
}

fn read_secret(
    (key, value): (&str, &Spanned<DeValue<'_>>),
    venue: &Spec,
    variables: &Variables,
) -> Result<Secret, Wrong> {
    let [key_env, secret_env] = match venue.credentials {
        CredentialsRule::KeyAndSecret { key_env, secret_env } => [key_env, secret_env],
        CredentialsRule::Key { key_env } => [key_env, key_env],
        CredentialsRule::Public => ["KEY", "SECRET"],
    };
    let name = text(key, value, if key == "key_env" { key_env } else { secret_env })?;
    if !is_variable(name) {
        // Perhaps it is the secret itself: then the line must not be shown.
        return Err(Wrong::new(format!("`{key}` is not the name of a variable"))
            .help("write the name of the variable that holds the secret, never the secret itself")
            .at(value.span())
            .without_line());
    }
    let wrong = |what: &str| Wrong::new(format!("the variable {} of `{key}` {what}", shown(name))).at(value.span());
    let found = variables.iter().find(|(variable, _)| variable.as_os_str() == OsStr::new(name));
    let Some((_, found)) = found else {
        return Err(wrong("is not set").help(format!("set it before the start: export {name}=...")));
    };
    let found = found.to_str().unwrap_or_default().trim();
    let is_visible = found.bytes().all(|byte| byte.is_ascii_graphic());
    if !(1..=SECRET_BYTES_MAX).contains(&found.len()) || !is_visible {
        return Err(wrong("does not hold a key")
            .help(format!("a key has 1 to {SECRET_BYTES_MAX} ASCII characters, without blanks")));
    }
    Ok(Secret::new(found))
}

fn is_variable(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=NAME_LENGTH_MAX).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.starts_with(|first: char| first.is_ascii_digit())
}
