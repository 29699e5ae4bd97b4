//! HTTP/2: connections go to the workers, and their requests come back from them.

use super::streams::ClientStreams;
use crate::{
    config::Live,
    fanout::{
        Activity, ConnectionAddress, ConnectionPermit, ConnectionPermits, H2Answer, H2Request, NewConnection, Refused,
        Requests, UnreadAnswers, WorkerPool,
    },
    h2::{Limits, RequestBody},
    limits::{Connection, Shares},
    server::{AdoptH2, Discarded, H2Client, Outcome, Peer, RequestHandler, Response, Scheme, Seat, Seats, Shortage},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Either, Full};
use std::{
    io,
    net::IpAddr,
    sync::{Arc, Weak},
    time::{Duration, Instant, SystemTime},
};
use tokio::{runtime::Handle, task::AbortHandle, time::sleep};

/// How long a client may leave an answer unread while requests are refused.
const UNREAD_MAX: Duration = Duration::from_millis(100);

/// The clients' HTTP/2.
pub(super) struct H2Clients {
    handler: Arc<RequestHandler<ClientStreams>>,
    workers: Arc<WorkerPool>,
    seats: Seats<Connection>,
    /// The rounds under way in which answers give way to requests.
    rounds: Shares<Shortage>,
    live: Live,
    /// Where requests are answered: the clients' runtime.
    runtime: Handle,
    /// For the connections that it hands to workers.
    me: Weak<Self>,
}

impl H2Clients {
    /// Answers requests on the runtime that it is called on.
    pub(super) fn new(
        handler: Arc<RequestHandler<ClientStreams>>,
        workers: Arc<WorkerPool>,
        seats: Seats<Connection>,
        live: Live,
    ) -> Arc<Self> {
        let runtime = Handle::current();
        let rounds = Shares::default();
        Arc::new_cyclic(|me| Self { handler, workers, seats, rounds, live, runtime, me: me.clone() })
    }

    fn limits(&self) -> Limits {
        let config = self.live.current();
        let tls = config.tls.as_ref();
        Limits {
            streams: tls.map_or(1, |tls| tls.h2_streams) as u32,
            head_bytes: config.limits.head_bytes as u32,
            body_bytes: config.limits.body_bytes_max() as u32,
            reader_check: tls.is_some_and(|tls| tls.h2_reader_check),
        }
    }

    /// A request was refused: the answers that their clients do not read give way to the next ones, after a moment in
    /// which an honest client reads.
    fn make_room(&self, shortage: Shortage) {
        let Some(round) = self.rounds.try_acquire(shortage, 1, 1) else { return }; // it is under way
        let unread = UnreadAnswers { since: Instant::now(), whose: Arc::new(move |peer| shortage.concerns(peer)) };
        let workers = self.workers.clone();
        self.runtime.spawn(async move {
            sleep(UNREAD_MAX).await;
            workers.end_unread(&unread);
            drop(round);
        });
    }

    fn held(&self, seat: Seat) -> Box<dyn ConnectionPermit> {
        let (workers, runtime) = (self.workers.clone(), self.runtime.clone());
        Box::new(HeldSeat { seat, workers, runtime, watch: None })
    }
}

impl AdoptH2 for H2Clients {
    fn adopt(&self, client: H2Client) -> io::Result<()> {
        let Some(requests) = self.me.upgrade() else { return Ok(()) };
        let peer = client.socket.peer_addr()?;
        let socket = client.socket.into_std()?;
        let limits = self.live.current().limits.clone();
        self.workers.adopt_with(|worker| {
            let io = self.workers.h2_socket(worker, socket, client.session, Vec::new())?;
            Ok(NewConnection {
                io: Box::new(io),
                input: client.input,
                peer,
                limits: self.limits(),
                head_timeout: limits.head_timeout,
                write_timeout: limits.write_timeout,
                permit: self.held(client.seat),
                requests,
            })
        })
    }
}

impl ConnectionPermits for H2Clients {
    fn request(&self, peer: IpAddr) -> Option<Box<dyn Send>> {
        self.seats.request(peer).map_err(|shortage| self.make_room(shortage)).ok()
    }

    fn permit(&self, peer: IpAddr) -> Option<Box<dyn ConnectionPermit>> {
        self.seats.take(peer).map(|seat| self.held(seat))
    }
}

impl Requests for H2Clients {
    fn take(&self, request: H2Request) -> Result<(), Refused> {
        let permit = self.request(request.peer).ok_or(Refused)?;
        self.runtime.spawn(answer(self.handler.clone(), self.workers.clone(), request, permit));
        Ok(())
    }
}

async fn answer(
    handler: Arc<RequestHandler<ClientStreams>>,
    workers: Arc<WorkerPool>,
    request: H2Request,
    permit: Box<dyn Send>,
) {
    let H2Request { head, body, peer, stream } = request;
    let is_head = head.method == Method::HEAD;
    let body = match body {
        RequestBody::Whole(body) => Either::Left(Full::new(body)),
        RequestBody::TooLong => Either::Right(Discarded),
    };
    let peer = Peer { address: peer, scheme: Scheme::Https };
    match handler.answer(Request::from_parts(*head, body), peer).await {
        Outcome::Whole(response) | Outcome::InsteadOfStream(response) => {
            workers.answer(stream, whole_answer(response, is_head, permit).await);
        }
        Outcome::Stream(new) => workers.open_on(stream, new),
    }
}

/// What hyper adds to an answer of HTTP/1.1.
async fn whole_answer(response: Response, is_head: bool, permit: Box<dyn Send>) -> H2Answer {
    let (mut head, body) = response.into_parts();
    let Ok(body) = body.collect().await;
    let body = body.to_bytes();
    let date = HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now())).expect("a date is a header's value");
    head.headers.insert(header::DATE, date);
    if !head.status.is_informational() && head.status != http::StatusCode::NO_CONTENT {
        head.headers.insert(header::CONTENT_LENGTH, body.len().into());
    }
    let body = if is_head { Bytes::new() } else { body };
    H2Answer { status: head.status, headers: head.headers, body, permit }
}

/// A seat that a connection holds. A task waits meanwhile for the moment when the connection has to give way.
struct HeldSeat {
    seat: Seat,
    workers: Arc<WorkerPool>,
    runtime: Handle,
    watch: Option<AbortHandle>,
}

impl ConnectionPermit for HeldSeat {
    fn held_by(&mut self, connection: ConnectionAddress) {
        let evicted = self.seat.evicted();
        let workers = self.workers.clone();
        let watch = async move {
            evicted.await;
            workers.give_way(connection);
        };
        self.watch = Some(self.runtime.spawn(watch).abort_handle());
    }

    fn becomes(&mut self, activity: Activity) {
        match activity {
            Activity::Idle => self.seat.idles(),
            Activity::Answering => self.seat.answers(),
            Activity::Blocked => self.seat.blocks(),
        }
    }
}

impl Drop for HeldSeat {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
    }
}
