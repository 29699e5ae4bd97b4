//! What operators see: metric names and handles, and logs.

pub mod names;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use std::{convert::Infallible, time::Duration};

/// How often samples of histograms, which pile up one by one, are folded into their buckets.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The process's metrics, as Prometheus reads them. Cloning shares them.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// Makes this process's metrics be kept, and describes them.
///
/// # Errors
/// [`BuildError::FailedToSetGlobalRecorder`] the second time: a process has one recorder.
pub fn install() -> Result<Metrics, BuildError> {
    let handle = PrometheusBuilder::new().set_buckets(names::SECONDS_BUCKETS)?.install_recorder()?;
    names::describe();
    metrics::gauge!(names::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(Metrics(handle))
}

impl Metrics {
    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps them small, for ever.
    pub async fn keep_up(&self) -> Infallible {
        let mut interval = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            interval.tick().await;
            self.0.run_upkeep();
        }
    }
}
