//! Opens the clients' streams: admits them within the limits, and hands them to the workers.

use super::{
    control::{ControlKey, SignedHello},
    rejections::{Rejection, Rejections},
    services::{Services, StreamSink},
    stream_head::{busy_bytes, hello_draft, response_head, stream_response},
    stream_request::StreamRequest,
};
use crate::{
    config::{self, Live},
    fanout::{NewStream, Resume, StreamPermit},
    limits::{AddressPermit, Addresses, ClientAddress, Gate, Permit, Stream, Subscription},
    market::Now,
    server::{OpenStreams, Outcome, Response, Streams, TlsIo},
    telemetry::ClientName,
    wire::{Epoch, StreamName},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::net::TcpStream;

/// The clients' streams.
pub(super) struct ClientStreams {
    sink: Arc<dyn StreamSink>,
    gate: Gate<Stream>,
    addresses: Addresses,
    subscriptions: Gate<Subscription>,
    subscriptions_of_addresses: Addresses,
    /// Set while the gateway ends its streams: it admits no new ones.
    draining: Arc<AtomicBool>,
    epoch: Epoch,
    live: Live,
    rejections: Rejections,
    /// Signs the names by which streams are changed.
    key: ControlKey,
}

/// What a stream holds as long as it lives.
struct HeldPermit {
    _stream: Permit<Stream>,
    _of_address: AddressPermit,
    subscriptions: Permit<Subscription>,
    list: AddressPermit,
    live: Live,
}

impl StreamPermit for HeldPermit {
    fn resize(&mut self, symbols: usize) -> bool {
        let before = self.subscriptions.count();
        let limit = self.live.current().limits.subscriptions_per_address;
        if !self.subscriptions.resize(symbols) {
            return false;
        }
        let fits = self.list.resize(symbols, limit);
        if !fits {
            self.subscriptions.resize(before); // fewer, which is always possible
        }
        fits
    }
}

impl ClientStreams {
    /// Streams under the settings in force.
    pub(super) fn new(live: Live, services: &Services, key: ControlKey) -> Self {
        Self {
            sink: services.streams.clone(),
            gate: services.permits.streams.clone(),
            addresses: Addresses::default(),
            subscriptions: services.permits.subscriptions.clone(),
            subscriptions_of_addresses: Addresses::default(),
            draining: services.draining.clone(),
            epoch: services.cache.epoch(),
            live,
            rejections: Rejections::new(),
            key,
        }
    }

    /// What a stream of so many symbols holds as long as it lives.
    ///
    /// # Errors
    /// Which limit is reached.
    fn permit(&self, client: ClientAddress, symbols: usize, limits: &config::Limits) -> Result<HeldPermit, Rejection> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(Rejection::Draining);
        }
        let stream = self.gate.try_acquire().ok_or(Rejection::Limit)?;
        let subscriptions = self.subscriptions.try_acquire_many(symbols).ok_or(Rejection::Subscriptions)?;
        let of_address = self.addresses.try_acquire(client, 1, limits.streams_per_address);
        let of_address = of_address.ok_or(Rejection::Address)?;
        let list = self.subscriptions_of_addresses.try_acquire(client, symbols, limits.subscriptions_per_address);
        let list = list.ok_or(Rejection::AddressSubscriptions)?;
        Ok(HeldPermit { _stream: stream, _of_address: of_address, subscriptions, list, live: self.live.clone() })
    }
}

impl Streams for ClientStreams {
    type Request = StreamRequest;
    type Admitted = NewStream;

    fn head(&self, _: &StreamRequest) -> Response {
        stream_response()
    }

    /// A rejected stream is answered as a whole: it ends as soon as it has begun.
    fn admit(&self, request: StreamRequest, client: ClientName, mut head: Response) -> Outcome<NewStream> {
        let config = self.live.current();
        let permit = match self.permit(client.address.into(), request.selection.known.len(), &config.limits) {
            Ok(permit) => permit,
            Err(reason) => {
                self.rejections.note(reason, &client);
                *head.body_mut() = busy_bytes().into();
                return Outcome::InsteadOfStream(head);
            }
        };
        let StreamRequest { selection, params } = request;
        let name = StreamName::new(rand::random());
        let now = Now::read();
        Outcome::Stream(NewStream {
            name,
            client,
            head: response_head(head.headers(), now.unix),
            hello: Box::new(SignedHello {
                draft: hello_draft(name, &selection, self.epoch, now),
                name,
                key: self.key.clone(),
            }),
            symbols: selection.known.into_boxed_slice(),
            options: params.options(config.server.heartbeat),
            resume: params.after(self.epoch).map(|after| Resume { after, bytes: config.limits.replay_bytes }),
            permit: Box::new(permit),
        })
    }
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
