//! Samples processor time and memory once a second, on a thread of its own.

use super::setup::Server;
use crate::{
    measure::{Machine, Process, Usage},
    report::Sample,
};
use std::{
    io,
    sync::mpsc::{self, RecvTimeoutError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

const INTERVAL: Duration = Duration::from_secs(1);

/// The running sampler.
pub(super) struct Sampler {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Sampler {
    /// Its times count since `begun`.
    pub(super) fn start(server: Server, begun: Instant) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let sample = move || {
            let mut next = Sampling::new(server, Instant::now());
            let mut samples = Vec::new();
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                samples.push(next.sample(begun));
            }
            samples
        };
        let thread = std::thread::Builder::new().name("sampler".to_owned()).spawn(sample)?;
        Ok(Self { stop, thread })
    }

    pub(super) fn finish(self) -> Vec<Sample> {
        drop(self.stop);
        // A run without samples still has all other results.
        self.thread.join().unwrap_or_default()
    }
}

struct Sampling {
    server: Server,
    machine: Machine,
    last: Instant,
    gateway: Option<Usage>,
    own: Usage,
}

impl Sampling {
    fn new(server: Server, now: Instant) -> Self {
        let mut machine = Machine::default();
        machine.busy();
        let gateway = usage(&server);
        Self { server, machine, last: now, gateway, own: Process::own().usage().unwrap_or_default() }
    }

    fn sample(&mut self, begun: Instant) -> Sample {
        let now = Instant::now();
        let gateway = usage(&self.server);
        let own = Process::own().usage().unwrap_or(self.own);
        let seconds = (now - self.last).as_secs_f64();
        let sample = Sample {
            at: (now - begun).as_secs_f64(),
            gateway_cpu: gateway.zip(self.gateway).map(|(now, before)| cores(now, before, seconds)),
            gateway_memory: gateway.map(|usage| usage.memory_bytes),
            own_cpu: cores(own, self.own, seconds),
            machine_busy: self.machine.busy(),
        };
        self.last = now;
        self.gateway = gateway;
        self.own = own;
        sample
    }
}

/// How many cores were used between two usages.
fn cores(now: Usage, before: Usage, seconds: f64) -> f64 {
    now.cpu.saturating_sub(before.cpu).as_secs_f64() / seconds
}

/// What the server has used so far: of its process, or by the metrics of its admin listener.
pub(super) fn usage(server: &Server) -> Option<Usage> {
    if let Some(process) = &server.process {
        return process.usage().ok();
    }
    let counters = server.admin?.counters().ok()?;
    Some(Usage {
        cpu: Duration::try_from_secs_f64(counters.sum("process_cpu_seconds_total", "")?).ok()?,
        memory_bytes: counters.sum("process_resident_memory_bytes", "")? as u64,
    })
}
