//! The readers of all venues, with the frames that are written in `tests/fixtures/venues`.

use std::{fs, path::PathBuf};
use tickfan::{
    market::{Symbol, Update},
    telemetry::labels::Label,
    venue::{self, Batch, Credentials, CredentialsRule, DecodeError, ListedSymbol, Setup, Spec, VENUES, Venue},
};

/// A venue's reader, and rounds of the frames that are nothing but updates.
pub struct Reader {
    /// How many updates a round has.
    pub updates: usize,
    /// How many bytes.
    pub bytes: usize,
    rounds: Vec<Vec<String>>,
    venue: Box<dyn Venue>,
    batch: Batch,
}

fn fixture(spec: &Spec) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/venues/{}.jsonl", spec.name))
}

/// The venues with such frames.
pub fn all() -> impl Iterator<Item = &'static Spec> {
    VENUES.iter().copied().filter(|spec| fixture(spec).exists())
}

impl Reader {
    /// A venue's reader, for at most so many rounds where the venue numbers its frames; else for any number.
    pub fn new(spec: &'static Spec, rounds: usize) -> Self {
        let text = fs::read_to_string(fixture(spec)).unwrap();
        let frames = text.lines().map(str::to_owned).collect();
        let mut reader =
            Self { updates: 0, bytes: 0, rounds: vec![frames], venue: connect(spec), batch: Batch::default() };
        reader.keep_updates();
        reader.venue = connect(spec);
        let rising =
            RISING.iter().find(|(key, _)| reader.rounds[0].iter().any(|frame| number_in(frame, key).is_some()));
        if let Some(&(key, first)) = rising {
            let frames = reader.rounds.remove(0);
            let mut number = first..;
            let mut numbered = |frame: &String| renumber(frame, key, number.next().unwrap_or(0));
            reader.rounds = (0..rounds).map(|_| frames.iter().map(&mut numbered).collect()).collect();
        }
        reader
    }

    /// Keeps the frames that have prices and nothing that is dropped. A halt is rare, and may depend on an earlier one.
    fn keep_updates(&mut self) {
        let mut frames = std::mem::take(&mut self.rounds[0]);
        frames.retain(|frame| {
            self.batch = Batch::default();
            let is_read = self.venue.read(frame.as_bytes(), &mut self.batch).is_ok();
            let dropped: u64 = DecodeError::ALL.iter().map(|&reason| self.batch.errors.of(reason)).sum();
            let is_price = |update: &Update| update.status.is_none() && update.correction.is_none();
            let are_prices = !self.batch.updates.is_empty() && self.batch.updates.iter().all(is_price);
            // As the venue writes it, and not what it sends once: the fixture has frames with blanks, and of a list of
            // earlier trades one counts.
            let is_usual = !frame.contains(": ") && !frame.contains(r#""events":[{"type":"snapshot""#);
            let keeps = is_read && dropped == 0 && are_prices && is_usual;
            if keeps {
                self.updates += self.batch.updates.len();
                self.bytes += frame.len();
            }
            keeps
        });
        self.rounds = vec![frames];
    }

    /// Reads the frames of a round; returns how many updates they had.
    pub fn read(&mut self, round: usize) -> usize {
        let mut updates = 0;
        for frame in &self.rounds[round % self.rounds.len()] {
            self.batch.updates.clear();
            self.venue.read(frame.as_bytes(), &mut self.batch).unwrap();
            updates += self.batch.updates.len();
        }
        updates
    }
}

/// Where a venue numbers the frames of a connection, or drops a price that is repeated within its second; and the first
/// number.
const RISING: [(&str, u64); 2] = [(r#""sequence_num":"#, 0), (r#""timestamp":"#, 1_790_951_467)];

/// What stands before the bare number of this key, and behind it.
fn number_in<'a>(frame: &'a str, key: &str) -> Option<(&'a str, &'a str)> {
    let at = frame.find(key)? + key.len();
    let (head, tail) = frame.split_at(at);
    let rest = tail.trim_start_matches(|digit: char| digit.is_ascii_digit());
    (rest.len() < tail.len()).then_some((head, rest))
}

fn renumber(frame: &str, key: &str, number: u64) -> String {
    let Some((head, rest)) = number_in(frame, key) else { return frame.to_owned() };
    format!("{head}{number}{rest}")
}

fn connect(spec: &'static Spec) -> Box<dyn Venue> {
    let listed = |symbol: &&str| symbol.parse::<Symbol>().unwrap().into();
    let symbols: Vec<ListedSymbol> = spec.examples.iter().take(2).map(listed).collect();
    let credentials = Credentials::new("key", "secret");
    let credentials = (!matches!(spec.credentials, CredentialsRule::Public)).then_some(&credentials);
    let mut venue = venue::new(spec, &Setup { url: None, symbols: &symbols, credentials, playback: None }).unwrap();
    venue.open();
    venue
}
