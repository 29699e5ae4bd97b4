//! Whatever happens to a gateway and its venue, a delay line shows nothing too early, and all of it in the end.

use super::world_tests::{World, content, quote, status};
use crate::{
    cache::{Published, SymbolState},
    market::{Field, Halt, Now, Reason},
};
use proptest::{collection::vec, prelude::*};
use std::time::Duration;

/// What may happen to a gateway.
#[derive(Debug, Clone)]
enum Event {
    /// Time passes, and the line is called when it asks for it.
    Runs(u64),
    /// Time passes, and the line is not called: the machine sleeps, or does something else.
    Stalls(u64),
    /// The clock was read before so long a time, in which a symbol changed.
    Reads(u64, usize),
    SetsClock(i64),
    Trade(usize),
    Quote(usize),
    Halt(usize),
    Resume(usize),
    Outage,
    Reconnects,
    Closes(bool),
    Refuses(usize, bool),
    /// A reload takes a symbol out of the feed's list.
    Leaves(usize),
    /// A reload puts it there, or it is there.
    Follows(usize),
    /// A reload replaces the feed.
    Restarts,
}

const SYMBOLS: usize = 3;

fn event() -> impl Strategy<Value = Event> {
    let symbol = 0..SYMBOLS;
    prop_oneof![
        6 => (0_u64..6_000).prop_map(Event::Runs),
        1 => (0_u64..40_000).prop_map(Event::Stalls),
        2 => (0_u64..3_000, symbol.clone()).prop_map(|(time, place)| Event::Reads(time, place)),
        1 => (-7_200_i64..7_200).prop_map(Event::SetsClock),
        6 => symbol.clone().prop_map(Event::Trade),
        4 => symbol.clone().prop_map(Event::Quote),
        1 => symbol.clone().prop_map(Event::Halt),
        1 => symbol.clone().prop_map(Event::Resume),
        1 => Just(Event::Outage),
        1 => Just(Event::Reconnects),
        1 => any::<bool>().prop_map(Event::Closes),
        1 => (symbol.clone(), any::<bool>()).prop_map(|(place, refused)| Event::Refuses(place, refused)),
        1 => symbol.clone().prop_map(Event::Leaves),
        1 => symbol.prop_map(Event::Follows),
        1 => Just(Event::Restarts),
    ]
}

impl World {
    fn meet(&mut self, event: &Event) {
        match *event {
            Event::Runs(millis) => self.run_for(Duration::from_millis(millis)),
            Event::Stalls(millis) => {
                self.wait(Duration::from_millis(millis));
                self.turn();
            }
            Event::Reads(millis, place) => {
                let read = self.now;
                self.wait(Duration::from_millis(millis));
                self.trade(place);
                let _ = self.turn_once(read);
            }
            Event::SetsClock(seconds) => self.set_clock(seconds),
            Event::Trade(place) => self.trade(place),
            Event::Quote(place) => {
                self.price += 1;
                let update = quote(self.price);
                self.change(place, |state, now| state.publish(&update, now));
            }
            Event::Halt(place) => {
                self.change(place, |state, now| state.publish(&status(Field::Set(Halt::News)), now));
            }
            Event::Resume(place) => self.change(place, |state, now| state.publish(&status(Field::Clear), now)),
            Event::Outage => self.change_all(|state, now| state.outage(Reason::ConnectionLost, now)),
            Event::Reconnects => self.change_all(|state, now| state.start_over(now)),
            Event::Closes(closed) => self.change_all(|state, now| state.set_closed(closed, now)),
            Event::Refuses(place, refused) => {
                let reason = refused.then_some(Reason::NotEntitled);
                self.change(place, |state, now| state.set_refused(reason, now));
            }
            Event::Leaves(place) => self.leave(&[place]),
            Event::Follows(place) => self.follow(&[place]),
            Event::Restarts => self.restart("x"),
        }
    }

    fn change_all(&mut self, change: impl Fn(&SymbolState, Now) -> Published) {
        (0..self.live.len()).for_each(|place| self.change(place, &change));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_younger_than_the_delay_is_ever_shown_and_in_the_end_all_is(
        events in vec(event(), 1..150),
        delay in 1_u64..30,
        step in 100_u64..4_000,
        notes_max in 4 * SYMBOLS..60,
    ) {
        let delay = Duration::from_secs(delay);
        let step = Duration::from_millis(step).min(delay);
        let mut world = World::new(SYMBOLS, delay, step, notes_max);
        for event in &events {
            world.meet(event);
        }
        // A symbol that has left is shown no further; all are there in the end.
        (0..SYMBOLS).for_each(|place| world.follow(&[place]));
        world.run_for(delay * 4 + step);
        for (live, late) in world.live.iter().zip(&world.late) {
            prop_assert_eq!(content(&live.newest().snapshot), content(&late.newest().snapshot));
        }
        prop_assert_eq!(world.lines.notes(), 0);
    }
}
