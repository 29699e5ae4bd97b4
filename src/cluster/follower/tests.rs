//! The table of states, row by row.

use super::*;
use crate::{
    cluster::{
        batch::{OpenBatch, Sealed},
        history::{History, SnapshotWriter},
        message::{Beat, DecodeError, Sender, Tick, write_beat, write_busy, write_end, write_gone},
        support::{OwnSymbol, each, millis, token},
    },
    feed::FeedState,
    market::UnixMicros,
};
use bytes::Bytes;

#[path = "probe_tests.rs"]
mod probes;
#[path = "repair_tests.rs"]
mod repairs;
#[path = "token_tests.rs"]
mod tokens;

const STALE_AFTER: Duration = Duration::from_secs(2);
const NAMES: [&str; 2] = ["A", "B"];

/// A book that notes only numbers.
#[derive(Default)]
struct Notes {
    have: [Option<Have>; 3],
    steps: Vec<(u32, u64, Step)>,
    absent: Vec<u32>,
    is_live: bool,
    /// Which ticks it took while it was live.
    live: Vec<u64>,
}

impl Book for Notes {
    fn len(&self) -> u32 {
        3
    }

    fn find(&self, name: &str) -> Option<Place> {
        ["A", "B", "C"].iter().position(|known| *known == name).map(|place| Place(place as u32))
    }

    fn have(&self, place: Place) -> Option<Have> {
        self.have[place.0 as usize]
    }

    fn take(&mut self, place: Place, epoch: Epoch, tick: &Tick<'_>, step: Step) {
        self.have[place.0 as usize] = Some(Have { epoch, seq: tick.seq });
        self.steps.push((place.0, tick.seq, step));
        self.live.extend(self.is_live.then_some(tick.seq));
    }

    fn absent(&mut self, place: Place) {
        self.absent.push(place.0);
    }

    fn cut_off(&mut self, _: CutOff) {
        assert!(std::mem::replace(&mut self.is_live, false));
    }

    fn restore(&mut self) {
        assert!(!std::mem::replace(&mut self.is_live, true));
    }
}

/// An owner and a follower of it, whose clocks show the same.
struct Pair {
    token: Token,
    symbols: Vec<OwnSymbol>,
    batch: OpenBatch,
    history: History,
    follower: Follower,
    book: Notes,
    now: u64,
    actions: Vec<Action>,
}

impl Pair {
    fn new() -> Self {
        let token = token(3, 7);
        let symbols = NAMES.iter().zip(0..).map(|(name, index)| OwnSymbol::new(index, name)).collect();
        Self {
            token,
            symbols,
            batch: OpenBatch::new(token, 2, 0, Duration::ZERO),
            history: History::new(token.epoch, 0),
            follower: Follower::new(STALE_AFTER, 1),
            book: Notes::default(),
            now: 0,
            actions: Vec::new(),
        }
    }

    /// A pair whose follower is live behind an opening and one batch.
    fn live() -> Self {
        let mut pair = Self::new();
        let opening = pair.opening();
        opening.into_iter().for_each(|bytes| pair.hear(bytes));
        let batch = pair.trade();
        pair.hear(batch);
        assert_eq!(pair.state(), State::Live);
        pair.actions.clear();
        pair.book.steps.clear();
        pair.book.live.clear();
        pair
    }

    /// The same owner's successor: after a crash in a new epoch, else behind the last batch.
    fn succeed(&mut self, epoch: u64, last: u64) {
        self.token = token(self.token.term + 1, epoch);
        self.batch = OpenBatch::new(self.token, 2, last, Duration::ZERO);
        self.history = History::new(self.token.epoch, last);
    }

    fn sender(&self) -> Sender {
        Sender { token: self.token, revision: 1, table: 2, sent: millis(self.now) }
    }

    fn keep(&mut self, sealed: Sealed) -> Bytes {
        self.history.push(&sealed, millis(self.now));
        sealed.bytes
    }

    fn opening(&mut self) -> Vec<Bytes> {
        let symbols = self.symbols.clone();
        let opening = self.batch.open(each(&symbols), 1, millis(self.now));
        opening.into_iter().map(|sealed| self.keep(sealed)).collect()
    }

    /// A batch with a trade of A.
    fn trade(&mut self) -> Bytes {
        self.symbols[0].trade(1, 100);
        self.batch.push(&self.symbols[0].tick());
        let sealed = self.batch.seal(1, millis(self.now)).unwrap();
        self.keep(sealed)
    }

    fn beat(&self) -> Bytes {
        let beat = Beat { wall: UnixMicros(0), feed: FeedState::Live };
        write_beat(&beat, self.batch.last(), &self.sender())
    }

    fn snapshot(&self, last: u64) -> Vec<Bytes> {
        let mut writer = SnapshotWriter::default();
        writer.prepare(last);
        self.symbols.iter().for_each(|symbol| assert_eq!(writer.push(&symbol.tick(), &self.sender()), None));
        writer.finish(self.batch.last(), &self.sender())
    }

    fn on(&mut self, event: Event) {
        let actions = self.follower.on(event, millis(self.now), &mut self.book);
        // An ask for a beat is answered at once.
        for action in &actions {
            if let Action::Ask(id, Ask::Beat) = action {
                self.on(Event::Answer(*id, self.beat()));
            }
        }
        self.actions.extend(actions.into_iter().filter(|action| !matches!(action, Action::Ask(_, Ask::Beat))));
    }

    fn hear(&mut self, bytes: Bytes) {
        self.on(Event::Live(bytes));
    }

    fn pass(&mut self, millis: u64) {
        self.now += millis;
        self.on(Event::Due);
    }

    fn state(&self) -> State {
        self.follower.state()
    }

    /// The newest ask, and what it asks for.
    fn ask(&self) -> (AskId, Ask) {
        let ask = |action: &Action| if let Action::Ask(id, ask) = action { Some((*id, *ask)) } else { None };
        self.actions.iter().rev().find_map(ask).unwrap()
    }

    fn answer(&mut self, messages: impl IntoIterator<Item = Bytes>) {
        let (id, _) = self.ask();
        messages.into_iter().for_each(|bytes| self.on(Event::Answer(id, bytes)));
    }

    fn cause(&self) -> Cause {
        let cause = |action: &Action| if let Action::Enter { cause, .. } = action { Some(*cause) } else { None };
        self.actions.iter().rev().find_map(cause).unwrap()
    }

    /// The numbers of A's ticks that the book took since the last look.
    fn taken(&mut self) -> Vec<u64> {
        let steps = std::mem::take(&mut self.book.steps);
        steps.into_iter().filter(|(place, ..)| *place == 0).map(|(_, seq, _)| seq).collect()
    }

    fn missing(&self, from: u64, to: u64) -> Ask {
        Ask::History { epoch: self.token.epoch, from, to }
    }
}

/// A follower that repairs the hole of batch 3.
fn repairing() -> Pair {
    let mut pair = Pair::live();
    pair.trade();
    let last = pair.trade();
    pair.hear(last);
    assert_eq!(pair.state(), State::Repairing);
    pair
}

#[test]
fn cold_takes_the_first_message_as_proof_of_the_subscription_and_asks_for_a_snapshot() {
    for is_beat in [true, false] {
        let mut pair = Pair::new();
        pair.opening();
        let batch = pair.trade();
        let first = if is_beat { pair.beat() } else { batch };
        pair.hear(first);
        assert_eq!((pair.state(), pair.cause(), pair.ask().1), (State::Asking, Cause::FirstMessage, Ask::Snapshot));
        assert!(!pair.follower.is_fresh() && pair.follower.applied().is_none());
        let (next, snapshot) = (pair.trade(), pair.snapshot(2));
        pair.hear(next);
        pair.answer(snapshot);
        assert_eq!((pair.state(), pair.cause()), (State::Live, Cause::Complete));
        assert_eq!((pair.taken(), pair.book.absent.as_slice()), (vec![2], &[2][..]), "the owner does not have C");
        assert!(pair.follower.is_fresh() && pair.actions.contains(&Action::Fresh));
        assert_eq!(pair.follower.applied(), Some((pair.token.epoch, 3)));
    }
}

#[test]
fn the_first_of_an_opening_needs_no_snapshot() {
    let mut pair = Pair::new();
    pair.symbols[0].trade(1, 5);
    let opening = pair.opening();
    pair.hear(opening[0].clone());
    assert_eq!((pair.state(), pair.cause()), (State::Live, Cause::Opened));
    assert_eq!(pair.book.steps, [(0, 1, Step::Epoch), (1, 0, Step::Epoch)]);
    assert_eq!(pair.book.absent, [2]);
    assert!(pair.follower.is_fresh());
}

#[test]
fn live_applies_the_next_batch_and_counts_an_older_one() {
    let mut pair = Pair::live();
    let batch = pair.trade();
    pair.hear(batch.clone());
    pair.hear(batch);
    assert_eq!((pair.state(), pair.taken(), pair.follower.counts().duplicates), (State::Live, vec![2], 1));
    assert_eq!(pair.actions, []);
}

#[test]
fn a_snapshot_counts_only_if_it_is_whole_and_joins_the_kept_batches() {
    let mut pair = Pair::new();
    pair.opening();
    pair.trade();
    let third = pair.trade();
    pair.hear(third);
    let whole = pair.snapshot(3);
    let early = pair.snapshot(1);
    let end_of_two = write_end(2, 3, &pair.sender());
    // Without a part; without another; without its end; from before a batch that did not come.
    for answer in [whole[1..].to_vec(), vec![whole[0].clone(), end_of_two], whole[..1].to_vec(), early] {
        pair.answer(answer);
        assert_eq!(pair.state(), State::Asking);
        let (before, _) = pair.ask();
        pair.pass(1_000);
        pair.pass(500);
        assert_ne!(pair.ask().0, before, "it is asked for again");
    }
    pair.answer(whole);
    assert_eq!((pair.state(), pair.follower.applied()), (State::Live, Some((pair.token.epoch, 3))));
}

#[test]
fn opening_takes_its_batches_in_order_and_asks_if_one_is_missing() {
    let many = || {
        let mut pair = Pair::new();
        pair.symbols = (0..1_300).map(|index| OwnSymbol::new(index, &format!("S{index}"))).collect();
        pair.batch = OpenBatch::new(pair.token, 1_300, 0, Duration::ZERO);
        let opening = pair.opening();
        pair.hear(opening[0].clone());
        assert_eq!((pair.state(), pair.cause()), (State::Opening, Cause::Opening));
        assert!(!pair.follower.is_fresh(), "the other symbols are still of the epoch before");
        (pair, opening)
    };
    let (mut pair, opening) = many();
    pair.hear(opening[0].clone());
    opening[1..].iter().for_each(|bytes| pair.hear(bytes.clone()));
    assert_eq!((pair.state(), pair.follower.counts().duplicates), (State::Live, 1));
    assert_eq!((pair.follower.counts().unknown, pair.follower.is_fresh()), (1_300, true));

    let (mut pair, opening) = many();
    pair.hear(opening[2].clone());
    assert_eq!((pair.state(), pair.cause(), pair.ask().1), (State::Asking, Cause::Hole, Ask::Snapshot));
    let (mut pair, _) = many();
    let beat = pair.beat();
    pair.hear(beat);
    assert_eq!((pair.state(), pair.cause()), (State::Asking, Cause::Hole));
}

#[test]
fn a_batch_whose_tick_stands_on_a_missing_one_is_replaced_by_a_snapshot() {
    let [own, other] = [token(3, 7).epoch, token(3, 8).epoch];
    let have = |epoch, seq| Some(Have { epoch, seq });
    // The owner's next tick of A has the number 2.
    for (before, missed) in [(None, 0), (have(own, 0), 1), (have(other, 1), 0)] {
        let mut pair = Pair::live();
        pair.book.have[0] = before;
        let batch = pair.trade();
        pair.hear(batch);
        assert_eq!((pair.state(), pair.cause(), pair.taken()), (State::Asking, Cause::Damage, vec![]));
        let snapshot = pair.snapshot(3);
        pair.answer(snapshot);
        assert_eq!((pair.state(), pair.taken(), pair.follower.counts().lost), (State::Live, vec![2], missed));
    }
}

#[test]
fn a_message_that_cannot_be_read_is_counted_and_missing() {
    let mut pair = Pair::live();
    let mut batch = pair.trade().to_vec();
    batch[HEAD] ^= 1;
    pair.hear(batch.into());
    assert_eq!((pair.state(), pair.follower.counts().dropped(DecodeError::Crc)), (State::Live, 1));
    let end = write_end(0, 3, &pair.sender());
    pair.hear(end);
    assert_eq!(pair.follower.counts().dropped(DecodeError::Value), 1, "an end is not a live message");
    let next = pair.trade();
    pair.hear(next);
    assert_eq!((pair.state(), pair.ask().1), (State::Repairing, pair.missing(3, 3)));
}

/// A byte of a message behind its checksum.
const HEAD: usize = 30;

#[test]
fn rule_7_a_shard_without_messages_is_cut_off_whatever_its_state_and_a_beat_mends_it() {
    let mut pair = Pair::live();
    pair.pass(1_900);
    assert!(pair.follower.is_fresh());
    pair.pass(200);
    assert_eq!(pair.actions, [Action::CutOff(CutOff::Silent)]);
    let beat = pair.beat();
    pair.hear(beat);
    assert_eq!(pair.actions[1..], [Action::Fresh]);
    pair.on(Event::Connected(false));
    pair.pass(500);
    assert_eq!(pair.actions[2..], [Action::CutOff(CutOff::Disconnected)]);
    pair.on(Event::Connected(true));
    assert_eq!(pair.actions[3..], [Action::Fresh]);
}

#[test]
fn rule_7_a_follower_that_was_stopped_is_cut_off_before_it_takes_what_waits() {
    let mut pair = Pair::live();
    let batches: Vec<_> = (0..3).map(|_| pair.trade()).collect();
    pair.now += 12_000;
    for batch in batches {
        pair.hear(batch);
    }
    assert_eq!(pair.actions, [Action::CutOff(CutOff::Silent)]);
    assert_eq!((pair.taken().len(), pair.book.live.as_slice()), (3, &[][..]), "none was shown as live");
    let beat = pair.beat();
    pair.hear(beat);
    assert_eq!(pair.actions[1..], [Action::Fresh]);
}

#[test]
fn states_have_names_of_their_own() {
    let states = [State::Cold, State::Asking, State::Live, State::Repairing, State::Opening];
    let names: std::collections::BTreeSet<_> = states.iter().map(|state| state.name()).collect();
    assert_eq!(names.len(), states.len());
}
