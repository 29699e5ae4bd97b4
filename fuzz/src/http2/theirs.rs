//! The server of the `h2` crate.

use super::{Outcome, Request, socket::Socket};
use bytes::Bytes;
use h2::{
    RecvStream,
    server::{Builder, Connection, Handshake, SendResponse},
};
use std::{
    collections::BTreeMap,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

/// Polls of a step. Each reads, hands over or writes something until nothing is left.
const POLLS: usize = 4;

pub struct Theirs {
    socket: Socket,
    state: State,
    /// Requests whose body is incomplete.
    unfinished: BTreeMap<u32, (Request, RecvStream)>,
    /// Requests that may be answered.
    asked: BTreeMap<u32, SendResponse<Bytes>>,
    /// Answers without an end, which dropping would reset.
    answers: Vec<h2::SendStream<Bytes>>,
}

enum State {
    Handshake(Pin<Box<Handshake<Socket, Bytes>>>),
    Open(Box<Connection<Socket, Bytes>>),
    Over,
}

impl Theirs {
    /// With our limits, where it has the same, and without those that it alone has.
    pub fn new() -> Self {
        let socket = Socket::default();
        let handshake = Builder::new()
            .max_concurrent_streams(100)
            .max_header_list_size(32_768)
            .max_concurrent_reset_streams(10_000)
            .max_pending_accept_reset_streams(10_000)
            .max_local_error_reset_streams(None)
            .reset_stream_duration(Duration::from_secs(3_600))
            .data_frame_budget(1 << 40)
            .handshake(socket.clone());
        let state = State::Handshake(Box::pin(handshake));
        Self { socket, state, unfinished: BTreeMap::new(), asked: BTreeMap::new(), answers: Vec::new() }
    }

    pub fn send(&mut self, bytes: &[u8]) -> Outcome {
        self.socket.receive(bytes);
        self.run()
    }

    pub fn may_answer(&self, stream: u32) -> bool {
        self.asked.contains_key(&stream) && !self.unfinished.contains_key(&stream)
    }

    pub fn answer(&mut self, stream: u32, end: bool) -> Outcome {
        if let Some(mut asked) = self.asked.remove(&stream)
            && let Ok(answer) = asked.send_response(http::Response::new(()), end)
        {
            self.answers.push(answer);
        }
        self.run()
    }

    /// Lets it work until it waits.
    fn run(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        let cx = &mut Context::from_waker(Waker::noop());
        for _ in 0..POLLS {
            self.accept(cx, &mut outcome);
            self.read_bodies(cx, &mut outcome);
        }
        let output = self.socket.sent();
        outcome.resets = resets(&output);
        outcome.over = outcome.over.or(go_away(&output));
        outcome
    }

    fn accept(&mut self, cx: &mut Context<'_>, outcome: &mut Outcome) {
        if let State::Handshake(handshake) = &mut self.state {
            match handshake.as_mut().poll(cx) {
                Poll::Ready(Ok(connection)) => self.state = State::Open(connection.into()),
                Poll::Ready(Err(error)) => self.fail(&error, outcome),
                Poll::Pending => {}
            }
        }
        while let State::Open(connection) = &mut self.state {
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, answer)))) => {
                    let id = answer.stream_id().as_u32();
                    let (parts, body) = request.into_parts();
                    self.unfinished.insert(id, (head(&parts), body));
                    self.asked.insert(id, answer);
                }
                Poll::Ready(Some(Err(error))) => self.fail(&error, outcome),
                Poll::Ready(None) => {
                    self.state = State::Over;
                    outcome.has_left = true;
                }
                Poll::Pending => return,
            }
        }
    }

    fn fail(&mut self, error: &h2::Error, outcome: &mut Outcome) {
        self.state = State::Over;
        if error.is_go_away() && error.is_remote() {
            outcome.has_left = true;
        } else {
            outcome.over = Some(error.reason().map_or(0, u32::from));
        }
    }

    fn read_bodies(&mut self, cx: &mut Context<'_>, outcome: &mut Outcome) {
        let asked = &mut self.asked;
        self.unfinished.retain(|id, (request, stream)| {
            loop {
                match stream.poll_data(cx) {
                    Poll::Ready(Some(Ok(data))) => {
                        let _ = stream.flow_control().release_capacity(data.len());
                        request.body.get_or_insert_default().extend_from_slice(&data);
                    }
                    Poll::Ready(Some(Err(_))) => {
                        asked.remove(id);
                        return false;
                    }
                    Poll::Ready(None) => break,
                    Poll::Pending => return true,
                }
            }
            match pin!(std::future::poll_fn(|cx| stream.poll_trailers(cx))).poll(cx) {
                Poll::Ready(Ok(trailers)) => {
                    request.has_trailers = trailers.is_some();
                    outcome.requests.insert(*id, std::mem::take(request));
                    false
                }
                Poll::Ready(Err(_)) => {
                    asked.remove(id);
                    false
                }
                Poll::Pending => true,
            }
        });
    }
}

/// A head in the form that ours has.
fn head(parts: &http::request::Parts) -> Request {
    let mut fields = BTreeMap::<String, Vec<Vec<u8>>>::new();
    for (name, value) in &parts.headers {
        fields.entry(name.to_string()).or_default().push(value.as_bytes().to_vec());
    }
    if let Some(crumbs) = fields.get_mut("cookie") {
        *crumbs = vec![crumbs.join(&b"; "[..])];
    }
    if let Some(lengths) = fields.get_mut("content-length") {
        lengths.dedup();
    }
    let path = match (parts.method == http::Method::CONNECT, parts.uri.authority()) {
        (true, Some(authority)) => authority.to_string(),
        _ => parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
    };
    if let Some(authority) = parts.uri.authority() {
        let hosts = fields.entry("host".to_owned()).or_default();
        hosts.retain(|host| !host.eq_ignore_ascii_case(authority.as_str().as_bytes()));
        hosts.push(authority.as_str().as_bytes().to_vec());
    }
    Request { method: parts.method.to_string(), path, fields, body: Some(Vec::new()), has_trailers: false }
}

/// The frames in what a server sent: type, stream, payload.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u32, &[u8])> {
    let mut frames = Vec::new();
    while let Some((&[l0, l1, l2, kind, _, s0, s1, s2, s3], rest)) = bytes.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        frames.push((kind, u32::from_be_bytes([s0, s1, s2, s3]), &rest[..length]));
        bytes = &rest[length..];
    }
    assert!(bytes.is_empty(), "the last frame is cut");
    frames
}

fn number(payload: &[u8], place: usize) -> u32 {
    u32::from_be_bytes(payload[place..place + 4].try_into().expect("four bytes"))
}

/// The streams that a server reset for a mistake, with the code.
pub fn resets(bytes: &[u8]) -> BTreeMap<u32, u32> {
    let resets = frames(bytes).into_iter().filter(|(kind, ..)| *kind == 0x3);
    resets.map(|(_, stream, payload)| (stream, number(payload, 0))).filter(|(_, code)| *code != 0).collect()
}

/// The code of a GOAWAY that is not graceful.
fn go_away(bytes: &[u8]) -> Option<u32> {
    let codes = frames(bytes).into_iter().filter(|(kind, ..)| *kind == 0x7);
    codes.map(|(_, _, payload)| number(payload, 4)).find(|code| *code != 0)
}
