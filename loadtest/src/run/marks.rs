//! What happened when in a run: the load, outages, bursts and stages, on the time of the timeline.

use super::observed::Observed;
use crate::{
    report::{Mark, MarkKind},
    venue::{Command, Door, Flow, Load},
};
use std::time::Duration;

/// The most marks of a kind. More could not be told from each other in a plot.
const MARKS_MAX: usize = 500;

/// All marks of a run.
pub(super) fn marks(observed: &Observed<'_>) -> Vec<Mark> {
    let run = observed.run;
    let since_start = |at: std::time::Instant| at.saturating_duration_since(observed.begun);
    let load = (since_start(observed.start.at), since_start(observed.end.at));
    let mut marks = vec![mark(MarkKind::Load, load.0, load.1, String::new())];
    let Some(venue) = run.venue else { return with_groups(marks, observed, load) };
    let commands = observed.commands.iter().map(|(at, command)| (since_start(*at), *command));
    marks.extend(outages(commands, load.1));
    let first = venue.due_since().map_or(load.0, since_start);
    match venue.load() {
        Load::Bursts { every, lasts, .. } => marks.extend(bursts(first, *every, *lasts, load.1)),
        Load::Ramp { from, to, over } => {
            let what = format!("from {from} to {to} updates per second");
            marks.extend(of_stages([(*over, what)].into_iter(), (first, load.1)));
        }
        Load::Stages { stages } => {
            let stages = stages.iter().map(|(to, over)| (*over, format!("to {to} updates per second")));
            marks.extend(of_stages(stages, load));
        }
        _ => {}
    }
    with_groups(marks, observed, load)
}

fn with_groups(mut marks: Vec<Mark>, observed: &Observed<'_>, load: (Duration, Duration)) -> Vec<Mark> {
    for group in &observed.run.streams.groups {
        let what = |to: f64| format!("to {to} streams of {}", group.name);
        marks.extend(of_stages(group.stages.iter().map(|stage| (stage.over.0, what(stage.to))), load));
    }
    marks
}

fn mark(kind: MarkKind, from: Duration, to: Duration, what: String) -> Mark {
    Mark { kind, from: from.as_secs_f64(), to: to.as_secs_f64(), what }
}

/// The outages that these commands made. One ends with the load at the latest.
fn outages(commands: impl Iterator<Item = (Duration, Command)>, end: Duration) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut begun: [Option<Duration>; 2] = [None; 2];
    let closing = [Command::Door(Door::Open), Command::Flow(Flow::Steady)].map(|command| (end, command));
    for (at, command) in commands.chain(closing) {
        let (place, what) = match command {
            Command::Door(_) => (0, "break"),
            Command::Flow(_) => (1, "mute"),
            _ => continue,
        };
        if matches!(command, Command::Door(Door::Shut) | Command::Flow(Flow::Mute)) {
            begun[place].get_or_insert(at);
        } else if let Some(from) = begun[place].take() {
            marks.push(mark(MarkKind::Outage, from, at.min(end), what.to_owned()));
        }
    }
    marks.truncate(MARKS_MAX);
    marks
}

/// The bursts of a cycle that begins then.
fn bursts(first: Duration, every: Duration, lasts: Duration, end: Duration) -> Vec<Mark> {
    let starts = (0..).map(|number| first + every * number).take_while(|at| *at < end).take(MARKS_MAX);
    starts.map(|from| mark(MarkKind::Burst, from, (from + lasts).min(end), String::new())).collect()
}

fn of_stages(stages: impl Iterator<Item = (Duration, String)>, (begin, end): (Duration, Duration)) -> Vec<Mark> {
    let mut at = begin;
    let mut marks = Vec::new();
    for (over, what) in stages.take(MARKS_MAX) {
        if at >= end {
            break;
        }
        marks.push(mark(MarkKind::Stage, at, (at + over).min(end), what));
        at += over;
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(marks: &[Mark]) -> Vec<(f64, f64)> {
        marks.iter().map(|mark| (mark.from, mark.to)).collect()
    }

    #[test]
    fn outages_bursts_and_stages_are_where_they_were_and_end_with_the_load() {
        let s = Duration::from_secs;
        let load = (s(2), s(12));
        let commands = [
            (5, Command::Door(Door::Shut)),
            (5, Command::Break),
            (6, Command::Flow(Flow::Mute)),
            (7, Command::Door(Door::Open)),
            (11, Command::Flow(Flow::Steady)),
            (11, Command::Flow(Flow::Mute)),
        ];
        let outages = outages(commands.into_iter().map(|(at, command)| (s(at), command)), s(12));
        assert_eq!(places(&outages), [(5.0, 7.0), (6.0, 11.0), (11.0, 12.0)]);
        assert!(outages.iter().map(|mark| mark.what.as_str()).eq(["break", "mute", "mute"]));
        assert_eq!(places(&bursts(s(2), s(5), s(1), s(12))), [(2.0, 3.0), (7.0, 8.0)]);
        assert_eq!(places(&bursts(s(2), s(5), s(4), s(10))), [(2.0, 6.0), (7.0, 10.0)]);
        assert_eq!(bursts(Duration::ZERO, Duration::from_millis(1), Duration::from_millis(1), s(60)).len(), MARKS_MAX);
        let stages = [4, 4, 4].map(|seconds| (s(seconds), String::new()));
        assert_eq!(places(&of_stages(stages.into_iter(), load)), [(2.0, 6.0), (6.0, 10.0), (10.0, 12.0)]);
    }
}
