//! How a worker changes an open stream.

use super::{JOINS_PER_STREAM_MIN, Worker};
use crate::{
    fanout::{
        change::{Change, ChangeRefused, ChangeReply},
        stream_key::StreamKey,
        transport::Transport,
        write_queues::WriteQueue,
    },
    market::Now,
    wire::StreamName,
};
use bytes::Bytes;

impl<T: Transport> Worker<T> {
    /// Changes a stream, and answers; returns how many joins that counts as.
    pub(super) fn change(
        &mut self,
        key: StreamKey,
        name: StreamName,
        mut change: Change,
        reply: Box<dyn ChangeReply>,
        now: Now,
    ) -> usize {
        let listed = |worker: &mut Self| worker.table.get(key).map_or(0, |stream| stream.slots().len());
        let before = listed(self);
        let outcome = self.try_change(key, name, &mut change, now);
        reply.reply(outcome);
        before.max(listed(self)).max(JOINS_PER_STREAM_MIN)
    }

    fn try_change(
        &mut self,
        key: StreamKey,
        name: StreamName,
        change: &mut Change,
        now: Now,
    ) -> Result<Bytes, ChangeRefused> {
        let stream = self.table.get_mut(key).filter(|stream| stream.name() == name);
        let stream = stream.ok_or(ChangeRefused::NoSuchStream)?;
        let (json, moved) = stream.change(key, change, &mut self.symbols, now)?;
        self.log.changed(stream);
        for moved in moved {
            if let Some(neighbour) = self.table.get_mut(moved.subscriber.stream) {
                neighbour.subscriber_moved(moved.subscriber.slot, moved.place);
            }
        }
        self.table.queue(key, WriteQueue::Cold, now);
        self.table.arm(key);
        self.end_withdrawn(key, now);
        Ok(json)
    }
}
