//! Asks the venue for the latest state of symbols, over HTTP beside the websocket: over the same way, with the venue's
//! own fields, and through the same guards as all updates. Whatever fails, it changes nothing.

use super::{Connection, ConnectionSetup};
use crate::{
    dial::{self, Dialer, Get, GetError},
    feed::{
        AccountPace, Sink,
        account_pace::Account,
        dial::retry_after,
        snapshots::{SnapshotResult, Snapshots},
    },
    market::{FeedSymbol, Now},
    recording,
    venue::{SnapshotRequest, SnapshotRule},
};
use http::{StatusCode, Uri};
use http_body_util::Empty;
use rustls::pki_types::ServerName;
use std::{
    fmt,
    future::pending,
    pin::Pin,
    time::{Duration, Instant, SystemTime},
};
use tokio::time::{sleep_until, timeout};

type Asking = Pin<Box<dyn Future<Output = Result<Vec<u8>, Failed>> + Send>>;

/// A request without an answer that can be used.
#[derive(Debug)]
pub(super) enum Failed {
    /// The venue's address cannot be asked.
    Address,
    /// It took longer than this in all.
    Late(Duration),
    Get(GetError),
}

/// What comes next of the requests for snapshots.
pub(super) enum Asked {
    /// One may be due.
    Due,
    Answer(Result<Vec<u8>, Failed>),
    /// The sink takes updates again: this answer came before.
    Kept(Vec<u8>),
}

/// The requests of one connection, and the one that is open.
pub(super) struct SnapshotTask {
    pub(super) schedule: Snapshots,
    pace: AccountPace,
    /// Of the open request.
    account: Option<Account>,
    dialer: Dialer,
    /// A request takes so long at most, with all that it needs.
    within: Duration,
    open: Option<Asking>,
    /// An answer that came just as the sink no longer took updates.
    kept: Option<Vec<u8>>,
}

impl SnapshotTask {
    pub(super) fn new<T>(setup: &ConnectionSetup<T>) -> Self {
        Self {
            schedule: Snapshots::new(setup.message_limit.spec().snapshots),
            pace: setup.pace.clone(),
            account: None,
            dialer: Dialer::new(setup.dialing.clone()),
            within: setup.timing.snapshot,
            open: None,
            kept: None,
        }
    }

    /// Whether an answer waits for the sink.
    pub(super) fn has_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Nothing that is open, or wanted, counts any longer.
    pub(super) fn reset(&mut self) {
        self.open = None;
        self.kept = None;
        self.schedule.reset();
    }

    /// The stream is mute, so all symbols are stale: what is open or kept would show them as live.
    pub(super) fn start_over(&mut self, is_listed: impl Fn(FeedSymbol) -> bool) {
        self.open = None;
        self.kept = None;
        self.schedule.start_over(is_listed);
    }

    fn ended(&mut self, result: SnapshotResult, retry_after: Option<Duration>, now: Instant) {
        self.schedule.ended(result, retry_after, now);
        if result == SnapshotResult::RateLimited
            && let (Some(account), Some(until)) = (self.account, self.schedule.held_until())
        {
            self.pace.hold(account, until);
        }
    }

    /// What comes next. While the stream `is_mute`, nothing is asked for. It may be dropped at any await.
    pub(super) async fn next(&mut self, may_take: bool, is_mute: bool) -> Asked {
        if may_take && let Some(kept) = self.kept.take() {
            return Asked::Kept(kept);
        }
        if let Some(open) = &mut self.open {
            let answer = open.await;
            self.open = None;
            return Asked::Answer(answer);
        }
        match self.schedule.deadline(Instant::now()) {
            Some(due) if self.kept.is_none() && !is_mute => {
                sleep_until(due.into()).await;
                Asked::Due
            }
            _ => pending().await,
        }
    }

    /// Asks, once it is the account's turn.
    fn ask(&mut self, request: Option<SnapshotRequest>, rule: SnapshotRule, now: Instant) {
        if let Some(request) = &request {
            let account = self.pace.account(request);
            if let Err(free_at) = self.pace.take_turn(account, rule.between_requests, now) {
                return self.schedule.postpone(free_at);
            }
            self.account = Some(account);
        }
        let dialer = self.dialer.clone();
        let within = self.within;
        self.open = Some(Box::pin(async move {
            let request = request.ok_or(Failed::Address)?;
            let uri: Uri = request.url.parse().map_err(|_| Failed::Address)?;
            let get = get(&uri, &request, rule, within).ok_or(Failed::Address)?;
            timeout(within, dialer.get(get)).await.map_err(|_| Failed::Late(within))?.map_err(Failed::Get)
        }));
    }
}

/// The request for this address; `None` where it is not one of HTTP.
fn get<'u>(uri: &'u Uri, request: &SnapshotRequest, rule: SnapshotRule, step: Duration) -> Option<Get<'u>> {
    let is_tls = match uri.scheme_str()? {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let server_name = if is_tls { Some(ServerName::try_from(host.to_owned()).ok()?) } else { None };
    let authority = uri.authority()?.as_str().rsplit('@').next()?;
    let mut head = dial::request(authority, uri.path_and_query()?.as_str(), "application/json");
    for (name, secret) in &request.fields {
        let mut value = http::HeaderValue::from_str(secret.expose()).ok()?;
        value.set_sensitive(true);
        head = head.header(*name, value);
    }
    Some(Get {
        host,
        port: uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
        server_name,
        request: head.body(Empty::new()).ok()?,
        body_bytes_max: rule.answer_bytes_max,
        step,
    })
}

impl Failed {
    fn result(&self) -> SnapshotResult {
        match self {
            Self::Address => SnapshotResult::Http,
            Self::Late(_) | Self::Get(GetError::Timeout(_)) => SnapshotResult::Timeout,
            Self::Get(error) => match error {
                GetError::Dial(_) => SnapshotResult::Io,
                GetError::Tls(_) => SnapshotResult::Tls,
                GetError::Status(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => SnapshotResult::Denied,
                GetError::Status(StatusCode::TOO_MANY_REQUESTS, _) => SnapshotResult::RateLimited,
                GetError::Status(status, _) if status.is_server_error() => SnapshotResult::ServerError,
                GetError::TooLong(_) => SnapshotResult::Oversize,
                GetError::Timeout(_) | GetError::Http(_) | GetError::Redirect(_) | GetError::Status(..) => {
                    SnapshotResult::Http
                }
            },
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Get(GetError::Status(_, fields)) => retry_after(fields, SystemTime::now()),
            _ => None,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("the address cannot be asked"),
            Self::Late(within) => write!(f, "no whole answer within {within:?}"),
            Self::Get(error) => match error {
                GetError::Dial(error) => write!(f, "{error}"),
                GetError::Tls(why) | GetError::Http(why) => f.write_str(why),
                GetError::Timeout(waits_for) => write!(f, "it takes too long: {waits_for}"),
                GetError::Redirect(_) => f.write_str("the venue redirects, which is not followed"),
                GetError::Status(status, _) => write!(f, "the venue answers with status {}", status.as_u16()),
                GetError::TooLong(bytes) => write!(f, "the answer has more than {bytes} bytes"),
            },
        }
    }
}

impl<S: Sink> Connection<S> {
    /// Goes on with the requests for snapshots.
    pub(super) fn take_snapshot(&mut self, asked: Asked, now: Now) {
        match asked {
            Asked::Due => self.ask_for_snapshots(now.instant),
            Asked::Kept(answer) => self.read_snapshot(&answer, now),
            Asked::Answer(Ok(answer)) if self.sink.may_take() => self.read_snapshot(&answer, now),
            Asked::Answer(Ok(answer)) => self.snapshots.kept = Some(answer),
            Asked::Answer(Err(failed)) => {
                self.snapshot_ended(failed.result(), failed.retry_after(), &failed.to_string(), now);
            }
        }
    }

    fn ask_for_snapshots(&mut self, now: Instant) {
        let Some(rule) = self.snapshots.schedule.rule() else { return };
        let Some(symbols) = self.snapshots.schedule.next(now) else { return };
        let request = self.venue.snapshots(symbols);
        self.snapshots.ask(request, rule, now);
    }

    /// Reads an answer and hands its updates on. It proves nothing of the stream, so neither the session nor the
    /// counts of the stream learn of it.
    fn read_snapshot(&mut self, answer: &[u8], now: Now) {
        // What the stream has brought before goes first.
        self.hand_on(now);
        if let Some(recorder) = &mut self.recorder {
            recorder.frame(recording::Frame::Text(answer), now);
        }
        let held = std::mem::take(&mut self.batch.updates);
        let ineligible = self.batch.ineligible;
        let read = self.venue.read(answer, &mut self.batch);
        let mut updates = std::mem::replace(&mut self.batch.updates, held);
        self.batch.ineligible = ineligible;
        if let Err(reason) = read {
            self.batch.errors.count(reason);
            return self.snapshot_ended(SnapshotResult::Unreadable, None, "the answer cannot be decoded", now);
        }
        updates.retain(|update| self.places.is_taken(update.symbol));
        let opened = self.hours.opened(now.unix);
        updates.iter_mut().for_each(|update| update.opened = opened);
        self.sink.updates(&updates, now);
        self.snapshot_ended(SnapshotResult::Read, None, "", now);
    }

    fn snapshot_ended(&mut self, result: SnapshotResult, retry_after: Option<Duration>, why: &str, now: Now) {
        self.snapshots.ended(result, retry_after, now.instant);
        self.counters.snapshot(result);
        self.reporter.snapshot(result, why);
    }
}

#[cfg(test)]
#[path = "snapshots_tests.rs"]
mod tests;
