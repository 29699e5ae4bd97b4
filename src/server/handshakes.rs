//! How many handshakes read their client's hello at a time.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

/// How often a handshake that has had its time looks whether another one waits.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a client may take for its hello while others wait, in however many pieces. It follows the connect at once.
const GRACE: Duration = Duration::from_millis(100);

/// The turns of a listener's handshakes. Each turn lasts from the first byte of a hello to our answer to it: what a
/// client sends before that is the most that a handshake holds, and the answer is its work.
pub(super) struct Turns {
    free: Semaphore,
    waiting: AtomicUsize,
}

/// A handshake's turn; dropping it gives it to the next.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    since: Instant,
    _permit: SemaphorePermit<'a>,
}

/// Counts one that waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    pub(super) fn new(count: usize) -> Self {
        Self { free: Semaphore::new(count), waiting: AtomicUsize::new(0) }
    }

    /// Waits for a turn. Turns are given in the order in which they are asked for.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it loses its place in the queue.
    pub(super) async fn next(&self) -> Turn<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        let permit = self.free.acquire().await.expect("the semaphore is never closed");
        Turn { turns: self, since: Instant::now(), _permit: permit }
    }
}

impl Turn<'_> {
    /// Waits for the client. `None`: its time is over while others wait, whatever it has sent, and its turn with it.
    ///
    /// # Cancel safety
    /// That of `client`.
    pub(super) async fn wait_for<T>(&self, client: impl Future<Output = T>) -> Option<T> {
        let mut client = std::pin::pin!(client);
        let over = self.since + GRACE;
        loop {
            let now = Instant::now();
            if now >= over && self.turns.waiting.load(Ordering::Relaxed) > 0 {
                return None;
            }
            let look_at = if now < over { over } else { now + LOOK_EVERY };
            if let Ok(came) = timeout_at(look_at, &mut client).await {
                return Some(came);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use tokio::time::timeout;

    #[tokio::test]
    async fn rule_10_a_client_that_pauses_in_its_hello_keeps_its_turn_until_another_waits() {
        let turns = Turns::new(1);
        let first = turns.next().await;
        assert!(timeout(GRACE * 2, first.wait_for(pending::<()>())).await.is_err(), "no other waits");
        let second = async {
            let turn = turns.next().await;
            assert_eq!(turn.wait_for(ready(7)).await, Some(7));
        };
        let first = async {
            assert_eq!(first.wait_for(pending::<()>()).await, None);
            drop(first);
        };
        tokio::join!(first, second);
        assert_eq!(turns.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn rule_10_a_client_that_sends_its_hello_in_drops_has_no_more_time_than_one_that_pauses() {
        let turns = Turns::new(1);
        let first = turns.next().await;
        let drips = async {
            let drop_comes = || timeout(LOOK_EVERY / 2, pending::<()>());
            while first.wait_for(drop_comes()).await.is_some() {}
            drop(first);
        };
        let both = async { tokio::join!(drips, turns.next()) };
        timeout(100 * GRACE, both).await.expect("its turn ends");
    }

    #[tokio::test]
    async fn one_that_stops_waiting_takes_no_turn_from_others() {
        let turns = Turns::new(1);
        let first = turns.next().await;
        assert!(timeout(Duration::from_millis(1), turns.next()).await.is_err());
        assert_eq!(turns.waiting.load(Ordering::Relaxed), 0);
        drop(first);
        drop(turns.next().await);
    }
}
