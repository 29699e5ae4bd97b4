//! How old the shard is: whether the newest of what was applied may be shown as live.
//!
//! The clocks of two machines cannot be compared, and a message that is late looks like one from a machine whose clock
//! is behind. What bounds the age of a message is causality. The owner makes the answer to an ask after the ask was
//! sent, so its clock showed `sent` no earlier than ours showed `asked`. That is an *anchor*: no message was sent
//! earlier than `sent` of it plus (`asked` less `sent` of the answer). An age by an anchor is too high by the ask's
//! journey at most, and never too low, however late messages come. Each owner needs an anchor of its own; without one
//! nothing is fresh.

use super::delay::Delay;
use crate::cluster::clock::Boot;
use std::time::Duration;

/// A disconnect of the live connection that lasts so long cuts the shard off.
pub const DISCONNECTED_MAX: Duration = Duration::from_millis(500);
/// Two clocks drift apart by less than 1/50: each runs within 1 % of the true time.
const DRIFT_INVERSE: i128 = 50;
/// An anchor is as good as its journey was short; another is tried for at once where it was longer.
const WIDTH_MAX: Duration = Duration::from_millis(250);
/// Clocks of two processors may differ by so much.
const TOLERANCE_MICROS: i128 = 1_000;

#[derive(Debug, Clone, Copy)]
struct Anchor {
    /// Our clock less the owner's, at least.
    ahead_micros: i128,
    at: Boot,
    /// By how much it may be too low.
    width: Duration,
}

impl Anchor {
    /// Our clock less the owner's by now, at least.
    fn ahead_at(&self, now: Boot) -> i128 {
        self.ahead_micros - self.drift(now)
    }

    /// Our clock less the owner's by now, at most, unless the owner's has lost time since.
    fn ahead_at_most(&self, now: Boot) -> i128 {
        self.ahead_micros + self.width.as_micros().cast_signed() + self.drift(now) + TOLERANCE_MICROS
    }

    fn drift(&self, now: Boot) -> i128 {
        i128::from(now.0.saturating_sub(self.at.0)) / DRIFT_INVERSE
    }
}

/// Why a shard is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CutOff {
    /// Nothing was applied that is younger than `stale_after`.
    Silent,
    /// The live connection is down.
    Disconnected,
    /// A clock has jumped: no age is known.
    Clock,
    /// The node owns the shard, and its lease was not renewed.
    Lease,
}

/// A change of freshness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    CutOff(CutOff),
    Fresh,
}

/// How old the shard is.
#[derive(Debug)]
pub(super) struct Freshness {
    stale_after: Duration,
    anchor: Option<Anchor>,
    /// When the newest of what was applied was sent, by the owner's clock, and when it arrived, by ours. The older of
    /// the two counts: the clock of an owner that was stopped from outside has lost time.
    newest: Option<(Boot, Boot)>,
    /// A message that the owner sent before this cannot be dated: before the first answer, or before its clock was seen
    /// to have lost time.
    not_before: Option<Boot>,
    /// Until when that is young enough, by our clock.
    until: Option<Boot>,
    disconnected: Option<Boot>,
    has_jumped: bool,
    is_fresh: bool,
    delay: Delay,
    /// A planted fault.
    ignores_backlogs: bool,
}

impl Freshness {
    pub(super) fn new(stale_after: Duration) -> Self {
        Self {
            stale_after,
            anchor: None,
            newest: None,
            not_before: None,
            until: None,
            disconnected: None,
            has_jumped: false,
            is_fresh: false,
            delay: Delay::default(),
            ignores_backlogs: false,
        }
    }

    /// Plants a fault: the least delay of an owner's messages counts as none.
    pub(super) fn ignore_backlogs(&mut self) {
        self.ignores_backlogs = true;
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Whether ages are known as well as they may be.
    pub(super) fn is_anchored(&self) -> bool {
        self.anchor.is_some_and(|anchor| anchor.width <= WIDTH_MAX)
    }

    /// Another owner, on another machine: what was applied stays as old as it is.
    pub(super) fn change_owner(&mut self) {
        self.anchor = None;
        self.newest = None;
        self.not_before = None;
        self.delay = Delay::default();
    }

    /// The delay of the message that was heard last, once.
    pub(super) fn take_delay(&mut self) -> Option<Duration> {
        self.delay.take()
    }

    /// This node itself was the owner until now, and all was as it said: `shown` if that was live.
    pub(super) fn owned(&mut self, shown: bool, now: Boot) {
        self.anchor = Some(Anchor { ahead_micros: 0, at: now, width: Duration::ZERO });
        self.newest = Some((now, now));
        self.until = shown.then(|| now.after(self.stale_after));
        self.is_fresh = shown;
    }

    /// Nothing that was applied counts any more.
    pub(super) fn start_over(&mut self) {
        let Self { disconnected, ignores_backlogs, .. } = *self;
        *self = Self { disconnected, ignores_backlogs, ..Self::new(self.stale_after) };
    }

    /// Nothing of the epoch so far counts any more.
    pub(super) fn leave_epoch(&mut self) {
        self.until = None;
    }

    /// The owner has answered at `sent` of its clock what was asked at `asked` of ours.
    pub(super) fn answered(&mut self, asked: Boot, sent: Boot, now: Boot) {
        self.delay.answered(asked, sent, now);
        let ahead_micros = i128::from(asked.0) - i128::from(sent.0);
        let has_lost_time = self.anchor.is_some_and(|anchor| ahead_micros > anchor.ahead_at_most(now));
        if (has_lost_time || self.anchor.is_none()) && !self.ignores_backlogs {
            self.newest = None;
            self.not_before = Some(sent);
        }
        if has_lost_time && !self.ignores_backlogs {
            self.until = None;
            self.has_jumped = true;
        }
        if self.anchor.is_none_or(|anchor| ahead_micros >= anchor.ahead_at(now)) {
            self.anchor = Some(Anchor { ahead_micros, at: now, width: now.since(asked) });
            self.extend(now);
        }
    }

    /// A message has arrived. Returns whether a clock has jumped: it would have arrived before it was sent.
    pub(super) fn heard(&mut self, sent: Boot, now: Boot) -> bool {
        self.delay.heard(sent, now);
        let seen = i128::from(now.0) - i128::from(sent.0) + TOLERANCE_MICROS;
        if self.ignores_backlogs && self.anchor.is_none_or(|anchor| seen < anchor.ahead_at(now)) {
            self.anchor = Some(Anchor { ahead_micros: seen, at: now, width: Duration::ZERO });
            return false;
        }
        let has_jumped = self.anchor.is_some_and(|anchor| seen < anchor.ahead_at(now));
        if has_jumped {
            self.lost_time();
        }
        has_jumped
    }

    /// The shard is as the owner had it at `sent` of its clock, in a message that arrived at `arrived` of ours.
    pub(super) fn applied(&mut self, sent: Boot, arrived: Boot, now: Boot) {
        if Some(sent) < self.not_before {
            return;
        }
        self.newest = self.newest.max(Some((sent, arrived)));
        self.extend(now);
    }

    /// Our own clock has lost time: no age is known.
    pub(super) fn lost_time(&mut self) {
        (self.anchor, self.newest, self.until) = (None, None, None);
        self.delay = Delay::default();
        self.has_jumped = true;
    }

    fn extend(&mut self, now: Boot) {
        let (Some(anchor), Some(newest)) = (self.anchor, self.newest) else { return };
        let (sent, arrived) = newest;
        let sent = Boot(u64::try_from(i128::from(sent.0) + anchor.ahead_at(now)).unwrap_or_default());
        let until = sent.min(arrived).after(self.stale_after);
        self.until = self.until.max(Some(until));
        self.has_jumped = false;
    }

    pub(super) fn set_connected(&mut self, connected: bool, now: Boot) {
        self.disconnected = if connected { None } else { Some(self.disconnected.unwrap_or(now)) };
    }

    /// Whether time or an event has changed the verdict.
    pub(super) fn change(&mut self, now: Boot) -> Option<Change> {
        let is_down = self.disconnected.is_some_and(|since| now >= since.after(DISCONNECTED_MAX));
        let is_young = self.until.is_some_and(|until| now < until);
        let is_fresh = is_young && !is_down;
        if is_fresh == self.is_fresh {
            return None;
        }
        self.is_fresh = is_fresh;
        Some(match is_fresh {
            true => Change::Fresh,
            false if is_down => Change::CutOff(CutOff::Disconnected),
            false if self.has_jumped => Change::CutOff(CutOff::Clock),
            false => Change::CutOff(CutOff::Silent),
        })
    }

    /// When time alone changes the verdict.
    pub(super) fn due(&self) -> Option<Boot> {
        let down = self.disconnected.map(|since| since.after(DISCONNECTED_MAX));
        if self.is_fresh { self.until.into_iter().chain(down).min() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALE_AFTER: Duration = Duration::from_secs(2);
    /// What the owner's clock shows when ours shows 0.
    const OWNERS: u64 = 900_000_000;

    fn ours(millis: u64) -> Boot {
        Boot(millis * 1_000)
    }

    fn owners(millis: u64) -> Boot {
        Boot(OWNERS + millis * 1_000)
    }

    /// Asked at 0, answered by the owner at 10 ms, read at 20 ms.
    fn anchored() -> Freshness {
        let mut freshness = Freshness::new(STALE_AFTER);
        freshness.answered(ours(0), owners(10), ours(20));
        freshness
    }

    #[test]
    fn rule_7_what_was_applied_is_fresh_until_it_may_be_older_than_the_limit() {
        let mut freshness = anchored();
        assert!(freshness.is_anchored());
        freshness.applied(owners(1_000), ours(1_001), ours(1_001));
        assert_eq!(freshness.change(ours(1_001)), Some(Change::Fresh));
        let until = freshness.due().unwrap();
        // Too high by the journey of the ask, and by what the clocks may have drifted since.
        assert!(until <= ours(2_990) && until > ours(2_960), "{until:?}");
        assert_eq!(freshness.change(Boot(until.0 - 1)), None);
        assert_eq!(freshness.change(until), Some(Change::CutOff(CutOff::Silent)));
    }

    #[test]
    fn rule_7_a_message_that_comes_late_is_as_old_as_it_is_even_if_it_is_the_first() {
        let mut freshness = Freshness::new(STALE_AFTER);
        freshness.applied(owners(1_000), ours(16_000), ours(16_000));
        assert_eq!(freshness.change(ours(16_000)), None, "without an anchor nothing is fresh");
        freshness.answered(ours(16_000), owners(16_020), ours(16_040));
        assert_eq!(freshness.change(ours(16_040)), None, "it is 15 s old");
        freshness.applied(owners(16_030), ours(16_050), ours(16_050));
        assert_eq!(freshness.change(ours(16_050)), Some(Change::Fresh));
        freshness.change_owner();
        freshness.applied(Boot(9 * OWNERS), ours(16_060), ours(16_060));
        assert!(freshness.is_fresh() && freshness.due().unwrap() < ours(18_030), "the other owner's clock is unknown");
    }

    #[test]
    fn an_anchor_gives_way_to_a_better_one_and_in_time_to_any() {
        let mut freshness = anchored();
        freshness.answered(ours(1_000), owners(1_900), ours(1_950));
        freshness.applied(owners(2_000), ours(2_001), ours(2_001));
        assert_eq!(freshness.change(ours(2_001)), Some(Change::Fresh));
        assert!(freshness.due().unwrap() > ours(3_900), "the ask that took long says less");
        freshness.answered(ours(60_000), owners(60_400), ours(60_500));
        assert!(!freshness.is_anchored(), "by now it says more than the first, and another is wanted");
    }

    #[test]
    fn rule_7_a_clock_that_jumps_cuts_off_until_the_next_answer() {
        let mut freshness = anchored();
        freshness.applied(owners(1_000), ours(1_001), ours(1_001));
        assert_eq!(freshness.change(ours(1_001)), Some(Change::Fresh));
        assert!(!freshness.heard(owners(1_100), ours(1_101)));
        assert!(freshness.heard(owners(9_000), ours(1_200)), "our clock has lost 8 s");
        assert_eq!(freshness.change(ours(1_200)), Some(Change::CutOff(CutOff::Clock)));
        freshness.answered(ours(1_200), owners(9_010), ours(1_220));
        freshness.applied(owners(9_000), ours(1_221), ours(1_221));
        assert_eq!(freshness.change(ours(1_221)), None, "sent before the answer");
        freshness.applied(owners(9_020), ours(1_222), ours(1_222));
        assert_eq!(freshness.change(ours(1_222)), Some(Change::Fresh));
    }

    #[test]
    fn rule_7_an_owner_that_was_stopped_from_outside_does_not_make_its_last_message_young() {
        let mut freshness = anchored();
        freshness.applied(owners(1_000), ours(1_001), ours(1_001));
        assert_eq!(freshness.change(ours(1_001)), Some(Change::Fresh));
        assert_eq!(freshness.change(ours(3_002)), Some(Change::CutOff(CutOff::Silent)));
        // Its clock has lost 8 s, and it answers before it has sent anything else.
        freshness.answered(ours(9_000), owners(1_010), ours(9_020));
        assert_eq!(freshness.change(ours(9_020)), None);
        // What it sent before that comes late, and its date says nothing.
        freshness.applied(owners(1_005), ours(9_025), ours(9_025));
        assert_eq!(freshness.change(ours(9_025)), None);
        freshness.applied(owners(1_020), ours(9_030), ours(9_030));
        assert_eq!(freshness.change(ours(9_030)), Some(Change::Fresh));
    }

    #[test]
    fn a_disconnect_cuts_off_once_it_has_lasted() {
        let mut freshness = anchored();
        freshness.applied(owners(1_000), ours(1_001), ours(1_001));
        freshness.change(ours(1_001));
        freshness.set_connected(false, ours(1_100));
        freshness.set_connected(false, ours(1_400));
        assert_eq!(freshness.due(), Some(ours(1_600)));
        assert_eq!(freshness.change(ours(1_599)), None);
        assert_eq!(freshness.change(ours(1_600)), Some(Change::CutOff(CutOff::Disconnected)));
        assert_eq!(freshness.due(), None);
        freshness.set_connected(true, ours(1_700));
        assert_eq!(freshness.change(ours(1_700)), Some(Change::Fresh));
    }

    #[test]
    fn no_clock_of_an_owner_panics() {
        for sent in [0, 1, u64::MAX] {
            let mut freshness = Freshness::new(STALE_AFTER);
            freshness.answered(Boot(u64::MAX), Boot(sent), Boot(u64::MAX));
            freshness.applied(Boot(sent), Boot(0), Boot(0));
            freshness.heard(Boot(sent), Boot(0));
            freshness.change(Boot(u64::MAX));
        }
    }
}
