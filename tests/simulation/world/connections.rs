//! Connections that clients share, and what happens to them.

use super::World;
use crate::{
    h2_peer::H2Peer,
    shared::{Connection, Line, Shared},
};
use rand::RngExt;
use tickfan::fanout::{Command, Counts, Options, Ready, Resume};

impl World {
    /// A connection to a worker, whose socket takes so many bytes.
    pub(crate) fn connect(&mut self, worker: usize, room: usize, settings: &[(u16, u32)]) -> usize {
        let (connection, new) = Connection::new(worker, room, settings);
        self.connections.push(connection);
        self.send(worker, Command::Adopt(Box::new(new), Box::new(())));
        self.connections.len() - 1
    }

    /// Turns of a worker until it and the clients of its connections have nothing to do.
    pub(crate) fn turn_all(&mut self, worker: usize) {
        loop {
            while self.turn(worker) {}
            self.exchange(worker);
            if self.workers[worker].events.borrow().is_empty() && self.workers[worker].inbox.sleep() {
                return;
            }
        }
    }

    /// Whether every client has the newest tick of each of its symbols.
    pub(crate) fn lacks_nothing(&self) -> bool {
        self.clients.iter().all(|client| client.borrow().lacks() == 0)
    }

    pub(crate) fn counts(&self, worker: usize) -> &Counts {
        self.workers[worker].worker.counts()
    }

    /// The client's side of a connection.
    pub(crate) fn peer(&mut self, connection: usize) -> &mut H2Peer {
        &mut self.connections[connection].peer
    }

    /// Opens a client's stream on a connection.
    pub(crate) fn join_on(
        &mut self,
        connection: usize,
        wanted: &[usize],
        options: Options,
        resume: Option<Resume>,
    ) -> usize {
        let worker = self.connections[connection].worker;
        let client = self.add_client(worker, wanted, 0, options, resume, None);
        self.ask_on(connection, client);
        client
    }

    /// A client asks for its stream on a connection.
    pub(super) fn ask_on(&mut self, connection: usize, client: usize) {
        self.connections[connection].ask(self.clients[client].clone());
    }

    /// The connection of a client that shares one.
    pub(super) fn connection_of(&self, client: usize) -> Option<usize> {
        let stream = self.clients[client].borrow().stream;
        let is_on = |connection: &Connection| {
            connection.clients.get(&stream).is_some_and(|other| std::rc::Rc::ptr_eq(other, &self.clients[client]))
        };
        self.connections.iter().position(is_on)
    }

    /// One of a worker's connections, or a new one.
    pub(super) fn some_connection(&mut self, worker: usize, room: usize) -> usize {
        let open = |connection: &Connection| connection.worker == worker && !connection.is_over();
        let known: Vec<_> = (0..self.connections.len()).filter(|&place| open(&self.connections[place])).collect();
        if !known.is_empty() && self.random.random_bool(0.8) {
            return known[self.random.random_range(0..known.len())];
        }
        let window = [500, 5_000, 65_535][self.random.random_range(0..3)];
        self.connect(worker, room, &[(crate::h2_peer::INITIAL_WINDOW_SIZE, window)])
    }

    /// Moves bytes between the ends of a worker's connections, and reports what happened to it.
    pub(super) fn exchange(&mut self, worker: usize) {
        let simulated = &self.workers[worker];
        for connection in self.connections.iter_mut().filter(|connection| connection.worker == worker) {
            if let (true, Some(key)) = (connection.exchange(), connection.token()) {
                connection.has_input = false;
                simulated.events.borrow_mut().push(Ready { key, readable: true, writable: false });
            }
            connection.check(false);
        }
    }

    /// Opens the streams that clients have asked for.
    pub(super) fn answer_requests(&mut self, worker: usize) {
        for place in 0..self.connections.len() {
            if self.connections[place].worker != worker {
                continue;
            }
            for (stream, client) in self.connections[place].take_asked() {
                let number = self.clients.iter().position(|other| std::rc::Rc::ptr_eq(other, &client)).unwrap();
                let new = self.new_stream(number);
                self.send(worker, Command::Open(Line::Shared(Shared { client, stream }), new));
            }
        }
    }

    /// The socket of a connection takes more.
    pub(super) fn give_connection_room(&mut self, connection: usize, bytes: usize) {
        let connection = &self.connections[connection];
        if let (true, Some(key)) = (connection.give_room(bytes), connection.token()) {
            self.workers[connection.worker].events.borrow_mut().push(Ready { key, readable: false, writable: true });
        }
    }

    /// A client resets its stream, or leaves with all streams of its connection.
    pub(super) fn leave_connection(&mut self, connection: usize, client: usize) {
        if self.random.random_bool(0.8) {
            let stream = self.client(client).stream;
            self.client(client).left = true;
            return self.connections[connection].peer.reset(stream, 8);
        }
        let connection = &self.connections[connection];
        connection.leave();
        connection.clients.values().for_each(|client| client.borrow_mut().left = true);
        if let Some(key) = connection.token() {
            self.workers[connection.worker].events.borrow_mut().push(Ready { key, readable: true, writable: true });
        }
    }

    /// A reader stops or goes on, or a client changes the windows of its connection.
    pub(super) fn change_some_connection(&mut self) {
        let place = self.random.random_range(0..self.connections.len());
        let way = self.random.random_range(0..6);
        let bytes = self.random.random_range(1..3_000);
        let connection = &mut self.connections[place];
        let streams: Vec<u32> = connection.peer.streams.keys().copied().collect();
        if connection.is_over() || streams.is_empty() {
            return;
        }
        let stream = streams[bytes as usize % streams.len()];
        match way {
            0 | 1 => connection.peer.unread.push(stream),
            2 | 3 => connection.peer.unread.retain(|other| *other != stream),
            4 => connection.peer.settings(&[(crate::h2_peer::INITIAL_WINDOW_SIZE, 10 * bytes)]),
            _ => connection.peer.window_update(0, bytes),
        }
        if way == 3 {
            connection.peer.read(stream);
        }
    }
}
