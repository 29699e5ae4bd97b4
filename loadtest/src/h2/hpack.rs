//! Header blocks, with an empty table: requests are literals, and of a response the status and the content type are
//! read.

use super::huffman;
use crate::wire::Head;
use std::borrow::Cow;

/// The static table up to the last `:status`, by index; other entries matter only by their names.
const STATUSES: [(u64, u16); 7] = [(8, 200), (9, 204), (10, 206), (11, 304), (12, 400), (13, 404), (14, 500)];
/// The index of `content-type` in the static table.
const CONTENT_TYPE: u64 = 31;
/// The index of `content-encoding` in the static table.
const CONTENT_ENCODING: u64 = 26;
/// The last entry of the static table.
const STATIC_MAX: u64 = 61;
/// The longest integer: five octets.
const SHIFT_MAX: u32 = 28;

/// Appends a field as a literal that no table takes in.
pub(super) fn write(name: &str, value: &str, block: &mut Vec<u8>) {
    // Never indexed: values may be secrets.
    block.push(0x10);
    write_string(name, block);
    write_string(value, block);
}

fn write_string(string: &str, block: &mut Vec<u8>) {
    let mut rest = string.len();
    if rest < 0x7f {
        block.push(rest as u8);
    } else {
        block.push(0x7f);
        rest -= 0x7f;
        while rest >= 0x80 {
            block.push(0x80 | (rest & 0x7f) as u8);
            rest >>= 7;
        }
        block.push(rest as u8);
    }
    block.extend_from_slice(string.as_bytes());
}

/// Reads the head of a response; `None` if the block is against the format, refers to a table or lacks `:status`.
pub(super) fn read(mut block: &[u8]) -> Option<Head> {
    let mut status = None;
    let mut is_event_stream = false;
    let mut is_dcz = false;
    while let Some(&first) = block.first() {
        if first & 0x80 != 0 {
            let index = integer(&mut block, 7)?;
            match STATUSES.iter().find(|(known, _)| *known == index) {
                Some((_, known)) => status = Some(*known),
                None if (1..=STATIC_MAX).contains(&index) => {}
                None => return None,
            }
        } else if first & 0xe0 == 0x20 {
            // The size of the table, which stays 0.
            integer(&mut block, 5).filter(|size| *size == 0)?;
        } else {
            // With indexing, which an empty table ignores; without; or never.
            let (name, value) = literal(&mut block, if first & 0x40 != 0 { 6 } else { 4 })?;
            match name {
                Name::Status => status = std::str::from_utf8(&value).ok()?.parse().ok(),
                Name::ContentType => is_event_stream = value.to_ascii_lowercase().starts_with(b"text/event-stream"),
                Name::ContentEncoding => is_dcz = value.eq_ignore_ascii_case(b"dcz"),
                Name::Other => {}
            }
        }
    }
    Some(Head { status: status?, is_event_stream, is_chunked: false, is_dcz })
}

enum Name {
    Status,
    ContentType,
    ContentEncoding,
    Other,
}

fn literal<'a>(block: &mut &'a [u8], prefix: u32) -> Option<(Name, Cow<'a, [u8]>)> {
    let name = match integer(block, prefix)? {
        0 => match &*string(block)? {
            b":status" => Name::Status,
            b"content-type" => Name::ContentType,
            b"content-encoding" => Name::ContentEncoding,
            _ => Name::Other,
        },
        index if STATUSES.iter().any(|(known, _)| *known == index) => Name::Status,
        CONTENT_TYPE => Name::ContentType,
        CONTENT_ENCODING => Name::ContentEncoding,
        1..=STATIC_MAX => Name::Other,
        _ => return None,
    };
    Some((name, string(block)?))
}

fn string<'a>(block: &mut &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let is_coded = block.first()? & 0x80 != 0;
    let length = usize::try_from(integer(block, 7)?).ok()?;
    let string = block.split_off(..length)?;
    if is_coded { huffman::decode(string).map(Cow::Owned) } else { Some(Cow::Borrowed(string)) }
}

fn integer(block: &mut &[u8], prefix: u32) -> Option<u64> {
    let most = (1_u64 << prefix) - 1;
    let mut value = u64::from(*block.split_off_first()?) & most;
    if value < most {
        return Some(value);
    }
    for shift in (0..=SHIFT_MAX).step_by(7) {
        let octet = u64::from(*block.split_off_first()?);
        value += (octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16, is_event_stream: bool) -> Head {
        Head { status, is_event_stream, is_chunked: false, is_dcz: false }
    }

    #[test]
    fn the_status_and_the_content_type_are_read_however_they_are_written() {
        assert_eq!(read(&[0x20, 0x88]), Some(head(200, false)), "after a change of the table's size");
        // `:status: 302` with a coded value, as in RFC 7541, appendix C.6.1.
        assert_eq!(read(&[0x48, 0x82, 0x64, 0x02]), Some(head(302, false)));
        let mut block = Vec::new();
        write(":status", "429", &mut block);
        write("x-long", &"a".repeat(300), &mut block);
        write("content-type", "Text/Event-Stream;charset=utf-8", &mut block);
        assert_eq!(read(&block), Some(head(429, true)));
        let known_name = [&[0x88, 0x5f, 17][..], b"text/event-stream"].concat();
        assert_eq!(read(&known_name), Some(head(200, true)));
        let dcz = Head { is_dcz: true, ..head(200, false) };
        assert_eq!(read(&[&[0x88, 0x5a, 3][..], b"dcz"].concat()), Some(dcz.clone()));
        let mut block = vec![0x88];
        write("content-encoding", "dcz", &mut block);
        assert_eq!(read(&block), Some(dcz));
    }

    #[test]
    fn blocks_against_the_format_are_an_error() {
        for (block, what) in [
            (&[][..], "no status"),
            (&[0x80], "index 0"),
            (&[0xbe], "index 62, which an empty table does not have"),
            (&[0x88, 0x3f, 0x01], "a table of 32 octets"),
            (&[0x88, 0x0f, 0xff], "an unfinished integer"),
            (&[0x88, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "a long integer"),
            (&[0x88, 0x00, 0x05, b'a'], "a short string"),
            (&[0x48, 0x81, 0x18], "a wrong padding"),
        ] {
            assert_eq!(read(block), None, "{what}");
        }
        // Cut anywhere, a block with a name and a value never panics.
        let block = [&[0x88, 0x00, 0x03][..], b"abc", &[0x03], b"def"].concat();
        for cut in 2..block.len() {
            assert_eq!(read(&block[..cut]), None, "{cut}");
        }
    }
}
