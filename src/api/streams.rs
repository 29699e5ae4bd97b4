//! Opens the clients' streams: admits them within the limits, and hands them to the workers.

use super::{
    rejections::{Rejection, Rejections},
    services::{Services, StreamSink},
    stream_head::{busy_bytes, hello_block, response_head, stream_response},
    stream_request::StreamRequest,
};
use crate::{
    config,
    fanout::{NewStream, Resume},
    limits::{Addresses, ClientAddress, Gate, Stream, Subscription},
    market::Now,
    server::{OpenStreams, Outcome, Response, Streams},
    wire::{Epoch, StreamName},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpStream;

/// The clients' streams, on connections of one kind of I/O.
pub(super) struct ClientStreams<I> {
    sink: Arc<dyn StreamSink<I>>,
    gate: Gate<Stream>,
    /// `None` where an address may have as many streams as all together.
    addresses: Option<Addresses>,
    subscriptions: Gate<Subscription>,
    /// `None` where an address may have as many symbols as all together.
    subscriptions_of_addresses: Option<Addresses>,
    /// Set while the gateway ends its streams: it admits no new ones.
    draining: Arc<AtomicBool>,
    epoch: Epoch,
    heartbeat: Duration,
    replay_bytes: usize,
    rejections: Rejections,
}

impl ClientStreams<TcpStream> {
    /// Streams of this configuration.
    pub(super) fn new(server: &config::Server, limits: &config::Limits, services: &Services) -> Self {
        Self {
            sink: services.streams.clone(),
            gate: services.permits.streams.clone(),
            addresses: Addresses::new(limits.streams_per_address),
            subscriptions: services.permits.subscriptions.clone(),
            subscriptions_of_addresses: Addresses::new(limits.subscriptions_per_address),
            draining: services.draining.clone(),
            epoch: services.cache.epoch(),
            heartbeat: server.heartbeat,
            replay_bytes: limits.replay_bytes,
            rejections: Rejections::new(),
        }
    }
}

impl<I> ClientStreams<I> {
    /// What a stream of so many symbols holds as long as it lives.
    ///
    /// # Errors
    /// Which limit is reached.
    fn permit(&self, client: ClientAddress, symbols: usize) -> Result<Box<dyn Send>, Rejection> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(Rejection::Draining);
        }
        let stream = self.gate.try_acquire().ok_or(Rejection::Limit)?;
        let subscriptions = self.subscriptions.try_acquire_many(symbols).ok_or(Rejection::Subscriptions)?;
        let of_all = (stream, subscriptions);
        if self.addresses.is_none() && self.subscriptions_of_addresses.is_none() {
            return Ok(Box::new(of_all));
        }
        let of_address = |limit: &Option<Addresses>, count, reason| match limit {
            Some(addresses) => addresses.try_acquire(client, count).map(Some).ok_or(reason),
            None => Ok(None),
        };
        let stream = of_address(&self.addresses, 1, Rejection::Address)?;
        let subscriptions = of_address(&self.subscriptions_of_addresses, symbols, Rejection::AddressSubscriptions)?;
        Ok(Box::new((of_all, stream, subscriptions)))
    }
}

impl<I: 'static> Streams for ClientStreams<I> {
    type Request = StreamRequest;
    type Admitted = NewStream;

    fn head(&self, _: &StreamRequest) -> Response {
        stream_response()
    }

    /// A rejected stream is answered as a whole: it ends as soon as it has begun.
    fn admit(&self, request: StreamRequest, client: ClientAddress, mut head: Response) -> Outcome<NewStream> {
        let permit = match self.permit(client, request.selection.known.len()) {
            Ok(permit) => permit,
            Err(reason) => {
                self.rejections.note(reason, client);
                *head.body_mut() = busy_bytes().into();
                return Outcome::InsteadOfStream(head);
            }
        };
        let StreamRequest { selection, params } = request;
        let name = StreamName::new(rand::random());
        let now = Now::read();
        Outcome::Stream(NewStream {
            name,
            head: response_head(head.headers(), now.unix),
            hello: hello_block(name, &selection, self.epoch, now),
            symbols: selection.known.into_boxed_slice(),
            options: params.options(self.heartbeat),
            resume: params.after(self.epoch).map(|after| Resume { after, bytes: self.replay_bytes }),
            permit,
        })
    }
}

impl<I: 'static> OpenStreams<I> for ClientStreams<I> {
    fn open(&self, io: I, stream: NewStream) {
        if let Err(error) = self.sink.open(io, stream) {
            self.rejections.note_error(&error);
        }
    }
}
