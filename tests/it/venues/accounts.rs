//! What an account lacks, as each venue says it over a real websocket: the key, the plan, a connection. The gateway
//! refuses with a reason or waits, and counts it; `docs/outages.md` has the table.

use super::{
    faults::at_once,
    row::{Case, Row},
    spec,
};
use std::time::Duration;
use tickfan::venue::CredentialsRule;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame, protocol::frame::coding::CloseCode};
use venue_sim::{Account, Manner};

/// After too many connections a feed waits at least so long.
const CROWDED: Duration = Duration::from_secs(60);
/// And so long where only a person can help: half of the five minutes of the settings, as drawn at random.
const DENIED: Duration = Duration::from_secs(150);

/// What clients see of the second of two symbols where the plan allows one. The first one lives.
const ONE_TOO_MANY: &[(&str, &str)] = &[
    // It refuses the request as a whole, and grants a shorter one.
    ("alpaca", "symbol_limit"),
    ("alpaca-crypto", "symbol_limit"),
    ("finnhub", "symbol_limit"),
    // It lists the symbol without saying why.
    ("twelvedata", "not_granted"),
];

/// Whether the venue requires a key.
fn has_key(manner: &Manner) -> bool {
    spec(manner).credentials != CredentialsRule::Public
}

fn with(name: &'static str, account: Account) -> Row {
    Row { account: Some(account), ..Row::new(name) }
}

impl Case<'_> {
    /// Waits until the connection was lost for this reason, and checks that the next attempt is so long off.
    fn waits_after(&self, reason: &str, at_least: Duration) {
        self.lost_by(reason, 1);
        let report = self.reports("waiting", |report| report["next_attempt"].is_u64());
        let [since, next] = ["since", "next_attempt"].map(|key| report[key].as_u64().unwrap());
        assert!(next - since >= at_least.as_micros() as u64, "{report:#}");
        assert_eq!(self.mock().connected().len(), 1, "{report:#}");
    }

    /// Waits until a trade of this symbol is shown.
    fn trades_on(&self, line: &venue_sim::Line, place: usize) {
        let number = self.trade(line, place);
        self.waits(place, &format!("live with trade {number}"), |shown| {
            shown.state == "live" && shown.numbers[0] == number
        });
    }
}

#[test]
fn an_account_that_is_denied() {
    at_once(&[
        || {
            Row { has_wrong_key: true, ..Row::new("wrong-key") }.play_with(has_key, |case| {
                case.both_show("refused", "unauthorized");
                case.waits_after("denied", DENIED);
            });
        },
        || {
            with("without-stream", Account::WithoutStream).play(
                |dialect| dialect.account(Account::WithoutStream),
                |case| {
                    case.both_show("refused", "not_entitled");
                    case.waits_after("denied", DENIED);
                },
            );
        },
        || {
            with("trades-only", Account::TradesOnly).play(
                |dialect| dialect.account(Account::TradesOnly),
                |case| {
                    let line = case.connect();
                    [0, 1].into_iter().for_each(|place| case.trades_on(&line, place));
                    case.never_lost();
                },
            );
        },
        || {
            with("one-too-many", Account::Symbols(1)).play(
                |dialect| dialect.account(Account::Symbols(1)),
                |case| {
                    let row = ONE_TOO_MANY.iter().find(|(venue, _)| *venue == case.manner().venue);
                    let (_, reason) = row.expect("what is shown for a symbol too many");
                    let line = case.mock().line();
                    case.shows(1, "refused", reason);
                    case.trades_on(&line, 0);
                    case.never_lost();
                },
            );
        },
    ]);
}

#[test]
fn an_account_without_a_connection_left() {
    at_once(&[
        || {
            with("no-connection", Account::NoConnectionLeft).play(
                |dialect| dialect.account(Account::NoConnectionLeft),
                |case| {
                    // Finnhub answers the handshake.
                    let reason = if case.manner().venue == "finnhub" { "http" } else { "connection_limit" };
                    case.waits_after(reason, CROWDED);
                },
            );
        },
        || {
            Row::new("evicted").play(
                |dialect| dialect.eviction().is_some(),
                |case| {
                    let line = case.start();
                    line.act(|dialect| dialect.eviction().unwrap());
                    case.both_show("stale", "connection_lost");
                    case.waits_after("connection_limit", CROWDED);
                },
            );
        },
        || {
            // What says that the server restarts is not an eviction.
            Row::new("restarts").play(
                |dialect| dialect.eviction().is_some(),
                |case| {
                    let frame = CloseFrame { code: CloseCode::Restart, reason: "".into() };
                    case.start().act(|_| vec![Message::Close(Some(frame))]);
                    case.both_show("stale", "connection_lost");
                    let _line = case.recovers();
                    case.lost_by("closed", 1);
                },
            );
        },
    ]);
}
