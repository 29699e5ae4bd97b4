//! Changes of open streams: finds the stream, passes the change to its worker, and answers once it is carried out.

use super::{
    change_rates::ChangeRates,
    control::{Control, ControlKey},
    error::ApiError,
    services::StreamSink,
};
use crate::{
    auth::Subject,
    config::Live,
    fanout::{Change, ChangeRefused, ChangeReply},
    limits::{Gate, Permit},
    telemetry::{
        catalog::STREAM_CHANGES,
        labels::{Label, labels},
    },
};
use bytes::Bytes;
use std::{sync::Arc, time::Instant};
use tokio::{sync::oneshot, time::timeout};

/// How many changes may be on their way to workers: one waits there for what a turn does before it.
const UNDER_WAY_MAX: usize = 256;

labels! {
    /// How a change ended.
    pub(super) enum ChangeOutcome {
        /// It was carried out.
        Applied = "applied",
        /// Its request is wrong.
        Bad = "bad",
        /// There is not such a stream.
        NoSuchStream = "no_such_stream",
        /// The stream has had a newer one.
        OldRevision = "old_revision",
        /// The stream is changed too often.
        TooMany = "too_many",
        /// A limit of symbols, or of the subject's streams, is reached.
        Limit = "limit",
        /// Too many are under way.
        Busy = "busy",
        /// The worker did not answer in time.
        NoReply = "no_reply",
    }
}

/// Marks permits of changes on their way.
enum UnderWay {}

/// Changes open streams.
pub(super) struct Changes {
    key: ControlKey,
    sink: Arc<dyn StreamSink>,
    rates: ChangeRates,
    under_way: Gate<UnderWay>,
    live: Live,
}

/// Takes a worker's answer, and holds the change's permit until then.
struct Reply {
    answer: oneshot::Sender<Result<Bytes, ChangeRefused>>,
    _permit: Permit<UnderWay>,
}

impl ChangeReply for Reply {
    fn reply(self: Box<Self>, outcome: Result<Bytes, ChangeRefused>) {
        // A client that no longer waits has had its answer.
        let _ = self.answer.send(outcome);
    }
}

impl Changes {
    pub(super) fn new(key: ControlKey, sink: Arc<dyn StreamSink>, live: Live) -> Self {
        STREAM_CHANGES.register_all();
        Self { key, sink, rates: ChangeRates::default(), under_way: Gate::new(UNDER_WAY_MAX), live }
    }

    /// The stream that a request names.
    ///
    /// # Errors
    /// [`ApiError::NoSuchStream`]: this process has not signed the name.
    pub(super) fn find(&self, control: &str) -> Result<Control, ApiError> {
        self.key.read(control).ok_or(ApiError::NoSuchStream)
    }

    /// Counts a request to change a stream.
    ///
    /// # Errors
    /// [`ApiError::TooManyChanges`], [`ApiError::ChangesBusy`].
    pub(super) fn count(&self, stream: Control, subject: Option<Subject>) -> Result<(), ApiError> {
        self.rates.count(stream.address, subject, Instant::now())
    }

    /// Has a stream changed by its worker; returns the JSON of the answer.
    ///
    /// # Errors
    /// Why nothing has changed; after [`ApiError::NoReply`] it may still do so.
    pub(super) async fn apply(&self, stream: Control, change: Change) -> Result<Bytes, ApiError> {
        let permit = self.under_way.try_acquire().ok_or(ApiError::ChangesBusy)?;
        let (answer_tx, answer_rx) = oneshot::channel();
        let reply = Box::new(Reply { answer: answer_tx, _permit: permit });
        self.sink.change(stream.address, stream.name, change, reply);
        match timeout(self.live.current().limits.write_timeout, answer_rx).await {
            Err(_) => Err(ApiError::NoReply),
            Ok(Err(_)) => Err(ApiError::NoSuchStream), // it has ended with its worker
            Ok(Ok(outcome)) => outcome.map_err(ApiError::from),
        }
    }
}

impl From<ChangeRefused> for ApiError {
    fn from(refused: ChangeRefused) -> Self {
        match refused {
            ChangeRefused::NoSuchStream => Self::NoSuchStream,
            ChangeRefused::OldRevision { last } => Self::OldRevision { last },
            ChangeRefused::TooManySymbols => Self::NoRoomForList,
            ChangeRefused::TooManyStreams => Self::TooManyStreams,
        }
    }
}

/// Counts a change.
pub(super) fn count(outcome: &Result<Bytes, ApiError>) {
    let outcome = match outcome {
        Ok(_) => ChangeOutcome::Applied,
        Err(ApiError::NoSuchStream) => ChangeOutcome::NoSuchStream,
        Err(ApiError::OldRevision { .. }) => ChangeOutcome::OldRevision,
        Err(ApiError::TooManyChanges) => ChangeOutcome::TooMany,
        Err(ApiError::NoRoomForList | ApiError::TooManyStreams) => ChangeOutcome::Limit,
        Err(ApiError::ChangesBusy) => ChangeOutcome::Busy,
        Err(ApiError::NoReply) => ChangeOutcome::NoReply,
        Err(_) => ChangeOutcome::Bad,
    };
    STREAM_CHANGES.handle([outcome.label().into()]).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::WorkerIndex,
        config::Config,
        fanout::{NewStream, StreamAddress},
        tls::Session,
        wire::StreamName,
    };
    use std::{io, sync::Mutex, time::Duration};
    use tokio::net::TcpStream;

    /// Workers that answer nothing.
    #[derive(Default)]
    struct Stuck(Mutex<Vec<Box<dyn ChangeReply>>>);

    impl StreamSink for Stuck {
        fn open(&self, _: TcpStream, _: NewStream) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn open_tls(&self, _: TcpStream, _: Session, _: Vec<u8>, _: NewStream) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn change(&self, _: StreamAddress, _: StreamName, _: Change, reply: Box<dyn ChangeReply>) {
            self.0.lock().unwrap().push(reply);
        }
    }

    #[tokio::test]
    async fn rule_10_a_change_waits_for_its_worker_so_long_and_only_so_many_are_under_way() {
        let mut config = Config::default();
        config.limits.write_timeout = Duration::from_millis(50);
        let workers = Arc::new(Stuck::default());
        let changes = Changes::new(ControlKey::random(), workers.clone(), Live::new(config));
        let address = StreamAddress { worker: WorkerIndex::new(0).unwrap(), key: 1 };
        let stream = Control { address, name: StreamName::new(1) };
        let apply = || {
            let change = Change {
                rev: None,
                symbols: None,
                unknown: Box::default(),
                parts: None,
                interval: None,
                patches: None,
                held: None,
                rights: None,
            };
            changes.apply(stream, change)
        };
        let held: Vec<_> = (0..UNDER_WAY_MAX).map(|_| changes.under_way.try_acquire().unwrap()).collect();
        assert_eq!(apply().await, Err(ApiError::ChangesBusy));
        drop(held);
        assert_eq!(apply().await, Err(ApiError::NoReply));
        assert_eq!(changes.under_way.in_use(), 1, "it is still with the worker");
        workers.0.lock().unwrap().pop().unwrap().reply(Ok(Bytes::new()));
        assert_eq!(changes.under_way.in_use(), 0);
    }
}
