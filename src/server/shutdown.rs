//! The signal that all tasks of a listener wait for to stop.

use tokio::sync::watch;

/// Resolves once the listener is to stop: the value is true, or its sender is dropped.
#[derive(Clone)]
pub(crate) struct ShutdownSignal(watch::Receiver<bool>);

impl ShutdownSignal {
    pub(crate) fn new(shutdown: watch::Receiver<bool>) -> Self {
        Self(shutdown)
    }

    /// Waits for the shutdown.
    ///
    /// # Cancel safety
    /// It can be dropped and called again.
    pub(crate) async fn wait(&mut self) {
        // An error means that the sender is dropped, which also stops the listener.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
