//! How far a stream is on its way to its end.

use std::time::{Duration, Instant};

/// How long a client may take to make room for the last bytes, and then to close its side.
const LINGER: Duration = Duration::from_secs(1);
/// How long the write of the ticks that a stream lacks may take before its goodbye is tried again.
const LAST_WRITE: Duration = Duration::from_millis(1);

/// How far a stream is on its way to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The stream lives until its client leaves, or the client's rights end.
    Open { until: Option<Instant> },
    /// The gateway drains. The stream lives until its share of the drain is over, or the client's rights end.
    Draining { until: Instant },
    /// The ticks that the stream lacks go out, then its goodbye, which is tried again at `retry_at`. The stream is cut
    /// off if its transport is still full at `by`.
    Leaving { by: Instant, retry_at: Instant },
    /// A part of the goodbye is written: nothing comes after it. The transport is full.
    Goodbye { by: Instant },
    /// The last bytes are out. Only the client's leaving is awaited, until `by`.
    Lingering { by: Instant },
}

/// The next step of a stream that is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    /// The client's time is over.
    CutOff,
    /// The client still has time.
    Await,
    /// The stream still lacks ticks, which come before its goodbye.
    WriteTicks,
    /// Nothing but the goodbye is left to write.
    WriteGoodbye,
}

impl Phase {
    /// When the stream's end asks for attention.
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Open { until } => until,
            Self::Draining { until: at }
            | Self::Leaving { retry_at: at, .. }
            | Self::Goodbye { by: at }
            | Self::Lingering { by: at } => Some(at),
        }
    }

    /// Whether the end has not begun.
    pub(super) fn is_before_end(self) -> bool {
        matches!(self, Self::Open { .. } | Self::Draining { .. })
    }

    /// The gateway drains: the stream is to end at `at`, unless it ends sooner.
    pub(super) fn drain(&mut self, at: Instant) {
        if let Self::Open { until: Some(until) } | Self::Draining { until } = *self {
            *self = Self::Draining { until: until.min(at) };
        } else if let Self::Open { until: None } = self {
            *self = Self::Draining { until: at };
        }
    }

    /// The client has new rights, which end at `at`. In a drain they make no stream live longer.
    pub(super) fn renew(&mut self, at: Option<Instant>) {
        match self {
            Self::Open { until } => *until = at,
            Self::Draining { until } => *until = at.map_or(*until, |at| at.min(*until)),
            _ => {}
        }
    }

    /// Whether the goodbye takes the stream's next room.
    pub(super) fn is_leaving(self) -> bool {
        matches!(self, Self::Leaving { .. } | Self::Goodbye { .. })
    }

    /// Takes the next step, at the phase's deadline. `lacks_ticks` is asked only where it decides.
    pub(super) fn farewell(&mut self, is_full: bool, lacks_ticks: impl FnOnce() -> bool, now: Instant) -> Farewell {
        let by = self.by(now);
        if self.is_before_end() || matches!(self, Self::Leaving { .. }) {
            *self = Self::Leaving { by, retry_at: by };
        }
        let is_over = by <= now;
        if is_full || matches!(self, Self::Lingering { .. }) {
            return if is_over { Farewell::CutOff } else { Farewell::Await };
        }
        if !is_over && lacks_ticks() {
            *self = Self::Leaving { by, retry_at: now + LAST_WRITE };
            return Farewell::WriteTicks;
        }
        Farewell::WriteGoodbye
    }

    /// A write offered the goodbye. `begun`: the transport took a byte of it. `out`: the transport took all of it.
    pub(super) fn goodbye_offered(&mut self, begun: bool, out: bool, now: Instant) {
        let by = self.by(now);
        *self = if out {
            Self::Lingering { by: now + LINGER }
        } else if begun {
            Self::Goodbye { by }
        } else {
            Self::Leaving { by, retry_at: by }
        };
    }

    /// By when the stream is cut off, if its end begins or has begun.
    fn by(self, now: Instant) -> Instant {
        match self {
            Self::Open { .. } | Self::Draining { .. } => now + LINGER,
            Self::Leaving { by, .. } | Self::Goodbye { by } | Self::Lingering { by } => by,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never_asked() -> bool {
        unreachable!("it does not decide")
    }

    #[test]
    fn a_stream_with_room_writes_its_ticks_then_its_goodbye_then_lingers() {
        let start = Instant::now();
        let mut phase = Phase::Draining { until: start };
        assert_eq!(phase.farewell(false, || true, start), Farewell::WriteTicks);
        let soon = start + LAST_WRITE;
        assert_eq!(phase.deadline(), Some(soon));
        assert_eq!(phase.farewell(false, || false, soon), Farewell::WriteGoodbye);
        phase.goodbye_offered(true, true, soon);
        assert_eq!(phase, Phase::Lingering { by: soon + LINGER });
        assert_eq!(phase.farewell(false, never_asked, soon + LINGER), Farewell::CutOff);
    }

    #[test]
    fn a_stream_ends_with_its_rights_or_with_its_share_of_the_drain_whichever_comes_first() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        for (rights, drain, renewed, end) in [
            (None, 5, None, 5),
            (Some(3), 5, Some(4), 3),
            (Some(9), 5, Some(4), 4),
            (Some(9), 5, Some(20), 5),
            (Some(9), 5, None, 5),
        ] {
            let mut phase = Phase::Open { until: None };
            phase.renew(rights.map(after));
            assert_eq!(phase.deadline(), rights.map(after));
            phase.drain(after(drain));
            phase.drain(after(drain + 1));
            phase.renew(renewed.map(after));
            assert_eq!(phase.deadline(), Some(after(end)), "{rights:?} {drain} {renewed:?}");
        }
        let mut phase = Phase::Goodbye { by: start };
        phase.drain(after(5));
        phase.renew(Some(after(5)));
        assert_eq!(phase, Phase::Goodbye { by: start });
    }

    #[test]
    fn a_full_stream_is_awaited_until_its_time_is_over() {
        let start = Instant::now();
        let end = start + LINGER;
        let mut phase = Phase::Draining { until: start };
        assert_eq!(phase.farewell(true, never_asked, start), Farewell::Await);
        assert_eq!(phase, Phase::Leaving { by: end, retry_at: end });
        phase.goodbye_offered(true, false, start);
        assert_eq!(phase, Phase::Goodbye { by: end });
        assert_eq!(phase.farewell(true, never_asked, end), Farewell::CutOff);
    }

    #[test]
    fn a_stream_whose_time_is_over_gets_its_goodbye_without_the_ticks_that_it_lacks() {
        let start = Instant::now();
        let mut phase = Phase::Leaving { by: start, retry_at: start };
        assert_eq!(phase.farewell(false, never_asked, start), Farewell::WriteGoodbye);
    }
}
