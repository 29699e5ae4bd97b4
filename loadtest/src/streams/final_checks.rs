//! The checks that look at all streams at once: that nothing is shown as live in the middle of an outage, and how each
//! stream ends.

use super::{
    event_loop::EventLoop,
    outcome::{Outcome, Stayed},
    plan::Reads,
    stream::Phase,
};
use crate::{
    check::{LastStateCheck, Rule, VenueState},
    measure::{Ended, spread, unix_micros},
};

impl EventLoop {
    /// Notes a violation for each symbol that a stream shows as live. The venue must have been cut off for long enough.
    pub(super) fn check_that_nothing_is_live(&mut self) {
        let now = unix_micros();
        for stream in &self.streams {
            if stream.phase != Phase::Open || self.groups[stream.group].reads != Reads::AtOnce {
                continue;
            }
            self.observer.measures.in_outage += u64::from(stream.has_tick);
            for symbol in stream.live() {
                let name = self.observer.seen_ticks.name(symbol);
                let what = format!("{name} is shown as live although the venue is cut off");
                self.observer.violations.note(Rule::StaleAsLive, Some(stream.index), now, what, b"");
            }
        }
    }

    /// What has begun to connect within the load and is not open yet has failed.
    fn count_unanswered(&mut self) {
        let load_ended = self.observer.load_ended;
        for stream in self.streams.iter().filter(|stream| stream.is_pending() && stream.begun <= load_ended) {
            self.observer.measures.end(stream.group, Ended::Timeout);
        }
    }

    /// Checks the last state of each open stream and collects the results.
    pub(super) fn finish(mut self, venue_state: Option<&VenueState>) -> Outcome {
        self.close_second(true);
        self.observer.measures.age_spread = spread(self.streams.iter().map(|stream| &stream.ages));
        self.observer.measures.symbol_age_spread = spread(self.observer.symbol_ages.iter());
        self.count_unanswered();
        let now = unix_micros();
        let mut stayed = Vec::new();
        for stream in self.streams.iter().filter(|stream| stream.phase == Phase::Open) {
            let group = &self.groups[stream.group];
            if group.reads == Reads::Never {
                self.is_complete = false;
                continue;
            }
            if stream.generation == 0 {
                stayed.push(Stayed { stream: stream.index, name: stream.name.clone(), holes: stream.holes });
            }
            // A load that is not ours goes on, and has no last state.
            if let Some(venue_state) = venue_state {
                let check = LastStateCheck {
                    slots: &stream.slots,
                    stream: stream.index,
                    wanted: group.wanted,
                    venue_state,
                    seen_ticks: &self.observer.seen_ticks,
                    now,
                };
                self.observer.measures.last_states += check.run(&mut self.observer.violations);
            }
        }
        self.observer.measures.compared = self.observer.seen_ticks.compared();
        let thread_cpu = self.cpu_of_load[0].zip(self.cpu_of_load[1]).and_then(|((begun, before), (ended, after))| {
            let seconds = (ended - begun).as_secs_f64();
            (seconds > 0.0).then(|| after.saturating_sub(before).as_secs_f64() / seconds)
        });
        Outcome {
            measures: self.observer.measures,
            violations: self.observer.violations,
            seconds: self.seconds,
            late_turns: self.late_turns,
            late: std::mem::take(self.pauses.late()),
            connects_per_second: self.connects.per_second(),
            connects_late: self.connects.late,
            thread_cpu,
            refusal: self.observer.refusal,
            connections: self.observer.connections,
            dictionary: self.observer.decoder.map(|decoder| decoder.name()),
            stayed,
            is_complete: self.is_complete,
        }
    }
}
