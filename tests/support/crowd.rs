//! Thousands of clients of streams, in one thread.

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use std::{
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Clients that connect at the same time: a backlog takes so many without losing any.
const CONNECTING_MAX: usize = 500;

/// What is kept of a client's text. A block is shorter than half of it; the texts are ASCII.
const KEPT_MAX: usize = 16 << 10;

/// Clients with the same request.
pub struct Crowd {
    poll: Poll,
    events: Events,
    request: Vec<u8>,
    pub members: Vec<Member>,
}

/// One of them.
pub struct Member {
    socket: TcpStream,
    asked: bool,
    /// Everything that it has read.
    pub text: String,
    /// Whether the connection has ended.
    pub ended: bool,
}

impl Crowd {
    pub fn new(target: &str) -> Self {
        let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes();
        Self { poll: Poll::new().unwrap(), events: Events::with_capacity(1_024), request, members: Vec::new() }
    }

    /// Connects so many more clients, and waits until each satisfies the condition.
    pub fn join(&mut self, address: SocketAddr, count: usize, patience: Duration, will_do: impl Fn(&Member) -> bool) {
        let deadline = Instant::now() + patience;
        let first = self.members.len();
        let all = self.members.len() + count;
        let mut served = 0;
        while served < count {
            while self.members.len() < all && self.members.len() - first - served < CONNECTING_MAX {
                self.connect(address);
            }
            served += self.turn(deadline, &will_do, || format!("only {served} of {count} are served"));
        }
    }

    /// Waits until all clients satisfy the condition.
    pub fn wait(&mut self, patience: Duration, will_do: impl Fn(&Member) -> bool) {
        let deadline = Instant::now() + patience;
        let mut left = self.members.iter().filter(|member| !will_do(member)).count();
        while left > 0 {
            let count = self.members.len();
            left -= self.turn(deadline, &will_do, || format!("{left} of {count} still wait"));
        }
    }

    /// Reads for so long. Of what each client has read, only the end is kept.
    pub fn read_for(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            match self.poll.poll(&mut self.events, Some(left)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => panic!("{error}"),
                _ => {}
            }
            for event in &self.events {
                let member = &mut self.members[event.token().0];
                member.read();
                if member.text.len() > KEPT_MAX {
                    member.text.drain(..member.text.len() - KEPT_MAX / 2);
                }
            }
        }
    }

    fn connect(&mut self, address: SocketAddr) {
        let mut socket = TcpStream::connect(address).unwrap();
        let token = Token(self.members.len());
        self.poll.registry().register(&mut socket, token, Interest::READABLE | Interest::WRITABLE).unwrap();
        self.members.push(Member { socket, asked: false, text: String::new(), ended: false });
    }

    /// Reads what is ready; returns how many more clients now satisfy the condition.
    fn turn(&mut self, deadline: Instant, will_do: &impl Fn(&Member) -> bool, state: impl Fn() -> String) -> usize {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "{}", state());
        match self.poll.poll(&mut self.events, Some(left)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => panic!("{error}"),
            _ => {}
        }
        let mut newly = 0;
        for event in &self.events {
            let member = &mut self.members[event.token().0];
            let before = will_do(member);
            if event.is_writable() {
                member.ask(&self.request);
            }
            member.read();
            newly += usize::from(!before && will_do(member));
        }
        newly
    }
}

impl Member {
    /// What was asked fits any socket's buffer, once it is connected.
    fn ask(&mut self, request: &[u8]) {
        if !self.asked {
            assert_eq!(self.socket.write(request).unwrap(), request.len());
            self.asked = true;
        }
    }

    fn read(&mut self) {
        let mut buffer = [0; 4_096];
        while !self.ended {
            match self.socket.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(bytes) => self.text.push_str(std::str::from_utf8(&buffer[..bytes]).unwrap()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}, after {:?}", self.text),
            }
        }
    }
}
