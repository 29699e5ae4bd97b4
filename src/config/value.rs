//! Sets one key from the file or from a variable, checked against its kind and its range.

use super::{
    Config, auth_values, certificates,
    error::{Wrong, shown},
    names,
    raw::{Raw, kind},
    setting::{Key, Setting},
    units,
};
use crate::telemetry::LogFilterError;
use std::{
    fmt::Display,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};
use toml::{Spanned, de::DeValue};

/// Sets `key` in `config`.
pub(super) fn set(key: &Key, config: &mut Config, raw: Raw<'_>) -> Result<(), Wrong> {
    match &key.setting {
        Setting::Address { default, field } => {
            let text = text_of(key, raw, "a string with an address", &format!("\"{default}\""))?;
            *field(config) = units::parse_address(text).map_err(Wrong::new)?;
        }
        Setting::Log { field } => {
            let text = text_of(key, raw, "a string with a log level", "\"info\"")?;
            // An empty variable is one that is not set, as in a compose file.
            if !(matches!(raw, Raw::Variable(_)) && text.trim().is_empty()) {
                *field(config) = text.parse().map_err(no_filter)?;
            }
        }
        Setting::Strings { max, read, field, .. } => *field(config) = list(key, raw, *max, read.0)?,
        Setting::Nets { max, field } => *field(config) = list(key, raw, *max, names::net)?,
        Setting::HeaderName { field } => {
            let text = text_of(key, raw, "a string with the name of a header", "\"x-client-id\"")?;
            *field(config) = if text.is_empty() { None } else { Some(names::header(text)?) };
        }
        Setting::Duration { default, range, field } => {
            let example = format!("\"{}\"", units::show_duration(*default));
            let text = text_of(key, raw, "a string with a duration", &example)?;
            let value = units::parse_duration(text)?;
            *field(config) = within(key, value, range, |value| units::show_duration(*value))?;
        }
        Setting::DurationOrAuto { range, field } => {
            let text = text_of(key, raw, "\"auto\" or a string with a duration", "\"auto\"")?;
            *field(config) = match text {
                "auto" => None,
                time => Some(within(key, units::parse_duration(time)?, range, |value| units::show_duration(*value))?),
            };
        }
        Setting::Count { default, range, field } => {
            let number = match raw {
                Raw::Variable(text) => units::parse_count(text)?,
                Raw::Toml(value, _) => integer(value).ok_or_else(|| no_count(key, value, *default))?,
            };
            let value = usize::try_from(number).unwrap_or(usize::MAX);
            *field(config) = within(key, value, range, usize::to_string)?;
        }
        Setting::Bytes { default, range, field } => {
            let example = format!("\"{}\"", units::show_bytes(*default as u64));
            *field(config) = size(key, raw, range, "a number of bytes, or a string with a size", &example)?;
        }
        Setting::BytesOrAuto { range, field } => {
            let is_auto = match raw {
                Raw::Toml(value, _) => value.as_str() == Some("auto"),
                Raw::Variable(text) => text == "auto",
            };
            let wanted = "\"auto\", a number of bytes, or a string with a size";
            *field(config) = if is_auto { None } else { Some(size(key, raw, range, wanted, "\"auto\"")?) };
        }
        Setting::Switch { default, field } => *field(config) = switch(key, raw, *default)?,
        Setting::TlsVersion { default, field } => {
            let text = text_of(key, raw, "a string with a version", &format!("\"{default}\""))?;
            *field(config) = text.parse().map_err(|_| {
                Wrong::new(format!("`{}` is not a version of TLS that is served", shown(text)))
                    .help("write \"1.2\" or \"1.3\"")
            })?;
        }
        Setting::Certificates { field, .. } => *field(config) = certificates::read(raw)?,
        Setting::Text { default, read, field, .. } => {
            let text = text_of(key, raw, "a string", &format!("\"{default}\""))?;
            *field(config) = (read.0)(text)?;
        }
        Setting::Path { field } => {
            let text = text_of(key, raw, "a string with the path of a file", "\"/etc/tickfan/file\"")?;
            *field(config) = if text.is_empty() { PathBuf::new() } else { folder(raw).join(text) };
        }
        Setting::AuthMode { field } => {
            *field(config) = auth_values::mode(text_of(key, raw, "a string with a mode", "\"required\"")?)?;
        }
        Setting::Keys { field } => {
            let example = "\"https://login.example.com/.well-known/jwks.json\"";
            let text = text_of(key, raw, "a string with an address", example)?;
            // Its line may hold a key in the address's query.
            *field(config) = auth_values::keys(text, folder(raw)).map_err(Wrong::without_line)?;
        }
        Setting::Patterns { max, field, .. } => *field(config) = list(key, raw, *max, auth_values::pattern)?,
        Setting::Groups { field, .. } => *field(config) = auth_values::groups(raw)?,
    }
    Ok(())
}

/// Where a relative path begins: in a file at its folder, in a variable at the working directory.
fn folder(raw: Raw<'_>) -> &Path {
    match raw {
        Raw::Toml(_, folder) => folder,
        Raw::Variable(_) => Path::new(""),
    }
}

fn switch(key: &Key, raw: Raw<'_>, default: bool) -> Result<bool, Wrong> {
    let (value, written) = match raw {
        Raw::Toml(value, _) => (value.as_bool(), kind(value).to_owned()),
        Raw::Variable(text) => (text.parse().ok(), format!("`{}`", shown(text))),
    };
    value.ok_or_else(|| {
        Wrong::new(format!("`{}` must be true or false, not {written}", key.name))
            .help(format!("write {} = {default}", key.name))
    })
}

fn no_filter(error: LogFilterError) -> Wrong {
    Wrong::new(error.what).did_you_mean(error.meant).help(error.help)
}

/// A size: a number of the file, or a string with its unit.
fn size(key: &Key, raw: Raw<'_>, range: &RangeInclusive<usize>, wanted: &str, example: &str) -> Result<usize, Wrong> {
    let number = match raw {
        Raw::Toml(value, _) => integer(value),
        Raw::Variable(_) => None,
    };
    let number = match number {
        Some(number) => number,
        None => units::parse_bytes(text_of(key, raw, wanted, example)?)?,
    };
    let value = usize::try_from(number).unwrap_or(usize::MAX);
    within(key, value, range, |value| units::show_bytes(*value as u64))
}

/// The string of a key of a feed.
pub(super) fn text<'a>(name: &str, value: &'a Spanned<DeValue<'_>>, example: &str) -> Result<&'a str, Wrong> {
    value.get_ref().as_str().ok_or_else(|| {
        Wrong::new(format!("`{name}` must be a string, not {}", kind(value.get_ref())))
            .help(format!("write it in quotes: {name} = \"{example}\""))
            .at(value.span())
    })
}

fn text_of<'a>(key: &Key, raw: Raw<'a>, wanted: &str, example: &str) -> Result<&'a str, Wrong> {
    match raw {
        Raw::Variable(text) => Ok(text),
        Raw::Toml(value, _) => value.as_str().ok_or_else(|| {
            Wrong::new(format!("`{}` must be {wanted}, not {}", key.name, kind(value)))
                .help(format!("write {} = {example}", key.name))
        }),
    }
}

/// The whole number of a value; nothing if it is of another kind.
///
/// A number below zero or beyond 64 bits becomes the largest one, which is outside every range.
pub(super) fn integer(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    let digits = integer.as_str().trim_start_matches('+');
    Some(u64::from_str_radix(digits, integer.radix()).unwrap_or(u64::MAX))
}

fn no_count(key: &Key, value: &DeValue<'_>, default: usize) -> Wrong {
    let wrong = Wrong::new(format!("`{}` must be a whole number, not {}", key.name, kind(value)));
    match value {
        DeValue::String(text) if units::parse_count(text).is_ok() => {
            wrong.help(format!("write it without quotes: {} = {text}", key.name))
        }
        DeValue::Float(_) => Wrong::new(format!("`{}` must be a whole number", key.name))
            .help(format!("write it without a fraction: {} = {default}", key.name)),
        _ => wrong.help(format!("write {} = {default}", key.name)),
    }
}

fn within<T: PartialOrd + Copy>(
    key: &Key,
    value: T,
    range: &RangeInclusive<T>,
    show: impl Fn(&T) -> String,
) -> Result<T, Wrong> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(out_of_range(key.name, show(range.start()), show(range.end())).help(format!("reason: {}", key.reason)))
}

/// A value outside its range.
pub(super) fn out_of_range(name: &str, min: impl Display, max: impl Display) -> Wrong {
    Wrong::new(format!("`{name}` is out of range")).help(format!("write a value from {min} to {max}"))
}

fn list<T>(key: &Key, raw: Raw<'_>, max: usize, read: fn(&str) -> Result<T, Wrong>) -> Result<Vec<T>, Wrong> {
    let value = match raw {
        Raw::Toml(value, _) => value,
        Raw::Variable(text) => return listed(key, text, max, read),
    };
    let Some(array) = value.as_array() else {
        let wrong = Wrong::new(format!("`{}` must be a list of strings, not {}", key.name, kind(value)));
        return Err(match value.as_str() {
            Some(text) => wrong.help(format!("write it in brackets: {} = [\"{}\"]", key.name, shown(text))),
            None => wrong.help(format!("write {} = [\"...\"]", key.name)),
        });
    };
    check_entries(key, array.len(), max)?;
    let entry = |item: &Spanned<DeValue<'_>>| {
        let text = item.get_ref().as_str().ok_or_else(|| {
            Wrong::new(format!("`{}` must be a list of strings; this entry is {}", key.name, kind(item.get_ref())))
                .help("write each entry in quotes")
        });
        text.and_then(read).map_err(|wrong| wrong.at(item.span()))
    };
    Wrong::all(array.iter().map(entry))
}

/// A list in a variable: entries separated by commas. An empty variable is an empty list.
fn listed<T>(key: &Key, text: &str, max: usize, read: fn(&str) -> Result<T, Wrong>) -> Result<Vec<T>, Wrong> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let unlike_toml = text.trim_start().starts_with('[') || text.contains('"');
    if unlike_toml {
        return Err(Wrong::new(format!("`{}` is written as in a file", key.name))
            .help("in a variable, write the entries alone, without brackets and quotes, separated by commas"));
    }
    check_entries(key, text.split(',').count(), max)?;
    let mut start = 0;
    let entries = text.split(',').map(|entry| {
        let at = start + entry.len() - entry.trim_start().len();
        start += entry.len() + 1;
        let entry = entry.trim();
        read(entry).map_err(|wrong| wrong.at(at..at + entry.len()))
    });
    Wrong::all(entries)
}

fn check_entries(key: &Key, count: usize, max: usize) -> Result<(), Wrong> {
    if count <= max {
        return Ok(());
    }
    Err(Wrong::new(format!("`{}` has {count} entries", key.name)).help(format!("at most {max} entries")))
}
