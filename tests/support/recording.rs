//! Frames of Binance with their arrival times: a recorded session, or a similar one that is generated from a seed.

use flate2::read::GzDecoder;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{fs::File, io::Read, path::PathBuf, time::Duration};

/// Names the folder of recorded venue messages.
const FOLDER_VARIABLE: &str = "TEST_RECORDINGS";
const FILE: &str = "binance.txt.gz";
const SEED: u64 = 20_240_808;
const FRAMES: usize = 20_000;
/// The start of a generated session, in µs since 1970.
const BEGIN_MICROS: u64 = 1_723_125_254_000_000;

/// A session, in the order in which it came.
pub struct Recording {
    pub name: String,
    pub frames: Vec<Frame>,
}

/// A frame, and when it came, counted from the first.
#[derive(Clone)]
pub struct Frame {
    pub at: Duration,
    pub text: String,
}

impl Recording {
    /// The recorded session if there is one, else a generated one.
    pub fn open() -> Self {
        match std::env::var_os(FOLDER_VARIABLE).map(|folder| PathBuf::from(folder).join(FILE)) {
            Some(path) => Self::read(path),
            None => Self::generate(SEED),
        }
    }

    fn read(path: PathBuf) -> Self {
        let name = path.display().to_string();
        let mut text = String::new();
        let file =
            File::open(path).unwrap_or_else(|error| panic!("{FOLDER_VARIABLE} names no folder with {FILE}: {error}"));
        GzDecoder::new(file).read_to_string(&mut text).unwrap();
        let lines: Vec<(u64, &str)> = text
            .lines()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(nanos, frame)| (nanos.parse().unwrap(), frame))
            .collect();
        let begin = lines[0].0;
        let frame =
            |&(nanos, text): &(u64, &str)| Frame { at: Duration::from_nanos(nanos - begin), text: text.to_owned() };
        Self { name, frames: lines.iter().map(frame).collect() }
    }

    /// All frames, each with the time at which it is due at `speed` times the recording's own pace.
    pub fn due_at(&self, speed: f64) -> impl Iterator<Item = (Duration, &str)> {
        self.frames.iter().map(move |frame| (frame.at.div_f64(speed), frame.text.as_str()))
    }

    /// A session with the length, shapes and bursts of the recorded one, and with what that lacks: quotes that change
    /// nothing, an empty side of a book, very small numbers.
    pub fn generate(seed: u64) -> Self {
        let mut maker = Maker {
            random: SmallRng::seed_from_u64(seed),
            at: Duration::ZERO,
            markets: [
                Market::new("BTCUSDT", 6_183_763, 50_093_239_212),
                Market::new("ETHUSDT", 268_380, 35_346_513_501),
            ],
            frames: Vec::with_capacity(FRAMES),
        };
        let mut bursts = [2, 28, 48, 90].map(Duration::from_secs).into_iter().peekable();
        while maker.frames.len() < FRAMES {
            if bursts.next_if(|&at| at <= maker.at).is_some() {
                maker.worst_burst();
            }
            maker.ordinary_burst();
        }
        maker.frames.truncate(FRAMES);
        Self { name: format!("the session of seed {seed}"), frames: maker.frames }
    }

    /// The most frames that came within a time, and when the first of them came.
    pub fn densest(&self, within: Duration) -> (usize, Duration) {
        let mut first = 0;
        let mut densest = (0, Duration::ZERO);
        for (last, frame) in self.frames.iter().enumerate() {
            while frame.at - self.frames[first].at > within {
                first += 1;
            }
            densest = densest.max((last - first + 1, self.frames[first].at));
        }
        densest
    }

    /// The parts of the session around its worst bursts, short and long, one right after the other.
    pub fn worst_parts(&self) -> Self {
        let (_, short) = self.densest(Duration::from_micros(100));
        let (_, long) = self.densest(Duration::from_millis(100));
        let seconds = Duration::from_secs;
        let spans = [(short, seconds(4), seconds(5)), (long, seconds(1), seconds(2))];
        let wanted =
            |at: Duration| spans.iter().any(|&(burst, before, after)| at + before >= burst && at < burst + after);
        let mut part = Self { name: format!("parts of {}", self.name), frames: Vec::new() };
        let mut at = Duration::ZERO;
        let mut before = None;
        for frame in self.frames.iter().filter(|frame| wanted(frame.at)) {
            at += before.map_or(Duration::ZERO, |before| frame.at - before).min(seconds(1));
            before = Some(frame.at);
            part.frames.push(Frame { at, text: frame.text.clone() });
        }
        part
    }
}

/// The state of a session that is being generated.
struct Maker {
    random: SmallRng,
    at: Duration,
    markets: [Market; 2],
    frames: Vec<Frame>,
}

struct Market {
    name: &'static str,
    /// In hundredths, of the bid; the ask is one above it.
    cents: u64,
    trade_id: u64,
    quote_id: u64,
}

impl Market {
    fn new(name: &'static str, cents: u64, quote_id: u64) -> Self {
        Self { name, cents, trade_id: 3_735_683_259, quote_id }
    }
}

impl Maker {
    /// Mostly one frame or a few, now and then dozens; some 15 ms of quiet before them.
    fn ordinary_burst(&mut self) {
        let quiet = -15_000.0 * (1.0 - self.random.random::<f64>()).ln();
        self.at += Duration::from_micros(quiet as u64);
        let count = match self.random.random_range(0..100) {
            0..60 => 1,
            60..90 => self.random.random_range(2..6),
            90..99 => self.random.random_range(6..16),
            _ => self.random.random_range(20..41),
        };
        let market = self.random.random_range(0..2);
        for _ in 0..count {
            let gap = if self.random.random_bool(0.7) { 1..6 } else { 50..500 };
            self.at += Duration::from_micros(self.random.random_range(gap));
            let other = self.random.random_bool(0.1);
            self.push(if other { 1 - market } else { market });
        }
    }

    /// Over two hundred frames within 100 ms, 40 of one symbol within 0.1 ms among them.
    fn worst_burst(&mut self) {
        for index in 0..240 {
            let of_one = (100..140).contains(&index);
            self.at += Duration::from_micros(if of_one { 2 } else { self.random.random_range(100..700) });
            let market = if of_one { 0 } else { self.random.random_range(0..2) };
            self.push(market);
        }
    }

    fn push(&mut self, market: usize) {
        let random = &mut self.random;
        let market = &mut self.markets[market];
        let name = market.name;
        let stream = market.name.to_lowercase();
        let size = random.random_range(1..5_000_000_000_u64);
        let size = format!("{}.{:08}", size / 100_000_000, size % 100_000_000);
        let price = |cents: u64| format!("{}.{:02}000000", cents / 100, cents % 100);
        let text = if random.random_bool(0.2) {
            market.trade_id += 1;
            let id = market.trade_id;
            let maker = random.random_bool(0.5);
            let price = price(market.cents + u64::from(!maker));
            let micros = BEGIN_MICROS + self.at.as_micros() as u64;
            // As in a session that did not ask for microseconds.
            let time = if random.random_bool(0.5) { micros } else { micros / 1_000 };
            format!(
                r#"{{"stream":"{stream}@trade","data":{{"e":"trade","E":{time},"s":"{name}","t":{id},"p":"{price}","q":"{size}","T":{time},"m":{maker},"M":true}}}}"#
            )
        } else {
            market.quote_id += random.random_range(1..9);
            let id = market.quote_id;
            let repeated = random.random_bool(0.05).then(|| self.last_book(&stream)).flatten();
            let random = &mut self.random;
            let market = if name == "BTCUSDT" { &mut self.markets[0] } else { &mut self.markets[1] };
            market.cents = market.cents + random.random_range(0..3) - 1;
            let bid = price(market.cents);
            let ask = price(market.cents + 1);
            let book = repeated.unwrap_or_else(|| match random.random_range(0..1_000) {
                0 => format!(r#""b":"0.00000000","B":"0.00000000","a":"{ask}","A":"{size}""#),
                1 => format!(r#""b":"0.00000001","B":"{size}","a":"{ask}","A":"0.00000000""#),
                _ => format!(r#""b":"{bid}","B":"{size}","a":"{ask}","A":"3.02920000""#),
            });
            format!(r#"{{"stream":"{stream}@bookTicker","data":{{"u":{id},"s":"{name}",{book}}}}}"#)
        };
        self.frames.push(Frame { at: self.at, text });
    }

    /// The fields of the symbol's last quote, if it is not long ago.
    fn last_book(&self, stream: &str) -> Option<String> {
        let head = format!("{{\"stream\":\"{stream}@bookTicker\"");
        let last = self.frames.iter().rev().take(50).find(|frame| frame.text.starts_with(&head))?;
        let begin = last.text.find("\"b\":")?;
        Some(last.text[begin..].trim_end_matches('}').to_owned())
    }
}
