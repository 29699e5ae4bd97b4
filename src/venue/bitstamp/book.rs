//! An order book, of which the time and the first level of each side are read. As the venue writes it, it has 8 KB: its
//! other levels are not looked at then, so that a book costs little more than a trade.

use crate::venue::kit::{
    object::Object,
    raw::{Exact, Raw},
    scan,
};
use std::str::from_utf8;

/// What is read of a book.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Book<'a> {
    pub(super) timestamp: Exact<'a>,
    pub(super) microtimestamp: Exact<'a>,
    /// The first level of each side, or an empty list.
    pub(super) bids: Exact<'a>,
    pub(super) asks: Exact<'a>,
}

impl<'a> Object<'a> for Book<'a> {
    fn field(&mut self, key: &str) -> Option<&mut Exact<'a>> {
        Some(match key {
            "timestamp" => &mut self.timestamp,
            "microtimestamp" => &mut self.microtimestamp,
            "bids" => &mut self.bids,
            "asks" => &mut self.asks,
            _ => return None,
        })
    }
}

impl Book<'_> {
    /// Of all levels of each side, the first.
    pub(super) fn best(self) -> Self {
        Self { bids: self.bids.first(), asks: self.asks.first(), ..self }
    }
}

/// The times, their keys, the first level of a side and the channel are within so many bytes of the frame's ends.
const HEAD_BYTES: usize = 256;

/// A book as the venue writes it, and its channel.
pub(super) fn scanned(frame: &[u8]) -> Option<(Book<'_>, &str)> {
    let head = from_utf8(frame.get(..HEAD_BYTES.min(frame.len()))?).ok()?;
    let (timestamp, rest) = scan::string(head.strip_prefix(r#"{"data":{"timestamp":""#)?)?;
    let (microtimestamp, rest) = scan::string(rest.strip_prefix(r#","microtimestamp":""#)?)?;
    let (bids, rest) = first_level(rest.strip_prefix(r#","bids":"#)?)?;
    let behind_bids = after_levels(&frame[head.len() - rest.len()..], bids)?;
    let behind_bids = behind_bids.strip_prefix(br#","asks":"#)?;
    let head = from_utf8(&behind_bids[..HEAD_BYTES.min(behind_bids.len())]).ok()?;
    let (asks, _) = first_level(head)?;
    let tail = from_utf8(&behind_bids[behind_bids.len().saturating_sub(HEAD_BYTES)..]).ok()?;
    let (levels, channel) = tail.strip_suffix(r#"","event":"data"}"#)?.rsplit_once(r#"},"channel":""#)?;
    let has_ended = levels.ends_with(if asks == EMPTY { "[]" } else { "]]" });
    if !has_ended || channel.contains(['"', '\\']) {
        return None;
    }
    let [timestamp, microtimestamp] = [timestamp, microtimestamp].map(|text| Exact::from(Raw::Text(text)));
    let [bids, asks] = [bids, asks].map(|levels| Exact::from(Raw::Json(levels)));
    Some((Book { timestamp, microtimestamp, bids, asks }, channel))
}

/// A side without levels.
const EMPTY: &str = "[]";

/// The first level of a side, `["64301","0.12"]`, or the empty list; and what follows it.
fn first_level(side: &str) -> Option<(&str, &str)> {
    if let Some(rest) = side.strip_prefix(EMPTY) {
        return Some((EMPTY, rest));
    }
    let level = side.strip_prefix('[')?;
    let (_, rest) = scan::string(level.strip_prefix(r#"[""#)?)?;
    let (_, rest) = scan::string(rest.strip_prefix(r#",""#)?)?;
    let rest = rest.strip_prefix(']')?;
    Some((&level[..level.len() - rest.len()], rest))
}

/// What follows the levels of a side. No level has a colon, so the first one is of the next key.
fn after_levels<'a>(behind_first: &'a [u8], first: &str) -> Option<&'a [u8]> {
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

    /// What is read of a book. An empty side is `null`.
    fn read<'a>(book: &Book<'a>) -> [Raw<'a>; 4] {
        [book.timestamp, book.microtimestamp, book.bids, book.asks].map(|field| match field.raw() {
            Raw::Json(EMPTY) => Raw::Null,
            raw => raw,
        })
    }

    /// The same by a parser.
    fn parsed(frame: &str) -> Option<[Raw<'_>; 4]> {
        let data = frame.strip_prefix(r#"{"data":"#)?.rsplit_once(r#","channel""#)?.0;
        object::read::<Book<'_>>(data.as_bytes()).ok().map(|book| read(&book.best()))
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
