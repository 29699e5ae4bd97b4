//! The process's metrics recorder, and its output in Prometheus' text format.

use super::{SECONDS_BUCKETS, catalog, logs, processor_wait::ProcessorWait};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use std::{convert::Infallible, time::Duration};

/// How often the recorder folds the samples of histograms, which it first stores one by one, into their buckets.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The processor time. It is a counter with fractions, but the recorder's counters are whole numbers, so it is a gauge
/// there.
const PROCESS_CPU: &str = "process_cpu_seconds_total";

/// The process's metrics, as Prometheus reads them. Cloning shares them.
#[derive(Clone)]
pub struct Metrics {
    recorder: PrometheusHandle,
    /// What the system knows about this process: processor time, memory, descriptors.
    process: Collector,
    processor_wait: ProcessorWait,
}

/// Installs the global metrics recorder and registers all descriptions.
///
/// # Errors
/// [`BuildError::FailedToSetGlobalRecorder`] the second time: a process has one recorder.
pub fn install() -> Result<Metrics, BuildError> {
    let recorder = PrometheusBuilder::new().set_buckets(&SECONDS_BUCKETS)?.install_recorder()?;
    catalog::describe();
    let process = Collector::default();
    process.describe();
    let [version, commit, profile] = [env!("CARGO_PKG_VERSION"), env!("BUILD_COMMIT"), env!("BUILD_PROFILE")];
    catalog::BUILD_INFO.handle([version.into(), commit.into(), profile.into()]).set(1.0);
    Ok(Metrics { recorder, process, processor_wait: ProcessorWait::default() })
}

impl Metrics {
    /// All metrics in Prometheus' text format, as far as the recorder and the system know them.
    pub fn render(&self) -> String {
        self.render_with(|_| {})
    }

    /// All metrics. First `publish` sets gauges and counters from what is counted in plain integers elsewhere; it may
    /// append metrics that it renders itself.
    pub fn render_with(&self, publish: impl FnOnce(&mut String)) -> String {
        let mut rendered = String::new();
        publish(&mut rendered);
        self.processor_wait.render(&mut rendered);
        self.process.collect();
        catalog::LOG_LINES_DROPPED.handle([]).absolute(logs::dropped());
        as_counter(PROCESS_CPU, &self.recorder.render()) + &rendered
    }

    /// Runs the recorder's upkeep, for ever: without it the stored samples would grow without limit.
    pub async fn keep_up(&self) -> Infallible {
        let mut interval = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            interval.tick().await;
            self.recorder.run_upkeep();
        }
    }
}

/// Declares a metric that the recorder holds as a gauge to be a counter.
fn as_counter(name: &str, text: &str) -> String {
    text.replacen(&format!("# TYPE {name} gauge\n"), &format!("# TYPE {name} counter\n"), 1)
}
