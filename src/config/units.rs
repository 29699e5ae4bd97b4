//! Durations, sizes and addresses as people write them. Errors have no place; the caller adds it.

use super::error::Wrong;
use std::{net::SocketAddr, time::Duration};

/// The units of sizes, the largest first so that the longest suffix is found first.
const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads a duration with its unit: `250ms`, `15s`, `1m 30s`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, Wrong> {
    humantime::parse_duration(text)
        .map_err(|_| Wrong::new(format!("`{}` is not a duration", super::error::shown(text))).help(duration_help(text)))
}

/// How to write a duration: a bare number only lacks its unit.
fn duration_help(text: &str) -> String {
    match parse_digits(text) {
        Some(number) => format!("add a unit: \"{number}ms\", \"{number}s\" or \"{number}m\""),
        None => "write a number and a unit (us, ms, s, m, h), such as \"250ms\" or \"1m 30s\"".to_owned(),
    }
}

/// Reads a size in bytes: `16KiB` or `16384`.
pub(super) fn parse_bytes(text: &str) -> Result<u64, Wrong> {
    let wrong = || {
        Wrong::new(format!("`{}` is not a size", super::error::shown(text)))
            .help("write a number of bytes, or a number with B, KiB, MiB or GiB, such as \"16KiB\"")
    };
    let (digits, factor) = SIZE_UNITS
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|digits| (digits.trim_end(), *factor)))
        .unwrap_or((text, 1));
    let number = parse_digits(digits).ok_or_else(wrong)?;
    number.checked_mul(factor).ok_or_else(wrong)
}

/// Reads a whole number.
pub(super) fn parse_count(text: &str) -> Result<u64, Wrong> {
    parse_digits(text).ok_or_else(|| Wrong::new(format!("`{}` is not a whole number", super::error::shown(text))))
}

/// Reads an address to listen on: `127.0.0.1:8080` or `[::1]:8080`.
///
/// # Errors
/// One sentence for the person who wrote it.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let shown = super::error::shown(text);
        match text.rsplit_once(':') {
            Some(("localhost", port)) if port.parse::<u16>().is_ok() => {
                format!("`{shown}` has a host name; write the IP address, `127.0.0.1:{port}`")
            }
            Some(("" | "*", port)) if port.parse::<u16>().is_ok() => {
                format!("`{shown}` has no IP address; write `127.0.0.1:{port}`, or `0.0.0.0:{port}` for all interfaces")
            }
            _ => format!(
                "`{shown}` is not an address; write an IP address and a port, such as `127.0.0.1:8080` or `[::1]:8080`"
            ),
        }
    })
}

/// A duration as [`load`](super::load()) reads it: `250ms`.
pub fn show_duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// A size as [`load`](super::load()) reads it, in the largest unit that divides it: `16KiB`.
pub fn show_bytes(bytes: u64) -> String {
    let whole = SIZE_UNITS.iter().find(|(_, factor)| bytes != 0 && bytes.is_multiple_of(*factor));
    whole.map_or_else(|| format!("{bytes}B"), |(unit, factor)| format!("{}{unit}", bytes / factor))
}

/// Digits, with `_` between them as TOML has it; no sign, which `str::parse` would take.
fn parse_digits(text: &str) -> Option<u64> {
    let starts_and_ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let bytes = text.as_bytes();
    if !starts_and_ends(bytes.first()) || !starts_and_ends(bytes.last()) {
        return None;
    }
    text.replace('_', "").parse().ok().filter(|_| bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units_or_none() {
        for (text, bytes) in [
            ("0", 0),
            ("16384", 16384),
            ("16_384", 16384),
            ("16KiB", 16384),
            ("16 KiB", 16384),
            ("7B", 7),
            ("2MiB", 2 << 20),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(parse_bytes(text).ok(), Some(bytes), "{text}");
        }
        for text in [
            "",
            "KiB",
            "16KB",
            "16k",
            "-1",
            "+1",
            "1.5MiB",
            "0x10",
            "_1",
            "1_",
            "99999999999999999999",
            "18446744073709551615KiB",
        ] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("250ms").ok(), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("1m 30s").ok(), Some(Duration::from_secs(90)));
        for text in ["", "250", "ms", "250 parsecs", "-1s", "1.5.5s", "99999999999999999999s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_printed_value_can_be_read_again() {
        for bytes in [0, 1, 1023, 1024, 1536, 16 << 10, 3 << 20, 1 << 30] {
            assert_eq!(parse_bytes(&show_bytes(bytes)).ok(), Some(bytes));
        }
        for millis in [0, 1, 250, 1500, 600_000] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse_duration(&show_duration(duration)).ok(), Some(duration));
        }
    }

    #[test]
    fn a_name_instead_of_an_address_is_told_apart() {
        assert!(parse_address("[::1]:80").is_ok());
        for (text, hint) in [
            ("localhost:80", "127.0.0.1:80"),
            (":80", "0.0.0.0:80"),
            ("127.0.0.1", "a port"),
            ("127.0.0.1:99999", "a port"),
        ] {
            assert!(parse_address(text).unwrap_err().contains(hint), "{text}");
        }
    }
}
