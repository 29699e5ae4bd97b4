//! Each venue's reader with the cache's merge, without sockets: whatever order its frames come in, and however often
//! they are repeated, no part of a symbol moves back.

use super::{NO_SOCKET, address, credentials, spec, symbols};
use proptest::{
    collection::vec,
    test_runner::{Config, TestCaseError, TestRunner},
};
use std::collections::VecDeque;
use tickfan::{
    market::{Decimal, Guards, Now, Origin, Snapshot},
    venue::{self, Batch, Request, Setup, Venue},
};
use venue_sim::{DIALECTS, Dialect, Manner, Part};

/// So many cases find a part that moves back within the first few.
const CASES: u32 = 48;
/// The numbers of a case: few, so that many repeat.
const NUMBERS: u64 = 12;
const PARTS: [Part; 3] = [Part::Trade, Part::Quote, Part::Statistics];

/// A connection to a venue whose requests are all granted, and what its symbols show.
struct Rig {
    manner: &'static Manner,
    reader: Box<dyn Venue>,
    dialect: Box<dyn Dialect>,
    names: [String; 2],
    snapshots: [(Snapshot, Guards); 2],
    now: Now,
}

impl Rig {
    fn new(manner: &'static Manner) -> Self {
        let spec = spec(manner);
        let listed = symbols(manner, ["A", "B"].map(str::to_owned).into_iter());
        let names = [0, 1].map(|place| (spec.derive)(&listed[place].symbol).unwrap());
        let credentials = credentials(spec);
        let url = address(manner, NO_SOCKET);
        let setup = Setup { url: Some(&url), symbols: &listed, credentials: credentials.as_ref(), playback: None };
        let reader = venue::new(spec, &setup).unwrap();
        let now = Now::read();
        let snapshot = || (Snapshot::waiting(Origin::Market, now.unix), Guards::default());
        let snapshots = [snapshot(), snapshot()];
        let mut rig = Self { manner, reader, dialect: (manner.new)(&[]), names, snapshots, now };
        rig.subscribe();
        rig
    }

    /// Leads the dialogue to its end.
    fn subscribe(&mut self) {
        let mut requests: VecDeque<Request> = self.reader.open().into();
        for frame in self.dialect.greeting() {
            requests.extend(self.read(&frame));
        }
        while let Some(request) = requests.pop_front() {
            for frame in request.text.iter().flat_map(|text| self.dialect.answer(text)).collect::<Vec<_>>() {
                requests.extend(self.read(&frame));
            }
        }
        assert_eq!(self.reader.refused(), [], "{}", self.manner.venue);
    }

    /// Reads a frame and merges its updates; returns the requests that follow.
    fn read(&mut self, frame: &str) -> Vec<Request> {
        let batch = self.batch(frame);
        for update in &batch.updates {
            let (snapshot, guards) = &mut self.snapshots[update.symbol.index()];
            snapshot.apply(update, guards, self.now);
        }
        batch.requests
    }

    fn batch(&mut self, frame: &str) -> Batch {
        let mut batch = Batch::default();
        self.reader.read(frame.as_bytes(), &mut batch).unwrap_or_else(|error| panic!("{error:?} in {frame}"));
        assert_eq!(batch.errors.total(), 0, "{frame}");
        batch
    }

    /// A frame of this part, where the venue has it.
    fn write(&mut self, place: usize, part: Part, number: u64) -> Option<String> {
        let name = &self.names[place];
        match part {
            Part::Trade => Some(self.dialect.trade(name, number, &format!("{number}.5"), "3")),
            Part::Quote => self.dialect.quote(name, number, &format!("{number}.25"), &format!("{number}.75")),
            Part::Statistics => self.dialect.statistics(name, number, &format!("{number}.9")),
        }
    }

    /// The number of the trade, the quote or the statistics that a symbol shows; 0 for none.
    fn shown(&self, place: usize, part: Part) -> u64 {
        let (snapshot, _) = &self.snapshots[place];
        let price = match part {
            Part::Trade => snapshot.trade.price,
            Part::Quote => snapshot.quote.bid,
            Part::Statistics => snapshot.stats.high.or(snapshot.stats.volume),
        };
        price.map_or(0, |price: Decimal| price.to_string().split('.').next().unwrap().parse().unwrap())
    }

    /// Sends a frame and judges what is shown then: the newest number so far, or, of a part in the order of arrival,
    /// this one. No other part of the symbol, and no other symbol, moves back.
    fn step(&mut self, place: usize, part: Part, number: u64) -> Result<(), TestCaseError> {
        let all = [0, 1].into_iter().flat_map(|place| PARTS.map(|part| (place, part)));
        let before: Vec<_> = all.map(|(place, part)| (place, part, self.shown(place, part))).collect();
        let Some(frame) = self.write(place, part, number) else { return Ok(()) };
        self.read(&frame);
        for (other, other_part, before) in before {
            let shown = self.shown(other, other_part);
            let is_sent = (other, other_part) == (place, part);
            let is_held = match self.manner.by_arrival.contains(&other_part) {
                true => shown == if is_sent { number } else { before },
                false => shown >= before && (!is_sent || shown == before.max(number)),
            };
            let venue = self.manner.venue;
            let sent = format!("{part:?} {number} of {place}");
            if !is_held {
                let told = format!("{venue}: {other_part:?} of {other} went from {before} to {shown} by {sent}");
                return Err(TestCaseError::fail(told));
            }
        }
        Ok(())
    }
}

/// Whether the venue's quotes have times. Those that have ids alone restart with each connection.
pub(super) fn quotes_have_times(manner: &'static Manner) -> bool {
    let mut rig = Rig::new(manner);
    let Some(frame) = rig.write(0, Part::Quote, 1) else { return false };
    rig.batch(&frame).updates.iter().any(|update| update.quote.is_some_and(|quote| quote.sequence.time.is_some()))
}

#[test]
fn rule_8_no_part_moves_back_in_any_order_of_a_venues_frames() {
    let mut runner = TestRunner::new(Config::with_cases(CASES));
    let frames = vec((0..2_usize, 0..PARTS.len(), 1..=NUMBERS), 1..40);
    for manner in DIALECTS {
        let ran = runner.run(&frames, |frames| {
            let mut rig = Rig::new(manner);
            frames.into_iter().try_for_each(|(place, part, number)| rig.step(place, PARTS[part], number))
        });
        ran.unwrap_or_else(|error| panic!("{error}"));
    }
}
