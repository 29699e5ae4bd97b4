//! The state of one open connection: its requests, its answers, its signs of life.

use super::{
    DisconnectReason,
    event::{Action, Ending, Event},
    hourly::HourlyRequests,
    timing::Timing,
};
use crate::venue::{Failure, Message, Played, Request, Rules, Silence};
use std::{collections::VecDeque, time::Instant};

/// A connection may live for months, and each change of its list is a request. A venue refuses what was asked lately.
const ACCEPTED_MAX: usize = 10_000;

/// What is known of the connection that there is.
#[derive(Debug)]
pub(super) struct Link {
    since: Instant,
    /// Not sent yet.
    queue: VecDeque<Request>,
    send_not_before: Instant,
    /// Where the venue limits requests by the hour: pings do not count.
    hourly: HourlyRequests,
    ask_not_before: Instant,
    /// Sent, and not answered yet. Oldest first.
    awaited: VecDeque<Awaited>,
    /// The ids of the newest requests that count as granted since they were sent. Oldest first.
    accepted: VecDeque<u64>,
    granted: usize,
    /// Their ids.
    refused: Vec<u64>,
    /// The ids of the refused requests that the venue did not name.
    unanswered: Vec<u64>,
    /// When all requests were answered.
    live_since: Option<Instant>,
    /// The newest request of all.
    newest: u64,
    /// Whether the list has changed since: what is refused then does not end the connection.
    is_changed: bool,
    /// Whether an answer since then may refuse symbols.
    is_untold: bool,
    /// When the last sign of life arrived: a frame of any kind.
    heard: Instant,
    /// When the last text or binary frame arrived.
    last_frame: Instant,
    /// When a websocket ping was sent that nothing came after.
    pinged: Option<Instant>,
    /// When the venue's own ping was last sent, or the connection began.
    last_ping: Instant,
    /// When the first and the last data arrived.
    data: Option<(Instant, Instant)>,
    /// The turn of the connection that will replace this one, and why it will.
    replacement: Option<(Instant, DisconnectReason)>,
    /// Whether its successor is sought: it asks for nothing, and has no age.
    is_retired: bool,
}

/// A request whose answer is awaited.
#[derive(Debug)]
struct Awaited {
    id: u64,
    until: Instant,
    silence: Silence,
}

impl Link {
    pub(super) fn new(requests: Vec<Request>, timing: &Timing, now: Instant) -> Self {
        let mut link = Self {
            since: now,
            newest: newest(&requests).unwrap_or_default(),
            is_changed: false,
            is_untold: false,
            queue: requests.into(),
            send_not_before: now,
            hourly: HourlyRequests::default(),
            ask_not_before: now,
            awaited: VecDeque::new(),
            accepted: VecDeque::new(),
            granted: 0,
            refused: Vec::new(),
            unanswered: Vec::new(),
            live_since: None,
            heard: now,
            last_frame: now,
            pinged: None,
            last_ping: now,
            data: None,
            replacement: None,
            is_retired: false,
        };
        link.await_the_venue(timing, now);
        link
    }

    /// Begins to wait for what the venue says first. At once, not when something would be sent: its word may be here
    /// already.
    fn await_the_venue(&mut self, timing: &Timing, now: Instant) {
        while let Some(request) = self.queue.pop_front_if(|request| request.text.is_none()) {
            self.await_answer(request.id, request.silence, timing, now);
        }
    }

    fn await_answer(&mut self, id: u64, silence: Silence, timing: &Timing, now: Instant) {
        if silence == Silence::Accepts {
            if self.accepted.len() == ACCEPTED_MAX {
                self.accepted.pop_front();
            }
            self.accepted.push_back(id);
            self.granted += 1;
            return;
        }
        let until = now + timing.acknowledgement;
        self.awaited.push_back(Awaited { id, until, silence });
    }

    pub(super) fn on(&mut self, event: Event, timing: &Timing, rules: &Rules, now: Instant) -> Result<Action, Ending> {
        if let Event::Pong | Event::Unreadable | Event::Message(_) = event {
            self.heard = now;
            self.pinged = None;
        }
        if let Event::Unreadable | Event::Message(_) = event {
            self.last_frame = now;
        }
        match event {
            Event::Due => Ok(self.due(timing, rules, now)?),
            Event::Message(message) => self.message(message, now),
            Event::Ask(requests) => {
                self.ask(requests, timing, now);
                Ok(Action::Nothing)
            }
            Event::Change(requests) => {
                self.is_changed |= self.live_since.is_some();
                self.ask(requests, timing, now);
                Ok(Action::Nothing)
            }
            Event::Replace => Err(DisconnectReason::Relisted.into()),
            Event::Pong
            | Event::Unreadable
            | Event::Watch(_)
            | Event::AllHalted
            | Event::PredecessorEnded(_)
            | Event::Connected(_)
            | Event::Disconnected { .. } => Ok(Action::Nothing),
        }
    }

    fn ask(&mut self, requests: Vec<Request>, timing: &Timing, now: Instant) {
        self.newest = self.newest.max(newest(&requests).unwrap_or_default());
        self.queue.extend(requests);
        self.await_the_venue(timing, now);
    }

    fn message(&mut self, message: Message, now: Instant) -> Result<Action, Ending> {
        match message {
            Message::Data => {
                self.data = Some((self.data.map_or(now, |(first, _)| first), now));
                return Ok(Action::Nothing);
            }
            Message::Acknowledged(id) => {
                if let Some(request) = self.answered(Some(id)) {
                    self.granted += 1;
                    // Some of its symbols may be refused.
                    self.is_untold |= self.is_changed && request.silence != Silence::Ends;
                }
            }
            Message::Refused(id) => {
                let refused = self.answered(id).map(|request| request.id).or_else(|| self.retracted(id));
                self.refused.extend(refused);
            }
            Message::Superseded(id) => {
                if self.answered(Some(id)).is_none() {
                    self.retracted(Some(id));
                }
            }
            Message::Failed(Failure::Fatal(_)) => return Err(DisconnectReason::Denied.into()),
            Message::Failed(Failure::Passing { retry_after }) => {
                return Err(Ending { reason: DisconnectReason::Failed, retry_after });
            }
            Message::Failed(Failure::ConnectionLimit { retry_after }) => {
                return Err(Ending { reason: DisconnectReason::ConnectionLimit, retry_after: Some(retry_after) });
            }
            Message::Closing => return Err(DisconnectReason::Closing.into()),
            Message::Gap => return Err(DisconnectReason::Gap.into()),
            Message::Played(Played::Hole) | Message::Control | Message::Other => return Ok(Action::Nothing),
            Message::Played(played) => return Ok(Action::Played(played)),
        }
        Ok(self.judge(now)?)
    }

    /// Strikes a request off the list and returns it; an answer to what was never asked, or was answered before,
    /// is none.
    fn answered(&mut self, id: Option<u64>) -> Option<Awaited> {
        let place = match id {
            Some(id) => self.awaited.iter().position(|request| request.id == id),
            // An end that is refused changes nothing, so the venue means another request.
            None => self.awaited.iter().position(|request| request.silence != Silence::Ends),
        };
        place.and_then(|place| self.awaited.remove(place))
    }

    /// The venue refuses a request that counted as granted; without an id it is the newest, which the venue answers
    /// first.
    fn retracted(&mut self, id: Option<u64>) -> Option<u64> {
        let place = match id {
            Some(id) => self.accepted.iter().position(|accepted| *accepted == id)?,
            None => self.accepted.len().checked_sub(1)?,
        };
        let refused = self.accepted.remove(place)?;
        self.granted -= 1;
        if id.is_none() {
            self.unanswered.push(refused);
        }
        Some(refused)
    }

    pub(super) fn all_answered(&self) -> bool {
        self.queue.is_empty() && self.awaited.is_empty()
    }

    /// Once all is answered, and again for each later refusal: some symbols are better than none, so only the refusal
    /// of all is a reason to leave.
    fn judge(&mut self, now: Instant) -> Result<Action, DisconnectReason> {
        let is_live = self.live_since.is_some();
        let is_told = is_live && self.refused.is_empty() && !self.is_untold;
        // What is refused later is told at once, however much is asked for meanwhile.
        if is_told || !self.all_answered() && !is_live {
            return Ok(Action::Nothing);
        }
        if self.granted == 0 && !self.refused.is_empty() && !self.is_changed {
            return Err(DisconnectReason::Refused);
        }
        self.live_since.get_or_insert(now);
        self.is_untold = false;
        Ok(Action::Live {
            refused: std::mem::take(&mut self.refused),
            unanswered: std::mem::take(&mut self.unanswered),
        })
    }

    fn due(&mut self, timing: &Timing, rules: &Rules, now: Instant) -> Result<Action, DisconnectReason> {
        let passed = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
        if passed(self.replace_at(rules)) {
            return Err(self.replacement.map_or(DisconnectReason::Lifetime, |(_, reason)| reason));
        }
        while let Some(request) = self.awaited.pop_front_if(|request| request.until <= now) {
            match request.silence {
                Silence::Refuses => {}
                Silence::Ends => return Ok(Action::Unanswered(request.id)),
                // A name that was added later costs the others nothing.
                Silence::Disconnects if self.is_changed => {}
                Silence::Disconnects | Silence::Accepts => return Err(DisconnectReason::Unacknowledged),
            }
            self.refused.push(request.id);
            self.unanswered.push(request.id);
        }
        if passed(self.no_pong_at(timing)) {
            return Err(DisconnectReason::NoPong);
        }
        if passed(self.heartbeat_at(rules)) {
            return Err(DisconnectReason::NoHeartbeat);
        }
        if passed(self.send_at())
            && let Some(request) = self.queue.pop_front()
        {
            self.send_not_before = now + rules.between_requests;
            if let Some(limit) = rules.requests_per_hour {
                self.ask_not_before = self.hourly.sent(limit, now);
            }
            self.await_answer(request.id, request.silence, timing, now);
            self.await_the_venue(timing, now);
            return Ok(request.text.map_or(Action::Nothing, Action::Send));
        }
        if let Some(ping) = rules.ping
            && passed(self.next_ping_at(rules))
        {
            self.last_ping = now;
            self.send_not_before = now + rules.between_requests;
            return Ok(Action::SendPing(ping.text));
        }
        if passed(self.ping_at(timing)) {
            self.pinged = Some(now);
            self.send_not_before = now + rules.between_requests;
            return Ok(Action::Ping);
        }
        self.judge(now)
    }

    pub(super) fn deadline(&self, timing: &Timing, rules: &Rules) -> Instant {
        let moments = [
            self.replace_at(rules),
            self.awaited.front().map(|request| request.until),
            self.no_pong_at(timing),
            self.heartbeat_at(rules),
            self.send_at(),
            self.next_ping_at(rules),
            self.ping_at(timing),
            // Nothing was to be asked for: live at once.
            (self.live_since.is_none() && self.all_answered()).then_some(self.since),
        ];
        moments.into_iter().flatten().min().expect("either a ping or its answer is always due at some time")
    }

    fn replace_at(&self, rules: &Rules) -> Option<Instant> {
        match self.replacement {
            _ if self.is_retired => None,
            Some((turn, _)) => Some(turn),
            None => Some(self.since + rules.lifetime?),
        }
    }

    /// Whether the list has changed since all requests were answered.
    pub(super) fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// The newest request of all.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// The oldest request without an answer.
    pub(super) fn oldest_open(&self) -> Option<u64> {
        self.queue.iter().map(|request| request.id).chain(self.awaited.iter().map(|awaited| awaited.id)).min()
    }

    /// Its successor is sought: from now on it keeps itself alive, and no more.
    pub(super) fn retire(&mut self) {
        self.is_retired = true;
        self.queue.clear();
        self.awaited.clear();
        self.refused.clear();
        self.unanswered.clear();
    }

    /// Whether all requests were answered.
    pub(super) fn is_live(&self) -> bool {
        self.live_since.is_some()
    }

    /// The turn of the replacement, until which the connection serves on; the first call decides it.
    pub(super) fn turn_or(&mut self, decide: impl FnOnce() -> (Instant, DisconnectReason)) -> Instant {
        self.replacement.get_or_insert_with(decide).0
    }

    /// The replacement comes later.
    pub(super) fn take_another_turn(&mut self, turn: Instant) {
        self.replacement = self.replacement.map(|(_, reason)| (turn, reason));
    }

    fn no_pong_at(&self, timing: &Timing) -> Option<Instant> {
        self.pinged.map(|pinged| pinged + timing.pong)
    }

    /// A venue with heartbeats sends them once it has granted something.
    fn heartbeat_at(&self, rules: &Rules) -> Option<Instant> {
        Some(self.live_since?.max(self.last_frame) + rules.heartbeat_timeout?)
    }

    /// The venue's own ping waits for its turn among the requests.
    fn next_ping_at(&self, rules: &Rules) -> Option<Instant> {
        Some((self.last_ping + rules.ping?.every).max(self.send_not_before))
    }

    fn send_at(&self) -> Option<Instant> {
        (!self.queue.is_empty()).then_some(self.send_not_before.max(self.ask_not_before))
    }

    fn ping_at(&self, timing: &Timing) -> Option<Instant> {
        self.pinged.is_none().then(|| self.heard + timing.ping_after)
    }

    /// Whether data have flowed for long enough to call it a success.
    pub(super) fn is_stable(&self, timing: &Timing) -> bool {
        self.data.is_some_and(|(first, last)| last - first >= timing.stable_after)
    }
}

fn newest(requests: &[Request]) -> Option<u64> {
    requests.iter().map(|request| request.id).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_10_so_many_requests_that_count_as_granted_are_remembered() {
        let (timing, now) = (Timing::default(), Instant::now());
        let mut link = Link::new(Vec::new(), &timing, now);
        (0..20_000).for_each(|id| link.await_answer(id, Silence::Accepts, &timing, now));
        assert_eq!((link.accepted.len(), link.retracted(None)), (ACCEPTED_MAX, Some(19_999)));
        assert_eq!((link.retracted(Some(3)), link.granted), (None, 19_999));
    }
}
