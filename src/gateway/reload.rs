//! Reloads the configuration: reads it again, applies what can change while the gateway runs, and says what cannot.

use crate::{
    admin::Reload,
    config::{Change, Config, Live, Loader, ReloadError, Reloaded, check_mixed, reload},
    market::Now,
    telemetry::{LogHandle, catalog},
};
use futures_util::future::BoxFuture;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Mutex, oneshot};
use tracing::{error, info, warn};

/// How long reading the file may take. A pipe without a writer, or a lost network drive, never ends.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Reloads the configuration of one gateway.
pub struct Reloader {
    live: Live,
    loader: Arc<Loader>,
    /// `None` where the process's logs are another's.
    logs: Option<LogHandle>,
    /// Reloads take turns. Its value is set while a thread still reads the file, also after the reload gave up on it.
    reading: Mutex<Arc<AtomicBool>>,
}

impl Reloader {
    /// The gateway runs with `config`, which came from `loader`.
    pub fn new(config: Config, loader: Loader, logs: Option<LogHandle>) -> Arc<Self> {
        let reading = Mutex::new(Arc::default());
        Arc::new(Self { live: Live::new(config), loader: Arc::new(loader), logs, reading })
    }

    /// The settings in force.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The configuration that the gateway starts with counts as loaded.
    pub(super) fn register_metrics(&self) {
        catalog::CONFIG_RELOADS.register_all();
        record_success();
    }

    /// Reads the file again and applies it, or changes nothing. It logs one line.
    ///
    /// # Errors
    /// [`ReloadError`].
    ///
    /// # Cancel safety
    /// Dropped, it has changed nothing: the change itself does not wait.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let reading = self.reading.lock().await;
        let loaded = self.read(&reading).await;
        let outcome = loaded.and_then(|loaded| self.apply(loaded));
        match &outcome {
            Ok(report) => {
                catalog::CONFIG_RELOADS.handle(["applied".into()]).increment(1);
                record_success();
                match (names(&report.changed), names(&report.at_restart)) {
                    (None, None) => info!("reloaded the configuration; nothing has changed"),
                    (changed, None) => info!(changed, "reloaded the configuration"),
                    (changed, at_restart) => {
                        warn!(changed, at_restart, "reloaded the configuration; some changes wait for a restart");
                    }
                }
            }
            Err(ReloadError::WithoutFile) => {
                catalog::CONFIG_RELOADS.handle(["without_file".into()]).increment(1);
                warn!("reloaded nothing: the gateway was started without a configuration file");
            }
            Err(failed) => {
                catalog::CONFIG_RELOADS.handle(["rejected".into()]).increment(1);
                catalog::CONFIG_LAST_RELOAD_SUCCESSFUL.handle([]).set(0.0);
                error!("reloaded nothing, the configuration in force stays: {failed}");
            }
        }
        outcome
    }

    /// Reads on a thread of its own: a runtime's would be held up, and waited for at the end.
    async fn read(&self, reading: &Arc<AtomicBool>) -> Result<Config, ReloadError> {
        if self.loader.file.is_none() {
            return Err(ReloadError::WithoutFile);
        }
        if reading.swap(true, Ordering::Relaxed) {
            return Err(ReloadError::Slow(READ_TIMEOUT));
        }
        let loader = self.loader.clone();
        let done = reading.clone();
        let (loaded_tx, loaded_rx) = oneshot::channel();
        let thread = std::thread::Builder::new().name("reload".to_owned()).spawn(move || {
            let loaded = loader.load();
            done.store(false, Ordering::Relaxed);
            // An error means that the reload gave up.
            let _ = loaded_tx.send(loaded);
        });
        if let Err(error) = thread {
            reading.store(false, Ordering::Relaxed);
            return Err(error.into());
        }
        match tokio::time::timeout(READ_TIMEOUT, loaded_rx).await {
            Ok(Ok(loaded)) => Ok(loaded?),
            // The thread cannot end without an answer: a panic ends the process.
            Ok(Err(_)) | Err(_) => Err(ReloadError::Slow(READ_TIMEOUT)),
        }
    }

    fn apply(&self, loaded: Config) -> Result<Reloaded, ReloadError> {
        let running = self.live.current();
        let (next, report) = reload(&running, loaded);
        check_mixed(&next)?;
        if next.server.log != running.server.log
            && let Some(logs) = &self.logs
        {
            logs.set(next.server.log.clone());
        }
        self.live.replace(next);
        Ok(report)
    }
}

impl Reload for Reloader {
    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, ReloadError>> {
        Box::pin(Self::reload(self))
    }
}

fn record_success() {
    catalog::CONFIG_LAST_RELOAD_SUCCESSFUL.handle([]).set(1.0);
    catalog::CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP.handle([]).set(Now::read().unix.0 as f64 / 1e6);
}

/// The keys, if any.
fn names(changes: &[Change]) -> Option<String> {
    let names = changes.iter().map(|change| change.key.as_str()).collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then_some(names)
}
