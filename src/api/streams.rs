//! Opens the clients' streams: admits them within the limits, and hands them to the workers.

use super::{
    compression,
    control::{ControlKey, SignedHello},
    rejections::{Rejection, Rejections},
    services::{Services, StreamSink},
    stream_head::{busy_bytes, hello_draft, response_head, stream_response},
    stream_request::StreamRequest,
};
use crate::{
    auth::Subject,
    cache::Cache,
    config::{self, Live},
    demand::OnDemand,
    fanout::{NewStream, Resume, StreamPermit, Unlisted},
    limits::{AddressPermit, Addresses, ClientAddress, Gate, Permit, SharePermit, Shares, Stream, Subscription},
    market::Now,
    server::{OpenStreams, Outcome, Response, Rights, Streams, TlsIo},
    telemetry::ClientName,
    wire::StreamName,
};
use http::header;
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
    subjects: Shares<Subject>,
    /// Set while the gateway ends its streams: it admits no new ones.
    draining: Arc<AtomicBool>,
    cache: Arc<Cache>,
    on_demand: Option<Arc<OnDemand>>,
    live: Live,
    rejections: Rejections,
    /// Signs the names by which streams are changed.
    key: ControlKey,
}

/// What a stream holds as long as it lives.
struct HeldPermit {
    _stream: Permit<Stream>,
    _of_address: AddressPermit,
    of_subject: Option<SharePermit<Subject>>,
    subscriptions: Permit<Subscription>,
    list: AddressPermit,
    /// The symbols on demand that it has.
    on_demand: Option<Box<dyn Send>>,
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

    fn keep(&mut self, held: Box<dyn Send>) {
        self.on_demand = Some(held);
    }

    fn fits(&self, streams: usize) -> bool {
        self.of_subject.as_ref().is_none_or(|permit| permit.fits(streams))
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
            subjects: Shares::default(),
            draining: services.draining.clone(),
            cache: services.cache.clone(),
            on_demand: services.on_demand.clone(),
            live,
            rejections: Rejections::new(),
            key,
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
    ) -> Result<HeldPermit, Rejection> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(Rejection::Draining);
        }
        let stream = self.gate.try_acquire().ok_or(Rejection::Limit)?;
        let subscriptions = self.subscriptions.try_acquire_many(symbols).ok_or(Rejection::Subscriptions)?;
        let of_address = self.addresses.try_acquire(client, 1, limits.streams_per_address);
        let of_address = of_address.ok_or(Rejection::Address)?;
        let list = self.subscriptions_of_addresses.try_acquire(client, symbols, limits.subscriptions_per_address);
        let list = list.ok_or(Rejection::AddressSubscriptions)?;
        let of_subject = match rights {
            Rights::Granted(grant) if let Some((subject, streams)) = grant.subject.zip(grant.streams) => {
                Some(self.subjects.try_acquire(subject, 1, streams).ok_or(Rejection::Subject)?)
            }
            _ => None,
        };
        let live = self.live.clone();
        Ok(HeldPermit {
            _stream: stream,
            _of_address: of_address,
            of_subject,
            subscriptions,
            list,
            on_demand: None,
            live,
        })
    }
}

impl Streams for ClientStreams {
    type Request = Result<StreamRequest, Rejection>;
    type Admitted = NewStream;

    fn head(&self, request: &Self::Request) -> Response {
        let mut head = stream_response();
        if let Ok(request) = request {
            let compresses = request.may_compress.then_some(request.dictionary.is_some());
            compression::describe(head.headers_mut(), compresses);
        }
        head
    }

    /// A rejected stream is answered as a whole: it ends as soon as it has begun.
    fn admit(&self, request: Self::Request, client: ClientName, mut head: Response) -> Outcome<NewStream> {
        let config = self.live.current();
        let permitted = request.and_then(|mut request| {
            // A stream remembers those too that it does not carry.
            let symbols = request.selection.count();
            let mut permit = self.permit(client.address.into(), symbols, &request.rights, &config.limits)?;
            if let Some(on_demand) = &self.on_demand {
                let per_minute = config.limits.new_symbols_per_address;
                let by = client.address.into();
                if let Some(lease) = request.selection.subscribe(on_demand, by, per_minute, Now::read()) {
                    permit.keep(Box::new(lease));
                }
                if request.selection.known.is_empty() {
                    return Err(Rejection::Subscriptions);
                }
            }
            Ok((request, permit))
        });
        let (request, permit) = match permitted {
            Ok(permitted) => permitted,
            Err(reason) => {
                self.rejections.note(reason, &client);
                head.headers_mut().remove(header::CONTENT_ENCODING);
                *head.body_mut() = busy_bytes().into();
                return Outcome::InsteadOfStream(head);
            }
        };
        let StreamRequest { selection, params, rights, dictionary, .. } = request;
        let name = StreamName::new(rand::random());
        let now = Now::read();
        let generation = self.cache.generation();
        let (rate, until) = match &rights {
            Rights::Granted(grant) => (grant.rate, grant.until),
            Rights::All | Rights::Unknown => (None, None),
        };
        Outcome::Stream(NewStream {
            name,
            client,
            head: response_head(head.headers(), now.unix),
            generation,
            hello: Box::new(SignedHello {
                draft: hello_draft(name, &selection, &rights, now),
                name,
                key: self.key.clone(),
            }),
            symbols: selection.known.into_boxed_slice(),
            unlisted: Unlisted { unknown: selection.unknown.into(), denied: selection.denied.into() },
            options: params.options(config.server.heartbeat, rate),
            dictionary,
            resume: params
                .after(|epoch| self.cache.knows(epoch))
                .map(|after| Resume { after, bytes: config.limits.replay_bytes }),
            has_rights: matches!(rights, Rights::Granted(_)),
            until,
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
