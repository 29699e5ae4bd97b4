//! The lines of a recording.

use super::queue::What;
use crate::market::UnixMicros;
use base64::{Engine as _, prelude::BASE64_STANDARD};

/// Begins a frame that stands in base64.
const BASE64_PREFIX: &[u8] = b"base64:";

/// The first line: what the lines behind it are. Only names stand in it: an address may hold a key.
pub(super) fn head(venue: &str, feed: &str, symbols: &[String]) -> String {
    format!("# tickfan 1 venue={venue} feed={feed} symbols={}\n", symbols.join(","))
}

/// Appends a line. The end of a connection is followed by an empty one, for readers that know no `#`.
pub(super) fn append(line: &mut Vec<u8>, at: UnixMicros, what: What, frame: &[u8]) {
    let nanos = i128::from(at.0) * 1_000;
    match what {
        // A text frame that looks like a binary one would be read as one.
        What::Text if !frame.starts_with(BASE64_PREFIX) => {
            line.extend_from_slice(format!("{nanos} ").as_bytes());
            line.extend(frame.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
        }
        What::Text | What::Binary => {
            line.extend_from_slice(format!("{nanos} ").as_bytes());
            line.extend_from_slice(BASE64_PREFIX);
            line.extend_from_slice(BASE64_STANDARD.encode(frame).as_bytes());
        }
        What::Opened => line.extend_from_slice(format!("# {nanos} open").as_bytes()),
        What::Closed(reason) => line.extend_from_slice(format!("# {nanos} close {reason}\n").as_bytes()),
        What::Dropped(count) => line.extend_from_slice(format!("# {nanos} dropped {count}").as_bytes()),
    }
    line.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let symbols = ["BTC-USD".to_owned(), "ETH-USD".to_owned()];
        assert_eq!(
            head("examplex", "crypto", &symbols),
            "# tickfan 1 venue=examplex feed=crypto symbols=BTC-USD,ETH-USD\n"
        );
    }
}
