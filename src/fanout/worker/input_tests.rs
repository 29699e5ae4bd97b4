//! How much of its connections' input a worker reads in a turn.

use super::{
    Worker,
    testing::{LIMITS, Page},
};
use crate::{
    cache::WorkerIndex,
    fanout::{
        Activity, Command, ConnectionAddress, ConnectionPermit, ConnectionPermits, H2Io, H2Request, NewConnection,
        Ready, Received, Refused, Requests, TransportError, Wait, WorkerInbox,
    },
    h2::tests as frames,
    market::Now,
};
use std::{
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

/// How much one read takes, and how much a connection is read in a turn.
const READ_BYTES: usize = 4 * 1024;
const CONNECTION_BYTES: usize = 4 * READ_BYTES;
/// How much a turn reads in all, and how many reads.
const TURN_BYTES: usize = 32 * 1024;
const TURN_READS: usize = 256;

/// A client, and what of its input was read.
#[derive(Clone, Default)]
struct Client(Arc<Mutex<(Vec<u8>, usize, u64)>>);

impl Client {
    fn read(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

impl H2Io for Client {
    fn attach(&mut self, token: u64) -> io::Result<()> {
        self.0.lock().unwrap().2 = token;
        Ok(())
    }

    fn send(&mut self, _: &[u8]) -> io::Result<bool> {
        Ok(true)
    }

    fn flush(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    fn receive(&mut self, bytes: &mut Vec<u8>) -> Result<Received, TransportError> {
        let (input, read, _) = &mut *self.0.lock().unwrap();
        let count = input.len().min(READ_BYTES);
        bytes.extend(input.drain(..count));
        *read += count;
        Ok(if count == 0 { Received::Nothing } else { Received::Bytes(count) })
    }

    fn finish(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    fn abort(&mut self) {}
}

struct Listener;

impl ConnectionPermit for Listener {
    fn held_by(&mut self, _: ConnectionAddress) {}

    fn becomes(&mut self, _: Activity) {}
}

impl ConnectionPermits for Listener {
    fn request(&self, _: IpAddr) -> Option<Box<dyn Send>> {
        Some(Box::new(()))
    }

    fn permit(&self, _: IpAddr) -> Option<Box<dyn ConnectionPermit>> {
        Some(Box::new(Self))
    }
}

impl Requests for Listener {
    fn take(&self, _: H2Request) -> Result<(), Refused> {
        Err(Refused)
    }
}

/// A worker with connections whose clients have sent this behind their preface.
struct Rig {
    now: Now,
    worker: Worker<Page>,
    clients: Vec<Client>,
}

impl Rig {
    fn new(count: usize, input: &[u8]) -> Self {
        let now = Now::read();
        let inbox: Arc<WorkerInbox<Page>> = Arc::default();
        let mut worker = Worker::new(WorkerIndex::new(0).unwrap(), inbox.clone(), LIMITS, 1);
        let clients: Vec<Client> = (0..count).map(|_| Client::default()).collect();
        for client in &clients {
            let new = NewConnection {
                io: Box::new(client.clone()),
                input: [frames::PREFACE, &frames::settings(&[])].concat(),
                peer: ([127, 0, 0, 1], 1).into(),
                limits: frames::LIMITS,
                head_timeout: Duration::from_secs(10),
                write_timeout: Duration::from_secs(10),
                permit: Box::new(Listener),
                requests: Arc::new(Listener),
            };
            assert!(inbox.send(Command::Adopt(Box::new(new), Box::new(()))).is_ok());
        }
        while worker.turn(now, &[]) == Wait::No {}
        for client in &clients {
            client.0.lock().unwrap().0 = input.to_vec();
        }
        Self { now, worker, clients }
    }

    /// One turn; returns how much of the input it read, and whether it left some.
    fn turn(&mut self, ready: &[Ready]) -> (Vec<usize>, bool) {
        let before: Vec<usize> = self.clients.iter().map(Client::read).collect();
        let wait = self.worker.turn(self.now, ready);
        let read = self.clients.iter().zip(before).map(|(client, before)| client.read() - before);
        (read.collect(), wait == Wait::No)
    }

    /// There is input from all of them.
    fn all_ready(&self) -> Vec<Ready> {
        let token = |client: &Client| client.0.lock().unwrap().2;
        self.clients.iter().map(|client| Ready { key: token(client), readable: true, writable: false }).collect()
    }
}

#[test]
fn rule_4_a_turn_reads_only_so_much_of_all_that_clients_send_and_all_have_their_share() {
    const CLIENTS: usize = 20;
    let input = frames::raw(77, 0, 0, [0; 16 * 1024 - 9]).repeat(4);
    let mut rig = Rig::new(CLIENTS, &input);
    let ready = rig.all_ready();
    let mut turns = 0;
    loop {
        // It is told of all of them again and again, as if more and more came.
        let (read, is_unfinished) = rig.turn(&ready);
        turns += 1;
        assert!(read.iter().sum::<usize>() <= TURN_BYTES, "{read:?}");
        let totals: Vec<usize> = rig.clients.iter().map(Client::read).collect();
        let (least, most) = (totals.iter().min().unwrap(), totals.iter().max().unwrap());
        assert!(most - least <= CONNECTION_BYTES, "{totals:?}");
        if *least == input.len() {
            break;
        }
        assert!(is_unfinished, "the next turn follows at once");
        assert!(turns < 1_000, "{totals:?}");
    }
    assert_eq!(turns, CLIENTS * input.len() / TURN_BYTES);
}

#[test]
fn rule_4_a_turn_makes_only_so_many_reads() {
    let mut rig = Rig::new(TURN_READS + 1, &frames::settings_ack());
    let ready = rig.all_ready();
    let (read, is_unfinished) = rig.turn(&ready);
    assert_eq!((read.iter().filter(|read| **read > 0).count() <= TURN_READS, is_unfinished), (true, true));
    while rig.turn(&[]).1 {}
    assert!(rig.clients.iter().all(|client| client.read() == 9));
}
