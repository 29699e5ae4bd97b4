//! What may be logged of what came from outside.

use std::fmt;

/// Bytes from outside as a log line may show them: escaped, so that they forge no line and no colour, and cut.
pub(super) struct Excerpt<'a>(pub(super) &'a [u8]);

/// Enough to recognise a message by.
const EXCERPT_BYTES_MAX: usize = 160;

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(EXCERPT_BYTES_MAX)];
        write!(f, "{}", shown.escape_ascii())?;
        if shown.len() < self.0.len() {
            write!(f, "… ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_can_forge_no_line() {
        assert_eq!(Excerpt(b"a\r\n\x1b[31m\"\xff").to_string(), "a\\r\\n\\x1b[31m\\\"\\xff");
        let long = Excerpt(&[b'x'; 1_000]).to_string();
        assert_eq!(long, format!("{}… (1000 bytes)", "x".repeat(EXCERPT_BYTES_MAX)));
    }
}
