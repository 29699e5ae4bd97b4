//! An order book, of which the time and the first level of each side are read. As the venue writes it, it has 8 KB: its
//! other levels are not looked at then, so that a book costs little more than a trade.

use crate::{
    telemetry::labels::Tally,
    venue::{
        DecodeError,
        kit::{
            object::object,
            raw::{Exact, Raw},
            scan,
        },
    },
};
use std::str::from_utf8;

/// What is read of a book.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Book<'a> {
    pub(super) timestamp: Exact<'a>,
    pub(super) microtimestamp: Exact<'a>,
    /// The price and the size of the first level of each side; `null` where the side is empty.
    pub(super) bid: [Exact<'a>; 2],
    pub(super) ask: [Exact<'a>; 2],
}

object! {
    /// A book with all its levels.
    Levels {
        timestamp = "timestamp",
        microtimestamp = "microtimestamp",
        bids = "bids",
        asks = "asks",
    }
}

impl<'a> Levels<'a> {
    /// The first level of each side.
    pub(super) fn best(self, errors: &mut Tally<DecodeError>) -> Book<'a> {
        let Self { timestamp, microtimestamp, bids, asks } = self;
        Book { timestamp, microtimestamp, bid: bids.first().pair(errors), ask: asks.first().pair(errors) }
    }
}

/// The longest beginning of a book that is looked at: the times, their keys and the first bid.
const HEAD_BYTES: usize = 160;
/// The longest first ask.
const LEVEL_BYTES: usize = 64;
/// The longest end that is looked at: the channel and the event.
const TAIL_BYTES: usize = 112;

/// A book as the venue writes it, and its channel.
pub(super) fn scanned(frame: &[u8]) -> Option<(Book<'_>, &str)> {
    let head = beginning(frame, HEAD_BYTES)?;
    let (timestamp, rest) = scan::string(head.strip_prefix(r#"{"data":{"timestamp":""#)?)?;
    let (microtimestamp, rest) = scan::string(rest.strip_prefix(r#","microtimestamp":""#)?)?;
    let (bid, rest) = first_level(rest.strip_prefix(r#","bids":"#)?)?;
    let behind_bids = after_levels(&frame[head.len() - rest.len()..], bid)?;
    let behind_bids = behind_bids.strip_prefix(br#","asks":"#)?;
    let (ask, _) = first_level(beginning(behind_bids, LEVEL_BYTES)?)?;
    let tail = from_utf8(&behind_bids[behind_bids.len().saturating_sub(TAIL_BYTES)..]).ok()?;
    let tail = tail.strip_suffix(r#"","event":"data"}"#)?;
    let (tail, channel) = tail.split_at(tail.rfind('"')? + 1);
    let levels = tail.strip_suffix(r#"},"channel":""#)?;
    let has_ended = levels.ends_with(if ask == EMPTY { "[]" } else { "]]" });
    if !has_ended || channel.contains('\\') {
        return None;
    }
    let [timestamp, microtimestamp] = [timestamp, microtimestamp].map(text);
    Some((Book { timestamp, microtimestamp, bid, ask }, channel))
}

fn beginning(bytes: &[u8], longest: usize) -> Option<&str> {
    from_utf8(&bytes[..longest.min(bytes.len())]).ok()
}

fn text(text: &str) -> Exact<'_> {
    Raw::Text(text).into()
}

/// Of a side without levels.
const EMPTY: [Exact<'static>; 2] = [Exact::NULL; 2];

/// The first level of a side, `[["64301","0.12"],…`, or none of an empty list; and what follows it.
fn first_level(side: &str) -> Option<([Exact<'_>; 2], &str)> {
    if let Some(rest) = side.strip_prefix("[]") {
        return Some((EMPTY, rest));
    }
    let (price, rest) = scan::string(side.strip_prefix(r#"[[""#)?)?;
    let (size, rest) = scan::string(rest.strip_prefix(r#",""#)?)?;
    Some(([price, size].map(text), rest.strip_prefix(']')?))
}

/// What follows the levels of a side. No level has a colon, so the first one is of the next key.
fn after_levels<'a>(behind_first: &'a [u8], first: [Exact<'_>; 2]) -> Option<&'a [u8]> {
    if first == EMPTY {
        return Some(behind_first);
    }
    let key = colon(behind_first)?.checked_sub(r#","asks""#.len())?;
    let (levels, rest) = behind_first.split_at(key);
    // The last level's bracket, unless it was the first one, and the list's.
    (levels == b"]" || levels.ends_with(b"]]")).then_some(rest)
}

/// The place of the first colon. By chunks, so that the compiler compares many bytes at a time.
fn colon(bytes: &[u8]) -> Option<usize> {
    let (chunks, rest) = bytes.as_chunks::<64>();
    let has_one = |chunk: &[u8; 64]| chunk.iter().fold(false, |found, &byte| found | (byte == b':'));
    let from = chunks.iter().position(has_one).map_or(bytes.len() - rest.len(), |chunk| chunk * 64);
    bytes[from..].iter().position(|&byte| byte == b':').map(|place| from + place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::kit::{object, raw::Value as _};
    use proptest::prelude::*;

    fn frame(bids: &[String], asks: &[String]) -> String {
        let [bids, asks] = [bids, asks].map(|side| side.join(","));
        format!(
            r#"{{"data":{{"timestamp":"1781417002","microtimestamp":"1781417002411000","bids":[{bids}],"asks":[{asks}]}},"channel":"order_book_btcusd","event":"data"}}"#
        )
    }

    fn levels(count: usize) -> Vec<String> {
        (0..count).map(|level| format!(r#"["{}.{level:02}","0.{level:08}"]"#, 64_000 + level)).collect()
    }

    /// What is read of a book.
    fn read<'a>(book: &Book<'a>) -> [Raw<'a>; 6] {
        let Book { timestamp, microtimestamp, bid: [bid, bid_size], ask: [ask, ask_size] } = *book;
        [timestamp, microtimestamp, bid, bid_size, ask, ask_size].map(Exact::raw)
    }

    /// The same by a parser.
    fn parsed(frame: &str) -> Option<[Raw<'_>; 6]> {
        let data = frame.strip_prefix(r#"{"data":"#)?.rsplit_once(r#","channel""#)?.0;
        object::read::<Levels<'_>>(data.as_bytes()).ok().map(|book| read(&book.best(&mut Tally::default())))
    }

    #[test]
    fn a_book_of_any_size_is_scanned_and_reads_as_a_parser_reads_it() {
        for bids in [0, 1, 2, 3, 100] {
            for asks in [0, 1, 2, 100] {
                let frame = frame(&levels(bids), &levels(asks));
                let (book, channel) = scanned(frame.as_bytes()).unwrap();
                assert_eq!((Some(read(&book)), channel), (parsed(&frame), "order_book_btcusd"), "{frame}");
            }
        }
    }

    #[test]
    fn a_book_that_is_written_otherwise_or_cut_off_is_left_to_a_parser() {
        let whole = frame(&levels(3), &levels(3));
        for length in 0..whole.len() {
            assert!(scanned(&whole.as_bytes()[..length]).is_none(), "{length}");
        }
        for (from, to) in [
            (r#"{"data""#, r#"{ "data""#),
            (r#""asks":"#, r#""asks": "#),
            (r#""asks":"#, r#""ask":"#),
            (r#""bids":[["#, r#""bids":[[["#),
            (r#"]],"asks""#, r#"],"asks""#),
            (r#"]]},"#, r#"]},"#),
            (r#""event":"data""#, r#""event":"snapshot""#),
            (r#""event":"data"}"#, r#""event":"data"} "#),
            ("order_book_btcusd", r"order_book_btc\u0075sd"),
        ] {
            let other = whole.replacen(from, to, 1);
            assert!(other != whole && scanned(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn a_colon_is_found_wherever_it_stands() {
        for length in [0, 1, 63, 64, 65, 128, 200] {
            assert_eq!(colon(&vec![b'.'; length]), None);
            for place in 0..length {
                let mut bytes = vec![b'.'; length];
                bytes[place..].fill(b':');
                assert_eq!(colon(&bytes), Some(place));
            }
        }
    }

    proptest! {
        /// What is scanned of a damaged book that is still JSON is what a parser reads.
        #[test]
        fn what_is_scanned_is_what_a_parser_reads(bids in 0_usize..4, asks in 0_usize..4, at in 0_usize..400, byte in any::<u8>()) {
            let mut damaged = frame(&levels(bids), &levels(asks)).into_bytes();
            let at = at % damaged.len();
            damaged[at] = byte;
            let Ok(text) = std::str::from_utf8(&damaged) else { return Ok(()) };
            if let (Some((book, _)), Some(parsed)) = (scanned(&damaged), parsed(text)) {
                prop_assert_eq!(read(&book), parsed);
            }
        }
    }
}
