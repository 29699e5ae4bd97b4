//! Groups whose streams come and go in stages.

use super::{
    event_loop::EventLoop,
    plan::Group,
    stream::{Phase, Stream},
    timers::Task,
};
use crate::{measure::Ended, scenario::Stage};
use std::time::{Duration, Instant};

/// When a stream of a group comes (`true`) and goes (`false`), since the load began. Streams are numbered from 0, and
/// as many are there as the stages say at a moment, the first ones first.
fn steps(stages: &[Stage], stream: u32) -> Vec<(Duration, bool)> {
    let number = f64::from(stream) + 1.0;
    let mut steps = Vec::new();
    let (mut from, mut at) = (0.0, Duration::ZERO);
    for Stage { to, over } in stages {
        let share = (number - from) / (to - from);
        if from < number && number <= *to {
            steps.push((at + over.0.mul_f64(share), true));
        } else if *to < number && number <= from {
            steps.push((at + over.0.mul_f64(share), false));
        }
        from = *to;
        at += over.0;
    }
    steps
}

impl Group {
    /// How many of its streams are open when the load begins.
    pub fn first_streams(&self) -> u32 {
        if self.stages.is_empty() { self.count } else { 0 }
    }
}

impl Stream {
    /// Whether it may connect now: by its group's stages, and since it does not already.
    pub(super) fn may_connect(&self) -> bool {
        self.is_wanted && self.phase == Phase::Away
    }
}

impl EventLoop {
    /// The load begins: the streams of groups with stages come and go from now on.
    pub(super) fn begin_stages(&mut self) {
        let now = Instant::now();
        let (mut group, mut number) = (0, 0);
        for stream in &self.streams {
            if stream.group != group {
                (group, number) = (stream.group, 0);
            }
            for (at, comes) in steps(&self.groups[group].stages, number) {
                self.timers.add(now + at, stream.index, 0, if comes { Task::Come } else { Task::Go });
            }
            number += 1;
        }
    }

    /// A stream comes.
    pub(super) fn come(&mut self, index: u32, due: Instant) {
        let stream = &mut self.streams[index as usize];
        stream.is_wanted = true;
        if stream.phase == Phase::Away {
            self.connect(index, due);
        }
    }

    /// A stream goes, and does not come back by itself.
    pub(super) fn go(&mut self, index: u32) {
        let stream = &mut self.streams[index as usize];
        stream.is_wanted = false;
        if stream.phase != Phase::Away {
            self.abandon(index, Ended::Left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Span;

    #[test]
    fn as_many_streams_are_there_as_the_stages_say() {
        let stage = |to, seconds| Stage { to, over: Span(Duration::from_secs(seconds)) };
        // Up to 10, held, up to 20 at once, held, down to 5, down to none.
        let stages = [stage(10.0, 10), stage(10.0, 5), stage(20.0, 0), stage(20.0, 5), stage(5.0, 15), stage(0.0, 5)];
        let is_there = |stream, at: f64| {
            let steps = steps(&stages, stream);
            steps.iter().rev().find(|(step, _)| step.as_secs_f64() <= at).is_some_and(|(_, comes)| *comes)
        };
        let count = |at: f64| (0..30).filter(|stream| is_there(*stream, at)).count();
        for (at, expected) in [
            (0.0, 0),
            (0.99, 0),
            (1.0, 1),
            (5.5, 5),
            (12.0, 10),
            (15.0, 20),
            (19.0, 20),
            (25.5, 14),
            (36.0, 3),
            (41.0, 0),
        ] {
            assert_eq!(count(at), expected, "at {at} s");
        }
        assert_eq!(steps(&stages, 20), []);
        assert_eq!(steps(&[], 0), []);
    }
}
