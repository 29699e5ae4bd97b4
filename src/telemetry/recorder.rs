//! The recorder that keeps the process's metrics, and their text.

use super::{SECONDS_BUCKETS, catalog, processor_wait::ProcessorWait};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use std::{convert::Infallible, sync::Arc, time::Duration};

/// How often samples of histograms, which pile up one by one, are folded into their buckets.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The processor time. It only grows, which is a counter to Prometheus; but the recorder's counters are whole numbers.
const PROCESS_CPU: &str = "process_cpu_seconds_total";

/// What is counted elsewhere in plain integers: called before each rendering, it sets its gauges and counters, and may
/// append metrics that it renders itself.
pub type Source = Arc<dyn Fn(&mut String) + Send + Sync>;

/// The process's metrics, as Prometheus reads them. Cloning shares them.
#[derive(Clone)]
pub struct Metrics {
    recorder: PrometheusHandle,
    /// What the system knows of this process: processor time, memory, descriptors.
    process: Collector,
    processor_wait: ProcessorWait,
    source: Source,
}

/// Makes this process's metrics be kept, and describes them.
///
/// # Errors
/// [`BuildError::FailedToSetGlobalRecorder`] the second time: a process has one recorder.
pub fn install() -> Result<Metrics, BuildError> {
    let recorder = PrometheusBuilder::new().set_buckets(&SECONDS_BUCKETS)?.install_recorder()?;
    catalog::describe();
    let process = Collector::default();
    process.describe();
    catalog::BUILD_INFO.handle([env!("CARGO_PKG_VERSION").into()]).set(1.0);
    Ok(Metrics { recorder, process, processor_wait: ProcessorWait::default(), source: Arc::new(|_| {}) })
}

impl Metrics {
    /// The same metrics, with those of `source`.
    pub fn with_source(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        let mut own = String::new();
        (self.source)(&mut own);
        self.processor_wait.render(&mut own);
        self.process.collect();
        as_counter(PROCESS_CPU, &self.recorder.render()) + &own
    }

    /// Keeps them small, for ever.
    pub async fn keep_up(&self) -> Infallible {
        let mut interval = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            interval.tick().await;
            self.recorder.run_upkeep();
        }
    }
}

/// The same text, in which a metric that was kept as a gauge is the counter that it is.
fn as_counter(name: &str, text: &str) -> String {
    text.replacen(&format!("# TYPE {name} gauge\n"), &format!("# TYPE {name} counter\n"), 1)
}
