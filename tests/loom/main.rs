//! The hand-over between publishers and a worker, model-checked: loom runs all interleavings of the two real files
//! against its own mutex and atomics, and finds any in which a change falls through or a worker sleeps for ever.

#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(unreachable_pub, dead_code, reason = "the files are parts of a library")]

#[path = "../../src/fanout/inbox.rs"]
mod inbox;
#[path = "../../src/cache/ids.rs"]
mod ids;
#[path = "../../src/cache/marks.rs"]
mod marks;
#[path = "../../src/cache/worker_mask.rs"]
mod worker_mask;

mod sync {
    pub(crate) use loom::sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    };
    pub(crate) use std::sync::PoisonError;
}

use ids::WorkerIndex;
use inbox::Inbox;
use loom::{
    sync::{Arc, Mutex, Notify},
    thread,
};
use marks::Marks;
use worker_mask::WorkerMask;

/// The only worker.
fn worker() -> WorkerMask {
    WorkerMask::only(WorkerIndex::new(0).unwrap())
}

/// The state that publishers and the worker share: a symbol whose ring is its newest number, and the worker's waker.
struct Shared {
    newest: Mutex<u64>,
    marks: Marks,
    inbox: Inbox<(), u64>,
    waker: Notify,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self { newest: Mutex::new(0), marks: Marks::default(), inbox: Inbox::default(), waker: Notify::new() })
    }

    fn publish(&self) {
        *self.newest.lock().unwrap() += 1;
        if !self.marks.set(worker()).is_empty() && self.inbox.announce(&mut vec![()]) {
            self.waker.notify();
        }
    }

    /// Takes turns as a worker does until it has read the tick `last` and got all `commands`. In its first turns it
    /// gathers changes, and takes only commands.
    fn work(&self, last: u64, commands: usize, gathering: usize) {
        let mut seen = 0;
        let mut got = Vec::new();
        let mut turns = 0;
        while seen < last || got.len() < commands {
            let mut changed = Vec::new();
            let mut sent = Vec::new();
            self.inbox.take((turns >= gathering).then_some(&mut changed), &mut sent);
            turns += 1;
            assert!(changed.len() <= 1, "a symbol enters the inbox once until its mark is cleared");
            for () in changed {
                seen = self.marks.take(worker(), || *self.newest.lock().unwrap());
            }
            got.append(&mut sent);
            if (seen < last || got.len() < commands) && self.inbox.sleep() {
                self.waker.wait();
            }
        }
    }
}

#[test]
fn no_tick_falls_through_between_two_publishers_and_a_worker() {
    loom::model(|| {
        let shared = Shared::new();
        let publishers = [0, 1].map(|_| {
            let shared = shared.clone();
            thread::spawn(move || shared.publish())
        });
        shared.work(2, 0, 0);
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
    });
}

/// A publisher that goes on while the worker takes its turns, in the first of which it gathers.
fn two_in_a_row(gathering: usize) {
    loom::model(move || {
        let shared = Shared::new();
        let publisher = {
            let shared = shared.clone();
            thread::spawn(move || {
                shared.publish();
                shared.publish();
            })
        };
        shared.work(2, 0, gathering);
        publisher.join().unwrap();
    });
}

#[test]
fn a_publisher_that_goes_on_while_the_worker_reads_marks_the_symbol_again() {
    two_in_a_row(0);
}

/// Changes that a gathering worker leaves in the inbox keep it awake until it takes them.
#[test]
fn a_worker_that_gathers_does_not_sleep_over_a_change() {
    two_in_a_row(1);
}

#[test]
fn a_command_wakes_a_worker_as_a_tick_does() {
    loom::model(|| {
        let shared = Shared::new();
        let publisher = {
            let shared = shared.clone();
            thread::spawn(move || shared.publish())
        };
        let opener = {
            let shared = shared.clone();
            thread::spawn(move || {
                if shared.inbox.send(7).unwrap() {
                    shared.waker.notify();
                }
            })
        };
        shared.work(1, 1, 0);
        publisher.join().unwrap();
        opener.join().unwrap();
    });
}
