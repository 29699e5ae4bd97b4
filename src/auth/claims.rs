//! What a verified token says: who, until when, and which data.

use super::{
    error::TokenError,
    pattern::Pattern,
    value::{Members, Value},
};
use crate::market::UnixMicros;
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
    /// `nbf` less the leeway: from then on it is valid. `None`: it has always been.
    pub from: Option<UnixMicros>,
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

impl Claims {
    /// How many entries its lists have.
    pub fn listed(&self) -> usize {
        [&self.live, &self.delayed].into_iter().flatten().map(Vec::len).sum()
    }
}

/// Reads and checks the claims.
pub(super) fn read(claims: &Members<'_>, expected: Expected<'_>, now: UnixMicros) -> Result<Claims, TokenError> {
    let issuer = text(claims, "iss")?;
    if !expected.issuer.is_empty() && issuer != Some(expected.issuer) {
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
    let from = starts.map(|starts| UnixMicros(starts.0 - leeway()));
    if from.is_some_and(|from| now < from) {
        return Err(TokenError::NotYetValid);
    }
    let subject = text(claims, "sub")?.filter(|subject| (1..=SUBJECT_BYTES_MAX).contains(&subject.len()));
    let subject = subject.ok_or(TokenError::Claim("sub"))?.to_owned();
    let none = Members::default();
    let ours = match claims.get("tickfan") {
        None => &none,
        Some(Value::Object(ours)) => ours,
        Some(_) => return Err(TokenError::Claim("tickfan")),
    };
    Ok(Claims {
        subject,
        from,
        until,
        expires,
        live: list(ours, "live", "tickfan.live")?,
        delayed: list(ours, "delayed", "tickfan.delayed")?,
        streams: ours.get("streams").map(streams).transpose()?,
        rate: ours.get("rate").map(rate).transpose()?,
    })
}

fn text<'a>(claims: &'a Members<'_>, name: &'static str) -> Result<Option<&'a str>, TokenError> {
    claims.get(name).map(|value| value.text().ok_or(TokenError::Claim(name))).transpose()
}

/// Whether `aud`, a string or a list of them, has this name.
fn is_for(claims: &Members<'_>, name: &str) -> Result<bool, TokenError> {
    match claims.get("aud") {
        None => Ok(false),
        Some(Value::Text(one)) => Ok(*one == *name),
        Some(Value::List(many)) if many.iter().all(|one| one.text().is_some()) => {
            Ok(many.iter().any(|one| one.text() == Some(name)))
        }
        Some(_) => Err(TokenError::Claim("aud")),
    }
}

/// A time, in seconds since 1970.
fn time(claims: &Members<'_>, name: &'static str) -> Result<Option<f64>, TokenError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.number().ok_or(TokenError::Claim(name))?;
    if seconds > LATEST_SECONDS { Err(TokenError::NotSeconds(name)) } else { Ok(Some(seconds)) }
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
fn list(ours: &Members<'_>, name: &str, claim: &'static str) -> Result<Option<Vec<Pattern>>, TokenError> {
    let not_a = |takes| TokenError::NotA { claim, takes };
    let entries = match ours.get(name) {
        None => return Ok(None),
        Some(Value::List(entries)) => entries,
        Some(_) => return Err(not_a("a list of strings")),
    };
    if entries.len() > LIST_MAX {
        return Err(not_a(AT_MOST_64));
    }
    let pattern = |(index, entry): (usize, &Value<'_>)| {
        let pattern = entry.text().and_then(|text| text.parse().ok());
        pattern.ok_or(TokenError::Entry { claim, number: index + 1 })
    };
    entries.iter().enumerate().map(pattern).collect::<Result<_, _>>().map(Some)
}

fn streams(value: &Value<'_>) -> Result<usize, TokenError> {
    match *value {
        Value::Whole(streams) => u32::try_from(streams).map(|streams| streams as usize).map_err(|_| NOT_STREAMS),
        _ => Err(NOT_STREAMS),
    }
}

fn rate(value: &Value<'_>) -> Result<f64, TokenError> {
    value.number().filter(|rate| *rate >= RATE_MIN).ok_or(NOT_RATE)
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
