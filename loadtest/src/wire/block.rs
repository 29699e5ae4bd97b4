//! Server-Sent Events: a stream of bytes into blocks, and a block into its fields.
//!
//! Lines end in LF or CRLF. A bare CR, which the format allows too, does not end a line here: known servers do not send
//! it.

use std::str;

/// The fields of one block. Those that it does not have are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Block<'a> {
    /// The event's name.
    pub event: Option<&'a str>,
    /// What a client sends as `Last-Event-ID` when it comes back.
    pub id: Option<&'a str>,
    /// How long a client waits before it comes back, in ms.
    pub retry_millis: Option<u64>,
    /// The first line of data.
    pub data: Option<&'a str>,
    /// How many lines of data there are.
    pub data_lines: usize,
}

/// What in a block is against the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// It is not UTF-8.
    #[error("the block is not UTF-8")]
    Utf8,
    /// A line begins with no field that the format knows.
    #[error("a line of the block has no known field")]
    Field,
    /// `retry:` is not a number.
    #[error("retry is not a number")]
    Retry,
}

/// Calls `each` with every complete block of `bytes`, without its blank line; returns how many bytes that were.
pub fn split_blocks(bytes: &[u8], mut each: impl FnMut(&[u8])) -> usize {
    let mut start = 0;
    let mut from = 0;
    while let Some(found) = memchr::memchr(b'\n', &bytes[from..]) {
        let end = from + found;
        let blank = match &bytes[end + 1..] {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => 0,
        };
        from = end + 1 + blank;
        if blank > 0 {
            each(&bytes[start..end]);
            start = from;
        }
    }
    start
}

impl<'a> Block<'a> {
    /// Reads the lines of a block.
    ///
    /// # Errors
    /// [`BlockError`] for the first line that is against the format.
    pub fn read(bytes: &'a [u8]) -> Result<Self, BlockError> {
        let text = str::from_utf8(bytes).map_err(|_| BlockError::Utf8)?;
        let mut block = Self::default();
        for line in text.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" => {} // a comment or a blank line
                "event" => block.event = Some(value),
                "id" => block.id = Some(value),
                "retry" => block.retry_millis = Some(value.parse().map_err(|_| BlockError::Retry)?),
                "data" => {
                    block.data.get_or_insert(value);
                    block.data_lines += 1;
                }
                _ => return Err(BlockError::Field),
            }
        }
        Ok(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> (Vec<String>, usize) {
        let mut blocks = Vec::new();
        let consumed = split_blocks(text.as_bytes(), |block| blocks.push(String::from_utf8(block.to_vec()).unwrap()));
        (blocks, consumed)
    }

    #[test]
    fn blocks_end_at_blank_lines_wherever_the_bytes_are_cut() {
        assert_eq!(split("a: 1\nb\n\nc\n"), (vec!["a: 1\nb".to_owned()], 8));
        assert_eq!(split("a\n\nb\n\n"), (vec!["a".to_owned(), "b".to_owned()], 6));
        assert_eq!(split("a\r\n\r\nb\r\n\r\n").1, 10);
        for cut in ["", "a", "a\n", "a\r\n\r"] {
            assert_eq!(split(cut), (vec![], 0), "{cut:?}");
        }
    }

    #[test]
    fn fields_are_read_and_unknown_ones_are_an_error() {
        let block = Block::read(b"retry: 5\nevent: hello\nid: x-1\ndata: {}\ndata:more").unwrap();
        let expected =
            Block { event: Some("hello"), id: Some("x-1"), retry_millis: Some(5), data: Some("{}"), data_lines: 2 };
        assert_eq!(block, expected);
        assert_eq!(Block::read(b": comment\r\ndata: 1\r").unwrap().data, Some("1\r"));
        assert_eq!(Block::read(b"dat: 1"), Err(BlockError::Field));
        assert_eq!(Block::read(b"retry: soon"), Err(BlockError::Retry));
        assert_eq!(Block::read(b"data: \xff"), Err(BlockError::Utf8));
    }
}
