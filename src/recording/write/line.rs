//! Writes the lines of a recording.

use super::queue::What;
use crate::{market::UnixMicros, recording::line::BINARY};
use base64::{Engine as _, prelude::BASE64_STANDARD};

/// Appends a line. The end of a connection is followed by an empty one, for readers that know no `#`.
pub(super) fn append(line: &mut Vec<u8>, at: UnixMicros, what: What, frame: &[u8]) {
    let nanos = i128::from(at.0) * 1_000;
    match what {
        // A text frame that looks like a binary one would be read as one.
        What::Text if !frame.starts_with(BINARY) => {
            line.extend_from_slice(format!("{nanos} ").as_bytes());
            line.extend(frame.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
        }
        What::Text | What::Binary => {
            line.extend_from_slice(format!("{nanos} ").as_bytes());
            line.extend_from_slice(BINARY);
            line.extend_from_slice(BASE64_STANDARD.encode(frame).as_bytes());
        }
        // It stands in the next head.
        What::List => return,
        What::Opened => line.extend_from_slice(format!("# {nanos} open").as_bytes()),
        What::Closed(reason) => line.extend_from_slice(format!("# {nanos} close {reason}\n").as_bytes()),
        What::Dropped(count) => line.extend_from_slice(format!("# {nanos} dropped {count}").as_bytes()),
    }
    line.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::line::{Record, parse};

    #[test]
    fn each_kind_of_line_has_its_form() {
        let at = UnixMicros(1_796_144_400_123_456);
        let nanos = "1796144400123456000";
        let cases: [(What, &[u8], String); 7] = [
            (What::Text, b"{\"a\":1}", format!("{nanos} {{\"a\":1}}\n")),
            (What::Text, b"{\r\n\"a\": \"\xc3\xa9\"}\n", format!("{nanos} {{  \"a\": \"\u{e9}\"}} \n")),
            (What::Text, b"base64:x", format!("{nanos} base64:YmFzZTY0Ong=\n")),
            (What::Binary, b"\x00\xff\n", format!("{nanos} base64:AP8K\n")),
            (What::Opened, b"", format!("# {nanos} open\n")),
            (What::Closed("no_pong"), b"", format!("# {nanos} close no_pong\n\n")),
            (What::Dropped(12), b"", format!("# {nanos} dropped 12\n")),
        ];
        for (what, frame, expected) in cases {
            let mut line = Vec::new();
            append(&mut line, at, what, frame);
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }

    #[test]
    fn each_line_is_read_again_as_what_was_written() {
        let at = UnixMicros(1_796_144_400_123_456);
        let cases: [(What, &[u8], Record); 6] = [
            (What::Text, b"{\"a\":1}", Record::Frame(b"{\"a\":1}".to_vec())),
            (What::Text, b"base64:x", Record::Frame(b"base64:x".to_vec())),
            (What::Binary, b"\x00\r\n", Record::Frame(b"\x00\r\n".to_vec())),
            (What::Opened, b"", Record::Opened),
            (What::Closed("no_pong"), b"", Record::Closed("no_pong".to_owned())),
            (What::Dropped(12), b"", Record::Dropped(12)),
        ];
        for (what, frame, record) in cases {
            let mut line = Vec::new();
            append(&mut line, at, what, frame);
            let first = line.split(|&byte| byte == b'\n').next().unwrap();
            assert_eq!(parse(first), Ok(Some((Some(1_796_144_400_123_456_000), record))));
        }
    }
}
