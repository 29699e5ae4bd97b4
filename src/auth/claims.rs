//! What a verified token says: who, until when, and which data.

use super::{
    error::TokenError,
    object::{Object, Text, WrongType},
    pattern::Pattern,
};
use crate::market::UnixMicros;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;

/// How far the issuer's clock and ours may differ.
pub const LEEWAY: Duration = Duration::from_secs(30);
/// The most patterns of a list: more belong into a group of the configuration.
pub const LIST_MAX: usize = 64;
/// The same for an error.
const AT_MOST_64: &str = "a list of at most 64 entries: name groups of the configuration in it";
/// The longest `sub`.
const SUBJECT_BYTES_MAX: usize = 256;
/// The latest time of a token, the end of the year 9999. Issuers write it for "never"; calendars end there, and every
/// time since 1978 in milliseconds, which would never come, is later.
const LATEST_SECONDS: f64 = 253_402_300_799.0;
/// The lowest `rate`, in writes a second: that of `max_rate`.
const RATE_MIN: f64 = 0.1;

const NOT_RATE: TokenError = TokenError::NotA { claim: "tickfan.rate", takes: "a number of at least 0.1" };
const NOT_STREAMS: TokenError =
    TokenError::NotA { claim: "tickfan.streams", takes: "a whole number from 0 to 4294967295" };

/// Whose tokens are accepted, and for whom they must be made.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// `iss`; an empty one accepts every issuer that signs with the keys.
    pub issuer: &'a str,
    /// One of the names in `aud`.
    pub audience: &'a str,
}

/// The claims of a token that is valid now.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// `sub`: whom it was made for.
    pub subject: String,
    /// `exp` and the leeway: from then on it is not valid.
    pub until: UnixMicros,
    /// `exp`.
    pub expires: UnixMicros,
    /// What the subject may read live; `None`: the token has no list.
    pub live: Option<Vec<Pattern>>,
    /// What the subject may read delayed.
    pub delayed: Option<Vec<Pattern>>,
    /// How many streams the subject may have at a time.
    pub streams: Option<usize>,
    /// The highest rate of a stream, in writes a second.
    pub rate: Option<f64>,
}

/// Reads and checks the claims.
pub(super) fn read(claims: &Object<'_>, expected: Expected<'_>, now: UnixMicros) -> Result<Claims, TokenError> {
    let issuer: Option<Text<'_>> = claim(claims, "iss")?;
    if !expected.issuer.is_empty() && issuer.as_deref() != Some(expected.issuer) {
        return Err(TokenError::Issuer);
    }
    if !is_for(claims, expected.audience)? {
        return Err(TokenError::Audience);
    }
    let expires = time(claims, "exp")?.map(|seconds| micros(seconds.floor())).ok_or(TokenError::Claim("exp"))?;
    let until = UnixMicros(expires.0 + leeway());
    if now >= until {
        return Err(TokenError::Expired);
    }
    let starts = time(claims, "nbf")?.map(|seconds| micros(seconds.ceil()));
    if starts.is_some_and(|starts| now.0.saturating_add(leeway()) < starts.0) {
        return Err(TokenError::NotYetValid);
    }
    let subject: String = claim(claims, "sub")?.ok_or(TokenError::Claim("sub"))?;
    if !(1..=SUBJECT_BYTES_MAX).contains(&subject.len()) {
        return Err(TokenError::Claim("sub"));
    }
    let ours: Option<&RawValue> = claim(claims, "tickfan")?;
    let ours = ours.map_or("{}", RawValue::get);
    let ours = Object::read(ours.as_bytes()).ok_or(TokenError::Claim("tickfan"))?;
    Ok(Claims {
        subject,
        until,
        expires,
        live: list(&ours, "live", "tickfan.live")?,
        delayed: list(&ours, "delayed", "tickfan.delayed")?,
        streams: ours.get::<u32>("streams").map_err(|_| NOT_STREAMS)?.map(|streams| streams as usize),
        rate: rate(&ours).ok_or(NOT_RATE)?,
    })
}

fn claim<'a, T: Deserialize<'a>>(claims: &Object<'a>, name: &'static str) -> Result<Option<T>, TokenError> {
    claims.get(name).map_err(|WrongType| TokenError::Claim(name))
}

/// A time, in seconds since 1970.
fn time(claims: &Object<'_>, name: &'static str) -> Result<Option<f64>, TokenError> {
    let seconds: Option<f64> = claim(claims, name)?;
    if seconds.is_some_and(|seconds| seconds > LATEST_SECONDS) {
        return Err(TokenError::NotSeconds(name));
    }
    Ok(seconds)
}

/// Whether `aud`, a string or a list of them, has this name.
fn is_for(claims: &Object<'_>, name: &str) -> Result<bool, TokenError> {
    if let Ok(one) = claims.get::<Text<'_>>("aud") {
        return Ok(one.is_some_and(|one| *one == *name));
    }
    let many: Option<Vec<Text<'_>>> = claim(claims, "aud")?;
    Ok(many.is_some_and(|many| many.iter().any(|one| **one == *name)))
}

fn leeway() -> i64 {
    i64::try_from(LEEWAY.as_micros()).unwrap_or(i64::MAX)
}

/// A time before 1970 counts as 1970: it is long past. Later than [`LATEST_SECONDS`] is none.
#[expect(clippy::cast_possible_truncation, reason = "a whole number within the range of both")]
fn micros(seconds: f64) -> UnixMicros {
    UnixMicros(seconds.clamp(0.0, LATEST_SECONDS) as i64 * 1_000_000)
}

/// A list of patterns. An issuer's mistake must not look like a smaller grant.
fn list(ours: &Object<'_>, name: &str, claim: &'static str) -> Result<Option<Vec<Pattern>>, TokenError> {
    let not_a = |takes| TokenError::NotA { claim, takes };
    let entries = ours.get::<Vec<&RawValue>>(name).map_err(|WrongType| not_a("a list of strings"))?;
    let Some(entries) = entries else { return Ok(None) };
    if entries.len() > LIST_MAX {
        return Err(not_a(AT_MOST_64));
    }
    let pattern = |(index, entry): (usize, &&RawValue)| {
        let text: Option<Text<'_>> = serde_json::from_str(entry.get()).ok();
        text.and_then(|text| text.parse().ok()).ok_or(TokenError::Entry { claim, number: index + 1 })
    };
    entries.iter().enumerate().map(pattern).collect::<Result<_, _>>().map(Some)
}

fn rate(ours: &Object<'_>) -> Option<Option<f64>> {
    let rate = ours.get::<f64>("rate").ok()?;
    if rate.is_some_and(|rate| rate < RATE_MIN) { None } else { Some(rate) }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
