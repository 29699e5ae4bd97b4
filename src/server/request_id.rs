//! The name of a rejected request, in its answer and in the log.

use http::HeaderValue;
use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// The header that repeats it. A client's own header of this name is not read: it could claim the id of another
/// request.
pub(super) const HEADER: http::HeaderName = http::HeaderName::from_static("x-request-id");

/// A request's id, `[0-9a-f]{8}-[0-9a-f]+`: random digits of the process, then a count. Unique over both listeners, and
/// very probably over restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestId {
    process: u32,
    number: u64,
}

impl RequestId {
    /// The next id of this process.
    pub(super) fn next() -> Self {
        static PROCESS: OnceLock<u32> = OnceLock::new();
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        Self { process: *PROCESS.get_or_init(rand::random), number: NUMBER.fetch_add(1, Ordering::Relaxed) }
    }

    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).expect("hexadecimal digits are a header's value")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:x}", self.process, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_and_its_process_part_has_one_length() {
        let text = |process, number| RequestId { process, number }.to_string();
        assert_eq!(text(0, 1), "00000000-1");
        assert_eq!(text(u32::MAX, u64::MAX), "ffffffff-ffffffffffffffff");
        assert_eq!(RequestId { process: 0xab, number: 26 }.header(), "000000ab-1a");
    }

    #[test]
    fn two_requests_have_different_ids() {
        let one = RequestId::next();
        let other = RequestId::next();
        assert_eq!(one.process, other.process);
        assert_ne!(one, other);
    }
}
