//! The trading day that each symbol's figures are of: a close is "previous" only to its own day, and a bar of the
//! stream is newer than one of the same day that was asked for.

use crate::market::{Decimal, FeedSymbol, Field, UnixMicros};
use std::collections::HashMap;

/// The days of a connection's symbols: at most one for each place of its list.
#[derive(Debug, Default)]
pub(super) struct Days(HashMap<FeedSymbol, Day>);

#[derive(Debug, Default)]
struct Day {
    /// Of the last bar that the stream has brought on this connection.
    streamed: Option<UnixMicros>,
    /// The day whose previous close is known. It outlasts connections, as what is shown does.
    of_close: Option<UnixMicros>,
}

/// What a bar that was asked for says beside the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// All figures of its day.
    All,
    /// The previous close alone: the stream has brought newer figures of the day.
    Close,
    /// Nothing: the stream has brought a later day.
    Nothing,
}

impl Days {
    /// A connection begins.
    pub(super) fn reconnect(&mut self) {
        self.0.values_mut().for_each(|day| day.streamed = None);
    }

    /// The symbol has left its place.
    pub(super) fn remove(&mut self, symbol: FeedSymbol) {
        self.0.remove(&symbol);
    }

    /// The stream brings a bar of this day. Returns what becomes of the previous close, and whether it is to be asked
    /// for: on the first bar of another day, and on each one until the close is known.
    pub(super) fn streamed(&mut self, symbol: FeedSymbol, day: UnixMicros) -> (Field<Decimal>, bool) {
        let known = self.0.entry(symbol).or_default();
        let before = known.streamed.replace(day);
        if known.of_close.is_some_and(|of| of < day) {
            known.of_close = None;
            return (Field::Clear, true);
        }
        (Field::Keep, known.of_close.is_none() && before.is_some())
    }

    /// A bar of this day was asked for, with the close before it.
    pub(super) fn told(&mut self, symbol: FeedSymbol, day: UnixMicros) -> Says {
        let known = self.0.entry(symbol).or_default();
        let says = match known.streamed {
            Some(streamed) if streamed > day => return Says::Nothing,
            Some(streamed) if streamed == day => Says::Close,
            _ => Says::All,
        };
        known.of_close = Some(day);
        says
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: UnixMicros = UnixMicros(1);
    const TUESDAY: UnixMicros = UnixMicros(2);
    const AAPL: FeedSymbol = FeedSymbol(0);

    #[test]
    fn a_bar_that_was_asked_for_never_replaces_a_newer_one_of_the_stream() {
        let mut days = Days::default();
        assert_eq!(days.told(AAPL, MONDAY), Says::All);
        assert_eq!(days.streamed(AAPL, MONDAY), (Field::Keep, false));
        assert_eq!(days.told(AAPL, MONDAY), Says::Close);
        days.streamed(AAPL, TUESDAY);
        assert_eq!(days.told(AAPL, MONDAY), Says::Nothing);
        days.reconnect();
        assert_eq!(days.told(AAPL, TUESDAY), Says::All, "what the stream says on this connection counts");
        days.remove(AAPL);
        assert!(days.0.is_empty());
    }

    #[test]
    fn the_close_before_another_day_is_cleared_and_asked_for_once() {
        let mut days = Days::default();
        assert_eq!(days.streamed(AAPL, MONDAY), (Field::Keep, false), "it is on its way, or is not to be had");
        assert_eq!(days.streamed(AAPL, TUESDAY), (Field::Keep, true), "that of the day before was not to be had");
        days.told(AAPL, TUESDAY);
        days.reconnect();
        assert_eq!(days.streamed(AAPL, TUESDAY), (Field::Keep, false));
        let wednesday = UnixMicros(3);
        assert_eq!(days.streamed(AAPL, wednesday), (Field::Clear, true));
        assert_eq!(days.told(AAPL, TUESDAY), Says::Nothing, "the venue's answer lags behind its stream");
        assert_eq!(days.streamed(AAPL, wednesday), (Field::Keep, true));
        assert_eq!(days.told(AAPL, wednesday), Says::Close);
        assert_eq!(days.streamed(AAPL, wednesday), (Field::Keep, false));
    }
}
