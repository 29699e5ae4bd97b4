//! Parts of the data that stop while others flow.

use super::*;

const AFTER: Duration = Duration::from_secs(60);

fn silence(part_mute_after: Option<Duration>, now: Instant) -> Silence {
    Silence::new(Patience { mute_after: AFTER, part_mute_after }, now)
}

/// Feeds the parts that arrive at each second, and returns which fell silent when.
fn told(silence: &mut Silence, start: Instant, seconds: u64, arrive: impl Fn(u64) -> Vec<Part>) -> Vec<(u64, Part)> {
    let mut told = Vec::new();
    for second in 0..seconds {
        let parts: Parts = arrive(second).into_iter().collect();
        if !parts.is_empty() {
            let silent = silence.parts(parts, start + Duration::from_secs(second));
            told.extend(silent.iter().map(|part| (second, part)));
        }
    }
    told
}

#[test]
fn rule_7_a_part_that_stops_while_another_flows_is_told_once_until_it_returns() {
    use Part::{Quote, Stats, Status, Trade};
    let all = || vec![Trade, Quote, Stats];
    type Arrive = fn(u64, Vec<Part>) -> Vec<Part>;
    for (name, arrive, wanted) in [
        ("all flow", (|_, all| all) as Arrive, vec![]),
        ("trades stop", |second, all| if second < 10 { all } else { vec![Quote, Stats] }, vec![(69, Trade)]),
        ("quotes stop", |second, all| if second < 10 { all } else { vec![Trade] }, vec![(69, Quote), (69, Stats)]),
        ("all stop", |second, all| if second < 10 { all } else { vec![] }, vec![]),
        ("all stop and return", |second, all| if second % 200 < 10 { all } else { vec![] }, vec![]),
        (
            "trades return and stop",
            |second, all| if second % 200 < 10 { all } else { vec![Quote, Stats] },
            vec![(69, Trade), (269, Trade), (469, Trade)],
        ),
        ("statuses alone go on", |second, all| if second < 10 { all } else { vec![Status] }, vec![]),
        ("trades never come", |_, _| vec![Quote], vec![]),
        ("a status comes once", |second, _| if second == 0 { vec![Status, Quote] } else { vec![Quote] }, vec![]),
        ("rare trades", |second, _| if second % 59 == 0 { vec![Trade, Quote] } else { vec![Quote] }, vec![]),
    ] {
        let start = Instant::now();
        let told = told(&mut silence(Some(AFTER), start), start, 500, |second| arrive(second, all()));
        assert_eq!(told, wanted, "{name}");
    }
}

#[test]
fn a_part_is_judged_only_where_that_is_on_within_hours_and_for_each_connection() {
    let trades_stop = |second| if second == 0 { vec![Part::Trade, Part::Quote] } else { vec![Part::Quote] };
    let start = Instant::now();
    let later = |seconds| start + Duration::from_secs(seconds);
    let mut off = silence(None, start);
    assert!(!off.minds_parts() && told(&mut off, start, 500, trades_stop).is_empty());

    let mut quiet = silence(Some(AFTER), start);
    quiet.watch(false, start);
    assert!(told(&mut quiet, start, 500, trades_stop).is_empty());

    let mut again = silence(Some(AFTER), start);
    assert_eq!(told(&mut again, start, 61, trades_stop), [(60, Part::Trade)]);
    again.connected(later(70));
    assert_eq!(told(&mut again, later(70), 80, |_| vec![Part::Quote]), [(60, Part::Trade)], "it still does not come");
}
