//! How a worker opens a stream.

use super::Worker;
use crate::{
    fanout::{
        close_reason::CloseReason,
        cursors::{Cursors, Slot},
        new_stream::NewStream,
        stream::{Stream, StreamInit},
        stream_key::{StreamAddress, StreamKey},
        symbols::{Compression, Subscriber, Symbols},
        transport::{Ready, Transport},
        write_queues::WriteQueue,
    },
    market::Now,
};
use rand::RngExt;
use slotmap::Key;

impl<T: Transport> Worker<T> {
    pub(super) fn open(&mut self, mut transport: T, mut new: NewStream, now: Now) {
        new.options = new.options.with_compression(new.dictionary.is_some());
        if let Some(dictionary) = &new.dictionary {
            let min_streams = self.limits.compress_min_streams;
            self.symbols.compress(Compression { dictionary: dictionary.clone(), min_streams });
        }
        let early_by = new.options.heartbeat().mul_f64(self.random.random_range(0.0..1.0));
        if self.names.is_none() {
            self.names = new.hello.names();
        }
        let symbols = &mut self.symbols;
        let worker = self.index;
        let key = self.table.insert(|key| {
            let cursors = subscribe(symbols, key, &new, now);
            let hello = new.hello.block(StreamAddress { worker, key: key.data().as_ffi() });
            let body = match &new.dictionary {
                Some(dictionary) => dictionary.start(&hello),
                None => hello,
            };
            let init = StreamInit {
                name: new.name,
                client: new.client,
                first_block: transport.start(&new.head, body),
                options: new.options,
                generation: new.generation,
                early_by,
                has_rights: new.has_rights,
                until: new.until,
                unlisted: new.unlisted,
                permit: new.permit,
            };
            Stream::new(transport, cursors, init, now)
        });
        self.counts.opened += 1;
        let stream = self.table.stream(key);
        self.log.opened(stream);
        let attached = stream.attach(key.data().as_ffi());
        if self.drains {
            stream.drain(now.instant);
        }
        let connection = stream.connection();
        if let Err(error) = attached {
            return self.end(key, CloseReason::from(&error), now);
        }
        if let Some(connection) = connection {
            self.connections.touch(connection);
        }
        self.table.arm(key);
        self.end_withdrawn(key, now);
        self.table.queue(key, WriteQueue::Cold, now);
        // The transport may have become ready before it was attached.
        self.transport_ready(Ready { key: key.data().as_ffi(), readable: true, writable: false }, now);
    }
}

/// Subscribes a stream to its symbols; returns where it starts in each.
fn subscribe(symbols: &mut Symbols, key: StreamKey, new: &NewStream, now: Now) -> Cursors {
    let mut slots = Vec::with_capacity(new.symbols.len());
    for (slot, state) in (0..).zip(&new.symbols) {
        let joined = symbols.subscribe(state, Subscriber::new(key, slot, &new.options), new.generation, now);
        slots.push(Slot::new(state.id(), joined.subscriber, joined.cursor));
    }
    let mut cursors = Cursors::new(slots.into_boxed_slice());
    if let Some(resume) = new.resume {
        cursors.replay(symbols, &new.options, resume, now);
    }
    cursors
}
