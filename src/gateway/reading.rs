//! Files that are read while the gateway runs.

use crate::config::ReloadError;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, oneshot},
    time::timeout,
};

/// How long reading the files may take. A pipe without a writer, or a lost network drive, never ends.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads files on a thread of its own, one after the other: a runtime's threads would be held up, and waited for at the
/// end.
pub(super) struct Reading {
    turn: Arc<Mutex<()>>,
    limit: Duration,
}

impl Default for Reading {
    fn default() -> Self {
        Self { turn: Arc::default(), limit: READ_TIMEOUT }
    }
}

impl Reading {
    /// Returns what `read` returns. The time that an earlier read still takes counts too.
    ///
    /// # Errors
    /// [`ReloadError::Slow`], [`ReloadError::Thread`].
    ///
    /// # Cancel safety
    /// Dropped, it leaves `read` to end by itself; the next one waits for that.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ReloadError> {
        let slow = || ReloadError::Slow(self.limit);
        let in_turn = async {
            let turn = self.turn.clone().lock_owned().await;
            let (read_tx, read_rx) = oneshot::channel();
            std::thread::Builder::new().name("reload".to_owned()).spawn(move || {
                let result = read();
                drop(turn);
                // An error means that the reload gave up.
                let _ = read_tx.send(result);
            })?;
            // The thread cannot end without an answer: a panic ends the process.
            read_rx.await.map_err(|_| slow())
        };
        timeout(self.limit, in_turn).await.unwrap_or_else(|_| Err(slow()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use std::{pin::pin, sync::mpsc};

    #[tokio::test]
    async fn a_read_that_was_given_up_holds_up_the_next_one_only_until_it_ends() {
        let reading = Reading::default();
        let (end_tx, end_rx) = mpsc::channel::<()>();
        {
            let mut given_up = pin!(reading.read(move || end_rx.recv()));
            assert!(given_up.as_mut().now_or_never().is_none());
        }
        let mut next = pin!(reading.read(|| 7));
        assert!(next.as_mut().now_or_never().is_none());
        end_tx.send(()).unwrap();
        assert_eq!(next.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn rule_10_a_read_that_never_ends_is_given_up() {
        let reading = Reading { limit: Duration::from_millis(20), ..Reading::default() };
        let (end_tx, end_rx) = mpsc::channel::<()>();
        let error = reading.read(move || end_rx.recv()).await.unwrap_err();
        assert_eq!(error.to_string(), "reading the files takes longer than 20ms; try again later");
        assert!(matches!(reading.read(|| 7).await, Err(ReloadError::Slow(_))), "it still reads");
        drop(end_tx);
    }
}
