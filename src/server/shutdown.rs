//! The word to stop, as all tasks of a listener hear it.

use tokio::sync::watch;

/// Resolves once the listener is to stop: the value is true, or nobody can say so any more.
#[derive(Clone)]
pub(crate) struct ShutdownSignal(watch::Receiver<bool>);

impl ShutdownSignal {
    pub(crate) fn new(shutdown: watch::Receiver<bool>) -> Self {
        Self(shutdown)
    }

    /// Waits for it.
    ///
    /// # Cancel safety
    /// It can be dropped and called again.
    pub(crate) async fn wait(&mut self) {
        // An error says that the sender is gone: stopped, too.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
