//! What a feed does next: a pure machine of events and actions. `connection` does the I/O around it.
//!
//! connect → log in and ask for all symbols, at the venue's pace → know for each request whether it was granted → live, as long as the
//! venue answers, data flow and the connection is young enough → leave → wait → connect.

use super::{DisconnectReason, backoff::Backoff, timing::Timing};
use crate::venue::{Failure, Message, Request, Rules};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// What happened.
#[derive(Debug)]
pub(super) enum Event {
    /// The moment of [`Session::deadline`] has come.
    Due,
    /// A websocket is open; this is asked for first.
    Connected(Vec<Request>),
    /// This is to be asked for next, in answer to the message that is told after it.
    Ask(Vec<Request>),
    /// From now on silence is an outage, or, with `false`, normal.
    Watch(bool),
    /// A frame came that is no message: a ping, a pong, or bytes that cannot be read. It proves that somebody is there.
    Heard,
    /// A message was read.
    Message(Message),
    /// The connection, or the attempt at one, has ended.
    Lost {
        /// Why.
        loss: DisconnectReason,
        /// How long the venue asked to be left alone.
        retry_after: Option<Duration>,
    },
}

/// What to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing; wait for the next event, [`Event::Due`] among them.
    Nothing,
    /// Open a websocket.
    Connect,
    /// Send this text.
    Send(String),
    /// Send a ping.
    Ping,
    /// All requests are answered, and something was granted: the feed is live.
    Live {
        /// The ids of the requests that were refused.
        refused: Vec<u64>,
    },
    /// Drop the connection, if there is one. The session waits by itself before it connects again.
    Leave {
        /// Why.
        loss: DisconnectReason,
        /// How long it will wait.
        retry_in: Duration,
    },
}

/// Why a connection is left, and what is known of when to come back.
struct Ending {
    loss: DisconnectReason,
    retry_after: Option<Duration>,
}

impl From<DisconnectReason> for Ending {
    fn from(loss: DisconnectReason) -> Self {
        Self { loss, retry_after: None }
    }
}

/// The longest that a venue may ask to be left alone: Binance bans for minutes first, and a header must not stop a feed for a day.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// One feed's course through its connections.
#[derive(Debug)]
pub(super) struct Session {
    timing: Timing,
    rules: Rules,
    backoff: Backoff,
    random: SmallRng,
    /// Since when silence is an outage; `None` while it is normal.
    watched_since: Option<Instant>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Until the next attempt.
    Waiting { until: Instant },
    /// The attempt runs until then.
    Connecting { until: Instant },
    /// There is a connection.
    Connected(Link),
}

/// What is known of the connection that there is.
#[derive(Debug)]
struct Link {
    since: Instant,
    /// Not sent yet.
    queue: VecDeque<Request>,
    send_not_before: Instant,
    /// Sent, and not answered yet: the id, and until when to wait. Oldest first.
    unanswered: VecDeque<(u64, Instant)>,
    granted: usize,
    /// Their ids.
    refused: Vec<u64>,
    live: bool,
    /// When the last frame came.
    heard: Instant,
    /// When a ping was sent that nothing came after.
    pinged: Option<Instant>,
    /// When the first and the last data came.
    data: Option<(Instant, Instant)>,
}

impl Session {
    /// A session that connects at once. The seed spreads its waits.
    pub(super) fn new(timing: Timing, rules: Rules, seed: u64, now: Instant) -> Self {
        Self {
            timing,
            rules,
            backoff: Backoff::new(timing.backoff_first, timing.backoff_max),
            random: SmallRng::seed_from_u64(seed),
            watched_since: Some(now),
            stage: Stage::Waiting { until: now },
        }
    }

    /// Takes an event; says what to do. Several things may be due at once: each [`Event::Due`] gives one of them.
    pub(super) fn on(&mut self, event: Event, now: Instant) -> Action {
        match (event, &mut self.stage) {
            (Event::Due, Stage::Waiting { until }) if *until <= now => {
                self.stage = Stage::Connecting { until: now + self.timing.connect };
                Action::Connect
            }
            (Event::Due, Stage::Connecting { until }) if *until <= now => {
                self.leave(DisconnectReason::ConnectTimeout, None, now)
            }
            (Event::Connected(requests), Stage::Connecting { .. }) => {
                self.stage = Stage::Connected(Link::new(requests, &self.timing, now));
                Action::Nothing
            }
            (Event::Lost { loss, retry_after }, Stage::Connecting { .. } | Stage::Connected(_)) => {
                self.leave(loss, retry_after, now)
            }
            (Event::Watch(watch), _) => {
                self.watched_since = watch.then_some(self.watched_since.unwrap_or(now));
                Action::Nothing
            }
            (event, Stage::Connected(link)) => match link.on(event, &self.timing, &self.rules, self.watched_since, now)
            {
                Ok(action) => {
                    if link.is_stable(&self.timing) {
                        self.backoff.reset();
                    }
                    action
                }
                Err(Ending { loss, retry_after }) => self.leave(loss, retry_after, now),
            },
            _ => Action::Nothing,
        }
    }

    /// When [`Event::Due`] is due.
    pub(super) fn deadline(&self) -> Instant {
        match &self.stage {
            Stage::Waiting { until } | Stage::Connecting { until } => *until,
            Stage::Connected(link) => link.deadline(&self.timing, &self.rules, self.watched_since),
        }
    }

    fn leave(&mut self, loss: DisconnectReason, retry_after: Option<Duration>, now: Instant) -> Action {
        let stable = matches!(&self.stage, Stage::Connected(link) if link.is_stable(&self.timing));
        // A replacement that was planned is no failure, but one that a venue asks for again and again is.
        let planned = stable && matches!(loss, DisconnectReason::Lifetime | DisconnectReason::Closing);
        let random = self.random.random();
        let wait = match loss {
            _ if planned => Duration::ZERO,
            // Half of it is kept, for a wait of nothing would be the one that must not be.
            DisconnectReason::Denied => self.timing.denied.mul_f64(0.5 + random / 2.0),
            _ => self.backoff.fail(random),
        };
        let retry_in = wait.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX));
        self.stage = Stage::Waiting { until: now + retry_in };
        Action::Leave { loss, retry_in }
    }
}

impl Link {
    fn new(requests: Vec<Request>, timing: &Timing, now: Instant) -> Self {
        let mut link = Self {
            since: now,
            queue: requests.into(),
            send_not_before: now,
            unanswered: VecDeque::new(),
            granted: 0,
            refused: Vec::new(),
            live: false,
            heard: now,
            pinged: None,
            data: None,
        };
        link.await_the_venue(timing, now);
        link
    }

    /// Begins to wait for what the venue says first. At once, not when something would be sent: its word may be here already.
    fn await_the_venue(&mut self, timing: &Timing, now: Instant) {
        while let Some(request) = self.queue.pop_front_if(|request| request.text.is_none()) {
            self.unanswered.push_back((request.id, now + timing.acknowledgement));
        }
    }

    fn on(
        &mut self,
        event: Event,
        timing: &Timing,
        rules: &Rules,
        watched_since: Option<Instant>,
        now: Instant,
    ) -> Result<Action, Ending> {
        if let Event::Heard | Event::Message(_) = event {
            (self.heard, self.pinged) = (now, None);
        }
        match event {
            Event::Due => Ok(self.due(timing, rules, watched_since, now)?),
            Event::Message(message) => self.message(message, now),
            Event::Ask(requests) => {
                self.queue.extend(requests);
                self.await_the_venue(timing, now);
                Ok(Action::Nothing)
            }
            Event::Heard | Event::Watch(_) | Event::Connected(_) | Event::Lost { .. } => Ok(Action::Nothing),
        }
    }

    fn message(&mut self, message: Message, now: Instant) -> Result<Action, Ending> {
        match message {
            Message::Data => {
                self.data = Some((self.data.map_or(now, |(first, _)| first), now));
                return Ok(Action::Nothing);
            }
            Message::Acknowledged(id) => self.granted += usize::from(self.answered(Some(id)).is_some()),
            Message::Refused(id) => {
                let refused = self.answered(id);
                self.refused.extend(refused);
            }
            Message::Failed(Failure::Fatal(_)) => return Err(DisconnectReason::Denied.into()),
            Message::Failed(Failure::Passing { retry_after }) => {
                return Err(Ending { loss: DisconnectReason::Failed, retry_after });
            }
            Message::Closing => return Err(DisconnectReason::Closing.into()),
            Message::Other => return Ok(Action::Nothing),
        }
        Ok(self.judge()?)
    }

    /// Strikes a request off the list and returns its id; an answer to what was never asked, or was answered before, is none.
    fn answered(&mut self, id: Option<u64>) -> Option<u64> {
        let place = match id {
            Some(id) => self.unanswered.iter().position(|(asked, _)| *asked == id),
            None => Some(0),
        };
        place.and_then(|place| self.unanswered.remove(place)).map(|(id, _)| id)
    }

    fn all_answered(&self) -> bool {
        self.queue.is_empty() && self.unanswered.is_empty()
    }

    /// Once all is answered: some symbols are better than none, so only the refusal of all is a reason to leave.
    fn judge(&mut self) -> Result<Action, DisconnectReason> {
        if self.live || !self.all_answered() {
            return Ok(Action::Nothing);
        }
        if self.granted == 0 && !self.refused.is_empty() {
            return Err(DisconnectReason::Refused);
        }
        self.live = true;
        Ok(Action::Live { refused: std::mem::take(&mut self.refused) })
    }

    fn due(
        &mut self,
        timing: &Timing,
        rules: &Rules,
        watched_since: Option<Instant>,
        now: Instant,
    ) -> Result<Action, DisconnectReason> {
        let passed = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
        if passed(self.replace_at(rules)) {
            return Err(DisconnectReason::Lifetime);
        }
        if passed(self.unanswered.front().map(|(_, until)| *until)) {
            return Err(DisconnectReason::Unacknowledged);
        }
        if passed(self.silent_at(timing)) {
            return Err(DisconnectReason::NoPong);
        }
        if passed(self.mute_at(rules, watched_since)) {
            return Err(DisconnectReason::NoData);
        }
        if passed(self.send_at())
            && let Some(request) = self.queue.pop_front()
        {
            self.send_not_before = now + rules.between_requests;
            self.unanswered.push_back((request.id, now + timing.acknowledgement));
            self.await_the_venue(timing, now);
            return Ok(request.text.map_or(Action::Nothing, Action::Send));
        }
        if passed(self.ping_at(timing)) {
            self.pinged = Some(now);
            self.send_not_before = now + rules.between_requests;
            return Ok(Action::Ping);
        }
        self.judge()
    }

    fn deadline(&self, timing: &Timing, rules: &Rules, watched_since: Option<Instant>) -> Instant {
        let moments = [
            self.replace_at(rules),
            self.unanswered.front().map(|(_, until)| *until),
            self.silent_at(timing),
            self.mute_at(rules, watched_since),
            self.send_at(),
            self.ping_at(timing),
            // Nothing was to be asked for: live at once.
            (!self.live && self.all_answered()).then_some(self.since),
        ];
        moments.into_iter().flatten().min().expect("either a ping or its answer is always due at some time")
    }

    fn replace_at(&self, rules: &Rules) -> Option<Instant> {
        rules.lifetime.map(|lifetime| self.since + lifetime)
    }

    fn silent_at(&self, timing: &Timing) -> Option<Instant> {
        self.pinged.map(|pinged| pinged + timing.pong)
    }

    /// Silence counts from the last data, but not from before it was watched.
    fn mute_at(&self, rules: &Rules, watched_since: Option<Instant>) -> Option<Instant> {
        let last = self.data.map_or(self.since, |(_, last)| last);
        Some(last.max(watched_since?) + rules.mute_after?)
    }

    fn send_at(&self) -> Option<Instant> {
        (!self.queue.is_empty()).then_some(self.send_not_before)
    }

    fn ping_at(&self, timing: &Timing) -> Option<Instant> {
        self.pinged.is_none().then(|| self.heard + timing.ping_after)
    }

    /// Whether data have flowed for long enough to call it a success.
    fn is_stable(&self, timing: &Timing) -> bool {
        self.data.is_some_and(|(first, last)| last - first >= timing.stable_after)
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
