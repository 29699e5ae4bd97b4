//! The outages of a venue during a run, and its state at the end.

use crate::{
    check::VenueState,
    scenario::{Outage, OutageKind},
    venue::{Command, Door, Flow, Newest, Venue},
    wire::Values,
};
use std::{collections::VecDeque, time::Duration};

/// The last state of each symbol as the venue sent it.
pub(super) fn venue_state(venue: &Venue, symbols: &[String]) -> VenueState {
    symbols.iter().filter_map(|symbol| Some((symbol.clone(), newest_values(venue.newest(symbol)?)))).collect()
}

fn newest_values(newest: Newest) -> Values {
    Values {
        trade_ts: i64::try_from(newest.trade_ts).ok().filter(|_| newest.trades > 0),
        price: sent(newest.price),
        size: sent(newest.size),
        bid: sent(newest.bid),
        bid_size: sent(newest.bid_size),
        ask: sent(newest.ask),
        ask_size: sent(newest.ask_size),
    }
}

/// A number, if the venue has sent one.
fn sent(number: String) -> Option<String> {
    Some(number).filter(|number| !number.is_empty())
}

/// A step of an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A command to the venue.
    Command(Command),
    /// From now on a stream may not show any symbol as live.
    NothingIsLive,
}

/// The steps of all outages, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps(VecDeque<(Duration, Step)>);

impl Steps {
    /// The steps of these outages.
    pub fn of(outages: &[Outage]) -> Self {
        let mut steps: Vec<_> = outages.iter().flat_map(of_outage).collect();
        steps.sort_by_key(|(at, _)| *at);
        Self(steps.into())
    }

    /// When the next step is due, since the load began.
    pub fn next(&self) -> Option<Duration> {
        self.0.front().map(|(at, _)| *at)
    }

    /// Takes the next step if it is due.
    pub fn take(&mut self, elapsed: Duration) -> Option<Step> {
        self.next().filter(|at| *at <= elapsed)?;
        self.0.pop_front().map(|(_, step)| step)
    }
}

fn of_outage(outage: &Outage) -> Vec<(Duration, Step)> {
    let begins = outage.at.0;
    let ends = begins + outage.lasts.0;
    let mut steps = match outage.kind {
        OutageKind::Break => vec![
            (begins, Step::Command(Command::Door(Door::Shut))),
            (begins, Step::Command(Command::Break)),
            (ends, Step::Command(Command::Door(Door::Open))),
        ],
        OutageKind::Mute => {
            vec![(begins, Step::Command(Command::Flow(Flow::Mute))), (ends, Step::Command(Command::Flow(Flow::Steady)))]
        }
    };
    steps.extend(outage.is_known_by().map(|at| (at, Step::NothingIsLive)));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_outages_are_sorted_and_taken_when_they_are_due() {
        let mut steps = Steps::of(&["mute:5s:4s", "break:1s:0s"].map(|outage| outage.parse().unwrap()));
        let mut taken = Vec::new();
        for second in 0..10 {
            while let Some(step) = steps.take(Duration::from_secs(second)) {
                taken.push((second, step));
            }
        }
        let expected = [
            (1, Step::Command(Command::Door(Door::Shut))),
            (1, Step::Command(Command::Break)),
            (1, Step::Command(Command::Door(Door::Open))),
            (5, Step::Command(Command::Flow(Flow::Mute))),
            (7, Step::NothingIsLive),
            (9, Step::Command(Command::Flow(Flow::Steady))),
        ];
        assert_eq!((taken.as_slice(), steps.next()), (expected.as_slice(), None));
    }
}
