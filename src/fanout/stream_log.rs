//! Log lines of streams: "why was this client cut off?"

use super::{close_reason::CloseReason, stream::Stream, transport::Transport};
use crate::{market::Now, telemetry::LogLimit};
use std::time::Duration;

/// A worker logs this many cut-off streams of one reason at once, and then one a second: a client can get itself cut
/// off again and again.
const BURST: u32 = 20;
const LOG_EVERY: Duration = Duration::from_secs(1);

/// A worker's log of its streams. Lines are limited by reason, so that no reason hides another.
pub(super) struct StreamLog {
    cut_off: [LogLimit; CloseReason::ALL.len()],
}

impl Default for StreamLog {
    fn default() -> Self {
        Self { cut_off: CloseReason::ALL.map(|_| LogLimit::with_burst(LOG_EVERY, BURST)) }
    }
}

impl StreamLog {
    /// A stream begins.
    pub(super) fn opened<T: Transport>(&self, stream: &Stream<T>) {
        tracing::debug!(
            stream = %stream.name(),
            client = %stream.client().address,
            client_id = stream.client().id(),
            subject = stream.client().subject(),
            protocol = stream.protocol().name(),
            symbols = stream.slots().len(),
            "a stream began"
        );
    }

    /// A stream's client has changed its list or its options.
    pub(super) fn changed<T: Transport>(&self, stream: &Stream<T>) {
        tracing::debug!(
            stream = %stream.name(),
            client = %stream.client().address,
            client_id = stream.client().id(),
            subject = stream.client().subject(),
            symbols = stream.slots().len(),
            "a stream changed"
        );
    }

    /// A stream has ended. Operators see at `info` those that were cut off.
    pub(super) fn ended<T: Transport>(&mut self, stream: &Stream<T>, reason: CloseReason, now: Now) {
        macro_rules! log {
            ($level:ident $(, $held_back:ident)?) => {
                tracing::$level!(
                    stream = %stream.name(),
                    client = %stream.client().address,
                    client_id = stream.client().id(),
                    subject = stream.client().subject(),
                    protocol = stream.protocol().name(),
                    symbols = stream.slots().len(),
                    reason = reason.name(),
                    seconds = now.instant.saturating_duration_since(stream.joined()).as_millis() as f64 / 1e3,
                    ticks = stream.ticks(),
                    missed = stream.missed().lag + stream.missed().ring,
                    left_out = stream.missed().options,
                    bytes = stream.bytes(),
                    $($held_back,)?
                    "a stream ended"
                )
            };
        }
        let admitted = reason.is_cut_off().then(|| self.cut_off[reason as usize].admit(now.instant)).flatten();
        match admitted {
            Some(held_back) => log!(info, held_back),
            None => log!(debug),
        }
    }
}
