//! Reloads the configuration: reads it again, applies what can change while the gateway runs, and says what cannot.
//! Certificates are also loaded when their files change.

use super::certificates::{Looks, log_loaded, record_expiry};
use crate::{
    admin::Reload,
    config::{Change, Config, Live, Loader, ReloadError, Reloaded, check_mixed, reload},
    market::Now,
    telemetry::{LogHandle, catalog},
    tls::{CertificateError, CertificateSet, Certificates, Changes},
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
    /// Those in force, where the gateway serves https.
    certificates: Option<Arc<Certificates>>,
    /// Reloads and looks take turns.
    turn: Mutex<Turn>,
}

/// What a reload or a look leaves for the next one.
#[derive(Default)]
struct Turn {
    /// Set while a thread still reads files, also after the reload gave up on it.
    reading: Arc<AtomicBool>,
    looks: Looks,
}

impl Reloader {
    /// The gateway runs with `config`, which came from `loader`.
    pub fn new(config: Config, loader: Loader, logs: Option<LogHandle>) -> Arc<Self> {
        let certificates = config.tls.as_ref().map(|tls| Certificates::new(tls.loaded.clone()));
        let live = Live::new(config);
        Arc::new(Self { live, loader: Arc::new(loader), logs, certificates, turn: Mutex::default() })
    }

    /// The settings in force.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The certificates in force, where the gateway serves https.
    pub fn certificates(&self) -> Option<&Arc<Certificates>> {
        self.certificates.as_ref()
    }

    /// The configuration that the gateway starts with counts as loaded, with its certificates.
    pub(super) fn register_metrics(&self) {
        catalog::CONFIG_RELOADS.register_all();
        record_success();
        if let Some(certificates) = &self.certificates {
            catalog::CERTIFICATE_RELOADS.register_all();
            let set = certificates.current();
            record_expiry(&CertificateSet::default(), &set);
            log_loaded(&set);
            if let Ok(mut turn) = self.turn.try_lock() {
                turn.looks.announce_expiry(&set, unix_seconds());
            }
        }
    }

    /// Reads the file again and applies it, or changes nothing. It logs one line.
    ///
    /// # Errors
    /// [`ReloadError`].
    ///
    /// # Cancel safety
    /// Dropped, it has changed nothing: the change itself does not wait.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let turn = self.turn.lock().await;
        let loaded = self.read(&turn.reading).await;
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

    async fn read(&self, reading: &Arc<AtomicBool>) -> Result<Config, ReloadError> {
        if self.loader.file.is_none() {
            return Err(ReloadError::WithoutFile);
        }
        let loader = self.loader.clone();
        Ok(on_a_thread(reading, move || loader.load()).await??)
    }

    /// Compares the files of the certificates with what was loaded, and loads those that have changed. A mistake in one
    /// keeps that one in force.
    ///
    /// # Cancel safety
    /// As [`Self::reload`].
    pub(super) async fn look(&self) {
        let Some(certificates) = &self.certificates else { return };
        let mut turn = self.turn.lock().await;
        let now = unix_seconds();
        let current = certificates.current();
        let found = on_a_thread(&turn.reading, move || current.load_changed(now)).await.unwrap_or_else(|error| Changes {
            set: None,
            mistakes: vec![CertificateError { what: error.to_string(), help: None }],
        });
        if let Some(changed) = found.set.map(Arc::new) {
            let mut next = Config::clone(&self.live.current());
            if let Some(tls) = &mut next.tls {
                tls.loaded = changed.clone();
            }
            self.live.replace(next);
            replace(certificates, changed);
            turn.looks.replaced();
        }
        for mistake in turn.looks.found(&found.mistakes) {
            catalog::CERTIFICATE_RELOADS.handle(["rejected".into()]).increment(1);
            error!("did not load a changed certificate, the one in force stays: {mistake}");
        }
        turn.looks.announce_expiry(&certificates.current(), now);
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
        if let (Some(certificates), Some(tls)) = (&self.certificates, &next.tls)
            && !tls.loaded.has_same_files_as(&certificates.current())
        {
            replace(certificates, tls.loaded.clone());
        }
        self.live.replace(next);
        Ok(report)
    }
}

/// Reads files on a thread of its own: a runtime's would be held up, and waited for at the end.
async fn on_a_thread<T: Send + 'static>(
    reading: &Arc<AtomicBool>,
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ReloadError> {
    if reading.swap(true, Ordering::Relaxed) {
        return Err(ReloadError::Slow(READ_TIMEOUT));
    }
    let done = reading.clone();
    let (read_tx, read_rx) = oneshot::channel();
    let thread = std::thread::Builder::new().name("reload".to_owned()).spawn(move || {
        let result = read();
        done.store(false, Ordering::Relaxed);
        // An error means that the reload gave up.
        let _ = read_tx.send(result);
    });
    if let Err(error) = thread {
        reading.store(false, Ordering::Relaxed);
        return Err(error.into());
    }
    match tokio::time::timeout(READ_TIMEOUT, read_rx).await {
        Ok(Ok(result)) => Ok(result),
        // The thread cannot end without an answer: a panic ends the process.
        Ok(Err(_)) | Err(_) => Err(ReloadError::Slow(READ_TIMEOUT)),
    }
}

/// Puts other certificates in force.
fn replace(certificates: &Certificates, set: Arc<CertificateSet>) {
    record_expiry(&certificates.current(), &set);
    log_loaded(&set);
    catalog::CERTIFICATE_RELOADS.handle(["applied".into()]).increment(1);
    certificates.replace(set);
}

impl Reload for Reloader {
    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, ReloadError>> {
        Box::pin(Self::reload(self))
    }
}

fn unix_seconds() -> i64 {
    Now::read().unix.0 / 1_000_000
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
