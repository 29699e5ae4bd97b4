//! Sessions as venues send them, from an owner to a follower.

use super::*;
use crate::{
    market::{Guards, Now, Snapshot, Update},
    venue::{self, Batch, Credentials, CredentialsRule, ListedSymbol, Setup, Spec, VENUES, Venue},
};
use std::{collections::VecDeque, fs, io::Read as _, path::Path};

/// How many of the newest updates the venue sends again to an heir.
const REPEATED: usize = 40;

fn connect(spec: &'static Spec) -> Box<dyn Venue> {
    let listed = |symbol: &&str| symbol.parse::<crate::market::Symbol>().unwrap().into();
    let symbols: Vec<ListedSymbol> = spec.examples.iter().take(2).map(listed).collect();
    let credentials = Credentials::new("key", "secret");
    let credentials = (!matches!(spec.credentials, CredentialsRule::Public)).then_some(&credentials);
    let mut venue = venue::new(spec, &Setup { url: None, symbols: &symbols, credentials, playback: None }).unwrap();
    venue.open();
    venue
}

/// The updates of the frames of a venue, in slices as it reads them.
fn updates(spec: &'static Spec, frames: &str) -> Vec<Update> {
    let mut venue = connect(spec);
    let mut batch = Batch::default();
    for frame in frames.lines() {
        batch.read_on = 0;
        while venue.read(frame.as_bytes(), &mut batch).is_ok() && batch.read_on > 0 {}
    }
    batch.updates
}

/// Gives the last updates of a symbol again, over a new connection. Returns which of them became trades.
fn repeat(mut snapshot: Snapshot, mut guards: Guards, updates: &VecDeque<Update>, now: Now) -> (Snapshot, Vec<bool>) {
    snapshot.outage(Reason::Reconnect, &mut guards, now);
    let mut apply = |update: &Update| snapshot.apply(update, &mut guards, now).changed.contains(Part::Trade);
    let became = updates.iter().map(&mut apply).collect();
    (snapshot, became)
}

/// Sends a session to a follower, tick by tick. Returns how many ticks it had, and their bytes.
fn follow(updates: &[Update]) -> (usize, usize) {
    let mut symbols = [OwnSymbol::new(0, "A"), OwnSymbol::new(1, "B")];
    let mut followed = symbols.clone().map(|symbol| (symbol.shown, Guards::default()));
    let mut recent = [VecDeque::new(), VecDeque::new()];
    let mut batch = batch(token(1, 1));
    let mut at = now();
    let (mut ticks, mut bytes) = (0, 0);
    for update in updates {
        let place = update.symbol.index();
        // The venues' times are from other days: ours follows them, so that they are plausible.
        let time = update.trade.and_then(|trade| trade.sequence.time).filter(|time| *time > at.unix);
        at.unix = time.unwrap_or(UnixMicros(at.unix.0 + 900));
        recent[place].push_back(*update);
        if recent[place].len() > REPEATED {
            recent[place].pop_front();
        }
        if !symbols[place].apply(at.unix.0.cast_unsigned(), update, at) {
            continue;
        }
        batch.push(&symbols[place].tick());
        let message = seal(&mut batch);
        let tick = only_tick(&message);
        let (snapshot, guards) = &mut followed[place];
        tick.merge_into(snapshot, guards);
        assert_eq!(*snapshot, symbols[place].shown);
        if tick.full.is_none() {
            ticks += 1;
            bytes += message.len() - HEAD_BYTES;
        }

        let heirs = repeat(*snapshot, *guards, &recent[place], at);
        assert_eq!(heirs, repeat(symbols[place].shown, symbols[place].shown_guards, &recent[place], at));
        for (update, became_trade) in recent[place].iter().zip(heirs.1) {
            let sequence = update.trade.map(|trade| trade.sequence);
            let is_ordered =
                sequence.is_some_and(|place| place.id.is_some() && place.time.is_some() && !place.by_arrival);
            assert!(!(is_ordered && became_trade), "taken twice: {update:?}");
        }
    }
    (ticks, bytes)
}

#[test]
fn an_heir_has_the_state_of_each_recorded_update_and_takes_no_trade_twice() {
    for spec in VENUES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/venues/{}.jsonl", spec.name));
        if path.exists() {
            let updates = updates(spec, &fs::read_to_string(path).unwrap());
            assert!(updates.iter().any(|update| update.trade.is_some()), "{}", spec.name);
            follow(&updates);
        }
    }
    let Some(folder) = std::env::var_os("TEST_RECORDINGS") else { return };
    let file = fs::File::open(Path::new(&folder).join("binance.txt.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let frames: Vec<&str> = text.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    let (ticks, bytes) = follow(&updates(venue::find("binance").unwrap(), &frames.join("\n")));
    assert!(ticks > 10_000 && bytes <= ticks * 45, "{bytes} bytes in {ticks} ticks");
}
