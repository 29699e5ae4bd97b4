//! The layouts of lines, each told by itself.
//!
//! | layout | a line |
//! |---|---|
//! | ours | `1732283045123456789 {…}`, see `line` |
//! | tardis, a minute of its HTTP API | `2024-08-08T23:54:14.0246195Z {…}`; an empty line is a lost connection |
//! | tardis-machine | `{"localTimestamp":"2024-08-08T23:54:14.0246195Z","message":{…}}`; so is `null` |
//! | cryptofeed 1 | `1641343697.4033659: {…}`; `… <-> …` opens, `… <- …` was sent, `… -> …` came over HTTP |
//! | cryptofeed 2 | `{"t":"recv","conn":"X.ws.1","ts":1618678132.91,"data":"{…}"}`, or `"b64"`; no other `t` plays |
//! | crypto-crawler | `{"exchange":"x",…,"received_at":1723161254024,"json":"{…}"}` |
//! | crypto-crawler, TSV | `1723161254024⇥BTCUSDT⇥{…}`; the symbol may be missing |
//! | bare | `{…}`, `[…]`, or a word such as `pong` |
//!
//! Sources: docs.tardis.dev (HTTP API, tardis-machine), cryptofeed's `raw_data_collection.py` (1) and `capture.py` (2),
//! crypto-crawler's `msg.rs`.

use super::time;
use crate::recording::line::{self, Record, UnixNanos};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use std::{borrow::Cow, str};

/// The longest word that a bare file may have between its JSON.
const WORD_BYTES_MAX: usize = 16;

/// How the lines of a file are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Ours.
    Own,
    /// A slice of the HTTP API of tardis.dev.
    TardisSlice,
    /// What tardis-machine replays over HTTP.
    TardisMachine,
    /// The first raw capture of cryptofeed.
    Cryptofeed1,
    /// Its second one.
    Cryptofeed2,
    /// JSON of crypto-crawler.
    CrawlerJson,
    /// Its tab-separated lines.
    CrawlerTsv,
    /// Frames without times.
    Bare,
}

/// A line that was read; `None` where it holds nothing to play, such as a request.
pub(super) type Line = Option<(Option<UnixNanos>, Record)>;

impl Format {
    /// All of them; the last takes what no other does.
    const ALL: [Self; 8] = [
        Self::Own,
        Self::TardisSlice,
        Self::TardisMachine,
        Self::Cryptofeed1,
        Self::Cryptofeed2,
        Self::CrawlerJson,
        Self::CrawlerTsv,
        Self::Bare,
    ];

    /// Whether a line says nothing of its file's format: it is empty or a comment.
    pub(super) fn is_common(line: &[u8]) -> bool {
        line.is_empty() || line.starts_with(b"#") || line == b"null"
    }

    /// The format of a file with this line. A word alone could be anything.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let is_word = !line.is_empty() && line.iter().all(u8::is_ascii_alphabetic);
        if is_word || Self::is_common(line) {
            return None;
        }
        Self::ALL.into_iter().find(|format| format.parse(line).is_ok())
    }

    /// What a line of it looks like, for people.
    pub fn example(self) -> &'static str {
        match self {
            Self::Own => "`<ns since 1970> <frame>`",
            Self::TardisSlice => "`<RFC 3339 time> <frame>`",
            Self::TardisMachine => "`{\"localTimestamp\":…,\"message\":…}`",
            Self::Cryptofeed1 => "`<seconds since 1970>: <frame>`",
            Self::Cryptofeed2 => "`{\"t\":\"recv\",\"ts\":…,\"data\":…}`",
            Self::CrawlerJson => "`{\"received_at\":…,\"json\":…}`",
            Self::CrawlerTsv => "`<ms since 1970><tab><symbol><tab><frame>`",
            Self::Bare => "a frame alone, as JSON",
        }
    }

    /// Whether its lines have times.
    pub(super) fn has_times(self) -> bool {
        self != Self::Bare
    }

    /// Reads a line, without its end.
    ///
    /// # Errors
    /// It is not of this format.
    pub(super) fn parse(self, line: &[u8]) -> Result<Line, ()> {
        if self == Self::Own {
            return line::parse(line);
        }
        if line.is_empty() || line == b"null" {
            return Ok(Some((None, Record::Closed(String::new()))));
        }
        if line.starts_with(b"#") {
            return Ok(None);
        }
        if self == Self::Bare {
            return bare(line).map(|()| Some((None, frame(line)))).ok_or(());
        }
        let line = str::from_utf8(line).map_err(|_| ())?;
        match self {
            Self::TardisSlice => timed(line.split_once(' ').ok_or(())?, time::rfc3339),
            Self::TardisMachine => tardis_machine(line),
            Self::Cryptofeed1 => cryptofeed_1(line),
            Self::Cryptofeed2 => cryptofeed_2(line),
            Self::CrawlerJson => crawler_json(line),
            _ => {
                let (time, rest) = line.split_once('\t').ok_or(())?;
                timed((time, rest.split_once('\t').map_or(rest, |(_, frame)| frame)), time::millis)
            }
        }
    }
}

fn frame(bytes: &[u8]) -> Record {
    Record::Frame(bytes.to_vec())
}

/// A time and the frame behind it.
fn timed((time, text): (&str, &str), read: fn(&str) -> Option<UnixNanos>) -> Result<Line, ()> {
    let at = read(time).ok_or(())?;
    Ok(Some((Some(at), frame(text.as_bytes()))))
}

fn bare(line: &[u8]) -> Option<()> {
    let is_word = line.len() <= WORD_BYTES_MAX && line.iter().all(u8::is_ascii_alphabetic);
    let is_json = || matches!(line.first(), Some(b'{' | b'[')) && serde_json::from_slice::<IgnoredAny>(line).is_ok();
    (is_word || is_json()).then_some(())
}

#[derive(Deserialize)]
struct TardisMachine<'a> {
    #[serde(rename = "localTimestamp", borrow)]
    local_timestamp: Cow<'a, str>,
    #[serde(borrow)]
    message: &'a RawValue,
}

fn tardis_machine(line: &str) -> Result<Line, ()> {
    let read: TardisMachine<'_> = serde_json::from_str(line).map_err(|_| ())?;
    timed((&read.local_timestamp, read.message.get()), time::rfc3339)
}

fn cryptofeed_1(line: &str) -> Result<Line, ()> {
    if line.starts_with("configuration: ") {
        return Ok(None);
    }
    if line.starts_with("ws") || line.starts_with("http") {
        let (_, opened) = line.rsplit_once(" <-> ").unwrap_or_default();
        if let Some(at) = time::seconds(opened) {
            return Ok(Some((Some(at), Record::Opened)));
        }
        return if line.contains(" <- ") || line.contains(" -> ") { Ok(None) } else { Err(()) };
    }
    timed(line.split_once(": ").ok_or(())?, time::seconds)
}

#[derive(Deserialize)]
struct Cryptofeed2<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
    /// The capture's version, in its first line.
    format: Option<u32>,
    /// Kept as text: a time is not a float here.
    #[serde(borrow)]
    ts: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
    #[serde(borrow)]
    b64: Option<Cow<'a, str>>,
}

fn cryptofeed_2(line: &str) -> Result<Line, ()> {
    let read: Cryptofeed2<'_> = serde_json::from_str(line).map_err(|_| ())?;
    if read.t == "header" {
        return if read.format == Some(2) { Ok(None) } else { Err(()) };
    }
    let at = read.ts.and_then(|ts| time::seconds(ts.get())).ok_or(())?;
    let record = match (&*read.t, &read.data, &read.b64) {
        ("connect", ..) => Record::Opened,
        ("recv", Some(text), _) => frame(text.as_bytes()),
        ("recv", None, Some(binary)) => Record::Frame(BASE64_STANDARD.decode(&**binary).map_err(|_| ())?),
        ("send" | "http", ..) => return Ok(None),
        _ => return Err(()),
    };
    Ok(Some((Some(at), record)))
}

#[derive(Deserialize)]
struct Crawler<'a> {
    #[serde(borrow)]
    received_at: &'a RawValue,
    #[serde(borrow)]
    json: Cow<'a, str>,
}

fn crawler_json(line: &str) -> Result<Line, ()> {
    let read: Crawler<'_> = serde_json::from_str(line).map_err(|_| ())?;
    timed((read.received_at.get(), &read.json), time::millis)
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
