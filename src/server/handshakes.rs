//! How many handshakes work at a time, and whose turn is next.

use super::waiting_room::{WaitingRoom, Whose};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

/// How often a handshake that has had its time looks whether another one waits.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a client may take for the rest of a long hello while others wait, in however many pieces.
const GRACE: Duration = Duration::from_millis(100);

/// The turns of a listener's handshakes. Each turn lasts from a hello that the kernel has whole to our answer to it,
/// which is a handshake's work. What a client sends before that is the most that a handshake holds.
pub(super) struct Turns(Arc<Mutex<Queue>>);

struct Queue {
    free: usize,
    /// Where the turn of each that waits goes. The listener's places bound it.
    waiting: WaitingRoom<oneshot::Sender<Turn>>,
}

/// A handshake's turn; dropping it gives it to the next.
pub(super) struct Turn {
    /// None once it is given on.
    queue: Option<Arc<Mutex<Queue>>>,
    since: Instant,
}

impl Turns {
    pub(super) fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new(Queue { free: count, waiting: WaitingRoom::new(usize::MAX) })))
    }

    /// Waits for a turn. The addresses have theirs round robin, and each gives its own in the order in which they are
    /// asked for.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it loses its place in the queue.
    pub(super) async fn next(&self, whose: Whose) -> Turn {
        let mut turn = self.ask(whose).await.expect("a turn comes before its sender is dropped");
        turn.since = Instant::now();
        turn
    }

    fn ask(&self, whose: Whose) -> oneshot::Receiver<Turn> {
        let (turn_tx, turn_rx) = oneshot::channel();
        let mut queue = lock(&self.0);
        queue.waiting.enter(whose, turn_tx, std::time::Instant::now());
        let is_free = queue.free > 0;
        queue.free -= usize::from(is_free);
        drop(queue);
        if is_free {
            give(self.0.clone());
        }
        turn_rx
    }
}

/// Gives a turn to the next that still waits, if there is any.
fn give(mut turns: Arc<Mutex<Queue>>) {
    loop {
        let next = {
            let mut queue = lock(&turns);
            let next = queue.waiting.take();
            queue.free += usize::from(next.is_none());
            next
        };
        let Some(next) = next else { return };
        let Err(mut refused) = next.send(Turn { queue: Some(turns), since: Instant::now() }) else { return };
        let Some(refused) = refused.queue.take() else { return };
        turns = refused;
    }
}

/// Held for some steps in a queue. A panic ends the process, so a poisoned lock is never seen.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Turn {
    /// Waits for the client. `None`: its time is over while others wait, whatever it has sent, and its turn with it.
    ///
    /// # Cancel safety
    /// That of `client`.
    pub(super) async fn wait_for<T>(&self, client: impl Future<Output = T>) -> Option<T> {
        let mut client = std::pin::pin!(client);
        let over = self.since + GRACE;
        loop {
            let now = Instant::now();
            if now >= over && self.another_waits() {
                return None;
            }
            let look_at = if now < over { over } else { now + LOOK_EVERY };
            if let Ok(came) = timeout_at(look_at, &mut client).await {
                return Some(came);
            }
        }
    }

    fn another_waits(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| !lock(queue).waiting.is_empty())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            give(queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::{pending, ready},
        net::IpAddr,
    };
    use tokio::time::timeout;

    /// Trusted proxies have no address.
    const WHOSE: Whose = None;

    #[tokio::test]
    async fn rule_10_a_client_that_pauses_in_its_hello_keeps_its_turn_until_another_waits() {
        let turns = Turns::new(1);
        let first = turns.next(WHOSE).await;
        assert!(timeout(GRACE * 2, first.wait_for(pending::<()>())).await.is_err(), "no other waits");
        let second = async {
            let turn = turns.next(WHOSE).await;
            assert_eq!(turn.wait_for(ready(7)).await, Some(7));
        };
        let first = async {
            assert_eq!(first.wait_for(pending::<()>()).await, None);
            drop(first);
        };
        tokio::join!(first, second);
        assert_eq!(lock(&turns.0).free, 1);
    }

    #[tokio::test]
    async fn rule_10_a_client_that_sends_its_hello_in_drops_has_no_more_time_than_one_that_pauses() {
        let turns = Turns::new(1);
        let first = turns.next(WHOSE).await;
        let drips = async {
            let drop_comes = || timeout(LOOK_EVERY / 2, pending::<()>());
            while first.wait_for(drop_comes()).await.is_some() {}
            drop(first);
        };
        let both = async { tokio::join!(drips, turns.next(WHOSE)) };
        timeout(100 * GRACE, both).await.expect("its turn ends");
    }

    #[tokio::test]
    async fn the_turns_of_those_that_wait_no_longer_go_to_others() {
        let turns = Turns::new(1);
        let first = turns.next(WHOSE).await;
        for _ in 0..3 {
            drop(turns.ask(WHOSE));
        }
        let last = turns.ask(WHOSE);
        drop(first);
        drop(last.await.unwrap());
        assert_eq!(lock(&turns.0).free, 1);
        drop(turns.next(WHOSE).await);
    }

    #[tokio::test]
    async fn addresses_have_turns_round_robin() {
        let address = |last| Some(IpAddr::from([192, 0, 2, last]).into());
        let turns = Turns::new(1);
        let first = turns.next(address(1)).await;
        let mut waiting: Vec<_> = [1, 1, 1, 2, 3].map(|last| (last, turns.ask(address(last)))).into();
        drop(first);
        let mut came = Vec::new();
        while !waiting.is_empty() {
            waiting.retain_mut(|(last, turn)| {
                let has_turn = turn.try_recv().is_ok(); // and gives it on at once
                came.extend(has_turn.then_some(*last));
                !has_turn
            });
        }
        assert_eq!(came, [1, 2, 3, 1, 1]);
    }
}
