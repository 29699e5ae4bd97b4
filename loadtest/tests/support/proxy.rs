//! A proxy between gateway and clients that violates one rule, for one stream or for all.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};
use tickfan_loadtest::wire::{peek, split_blocks};

/// What the proxy does to one tick of one stream with one symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Violation {
    None,
    Drop,
    Reorder,
    Repeat,
    Delay,
    Digit,
    /// In each copy of one tick in ten, alike.
    DigitForAll,
}

/// The tick of a stream that is hit, counted since the last stream was opened: the streams are all open by then.
const TICK: u64 = 20;
/// A delayed tick waits until the other streams have had so many: at the rate of `smoke`, 11,400/s, for two and a half
/// seconds.
const DELAY_TICKS: u64 = 30_000;

/// What the request of a stream has that comes back.
const RESUMES: &[u8] = b"last-event-id";

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    is_done: bool,
    ticks: u64,
    /// Streams that were opened; one that comes back is not counted again.
    opened: u64,
    is_over: bool,
}

/// A running proxy.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    pub(crate) fn start(upstream: SocketAddr, violation: Violation) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let proxy = Self { address, shared: shared.clone() };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let shared = shared.clone();
                thread::spawn(move || forward(client, upstream, violation, &shared));
            }
        });
        proxy
    }

    /// Whether it has done what it was to do.
    pub(crate) fn has_hit(&self) -> bool {
        self.shared.state.lock().unwrap().is_done
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().is_over = true;
        self.shared.moved.notify_all();
    }
}

/// Ends when either side does.
fn forward(mut client: TcpStream, upstream: SocketAddr, violation: Violation, shared: &Shared) -> Option<()> {
    let mut server = TcpStream::connect(upstream).ok()?;
    client.set_nodelay(true).ok()?;
    let request = read_head(&mut client)?;
    server.write_all(&request).ok()?;
    let head = read_head(&mut server)?;
    client.write_all(&head).ok()?;
    let may_hit = violation != Violation::None && !request.contains(&b',');
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    let is_new = !request.windows(RESUMES.len()).any(|window| window == RESUMES);
    shared.state.lock().unwrap().opened += u64::from(is_new);
    let (mut ticks, mut opened) = (0, 0);
    let mut held = Vec::new();
    loop {
        let count = server.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
        let mut out = Vec::new();
        let taken = split_blocks(&bytes, |block| {
            let mut block = [block, b"\n\n"].concat();
            let mut state = shared.state.lock().unwrap();
            if std::mem::replace(&mut opened, state.opened) != state.opened {
                ticks = 0;
            }
            ticks += u64::from(block.starts_with(b"id:"));
            state.ticks += 1;
            drop(state);
            shared.moved.notify_all();
            if violation == Violation::DigitForAll {
                if peek(&block).is_some_and(|(_, seq)| seq % 10 == 5) && change_price(&mut block) {
                    shared.state.lock().unwrap().is_done = true;
                }
            } else if may_hit && ticks >= TICK && block.starts_with(b"id:") && begin(shared) {
                hit(violation, &mut block, &mut held, shared);
            } else if !held.is_empty() {
                block.append(&mut held); // the one before comes after this one
            }
            out.extend_from_slice(&block);
        });
        bytes.drain(..taken);
        client.write_all(&out).ok()?;
    }
}

/// Whether this is the one tick that is hit.
fn begin(shared: &Shared) -> bool {
    !std::mem::replace(&mut shared.state.lock().unwrap().is_done, true)
}

fn hit(violation: Violation, block: &mut Vec<u8>, held: &mut Vec<u8>, shared: &Shared) {
    match violation {
        Violation::None | Violation::DigitForAll => {}
        Violation::Drop => block.clear(),
        Violation::Reorder => held.append(block),
        Violation::Repeat => block.extend_from_within(..),
        Violation::Delay => {
            let state = shared.state.lock().unwrap();
            let until = state.ticks + DELAY_TICKS;
            drop(shared.moved.wait_while(state, |state| state.ticks < until && !state.is_over).unwrap());
        }
        Violation::Digit => assert!(change_price(block)),
    }
}

/// Whether there is a price.
fn change_price(block: &mut [u8]) -> bool {
    let Some(found) = block.windows(8).position(|window| window == b"\"price\":") else { return false };
    let digit = &mut block[found + 8];
    *digit = if *digit == b'9' { b'8' } else { *digit + 1 };
    true
}

/// Reads up to the end of a head, and no byte more.
fn read_head(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    Some(head)
}
