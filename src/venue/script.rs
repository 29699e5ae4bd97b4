//! Scripted events of a simulated venue: a schedule, and what follows from it at a time. Pure: it reads no clock.

use crate::market::Symbol;
use std::time::Duration;

/// What happens, once or again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptedEvent {
    /// The first time, since the simulator began.
    pub at: Duration,
    /// How long until it happens again, if it does.
    pub every: Option<Duration>,
    /// How long it lasts; without, until another event ends it.
    pub lasts: Option<Duration>,
    /// What happens.
    pub act: Act,
    /// To which symbol; `None` where it happens to the whole feed.
    pub symbol: Option<Symbol>,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The venue halts a symbol.
    Halt,
    /// Trading resumes.
    Resume,
    /// A symbol's session ends.
    Close,
    /// The next session begins.
    Open,
    /// The venue refuses the symbol at the next subscription, which it asks for at once.
    Refuse,
    /// It grants it again.
    Grant,
    /// All connections break; while it lasts, new ones are turned away.
    Break,
    /// The venue answers, but sends no data.
    Mute,
    /// A message is lost on the way.
    Gap,
}

/// What an act turns on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Halted,
    Closed,
    Refused,
    Broken,
    Mute,
}

impl Act {
    /// All of them with their names in the configuration, in the order of the documentation.
    pub const NAMES: [(Self, &'static str); 9] = [
        (Self::Halt, "halt"),
        (Self::Resume, "resume"),
        (Self::Close, "close"),
        (Self::Open, "open"),
        (Self::Refuse, "refuse"),
        (Self::Grant, "grant"),
        (Self::Break, "break"),
        (Self::Mute, "mute"),
        (Self::Gap, "gap"),
    ];

    /// Whether it happens to a symbol, and not to the whole feed.
    pub fn needs_symbol(self) -> bool {
        !matches!(self, Self::Break | Self::Mute | Self::Gap)
    }

    /// Whether it can last: it begins something.
    pub fn may_last(self) -> bool {
        matches!(self, Self::Halt | Self::Close | Self::Refuse | Self::Break | Self::Mute)
    }

    fn sets(self, lasts: bool) -> Option<(Condition, bool)> {
        match self {
            Self::Halt => Some((Condition::Halted, true)),
            Self::Resume => Some((Condition::Halted, false)),
            Self::Close => Some((Condition::Closed, true)),
            Self::Open => Some((Condition::Closed, false)),
            Self::Refuse => Some((Condition::Refused, true)),
            Self::Grant => Some((Condition::Refused, false)),
            Self::Break => lasts.then_some((Condition::Broken, true)),
            Self::Mute => Some((Condition::Mute, true)),
            Self::Gap => None,
        }
    }
}

/// The events of a feed, in the file's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script(pub Vec<ScriptedEvent>);

impl Script {
    /// Whether any event names the symbol.
    pub(super) fn names(&self, symbol: &Symbol) -> bool {
        self.0.iter().any(|event| event.symbol.as_ref() == Some(symbol))
    }

    /// Whether a condition holds at this time. The latest change counts; of two at one time the later in the file.
    pub(super) fn holds(&self, condition: Condition, symbol: Option<&Symbol>, time: Duration) -> bool {
        let mut latest = (Duration::ZERO, false);
        for event in self.0.iter().filter(|event| event.symbol.as_ref() == symbol) {
            if let Some((changes, on)) = event.act.sets(event.lasts.is_some())
                && changes == condition
                && let Some((at, is_begin)) = event.last_change(time)
                && at >= latest.0
            {
                latest = (at, is_begin == on);
            }
        }
        latest.1
    }

    /// Whether an event of this kind began after `since`, and by `time`.
    pub(super) fn happened(&self, act: Act, since: Duration, time: Duration) -> bool {
        self.0.iter().any(|event| event.act == act && event.next_begin(since).is_some_and(|at| at <= time))
    }

    /// When anything changes next.
    pub(super) fn next_change(&self, time: Duration) -> Option<Duration> {
        self.0.iter().filter_map(|event| event.next_change(time)).min()
    }
}

impl ScriptedEvent {
    /// The last begin by `time`.
    fn last_begin(&self, time: Duration) -> Option<Duration> {
        let since = time.checked_sub(self.at)?;
        Some(time - self.every.map_or(since, |every| rest(since, every)))
    }

    /// The first begin after `time`.
    fn next_begin(&self, time: Duration) -> Option<Duration> {
        match self.last_begin(time) {
            None => Some(self.at),
            Some(last) => last.checked_add(self.every?),
        }
    }

    /// The last begin or end by `time`, and whether it was a begin.
    fn last_change(&self, time: Duration) -> Option<(Duration, bool)> {
        let begin = self.last_begin(time)?;
        let end = self.lasts.map(|lasts| begin + lasts).filter(|end| *end <= time);
        Some(end.map_or((begin, true), |end| (end, false)))
    }

    fn next_change(&self, time: Duration) -> Option<Duration> {
        let end = self.last_begin(time).and_then(|begin| Some(begin + self.lasts?)).filter(|end| *end > time);
        [end, self.next_begin(time)].into_iter().flatten().min()
    }
}

/// What is left after whole spans.
fn rest(since: Duration, every: Duration) -> Duration {
    let nanos = since.as_nanos().checked_rem(every.as_nanos()).unwrap_or_default();
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn event(at: u64, act: Act, every: Option<u64>, lasts: Option<u64>) -> ScriptedEvent {
        let symbol = act.needs_symbol().then(|| "MSFT".parse().unwrap());
        ScriptedEvent { at: secs(at), every: every.map(secs), lasts: lasts.map(secs), act, symbol }
    }

    /// The seconds of the first 30 in which a condition holds.
    fn seconds(script: &Script, condition: Condition, symbol: Option<&str>) -> Vec<u64> {
        let symbol: Option<Symbol> = symbol.map(|name| name.parse().unwrap());
        (0..30).filter(|&second| script.holds(condition, symbol.as_ref(), secs(second))).collect()
    }

    #[test]
    fn a_condition_holds_from_its_begin_until_its_end_or_another_event() {
        use Act::{Halt, Resume};
        for (events, halted) in [
            (vec![], vec![]),
            (vec![event(28, Halt, None, None)], vec![28, 29]),
            (vec![event(10, Halt, None, Some(2))], vec![10, 11]),
            (vec![event(10, Halt, None, None), event(12, Resume, None, None)], vec![10, 11]),
            (vec![event(0, Halt, None, Some(1))], vec![0]),
            // Repeated, each time as long.
            (vec![event(5, Halt, Some(10), Some(2))], vec![5, 6, 15, 16, 25, 26]),
            (vec![event(5, Halt, Some(10), None), event(7, Resume, Some(10), None)], vec![5, 6, 15, 16, 25, 26]),
            // A resume ends a halt before its time; the latest change counts, of two at one time the later one.
            (vec![event(10, Halt, None, Some(9)), event(12, Resume, None, None)], vec![10, 11]),
            (vec![event(10, Halt, None, Some(2)), event(11, Halt, None, Some(3))], vec![10, 11]),
            (vec![event(10, Halt, None, None), event(10, Resume, None, None)], vec![]),
            (vec![event(28, Resume, None, None), event(28, Halt, None, None)], vec![28, 29]),
        ] {
            let script = Script(events);
            assert_eq!(seconds(&script, Condition::Halted, Some("MSFT")), halted, "{script:?}");
            assert_eq!(seconds(&script, Condition::Halted, Some("AAPL")), [0; 0], "another symbol");
            assert_eq!(seconds(&script, Condition::Closed, Some("MSFT")), [0; 0], "another condition");
        }
    }

    #[test]
    fn conditions_of_symbols_and_of_the_feed_are_kept_apart() {
        let script = Script(vec![
            event(1, Act::Close, None, Some(2)),
            event(2, Act::Refuse, None, Some(2)),
            event(3, Act::Break, None, Some(2)),
            event(4, Act::Mute, None, Some(2)),
        ]);
        assert_eq!(seconds(&script, Condition::Closed, Some("MSFT")), [1, 2]);
        assert_eq!(seconds(&script, Condition::Refused, Some("MSFT")), [2, 3]);
        assert_eq!(seconds(&script, Condition::Broken, None), [3, 4]);
        let once = Script(vec![event(3, Act::Break, None, None)]);
        assert_eq!(seconds(&once, Condition::Broken, None), [0; 0], "it breaks once");
        assert_eq!(seconds(&script, Condition::Mute, None), [4, 5]);
    }

    #[test]
    fn an_event_happens_once_for_each_of_its_times_and_the_next_change_is_known() {
        let script = Script(vec![event(5, Act::Gap, Some(10), None), event(7, Act::Break, None, Some(4))]);
        let happened = |act, since, time| script.happened(act, secs(since), secs(time));
        assert_eq!(
            [happened(Act::Gap, 0, 4), happened(Act::Gap, 0, 5), happened(Act::Gap, 5, 14)],
            [false, true, false]
        );
        assert_eq!([happened(Act::Gap, 5, 15), happened(Act::Gap, 14, 99)], [true, true]);
        assert_eq!([happened(Act::Break, 6, 7), happened(Act::Break, 7, 999)], [true, false]);
        let mut changes = vec![Duration::ZERO];
        while changes.len() < 7 {
            changes.push(script.next_change(changes[changes.len() - 1]).unwrap());
        }
        assert_eq!(changes, [0, 5, 7, 11, 15, 25, 35].map(secs));
        assert_eq!(Script::default().next_change(secs(1)), None);
        assert_eq!(Script(vec![event(3, Act::Halt, None, None)]).next_change(secs(3)), None);
    }
}
