//! The head of an HTTP response.

/// The longest head; a server of streams needs a tenth of it.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The parts of a head that matter to a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Whether the body is `text/event-stream`.
    pub is_event_stream: bool,
    /// Whether the body is chunked, which the load tester does not support.
    pub is_chunked: bool,
    /// Whether the body is compressed with a dictionary.
    pub is_dcz: bool,
}

/// Why bytes are not a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// It is longer than [`HEAD_BYTES_MAX`].
    #[error("the head of the answer is longer than {HEAD_BYTES_MAX} bytes")]
    TooLong,
    /// It does not start with a status line.
    #[error("the answer is not HTTP")]
    NotHttp,
}

impl Head {
    /// Reads a head from the start of `bytes`; returns it and its length, or `None` while it is incomplete.
    ///
    /// # Errors
    /// [`HeadError`]: more bytes cannot make it a head.
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, HeadError> {
        let begin = &bytes[..bytes.len().min(7)];
        if !b"HTTP/1.".starts_with(begin) {
            return Err(HeadError::NotHttp);
        }
        let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
            return if bytes.len() > HEAD_BYTES_MAX { Err(HeadError::TooLong) } else { Ok(None) };
        };
        let text = std::str::from_utf8(&bytes[..end]).map_err(|_| HeadError::NotHttp)?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or(HeadError::NotHttp)?;
        let mut head = Self { status, is_event_stream: false, is_chunked: false, is_dcz: false };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim().to_ascii_lowercase();
            match name.to_ascii_lowercase().as_str() {
                "content-type" => head.is_event_stream = value.starts_with("text/event-stream"),
                "content-encoding" => head.is_dcz = value == "dcz",
                "transfer-encoding" => head.is_chunked = value.contains("chunked"),
                _ => {}
            }
        }
        Ok(Some((head, end + 4)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nContent-Encoding: dcz\r\nx: y\r\n\r\nretry: 1\n";

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let end = HEAD.len() - "retry: 1\n".len();
        for length in 0..end {
            assert_eq!(Head::read(&HEAD[..length]), Ok(None), "{length}");
        }
        let head = Head { status: 200, is_event_stream: true, is_chunked: false, is_dcz: true };
        assert_eq!(Head::read(HEAD), Ok(Some((head, end))));
        let chunked = Head::read(b"HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n").unwrap().unwrap().0;
        assert_eq!(chunked, Head { status: 404, is_event_stream: false, is_chunked: true, is_dcz: false });
    }

    #[test]
    fn bytes_that_are_not_a_head_are_an_error() {
        for bytes in [&b"SSH-2.0-x\r\n"[..], b"HTTP/1.1 ok\r\n\r\n", b"HTTP/1.1\r\n\r\n", b"{"] {
            assert_eq!(Head::read(bytes), Err(HeadError::NotHttp));
        }
        let endless = [b"HTTP/1.1 200 OK\r\n".to_vec(), vec![b'a'; HEAD_BYTES_MAX]].concat();
        assert_eq!(Head::read(&endless), Err(HeadError::TooLong));
    }
}
