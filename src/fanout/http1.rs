//! The head of a stream's response as HTTP/1.1 writes it.

use super::response_head::ResponseHead;
use bytes::Bytes;

/// Room for the head that the gateway sends.
const HEAD_BYTES: usize = 512;

/// The first block of an HTTP/1.1 response: its head, then the first block of the body.
///
/// The head names neither a length nor a `transfer-encoding`, but `connection: close`: the body ends with the
/// connection, so that a frame is the same bytes for every transport.
pub fn http1_first_block(head: &ResponseHead, body: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(HEAD_BYTES + body.len());
    out.extend_from_slice(b"HTTP/1.1 200 OK");
    for (name, value) in head.fields() {
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
    }
    out.extend_from_slice(b"\r\nconnection: close\r\n\r\n");
    out.extend_from_slice(body);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, header};

    #[test]
    fn a_head_keeps_the_order_of_its_fields_and_closes_the_connection() {
        let head: ResponseHead = [
            (header::DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT")),
            (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        ]
        .into_iter()
        .collect();
        let expected = "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-type: text/event-stream\r\n\
                        connection: close\r\n\r\nbody";
        assert_eq!(http1_first_block(&head, b"body"), expected);
    }
}
