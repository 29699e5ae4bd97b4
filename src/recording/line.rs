//! A line of our own recordings.
//!
//! ```text
//! # tickfan 1 venue=kraken feed=crypto symbols=BTC-USD,ETH-USD
//! # 1732283045000000000 open
//! 1732283045123456789 {"channel":"heartbeat"}
//! 1732283045123999000 base64:H4sIAAAA
//! # 1732283046000000000 dropped 12
//! # 1732283047000000000 close io
//!
//! ```
//! A frame is byte for byte what the venue sent, but for CR and LF, which become spaces. An empty line is a lost
//! connection. Other lines that begin with `#` are comments.

use base64::{Engine as _, prelude::BASE64_STANDARD};

/// Nanoseconds since 1970: the time at which a frame was received.
pub type UnixNanos = u64;

/// The version of the layout that this program writes and reads.
const VERSION: &str = "1";
const HEADER: &str = "# tickfan ";
/// Stands before a binary frame.
pub(super) const BINARY: &[u8] = b"base64:";
/// A time has 18 or 19 digits: the first is of 1990, and the last fits 64 bits for centuries.
const TIME_DIGITS: std::ops::RangeInclusive<usize> = 18..=19;

/// What a recording says, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was received. What a file gives no time for has the time of the line before it.
    pub at: UnixNanos,
    /// What happened.
    pub record: Record,
}

/// What a line of a recording says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A frame, text or binary.
    Frame(Vec<u8>),
    /// A connection was opened: what follows is of a new one.
    Opened,
    /// The connection was lost; the reason is empty where the file gives none.
    Closed(String),
    /// So many frames are missing: the recorder could not keep up.
    Dropped(u64),
    /// The line says nothing that can be read.
    Unreadable,
}

/// The first line of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// The name of the venue whose frames these are.
    pub venue: String,
    /// The name of the feed that was recorded.
    pub feed: String,
    /// The canonical names of the symbols that the feed had.
    pub symbols: Vec<String>,
}

impl Header {
    /// The line, without its end.
    pub fn line(&self) -> String {
        let symbols = self.symbols.join(",");
        format!("{HEADER}{VERSION} venue={} feed={} symbols={symbols}", self.venue, self.feed)
    }

    /// Reads the line. `None` where it is another one.
    ///
    /// # Errors
    /// The version of a header that this program cannot read.
    pub(super) fn parse(line: &str) -> Result<Option<Self>, String> {
        let Some(rest) = line.strip_prefix(HEADER) else { return Ok(None) };
        let mut words = rest.split_ascii_whitespace();
        match words.next() {
            Some(VERSION) => {}
            other => return Err(other.unwrap_or_default().to_owned()),
        }
        let mut header = Self::default();
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            match key {
                "venue" => header.venue = value.to_owned(),
                "feed" => header.feed = value.to_owned(),
                "symbols" => {
                    header.symbols = value.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
                }
                _ => {} // a later version may say more
            }
        }
        Ok(Some(header))
    }
}

/// Reads a line that is not a header. `None` where it is a comment; an empty line has no time.
///
/// # Errors
/// The line is not built like this.
pub(super) fn parse(line: &[u8]) -> Result<Option<(Option<UnixNanos>, Record)>, ()> {
    if line.is_empty() {
        return Ok(Some((None, Record::Closed(String::new()))));
    }
    if let Some(comment) = line.strip_prefix(b"#") {
        return Ok(event(comment).map(|(at, record)| (Some(at), record)));
    }
    let blank = line.iter().position(|byte| *byte == b' ').ok_or(())?;
    let (time, frame) = (&line[..blank], &line[blank + 1..]);
    let at = time_of(time).ok_or(())?;
    let frame = match frame.strip_prefix(BINARY) {
        Some(binary) => BASE64_STANDARD.decode(binary).map_err(|_| ())?,
        None => frame.to_vec(),
    };
    Ok(Some((Some(at), Record::Frame(frame))))
}

/// ` <ns> open`, ` <ns> close <reason>` or ` <ns> dropped <n>`; anything else is a comment.
fn event(comment: &[u8]) -> Option<(UnixNanos, Record)> {
    let mut words = std::str::from_utf8(comment).ok()?.split_ascii_whitespace();
    let at = time_of(words.next()?.as_bytes())?;
    let record = match words.next()? {
        "open" => Record::Opened,
        "close" => Record::Closed(words.next().unwrap_or_default().to_owned()),
        "dropped" => Record::Dropped(words.next()?.parse().ok()?),
        _ => return None,
    };
    Some((at, record))
}

/// A time in ns since 1970.
pub(super) fn time_of(digits: &[u8]) -> Option<UnixNanos> {
    if !TIME_DIGITS.contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0_u64, |time, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        time.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: UnixNanos = 1_732_283_045_123_456_789;

    fn frame(text: &str) -> Record {
        Record::Frame(text.as_bytes().to_vec())
    }

    #[test]
    fn each_line_is_read() {
        for (line, expected) in [
            (r#"1732283045123456789 {"a": 1}"#, Some((Some(AT), frame(r#"{"a": 1}"#)))),
            ("1732283045123456789 pong", Some((Some(AT), frame("pong")))),
            ("1732283045123456789 ", Some((Some(AT), frame("")))),
            ("1732283045123456789 base64:AAEC/w==", Some((Some(AT), Record::Frame(vec![0, 1, 2, 255])))),
            ("631152000000000000 x", Some((Some(631_152_000_000_000_000), frame("x")))),
            ("", Some((None, Record::Closed(String::new())))),
            ("# 1732283045123456789 open", Some((Some(AT), Record::Opened))),
            ("# 1732283045123456789 close no_data", Some((Some(AT), Record::Closed("no_data".to_owned())))),
            ("# 1732283045123456789 close", Some((Some(AT), Record::Closed(String::new())))),
            ("# 1732283045123456789 dropped 12", Some((Some(AT), Record::Dropped(12)))),
            ("# 1732283045123456789 dropped", None),
            ("# 1732283045123456789 sneezed", None),
            ("# a comment", None),
            ("#", None),
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(expected), "{line}");
        }
    }

    #[test]
    fn a_line_of_another_kind_is_told_apart() {
        for line in [
            r#"{"a":1}"#,
            "1732283045123456789",
            "1732283045123 {}",
            "1732283045.123 {}",
            "99999999999999999999 {}",
            "1732283045123456789 base64:!",
        ] {
            assert_eq!(parse(line.as_bytes()), Err(()), "{line}");
        }
    }

    #[test]
    fn a_header_is_read_as_it_is_written() {
        let symbols = ["BTC-USD", "ETH-USD"].map(str::to_owned).to_vec();
        let header = Header { venue: "kraken".to_owned(), feed: "crypto".to_owned(), symbols };
        assert_eq!(header.line(), "# tickfan 1 venue=kraken feed=crypto symbols=BTC-USD,ETH-USD");
        assert_eq!(Header::parse(&header.line()), Ok(Some(header)));
        assert_eq!(Header::parse("# tickfan 1"), Ok(Some(Header::default())));
        assert_eq!(Header::parse("# a comment"), Ok(None));
        assert_eq!(Header::parse("# tickfan 2 venue=kraken"), Err("2".to_owned()));
    }
}
