//! When a feed trades, and when its silence is an outage.

use super::{
    Date, TradingSession, UnixMicros,
    names::names,
    new_york::{self, Day},
};

/// When a feed trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hours {
    /// Day and night.
    Always,
    /// The hours of the stock exchanges of the United States: from 4:00 to 20:00 in New York, on a half day to 17:00.
    /// The regular session is from 9:30 to 16:00, on a half day to 13:00. Weekends and the exchanges' holidays are
    /// closed.
    UsEquities,
    /// The night before each day of the stock exchanges of the United States: from 20:00 to 4:00 in New York.
    UsOvernight,
}

names! {
    Hours {
        Always = "always",
        UsEquities = "us-equities",
        UsOvernight = "us-overnight",
    }
}

/// What a feed may expect of its venue at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Outside the feed's hours.
    Closed,
    /// Within the feed's hours, but silence is normal.
    Quiet,
    /// Data must flow: silence is an outage.
    Busy,
}

/// A feed's hours, and the closed days that no rule covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    hours: Hours,
    closed_days: Vec<Date>,
}

/// The phases of a day begin so many minutes after midnight.
const OPENING: u32 = 4 * 60;
const REGULAR_OPENING: u32 = 9 * 60 + 30;
const REGULAR_CLOSE: u32 = 16 * 60;
const CLOSE: u32 = 20 * 60;
const REGULAR_CLOSE_OF_HALF_DAY: u32 = 13 * 60;
/// On a half day exchanges and venues end the late session three hours earlier, too.
const CLOSE_OF_HALF_DAY: u32 = 17 * 60;

/// Trading days are at most so far apart, a weekend with a holiday on each side, unless the configuration closes more.
const DAYS_APART_MAX: usize = 6;

/// Whole seconds stamp the close with the second in which it falls.
const CLOSING_SECOND: i64 = 1_000_000;

/// The session of a trade in US stocks at this time, where the venue does not tell: the regular one from 9:30 to 16:00
/// in New York, on a half day to 13:00, the second of the close included. Days that only the configuration closes count
/// as open.
pub(crate) fn us_session(time: UnixMicros) -> TradingSession {
    let date = new_york::date(time);
    let close = match new_york::day(date) {
        Day::Closed => return TradingSession::Extended,
        Day::Half => REGULAR_CLOSE_OF_HALF_DAY,
        Day::Full => REGULAR_CLOSE,
    };
    let is_regular =
        time >= new_york::moment(date, REGULAR_OPENING) && time.0 < new_york::moment(date, close).0 + CLOSING_SECOND;
    if is_regular { TradingSession::Regular } else { TradingSession::Extended }
}

impl Schedule {
    /// The hours, without the days that the configuration closes.
    pub fn new(hours: Hours, closed_days: Vec<Date>) -> Self {
        Self { hours, closed_days }
    }

    /// The hours of a trading day.
    pub fn hours(&self) -> Hours {
        self.hours
    }

    /// The days that the configuration closes.
    pub fn closed_days(&self) -> &[Date] {
        &self.closed_days
    }

    /// Day and night, every day.
    pub fn always() -> Self {
        Self::new(Hours::Always, Vec::new())
    }

    /// The phase at this time.
    pub fn phase(&self, now: UnixMicros) -> Phase {
        if self.hours == Hours::Always {
            return Phase::Busy;
        }
        let today = new_york::date(now);
        // A night begins on the day before.
        let changes = [today, today.plus(1)].map(|date| self.changes(date));
        let last = changes.into_iter().flatten().take_while(|(moment, _)| *moment <= now).last();
        last.map_or(Phase::Closed, |(_, phase)| phase)
    }

    /// When the hours began that this time falls in; `None` outside of them, and where they have no beginning.
    pub fn opened(&self, now: UnixMicros) -> Option<UnixMicros> {
        if self.hours == Hours::Always {
            return None;
        }
        let today = new_york::date(now);
        let changes = [today, today.plus(1)].map(|date| self.changes(date));
        let past = changes.into_iter().flatten().take_while(|(moment, _)| *moment <= now);
        past.fold(None, |opened, (moment, phase)| match phase {
            Phase::Closed => None,
            Phase::Quiet | Phase::Busy => opened.or(Some(moment)),
        })
    }

    /// When the phase changes next; `None` where it never does.
    pub fn next_change(&self, now: UnixMicros) -> Option<UnixMicros> {
        if self.hours == Hours::Always {
            return None;
        }
        let today = new_york::date(now);
        (0..).take(DAYS_APART_MAX + self.closed_days.len()).find_map(|days| {
            let mut changes = self.changes(today.plus(days)).into_iter();
            changes.find_map(|(moment, _)| (moment > now).then_some(moment))
        })
    }

    /// When the phases of a day's session begin; none on a closed day.
    fn changes(&self, date: Date) -> Vec<(UnixMicros, Phase)> {
        let (regular_close, close) = match new_york::day(date) {
            _ if self.closed_days.contains(&date) => return Vec::new(),
            Day::Closed => return Vec::new(),
            Day::Half => (REGULAR_CLOSE_OF_HALF_DAY, CLOSE_OF_HALF_DAY),
            Day::Full => (REGULAR_CLOSE, CLOSE),
        };
        let at = |minute, phase| (new_york::moment(date, minute), phase);
        if self.hours == Hours::UsOvernight {
            // Few trade at night: silence is normal.
            return vec![(new_york::moment(date.plus(-1), CLOSE), Phase::Quiet), at(OPENING, Phase::Closed)];
        }
        vec![
            at(OPENING, Phase::Quiet),
            at(REGULAR_OPENING, Phase::Busy),
            at(regular_close, Phase::Quiet),
            at(close, Phase::Closed),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All changes of a schedule from the start of a day on, until it closes for the night or longer, in New York's
    /// time.
    fn check(closed_days: &[&str], from: &str, expected: &[(&str, u32, Phase)]) {
        check_hours(Hours::UsEquities, closed_days, from, expected);
    }

    fn check_hours(hours: Hours, closed_days: &[&str], from: &str, expected: &[(&str, u32, Phase)]) {
        let closed_days = closed_days.iter().map(|day| day.parse().unwrap()).collect();
        let schedule = Schedule::new(hours, closed_days);
        let mut now = new_york::moment(from.parse().unwrap(), 0);
        assert_eq!(schedule.phase(now), Phase::Closed);
        for &(date, minute, phase) in expected {
            let change = schedule.next_change(now).unwrap();
            assert_eq!(change, new_york::moment(date.parse().unwrap(), minute), "{date} {minute}");
            assert_eq!(schedule.phase(change), phase, "{date} {minute}");
            assert_ne!(schedule.phase(UnixMicros(change.0 - 1)), phase, "{date} {minute}");
            now = change;
        }
    }

    #[test]
    fn a_day_opens_is_busy_and_closes() {
        use Phase::{Busy, Closed, Quiet};
        let whole = |date| [(date, 240, Quiet), (date, 570, Busy), (date, 960, Quiet), (date, 1_200, Closed)];
        let half = |date| [(date, 240, Quiet), (date, 570, Busy), (date, 780, Quiet), (date, 1_020, Closed)];
        check(&[], "2026-01-05", &[whole("2026-01-05"), whole("2026-01-06")].concat());
        check(&[], "2026-01-16", &[whole("2026-01-16"), whole("2026-01-20")].concat());
        check(&[], "2026-11-26", &[half("2026-11-27"), whole("2026-11-30")].concat());
        check(&[], "2025-01-08", &[whole("2025-01-08"), whole("2025-01-09")].concat());
        check(&["2025-01-09"], "2025-01-08", &[whole("2025-01-08"), whole("2025-01-10")].concat());
        check(&["2012-10-29", "2012-10-30"], "2012-10-26", &[whole("2012-10-26"), whole("2012-10-31")].concat());
        // Over both changes of the clock.
        check(&[], "2024-03-08", &[whole("2024-03-08"), whole("2024-03-11")].concat());
        check(&[], "2024-11-01", &[whole("2024-11-01"), whole("2024-11-04")].concat());
        // The end of a summer day is midnight in UTC.
        check(&[], "2025-07-02", &[whole("2025-07-02"), half("2025-07-03"), whole("2025-07-07")].concat());
    }

    #[test]
    fn the_regular_session_is_from_the_opening_to_the_second_of_the_close() {
        use TradingSession::{Extended, Regular};
        let moment = |date: &str, minute| new_york::moment(date.parse().unwrap(), minute).0;
        // A winter day, a summer day, a half day.
        for (date, close) in [("2026-01-05", 960), ("2025-07-02", 960), ("2026-11-27", 780)] {
            let [opens, closes] = [moment(date, 570), moment(date, close)];
            for (micros, session) in [
                (moment(date, 240), Extended),
                (opens - 1, Extended),
                (opens, Regular),
                (closes, Regular),
                (closes + 999_999, Regular),
                (closes + 1_000_000, Extended),
                (moment(date, 1_199), Extended),
            ] {
                assert_eq!(us_session(UnixMicros(micros)), session, "{date} {micros}");
            }
        }
        // A holiday, a Saturday.
        for date in ["2026-01-19", "2026-01-10"] {
            assert_eq!(us_session(UnixMicros(moment(date, 720))), Extended, "{date}");
        }
        for micros in [i64::MIN, 0, i64::MAX] {
            us_session(UnixMicros(micros));
        }
    }

    #[test]
    fn a_night_opens_on_the_evening_before_its_day() {
        use Phase::{Closed, Quiet};
        let nights = |nights: &[(&'static str, &'static str)]| -> Vec<_> {
            nights.iter().flat_map(|&(before, day)| [(before, 1_200, Quiet), (day, 240, Closed)]).collect()
        };
        let check =
            |closed_days: &[&str], from, days: &[_]| check_hours(Hours::UsOvernight, closed_days, from, &nights(days));
        // From a Saturday: the first night is that of Monday, and Friday's is the last.
        check(&[], "2026-01-10", &[("2026-01-11", "2026-01-12"), ("2026-01-12", "2026-01-13")]);
        check(&[], "2026-01-17", &[("2026-01-19", "2026-01-20")]);
        check(&["2026-01-12"], "2026-01-10", &[("2026-01-12", "2026-01-13")]);
        // Over both changes of the clock, and in summer.
        check(&[], "2024-03-09", &[("2024-03-10", "2024-03-11"), ("2024-03-11", "2024-03-12")]);
        check(&[], "2024-11-02", &[("2024-11-03", "2024-11-04"), ("2024-11-04", "2024-11-05")]);
        check(&[], "2025-07-05", &[("2025-07-06", "2025-07-07"), ("2025-07-07", "2025-07-08")]);
        let schedule = Schedule::new(Hours::UsOvernight, Vec::new());
        for (date, minute, phase) in [
            ("2025-07-07", 30, Quiet),
            ("2025-07-07", 239, Quiet),
            ("2025-07-07", 600, Closed),
            ("2025-07-07", 1_439, Quiet),
            ("2025-07-11", 1_300, Closed),
        ] {
            let now = new_york::moment(date.parse().unwrap(), minute);
            assert_eq!(schedule.phase(now), phase, "{date} {minute}");
        }
    }

    #[test]
    fn hours_have_a_beginning_while_they_last() {
        let moment = |(date, minute): (&str, u32)| new_york::moment(date.parse().unwrap(), minute);
        for (hours, now, opened) in [
            (Hours::UsEquities, ("2026-01-05", 239), None),
            (Hours::UsEquities, ("2026-01-05", 240), Some(("2026-01-05", 240))),
            (Hours::UsEquities, ("2026-01-05", 1_199), Some(("2026-01-05", 240))),
            (Hours::UsEquities, ("2026-01-05", 1_200), None),
            (Hours::UsEquities, ("2026-01-10", 600), None),
            (Hours::UsOvernight, ("2026-01-11", 1_199), None),
            (Hours::UsOvernight, ("2026-01-11", 1_439), Some(("2026-01-11", 1_200))),
            (Hours::UsOvernight, ("2026-01-12", 239), Some(("2026-01-11", 1_200))),
            (Hours::UsOvernight, ("2026-01-12", 240), None),
            (Hours::UsOvernight, ("2026-01-12", 1_200), Some(("2026-01-12", 1_200))),
            (Hours::Always, ("2026-01-05", 600), None),
        ] {
            let schedule = Schedule::new(hours, Vec::new());
            assert_eq!(schedule.opened(moment(now)), opened.map(moment), "{} {now:?}", hours.name());
        }
    }

    #[test]
    fn a_feed_that_always_trades_never_changes_its_phase() {
        let schedule = Schedule::always();
        for micros in [0, i64::MIN, i64::MAX] {
            let now = UnixMicros(micros);
            assert_eq!((schedule.phase(now), schedule.next_change(now)), (Phase::Busy, None));
        }
    }

    #[test]
    fn hours_have_their_names() {
        for (hours, name) in Hours::NAMES {
            assert_eq!(hours.name(), name);
        }
    }

    proptest! {
        /// From any moment there is a next change within days, the phase is the same until then, and another one there.
        #[test]
        fn a_phase_lasts_until_the_next_change(
            night: bool, second in 1_200_000_000_i64..4_000_000_000, part in 0.0..1.0_f64,
        ) {
            let hours = if night { Hours::UsOvernight } else { Hours::UsEquities };
            let schedule = Schedule::new(hours, Vec::new());
            let now = UnixMicros(second * 1_000_000);
            let change = schedule.next_change(now).unwrap();
            prop_assert!(change > now && change.0 - now.0 < 6 * 86_400_000_000);
            let between = UnixMicros(now.0 + ((change.0 - 1 - now.0) as f64 * part) as i64);
            prop_assert_eq!(schedule.phase(between), schedule.phase(now));
            prop_assert_ne!(schedule.phase(change), schedule.phase(now));
        }
    }
}
