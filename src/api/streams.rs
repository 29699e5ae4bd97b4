//! Opens the clients' streams: admits them within the limits, and hands them to the workers.

use super::{
    rejections::{Rejection, Rejections},
    services::{Services, StreamSink},
    stream_head::{busy_bytes, hello_block, response_head, stream_response},
    stream_request::StreamRequest,
};
use crate::{
    auth::Subject,
    config::{self, Live},
    fanout::{NewStream, Resume},
    limits::{Addresses, ClientAddress, Gate, Shares, Stream, Subscription},
    market::{Now, UnixMicros},
    server::{OpenStreams, Outcome, Response, Rights, Streams, TlsIo},
    telemetry::ClientName,
    wire::{Epoch, StreamName},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

/// The clients' streams.
pub(super) struct ClientStreams {
    sink: Arc<dyn StreamSink>,
    gate: Gate<Stream>,
    addresses: Addresses,
    subscriptions: Gate<Subscription>,
    subscriptions_of_addresses: Addresses,
    subjects: Shares<Subject>,
    /// Set while the gateway ends its streams: it admits no new ones.
    draining: Arc<AtomicBool>,
    epoch: Epoch,
    live: Live,
    rejections: Rejections,
}

impl ClientStreams {
    /// Streams under the settings in force.
    pub(super) fn new(live: Live, services: &Services) -> Self {
        Self {
            sink: services.streams.clone(),
            gate: services.permits.streams.clone(),
            addresses: Addresses::default(),
            subscriptions: services.permits.subscriptions.clone(),
            subscriptions_of_addresses: Addresses::default(),
            subjects: Shares::default(),
            draining: services.draining.clone(),
            epoch: services.cache.epoch(),
            live,
            rejections: Rejections::new(),
        }
    }

    /// What a stream of so many symbols holds as long as it lives.
    ///
    /// # Errors
    /// Which limit is reached.
    fn permit(
        &self,
        client: ClientAddress,
        symbols: usize,
        rights: &Rights,
        limits: &config::Limits,
    ) -> Result<Box<dyn Send>, Rejection> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(Rejection::Draining);
        }
        let stream = self.gate.try_acquire().ok_or(Rejection::Limit)?;
        let subscriptions = self.subscriptions.try_acquire_many(symbols).ok_or(Rejection::Subscriptions)?;
        let of_address = self.addresses.try_acquire(client, 1, limits.streams_per_address);
        let of_address = of_address.ok_or(Rejection::Address)?;
        let list = self.subscriptions_of_addresses.try_acquire(client, symbols, limits.subscriptions_per_address);
        let list = list.ok_or(Rejection::AddressSubscriptions)?;
        let permit = (stream, subscriptions, of_address, list);
        match rights {
            Rights::Granted(grant) if let Some((subject, streams)) = grant.subject.zip(grant.streams) => {
                let of_subject = self.subjects.try_acquire(subject, 1, streams).ok_or(Rejection::Subject)?;
                Ok(Box::new((permit, of_subject)))
            }
            _ => Ok(Box::new(permit)),
        }
    }
}

impl Streams for ClientStreams {
    type Request = Result<StreamRequest, Rejection>;
    type Admitted = NewStream;

    fn head(&self, _: &Self::Request) -> Response {
        stream_response()
    }

    /// A rejected stream is answered as a whole: it ends as soon as it has begun.
    fn admit(&self, request: Self::Request, client: ClientName, mut head: Response) -> Outcome<NewStream> {
        let config = self.live.current();
        let permitted = request.and_then(|request| {
            let symbols = request.selection.known.len();
            let permit = self.permit(client.address.into(), symbols, &request.rights, &config.limits)?;
            Ok((request, permit))
        });
        let (request, permit) = match permitted {
            Ok(permitted) => permitted,
            Err(reason) => {
                self.rejections.note(reason, &client);
                *head.body_mut() = busy_bytes().into();
                return Outcome::InsteadOfStream(head);
            }
        };
        let StreamRequest { selection, params, rights } = request;
        let name = StreamName::new(rand::random());
        let now = Now::read();
        let (rate, until) = match &rights {
            Rights::Granted(grant) => (grant.rate, grant.until.map(|until| instant(until, now))),
            Rights::All | Rights::Unknown => (None, None),
        };
        Outcome::Stream(NewStream {
            name,
            client,
            head: response_head(head.headers(), now.unix),
            hello: hello_block(name, &selection, &rights, self.epoch, now),
            symbols: selection.known.into_boxed_slice(),
            options: params.options(config.server.heartbeat, rate),
            resume: params.after(self.epoch).map(|after| Resume { after, bytes: config.limits.replay_bytes }),
            until,
            permit,
        })
    }
}

/// The moment of a time of the wall clock, by the clock that never steps.
fn instant(at: UnixMicros, now: Now) -> Instant {
    let left = u64::try_from(at.0.saturating_sub(now.unix.0)).unwrap_or_default();
    now.instant + Duration::from_micros(left)
}

impl OpenStreams<TcpStream> for ClientStreams {
    fn open(&self, socket: TcpStream, stream: NewStream) {
        if let Err(error) = self.sink.open(socket, stream) {
            self.rejections.note_error(&error);
        }
    }
}

impl OpenStreams<TlsIo> for ClientStreams {
    fn open(&self, io: TlsIo, stream: NewStream) {
        let (socket, session, unsent) = io.into_parts();
        if let Err(error) = self.sink.open_tls(socket, session, unsent, stream) {
            self.rejections.note_error(&error);
        }
    }
}
