//! When keys are fetched, and how long they count. Pure: it takes the time and random numbers.

use super::source::Source;
use std::time::{Duration, Instant};

/// Waits that do not depend on the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Between two fetches; each wait is up to a tenth shorter or longer, so that instances spread.
    pub every: Duration,
    /// Whether the source may change while the process runs. One that does not is read once, and its keys count for
    /// ever.
    pub changes: bool,
    /// Between two fetches for keys that are not known, at least: tokens with invented names must not become load for
    /// the issuer.
    pub asked_every: Duration,
    /// The first wait after a failed fetch. It doubles up to `every`.
    pub retry: Duration,
    /// The longest wait after a failed fetch while none are in force, since all requests wait for them.
    pub retry_max_without_keys: Duration,
    /// For so long keys count after the fetch that gave them.
    pub kept: Duration,
    /// For each step of a fetch: connecting, the handshake, the head and the body of the answer; a file.
    pub step: Duration,
}

impl Times {
    /// Those of a server.
    pub const SERVER: Self = Self {
        every: Duration::from_secs(600),
        changes: true,
        asked_every: Duration::from_secs(30),
        retry: Duration::from_secs(2),
        retry_max_without_keys: Duration::from_secs(30),
        kept: Duration::from_secs(24 * 3600),
        step: Duration::from_secs(5),
    };

    /// Those of this source; a file is looked at so often.
    pub fn of(source: &Source, look: Duration) -> Self {
        match source {
            Source::Https(_) => Self::SERVER,
            Source::File(_) | Source::SecretFile(_) => Self::of_file(look),
            Source::Fixed(_) => Self { changes: false, ..Self::SERVER },
        }
    }

    /// Those of a file that is looked at so often.
    pub fn of_file(look: Duration) -> Self {
        Self { every: look, asked_every: Duration::from_secs(1), ..Self::SERVER }
    }
}

/// How far a wait may be off, as a part of it.
const JITTER: f64 = 0.1;

/// When keys are fetched, and how long they count.
#[derive(Debug)]
pub(super) struct Schedule {
    times: Times,
    /// When the keys in force were fetched; `None` while there are none.
    fetched: Option<Instant>,
    /// When the last fetch for an unknown key began.
    asked: Option<Instant>,
    failures: u32,
    /// When the next fetch begins; `None` while one runs, and for ever once a source is read that does not change.
    next: Option<Instant>,
    /// Whether another fetch follows the one that runs.
    again: bool,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// A fetch begins.
    Fetch,
    /// The keys are too old, and no longer count.
    Expire,
}

/// What becomes of a request for a key that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A fetch begins for it.
    Begun,
    /// It waits for the fetch that runs.
    Running,
    /// The last such fetch was too recent.
    Refused,
    /// The source does not change, and its keys are there.
    Fixed,
}

impl Schedule {
    /// Without keys: the first fetch is due at once.
    pub(super) fn new(times: Times, now: Instant) -> Self {
        Self { times, fetched: None, asked: None, failures: 0, next: Some(now), again: false }
    }

    /// When [`Self::due`] has something to say; `None`: not before something else happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.next, self.expiry()].into_iter().flatten().min()
    }

    /// What is due now. To be asked until it is nothing.
    pub(super) fn due(&mut self, now: Instant) -> Option<Due> {
        if self.expiry().is_some_and(|at| at <= now) {
            self.fetched = None;
            self.next = self.next.map(|at| at.min(now + self.times.retry_max_without_keys));
            return Some(Due::Expire);
        }
        self.next.filter(|at| *at <= now)?;
        self.next = None;
        Some(Due::Fetch)
    }

    /// A token names a key that is not known.
    pub(super) fn ask(&mut self, now: Instant) -> Asked {
        if self.is_final() {
            return Asked::Fixed;
        }
        if self.next.is_none() {
            return Asked::Running;
        }
        if self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < self.times.asked_every) {
            return Asked::Refused;
        }
        self.asked = Some(now);
        self.next = None;
        Asked::Begun
    }

    /// For how long no fetch begins for a key that is not known.
    pub(super) fn until_next_ask(&self, now: Instant) -> Duration {
        let allowed_at = self.asked.map(|asked| asked + self.times.asked_every);
        allowed_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }

    /// An operator wants the source to be looked at: at once, or after the fetch that runs.
    pub(super) fn look(&mut self, now: Instant) {
        if self.is_final() {
            return;
        }
        match &mut self.next {
            Some(next) => *next = now,
            None => self.again = true,
        }
    }

    /// The fetch that ran gave keys. `random` is evenly spread over 0 to 1.
    pub(super) fn fetched(&mut self, now: Instant, random: f64) {
        self.failures = 0;
        self.fetched = Some(now);
        match self.is_final() {
            true => self.next = None,
            false => self.ended(now, self.times.every, random),
        }
    }

    /// The fetch that ran gave none.
    pub(super) fn failed(&mut self, now: Instant, random: f64) {
        let wait = self.times.retry.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        let longest = match self.fetched {
            Some(_) => self.times.every,
            None => self.times.every.min(self.times.retry_max_without_keys),
        };
        self.ended(now, wait.min(longest), random);
    }

    fn ended(&mut self, now: Instant, wait: Duration, random: f64) {
        // A random number out of its range must not become a panic or a wait without end.
        let random = if random.is_finite() { random.clamp(0.0, 1.0) } else { 1.0 };
        let wait = if std::mem::take(&mut self.again) { Duration::ZERO } else { wait };
        self.next = Some(now + wait.mul_f64(1.0 - JITTER + 2.0 * JITTER * random));
    }

    /// Whether the keys are there, and never change.
    fn is_final(&self) -> bool {
        !self.times.changes && self.fetched.is_some()
    }

    fn expiry(&self) -> Option<Instant> {
        self.fetched.filter(|_| self.times.changes).map(|at| at + self.times.kept)
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
