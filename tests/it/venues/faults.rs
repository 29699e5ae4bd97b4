//! The fault table: what each venue can do wrong, over a real websocket and a whole gateway. Each time clients see what
//! `docs/outages.md` says, other symbols and feeds go on, and no old price is ever shown as live, which the clients
//! judge by each tick.

use super::{
    NO_SOCKET, address, credentials,
    order::quotes_have_times,
    row::{Case, Row, count},
    spec, symbols,
};
use std::{thread::scope, time::Duration};
use tickfan::venue::{self, Setup, Silence};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};
use venue_sim::{DIALECTS, Dialect, Manner, Part};

fn any(_: &mut dyn Dialect) -> bool {
    true
}

/// Whether the venue refuses names that it does not know.
fn checks_names(manner: &Manner) -> bool {
    manner.checks_names
}

/// Whether the feed awaits answers: a venue that answers only what it refuses may say nothing.
fn is_awaited(manner: &Manner) -> bool {
    let listed = symbols(manner, ["A".to_owned()].into_iter());
    let spec = spec(manner);
    let credentials = credentials(spec);
    let url = address(manner, NO_SOCKET);
    let setup = Setup { url: Some(&url), symbols: &listed, credentials: credentials.as_ref(), playback: None };
    let requests = venue::new(spec, &setup).unwrap().open();
    requests.iter().any(|request| request.silence != Silence::Accepts)
}

/// Plays rows at once: they mostly wait.
pub(super) fn at_once(rows: &[fn()]) {
    scope(|scope| rows.iter().for_each(|row| _ = scope.spawn(row)));
}

#[test]
fn a_connection_that_ends() {
    at_once(&[
        || {
            Row::new("cut").play(any, |case| {
                drop(case.start());
                case.both_show("stale", "connection_lost");
                let _line = case.recovers();
                case.lost_by("io", 1);
            });
        },
        || {
            Row::new("closed").play(any, |case| {
                // Some venues close a connection without a word for a newer one.
                let away = CloseFrame { code: CloseCode::Away, reason: "".into() };
                case.start().act(|_| vec![Message::Close(Some(away))]);
                case.both_show("stale", "connection_lost");
                let _line = case.recovers();
                case.lost_by("closed", 1);
            });
        },
        || {
            Row::new("planned").play(
                |dialect| dialect.planned_end().is_some(),
                |case| {
                    let line = case.start();
                    line.send(|dialect| dialect.planned_end().unwrap());
                    let next = case.mock().line();
                    case.reports("replaced", |report| {
                        for place in [0, 1] {
                            let number = case.trade(&line, place);
                            case.trade_again(&next, place, number);
                        }
                        count(&report["counters"]["rotations"]["seamless"]) == 1
                    });
                    case.all_go_on(&next);
                    case.never_lost();
                    [0, 1].into_iter().for_each(|place| case.is_unseen(place));
                    assert_eq!((case.holes(), case.mock().more_lines().len()), (0, 0));
                    assert!(line.is_left());
                },
            );
        },
        || {
            Row::new("gap").play(
                |dialect| dialect.lose_a_frame(),
                |case| {
                    let line = case.start();
                    line.act(|dialect| {
                        assert!(dialect.lose_a_frame());
                        dialect.heartbeat().map(Message::text).into_iter().collect()
                    });
                    case.trade(&line, 0);
                    case.both_show("stale", "gap");
                    let _line = case.recovers();
                    case.lost_by("gap", 1);
                },
            );
        },
        || {
            Row::new("passing").play(
                |dialect| dialect.passing_error().is_some(),
                |case| {
                    let line = case.start();
                    line.send(|dialect| dialect.passing_error().unwrap());
                    case.both_show("stale", "connection_lost");
                    let _line = case.recovers();
                    case.lost_by("failed", 1);
                },
            );
        },
        || {
            Row::new("fatal").play(
                |dialect| dialect.fatal_error().is_some(),
                |case| {
                    let line = case.start();
                    line.send(|dialect| dialect.fatal_error().unwrap());
                    case.waits_for_refusal();
                    case.lost_by("denied", 1);
                    assert_eq!(case.mock().connected().len(), 1, "the next attempt comes after minutes");
                },
            );
        },
    ]);
}

impl Case<'_> {
    /// Waits until both symbols are refused for a reason that a person can mend.
    fn waits_for_refusal(&self) {
        for place in [0, 1] {
            self.waits(place, "refused", |shown| {
                shown.is("refused", "unauthorized") || shown.is("refused", "not_entitled")
            });
        }
    }
}

#[test]
fn a_venue_that_falls_silent() {
    const SOON: Duration = Duration::from_millis(400);
    at_once(&[
        || {
            let mut row = Row::new("mute");
            row.mute_after = SOON;
            row.play(any, |case| {
                let _lines = case.trades_until_live();
                case.were_live_then(&["stale mute"]);
                case.lost_by("no_data", 1);
            });
        },
        || {
            let mut row = Row::new("beats");
            row.mute_after = SOON;
            row.play(
                |dialect| dialect.heartbeat().is_some(),
                |case| {
                    let lines = case.trades_until_live();
                    let beats = || lines[lines.len() - 1].send(|dialect| dialect.heartbeat().unwrap());
                    case.reports("replaced", |report| {
                        beats();
                        count(&report["counters"]["disconnects"]["no_data"]) > 0
                    });
                    case.were_live_then(&["stale mute"]);
                    case.lost_by("no_data", 1);
                },
            );
        },
        || {
            let mut row = Row::new("beatless");
            row.timing.venue_heartbeat = Some(SOON);
            row.play(
                |dialect| dialect.heartbeat().is_some(),
                |case| {
                    let _lines = case.trades_until_live();
                    case.were_live_then(&["stale connection_lost"]);
                    case.lost_by("no_heartbeat", 1);
                },
            );
        },
    ]);
}

#[test]
fn a_venue_that_refuses() {
    at_once(&[
        || {
            let mut row = Row::new("one-refused");
            row.refused = &[1];
            row.play_with(checks_names, |case| {
                let line = case.connect();
                case.shows(1, "refused", "not_granted");
                case.goes_on(&line, 0);
                case.never_lost();
            });
        },
        || {
            let mut row = Row::new("all-refused");
            row.refused = &[0, 1];
            row.play_with(checks_names, |case| {
                let _line = case.mock().line();
                case.both_show("refused", "not_granted");
            });
        },
        || {
            let mut row = Row::new("deaf");
            row.deaf = true;
            // Long enough for the first trades on a busy machine: a symbol that a silence refused stays refused.
            row.timing.acknowledgement = Duration::from_secs(3);
            row.play_with(is_awaited, |case| {
                let _lines = case.trades_until_live();
                case.were_live_then(&["stale connection_lost", "refused not_granted"]);
                let report = case.report();
                let mut reasons = report["counters"]["disconnects"].as_object().unwrap().keys();
                assert!(reasons.all(|reason| ["unacknowledged", "refused"].contains(&reason.as_str())), "{report:#}");
            });
        },
        || handshake("401", &["HTTP/1.1 401 Unauthorized\r\n\r\n"], Some("unauthorized")),
        || handshake("403", &["HTTP/1.1 403 Forbidden\r\n\r\n"], Some("not_entitled")),
        || handshake("429", &["HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\n\r\n"], None),
        || handshake("503", &["HTTP/1.1 503 Service Unavailable\r\n\r\n"; 2], None),
    ]);
}

/// A venue that answers its first handshakes so: the symbols are refused for this reason, or nothing is shown and the
/// feed comes back.
fn handshake(name: &'static str, answers: &'static [&'static str], denied: Option<&str>) {
    let mut row = Row::new(name);
    row.handshakes = answers;
    row.play(any, |case| {
        if let Some(reason) = denied {
            case.both_show("refused", reason);
            case.lost_by("denied", 1);
            assert_eq!(case.mock().connected().len(), 1, "the next attempt comes after minutes");
            return;
        }
        let _line = case.start();
        case.lost_by("http", answers.len() as u64);
        case.is_unseen(0);
        let connected = case.mock().connected();
        if answers[0].contains("retry-after: 1") {
            assert!(connected[1] - connected[0] >= Duration::from_secs(1), "it waits as long as the venue asks");
        }
    });
}

#[test]
fn rule_9_a_venue_that_sends_nonsense() {
    at_once(&[
        || {
            Row::new("nonsense").play(any, |case| {
                let line = case.start();
                let nonsense = nonsense(case);
                let count_of_nonsense = nonsense.len() as u64;
                line.act(|_| nonsense);
                let name = case.name(0);
                let number = case.next();
                line.send(move |dialect| dialect.trade(&name, number, &"9".repeat(400), "1"));
                case.all_go_on(&line);
                case.reports("counting all of it", |report| {
                    let errors = report["counters"]["decode_errors"].as_object().unwrap();
                    let dropped = errors.values().map(count).sum::<u64>();
                    let counted = dropped + count(&report["counters"]["messages"]["other"]);
                    counted >= count_of_nonsense && dropped >= NOT_JSON
                });
                case.never_lost();
                assert_eq!(case.holes(), 0);
                case.is_unseen(0);
            });
        },
        || {
            Row::new("not-utf8").play(any, |case| {
                let line = case.start();
                let frame = Frame::message(vec![b'"', 0xff, b'"'], OpCode::Data(Data::Text), true);
                line.act(|_| vec![Message::Frame(frame)]);
                case.both_show("stale", "connection_lost");
                let _line = case.recovers();
                case.lost_by("protocol", 1);
            });
        },
        || {
            Row::new("oversize").play(any, |case| {
                let line = case.start();
                line.act(|_| vec![Message::text(" ".repeat(8 << 20))]);
                case.both_show("stale", "connection_lost");
                let _line = case.recovers();
                case.lost_by("oversize", 1);
            });
        },
    ]);
}

/// How many of these cannot be read as JSON, at least.
const NOT_JSON: u64 = 7;

/// Frames that say nothing of this feed's symbols.
fn nonsense(case: &Case<'_>) -> Vec<Message> {
    let trade = (case.manner().new)(&[]).trade(&case.name(0), 1, "1.5", "3");
    let mut not_utf8 = trade.clone().into_bytes();
    not_utf8[trade.len() / 2] = 0xff;
    let mut frames = vec![
        Message::text(""),
        Message::text("no JSON"),
        Message::text(&trade[..trade.len() / 2]),
        Message::binary(not_utf8),
        Message::binary(vec![0, 1, 2, 0xfe]),
        Message::text("[".repeat(10_000)),
        Message::text(r#"{"data":"#.repeat(10_000)),
    ];
    frames.extend(
        ["null", "1e999", r#""text""#, "[]", "{}", "[[[]]]", r#"{"event":"news","data":[1]}"#].map(Message::text),
    );
    let others = DIALECTS.iter().filter(|other| other.venue != case.manner().venue);
    for (other, mut dialect) in others.map(|other| (other, (other.new)(&[]))) {
        let (_, name) = other.symbols[0];
        frames.push(Message::text(dialect.trade(name, 1, "1.5", "3")));
        frames.extend(dialect.quote(name, 2, "1", "2").map(Message::text));
    }
    frames
}

#[test]
fn rule_8_a_venue_that_repeats_itself_or_jumps_in_time() {
    at_once(&[
        || {
            Row::new("backlog").play_with(
                |manner| !manner.by_arrival.contains(&Part::Trade),
                |case| {
                    let line = case.start();
                    let trades = [0; 3].map(|place| case.trade(&line, place));
                    let quotes = [0; 3].map(|place| case.quote(&line, place));
                    case.all_go_on(&line);
                    drop(line);
                    case.both_show("stale", "connection_lost");
                    let line = case.connect();
                    trades.iter().for_each(|number| case.trade_again(&line, 0, *number));
                    if quotes_have_times(case.manner()) {
                        quotes.iter().flatten().for_each(|number| case.quote_again(&line, 0, *number));
                    }
                    case.goes_on(&line, 1);
                    assert!(case.shown(0).is("stale", "connection_lost"), "{:?}", case.shown(0));
                    case.all_go_on(&line);
                },
            );
        },
        || {
            Row::new("repeats").play_with(
                |manner| !manner.by_arrival.contains(&Part::Trade),
                |case| {
                    let line = case.start();
                    let sent = [0; 3].map(|place| case.trade(&line, place));
                    for number in sent {
                        case.trade_again(&line, 0, number);
                    }
                    case.goes_on(&line, 1);
                    assert_eq!(case.shown(0).numbers[0], sent[2]);
                    case.all_go_on(&line);
                    case.never_lost();
                },
            );
        },
        || {
            Row::new("times").play(any, |case| {
                let line = case.start();
                // 2100 and 1970, while the stocks' market is open.
                for micros in [4_102_758_000_000_000, 140_400_000_000] {
                    let name = case.name(0);
                    let number = case.next();
                    line.send(move |dialect| dialect.trade_at(&name, number, micros, &format!("{number}.5"), "3"));
                    case.waits(0, "live with a trade of a strange time", |shown| {
                        shown.state == "live" && shown.numbers[0] == number
                    });
                    case.all_go_on(&line);
                }
                case.never_lost();
            });
        },
        || {
            Row::new("facts").play(
                |dialect| dialect.decimals("AAPL").is_some(),
                |case| {
                    let line = case.start();
                    let name = case.name(0);
                    line.send(move |dialect| dialect.decimals(&name).unwrap());
                    // What comes after it is there.
                    case.all_go_on(&line);
                    let listed = [case.listed(0), case.listed(1)];
                    assert_eq!([&listed[0]["price_digits"], &listed[0]["size_digits"]], [2, 8], "{listed:?}");
                    assert!(listed[1].get("price_digits").is_none(), "{listed:?}");
                    case.is_unseen(0);
                    case.never_lost();
                },
            );
        },
        || {
            Row::new("halt").play(
                |dialect| dialect.halt("AAPL", 1).is_some(),
                |case| {
                    let line = case.start();
                    let name = case.name(0);
                    let [number, _] = [case.next(), case.next()];
                    let (resume_tx, resume_rx) = std::sync::mpsc::channel();
                    line.send(move |dialect| {
                        let [halt, resume] = dialect.halt(&name, number).unwrap();
                        resume_tx.send(resume).unwrap();
                        halt
                    });
                    case.waits(0, "halted", |shown| shown.state == "halted");
                    let resume = resume_rx.recv().unwrap();
                    line.send(|_| resume);
                    case.waits(0, "live", |shown| shown.state == "live");
                    case.all_go_on(&line);
                    case.never_lost();
                },
            );
        },
    ]);
}
