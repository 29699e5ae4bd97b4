//! What no line of a gateway's log may hold, and a look at all lines for it. `e2e/support/logs.mjs` is the same for the
//! gateways there; both are tried on the lines of `tests/fixtures/log_lines.txt`.

use std::{
    collections::HashMap,
    io,
    process::Output,
    sync::{Arc, Mutex, OnceLock, mpsc},
    thread,
};
use tickfan::telemetry::LogFilter;
use tracing_subscriber::{Layer as _, fmt, fmt::MakeWriter, layer::SubscriberExt as _};

/// The lengths of what base64url makes of a ticket, of a name that changes a stream, and of the signatures of HS256,
/// ES256 and EdDSA, and RS256 with keys of 2,048, 3,072 and 4,096 bits.
const LENGTHS: [usize; 7] = [22, 50, 43, 86, 342, 512, 683];

/// What a line gives away, if anything: a token, a ticket, a cookie, a query, or a name that changes a stream.
pub fn secret_in(line: &str) -> Option<&'static str> {
    let after = |marker: &str| line.split(marker).skip(1).map(str::to_owned).collect::<Vec<_>>();
    let begins_with =
        |text: &str, count: usize| text.chars().take_while(|letter| is_base64url(*letter)).count() >= count;
    if after("eyJ").iter().any(|rest| begins_with(rest, 8)) {
        return Some("a token");
    }
    if after("__Host-tickfan=").iter().any(|rest| begins_with(rest, 1)) {
        return Some("a cookie");
    }
    if after("/v1/streams/").iter().any(|rest| begins_with(rest, 1)) {
        return Some("a name that changes a stream");
    }
    if line.split(['?', '&']).skip(1).any(|rest| rest.split_once('=').is_some_and(|(name, _)| is_parameter(name))) {
        return Some("a query");
    }
    let line = line.replace("==", "__"); // padding: none of ours has any
    line.split(|letter| !is_base64url(letter)).any(is_encoded).then_some("a ticket, or the like")
}

fn is_base64url(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '-' || letter == '_'
}

/// Whether these letters can be the name of a parameter.
fn is_parameter(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// Whether a word can be random bytes of one of the lengths: both cases, and no bit behind the last byte.
fn is_encoded(word: &str) -> bool {
    let last = match word.len() % 4 {
        0 => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
        2 => "AQgw",
        3 => "AEIMQUYcgkosw048",
        _ => return false,
    };
    LENGTHS.contains(&word.len())
        && word.ends_with(|letter| last.contains(letter))
        && word.contains(|letter: char| letter.is_ascii_uppercase())
        && word.contains(|letter: char| letter.is_ascii_lowercase())
}

/// The value of a field of a line.
fn field(line: &str, marker: &str) -> Option<String> {
    let value = line.split_once(marker)?.1.split_ascii_whitespace().next()?;
    Some(value.trim_matches('"').to_owned())
}

/// Looks at lines of a log, and keeps those that give something away.
#[derive(Clone, Default)]
pub struct LogWatch(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    secrets: Vec<String>,
    /// Tests that wait for a line.
    followers: Vec<mpsc::Sender<String>>,
    /// Why credentials did not count, by the request's id.
    reasons: HashMap<String, String>,
}

impl LogWatch {
    pub fn look(&self, line: &str) {
        let mut seen = self.0.lock().unwrap();
        if let Some(what) = secret_in(line) {
            seen.secrets.push(format!("{what}: {line}"));
        }
        if let Some((id, reason)) = field(line, "request_id=").zip(field(line, "reason=")) {
            seen.reasons.insert(id, reason);
        }
        seen.followers.retain(|follower| follower.send(line.to_owned()).is_ok());
    }

    /// All lines from now on.
    pub fn follow(&self) -> mpsc::Receiver<String> {
        let (lines_tx, lines) = mpsc::channel();
        self.0.lock().unwrap().followers.push(lines_tx);
        lines
    }

    /// Why the credentials of a request did not count, as the log says: `reason` of `tickfan_auth_refusals_total`.
    pub fn reason_of(&self, request_id: &str) -> Option<String> {
        self.0.lock().unwrap().reasons.get(request_id).cloned()
    }

    /// Fails a test that has not failed already, if a line has given something away.
    pub fn check(&self) {
        let found = self.0.lock().unwrap().secrets.clone();
        assert!(found.is_empty() || thread::panicking(), "the log gives away {found:#?}");
    }

    /// Looks at all that this process logs, at every level.
    pub fn of_this_process() -> &'static Self {
        static WATCH: OnceLock<LogWatch> = OnceLock::new();
        WATCH.get_or_init(|| {
            let watch = Self::default();
            let filter: LogFilter = "trace".parse().unwrap();
            let lines = fmt::layer().with_ansi(false).with_writer(watch.clone()).with_filter(filter);
            tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines)).unwrap();
            watch
        })
    }
}

/// What a program has written that a test started without [`Process`](super::process::Process). Fails the test if a
/// line gives something away.
pub fn looked_at(output: Output) -> Output {
    let watch = LogWatch::default();
    for text in [&output.stdout, &output.stderr] {
        String::from_utf8_lossy(text).lines().for_each(|line| watch.look(line));
    }
    watch.check();
    output
}

impl<'a> MakeWriter<'a> for LogWatch {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Each write is a line.
impl io::Write for LogWatch {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.look(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
