//! A list that changes at any moment, against a venue that answers when it likes and connections that are lost: in the
//! end the venue sends what is listed, and nothing else.

use super::{
    DisconnectReason, Timing,
    event::{Action, Event},
    pacer::ConnectPacer,
    places::Places,
    session::Session,
    silence::Patience,
};
use crate::{
    market::{FeedSymbol, Reason, Symbol},
    venue::{self, Batch, Change, DEFAULT, ListedSymbol, Message, Setup, Venue},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

/// The venue never grants this one.
const BAD: &str = "S0";
/// It is always listed, so that there is something to be granted.
const GOOD: &str = "S1";

/// The venue's side of a connection.
#[derive(Default)]
struct Remote {
    held: BTreeSet<String>,
    /// The answers that the feed has not read yet.
    answers: VecDeque<String>,
}

impl Remote {
    /// Some requests are answered whole, others for each symbol, in any order.
    fn take(&mut self, request: &str) {
        let request: Value = serde_json::from_str(request).unwrap();
        let id = request["id"].as_u64().unwrap();
        let names = request["symbols"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
        let names: Vec<String> = names.collect();
        let begins = request["op"] == "subscribe";
        let is_bad = begins && names.iter().any(|name| name == BAD);
        let is_whole = id.is_multiple_of(3);
        if is_whole && is_bad && names.len() > 1 {
            return self.answers.push_back(json!({ "op": "split", "id": id }).to_string());
        }
        for name in names.iter().filter(|name| !begins || *name != BAD) {
            let changes = if begins { self.held.insert(name.clone()) } else { self.held.remove(name) };
            assert!(changes || !begins, "{name} is held already");
        }
        if is_whole {
            let op = if is_bad { "refuse" } else { "ack" };
            return self.answers.push_back(json!({ "op": op, "id": id }).to_string());
        }
        let answer = |name: &String| {
            let op = if begins && name == BAD { "refuse" } else { "ack" };
            json!({ "op": op, "id": id, "symbol": name }).to_string()
        };
        let answers: Vec<String> = names.iter().map(answer).collect();
        if id % 3 == 1 { self.answers.extend(answers) } else { self.answers.extend(answers.into_iter().rev()) }
    }
}

struct Model {
    session: Session,
    venue: Box<dyn Venue>,
    places: Places,
    remote: Option<Remote>,
    now: Instant,
}

fn listed(name: &str) -> ListedSymbol {
    name.parse::<Symbol>().unwrap().into()
}

impl Model {
    fn new() -> Self {
        let setup = Setup { url: Some("ws://x"), symbols: &[], credentials: None, playback: None };
        let venue = venue::new(DEFAULT, &setup).unwrap();
        let patience = Patience { mute_after: Duration::from_secs(1 << 20), part_mute_after: None };
        let now = Instant::now();
        let pacer = ConnectPacer::new(Duration::ZERO);
        let session = Session::new(Timing::default(), venue.rules(), patience, pacer, 7, now);
        let mut model = Self { session, venue, places: Places::default(), remote: None, now };
        model.toggle(GOOD);
        model
    }

    /// Adds a symbol, or removes it.
    fn toggle(&mut self, name: &str) {
        self.places.wake(|request| self.session.has_answers_up_to(request));
        let listed = listed(name);
        let removed: Vec<FeedSymbol> = self.places.remove(&listed.symbol).into_iter().collect();
        let added = if removed.is_empty() { self.places.add(&listed) } else { None };
        self.session.relist(added.into_iter(), &removed, self.now);
        self.tell_if_due();
    }

    fn tell_if_due(&mut self) {
        if self.places.is_untold() && self.session.takes_changes() {
            self.tell();
        }
    }

    /// Tells the venue how the list has changed.
    fn tell(&mut self) {
        self.places.wake(|request| self.session.has_answers_up_to(request));
        let (added, removed) = self.places.tell();
        let Change::Requests(requests) = self.venue.change(&added, &removed) else { panic!("it can") };
        assert_eq!(self.session.on(Event::Change(requests), self.now), Action::Nothing);
        for place in removed {
            match self.session.newest_request() {
                Some(request) => self.places.rest(place, request),
                None => self.places.free(place),
            }
        }
    }

    fn on(&mut self, event: Event) {
        let mut action = self.session.on(event, self.now);
        loop {
            let event = match action {
                Action::Nothing => return self.tell_if_due(),
                Action::Connect => {
                    self.remote = Some(Remote::default());
                    self.tell();
                    Event::Connected(self.venue.open())
                }
                Action::Send(text) => return self.remote.as_mut().unwrap().take(&text),
                Action::Ping | Action::SendPing(_) => Event::Pong,
                Action::Unanswered(id) => return self.venue.unanswered(id),
                Action::Live { unanswered, .. } => return unanswered.iter().for_each(|id| self.venue.unanswered(*id)),
                Action::Leave { .. } => return self.remote = None,
                other => panic!("{other:?}"),
            };
            action = self.session.on(event, self.now);
        }
    }

    /// The feed reads the next answer. Returns whether there was one.
    fn read(&mut self) -> bool {
        let Some(answer) = self.remote.as_mut().and_then(|remote| remote.answers.pop_front()) else { return false };
        let mut batch = Batch::default();
        let message = self.venue.read(answer.as_bytes(), &mut batch).unwrap();
        if let Some(newest) = batch.requests.iter().map(|request| request.id).max() {
            self.places.rest_until(newest);
            self.on(Event::Ask(batch.requests));
        }
        self.on(Event::Message(message));
        true
    }

    /// The venue answers in time: what it does not answer is refused.
    fn due(&mut self) {
        while self.session.deadline() > self.now + Timing::default().acknowledgement / 4 && self.read() {}
        self.now = self.now.max(self.session.deadline());
        self.on(Event::Due);
    }

    fn lose(&mut self) {
        if self.remote.take().is_some() {
            self.on(Event::Disconnected { reason: DisconnectReason::Io, retry_after: None });
        }
    }

    /// Nothing changes and nothing is lost any more.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.read() {
                continue;
            }
            if self.remote.is_some() && self.session.takes_changes() && !self.places.is_untold() {
                return;
            }
            self.due();
        }
        panic!("it does not settle");
    }

    fn check(&mut self) {
        let list = self.places.listed();
        let wanted = list.iter().map(|(_, listed)| listed.symbol.to_string()).filter(|name| name != BAD);
        assert_eq!(self.remote.as_ref().unwrap().held, wanted.collect::<BTreeSet<_>>());
        let refused: Vec<_> = list.iter().filter(|(_, listed)| listed.symbol.as_str() == BAD).collect();
        let refused: Vec<_> = refused.into_iter().map(|(place, _)| (*place, Reason::NotGranted)).collect();
        assert_eq!(self.venue.refused(), refused);
        for (place, listed) in list {
            let mut batch = Batch::default();
            let trade = json!({ "type": "trade", "symbol": listed.symbol.as_str(), "id": 1, "price": "1" }).to_string();
            assert_eq!(self.venue.read(trade.as_bytes(), &mut batch), Ok(Message::Data));
            assert_eq!(batch.updates[0].symbol, place);
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Toggle(u8),
    Read,
    Due,
    Lose,
}

fn step() -> impl Strategy<Value = Step> {
    let toggle = prop_oneof![Just(0), 2_u8..8].prop_map(Step::Toggle);
    prop_oneof![6 => toggle, 6 => Just(Step::Read), 6 => Just(Step::Due), 1 => Just(Step::Lose)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn in_the_end_the_venue_sends_what_is_listed(steps in prop::collection::vec(step(), 1..80)) {
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Toggle(number) => model.toggle(&format!("S{number}")),
                Step::Read => _ = model.read(),
                Step::Due => model.due(),
                Step::Lose => model.lose(),
            }
        }
        model.settle();
        model.check();
    }
}

#[test]
fn a_change_before_the_first_answer_is_part_of_the_list_that_is_answered() {
    for (name, before) in [("waiting", 0), ("connecting", 1), ("asked", 2), ("live", 3)] {
        let mut model = Model::new();
        for _ in 0..before {
            if !model.read() {
                model.due();
            }
        }
        model.toggle("S2");
        model.toggle("S3");
        model.toggle("S2");
        model.settle();
        assert_eq!(model.remote.as_ref().unwrap().held.len(), 2, "{name}");
        model.check();
    }
}
