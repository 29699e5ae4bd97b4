//! What happened when in a run: the load, outages, bursts and stages, on the time of the timeline.

use super::observed::Observed;
use crate::{
    report::{Mark, MarkKind},
    scenario::{Outage, OutageKind},
    venue::Load,
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
    marks.extend(run.outages.iter().filter_map(|outage| of_outage(outage, load)).take(MARKS_MAX));
    match venue.load() {
        // Updates are due since before the start: the cycle began then.
        Load::Bursts { every, lasts, .. } => {
            let before = venue.due_since().map_or(Duration::ZERO, |at| observed.begun.saturating_duration_since(at));
            marks.extend(bursts(before, *every, *lasts, load.1));
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

/// An outage, which ends with the load at the latest; `None` if the load had ended before.
fn of_outage(outage: &Outage, (begin, end): (Duration, Duration)) -> Option<Mark> {
    let from = begin + outage.at.0;
    let what = match outage.kind {
        OutageKind::Break => "break",
        OutageKind::Mute => "mute",
    };
    (from < end).then(|| mark(MarkKind::Outage, from, (from + outage.lasts.0).min(end), what.to_owned()))
}

/// The bursts of a cycle that began so long before the start.
fn bursts(before: Duration, every: Duration, lasts: Duration, end: Duration) -> Vec<Mark> {
    let starts = (0..).map(|number| every * number);
    let in_run =
        starts.skip_while(|at| *at + lasts <= before).map(|at| (at.saturating_sub(before), at + lasts - before));
    let in_time = in_run.take_while(|(from, _)| *from < end).take(MARKS_MAX);
    in_time.map(|(from, to)| mark(MarkKind::Burst, from, to.min(end), String::new())).collect()
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
        let outage = |text: &str| of_outage(&text.parse().unwrap(), load);
        assert_eq!(
            places(&[outage("break:3s:2s").unwrap(), outage("mute:9s:5s").unwrap()]),
            [(5.0, 7.0), (11.0, 12.0)]
        );
        assert_eq!(outage("break:10s:1s"), None);
        // The cycle began three seconds before: its first burst is over, the next is in two seconds.
        assert_eq!(places(&bursts(s(3), s(5), s(1), s(12))), [(2.0, 3.0), (7.0, 8.0)]);
        assert_eq!(places(&bursts(s(3), s(5), s(4), s(4))), [(0.0, 1.0), (2.0, 4.0)]);
        assert_eq!(bursts(Duration::ZERO, Duration::from_millis(1), Duration::from_millis(1), s(60)).len(), MARKS_MAX);
        let stages = [4, 4, 4].map(|seconds| (s(seconds), String::new()));
        assert_eq!(places(&of_stages(stages.into_iter(), load)), [(2.0, 6.0), (6.0, 10.0), (10.0, 12.0)]);
    }
}
