//! A gateway in a process of its own: the built program. Whatever it logs is looked at for what a log must not tell.

use super::{Client, PATIENCE, log_watch::LogWatch};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// A running process; dropping it ends it, and fails its test if a line of its log gives something away.
pub struct Process {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    /// The port for https, if there is one.
    pub tls: Option<SocketAddr>,
    child: Child,
    config: PathBuf,
    /// The lines that it logged before it served.
    pub first_lines: Vec<String>,
    /// The lines that it logs after those.
    log: mpsc::Receiver<String>,
    watch: LogWatch,
    /// Reads the log to its end.
    reader: Option<JoinHandle<()>>,
    /// Lets it go on reading.
    unread: Option<mpsc::Sender<()>>,
}

impl Process {
    /// Starts it with a configuration without a `[server]` table, and waits until it serves.
    pub fn start(name: &str, config: &str) -> Self {
        Self::start_on(name, config, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// The same, with these variables in its environment.
    pub fn start_with(name: &str, config: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tickfan"));
        command.envs(variables.iter().copied());
        Self::launch(name, config, SocketAddr::from(([127, 0, 0, 1], 0)), command)
    }

    /// The same, on this address.
    pub fn start_on(name: &str, config: &str, listen: SocketAddr) -> Self {
        Self::launch(name, config, listen, Command::new(env!("CARGO_BIN_EXE_tickfan")))
    }

    /// The same, on this address and with these variables.
    pub fn start_on_with(name: &str, config: &str, listen: SocketAddr, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tickfan"));
        command.envs(variables.iter().copied());
        Self::launch(name, config, listen, command)
    }

    /// The same, under a limit of descriptors.
    pub fn start_limited(name: &str, config: &str, descriptors: u32) -> Self {
        let mut command = Command::new("bash");
        command.args(["-c", &format!("ulimit -n {descriptors} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_tickfan")]);
        Self::launch(name, config, SocketAddr::from(([127, 0, 0, 1], 0)), command)
    }

    /// The same, as a user whose threads a limit can bind: it does not bind root's.
    pub fn start_unprivileged(name: &str, config: &str) -> Self {
        let command = Self::unprivileged(env!("CARGO_BIN_EXE_tickfan"));
        Self::launch(name, config, SocketAddr::from(([127, 0, 0, 1], 0)), command)
    }

    /// Lowers its limit so that it can start no more threads.
    pub fn take_free_threads(&self) {
        let pid = self.child.id().to_string();
        assert!(Self::unprivileged("prlimit").args(["--pid", &pid, "--nproc=1:1"]).status().unwrap().success());
    }

    fn launch(name: &str, config: &str, listen: SocketAddr, command: Command) -> Self {
        let (command, file) = Self::configured(name, config, listen, command);
        Self::spawn(command, file)
    }

    /// The command with the arguments of a gateway, and the file that it is configured by.
    fn configured(name: &str, config: &str, listen: SocketAddr, mut command: Command) -> (Command, PathBuf) {
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.toml", std::process::id()));
        std::fs::write(&file, config).unwrap();
        let listen = listen.to_string();
        command.arg("--config").arg(&file).args(["--listen", &listen, "--admin-listen", "127.0.0.1:0"]);
        (command, file)
    }

    /// Starts another program in its place, which logs where it serves.
    pub fn of_program(command: Command) -> Self {
        Self::spawn(command, PathBuf::new())
    }

    /// Starts it with a configuration and a log that is read only until it serves, as by a collector that hangs then.
    pub fn start_unread(name: &str, config: &str) -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_tickfan"));
        let (go_tx, go_rx) = mpsc::channel();
        let (command, file) = Self::configured(name, config, SocketAddr::from(([127, 0, 0, 1], 0)), command);
        let mut process = Self::spawn_read(command, file, Some(go_rx));
        process.unread = Some(go_tx);
        process
    }

    /// Goes on reading the log.
    pub fn read_log(&mut self) {
        self.unread = None;
    }

    fn spawn(command: Command, config: PathBuf) -> Self {
        Self::spawn_read(command, config, None)
    }

    /// Once it serves, its log is read when `go` ends.
    fn spawn_read(mut command: Command, config: PathBuf, go: Option<mpsc::Receiver<()>>) -> Self {
        // The format for people, in which a line could be forged, and every level: no line may contain a secret.
        let has_filter = command.get_envs().any(|(name, _)| name == "TICKFAN_LOG");
        command.env_remove("TICKFAN_LOG_FORMAT").stderr(Stdio::piped());
        if !has_filter {
            command.env("TICKFAN_LOG", "trace");
        }
        let mut child = command.spawn().unwrap();
        let (line_tx, line_rx) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).split(b'\n');
        let watch = LogWatch::default();
        let watching = watch.clone();
        // Reads on to the end: a full pipe would stop the process.
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                watching.look(&line);
                let serves = line.contains("serving");
                drop(line_tx.send(line));
                if let (true, Some(go)) = (serves, &go) {
                    let _ = go.recv();
                }
            }
        });
        let mut seen = Vec::new();
        while !seen.last().is_some_and(|line: &String| line.contains("serving")) {
            let Ok(line) = line_rx.recv_timeout(PATIENCE) else { panic!("it does not serve: {seen:#?}") };
            seen.push(line);
        }
        let serving = seen.last().unwrap();
        let address = address_in(serving, "listen=").unwrap();
        let admin = address_in(serving, "admin=").unwrap();
        let tls = address_in(serving, "tls=");
        Self {
            address,
            admin,
            tls,
            child,
            config,
            first_lines: seen,
            log: line_rx,
            watch,
            reader: Some(reader),
            unread: None,
        }
    }

    /// Starts it without a configuration file.
    pub fn start_without_file() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tickfan"));
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        Self::spawn(command, PathBuf::new())
    }

    /// The file that it was started with.
    pub fn config_file(&self) -> &Path {
        &self.config
    }

    /// Rewrites that file.
    pub fn configure(&self, config: &str) {
        std::fs::write(&self.config, config).unwrap();
    }

    /// Sends SIGHUP.
    pub fn hang_up(&self) {
        kill_process(self.pid(), Signal::HUP).unwrap();
    }

    /// Sends SIGTERM and does not wait.
    pub fn begin_to_end(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    /// Ends it; returns what it has logged since it serves.
    pub fn log(mut self) -> Vec<String> {
        self.until_written();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.log.iter().collect()
    }

    /// Waits until its log's thread waits for lines: what it has logged so far is written.
    pub fn until_written(&self) {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let read = |task: &std::fs::DirEntry, file| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let Some(task) = tasks.into_iter().find(|task| read(task, "comm") == "log\n") else { return };
        let deadline = Instant::now() + PATIENCE;
        while !read(&task, "stat").contains("(log) S") || read(&task, "wchan").contains("pipe") {
            assert!(Instant::now() < deadline, "its log is not written");
            std::thread::yield_now();
        }
    }

    /// A program that runs without root's rights.
    fn unprivileged(program: &str) -> Command {
        if !rustix::process::getuid().is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", program]);
        command
    }

    /// The sum of a metric over the series whose labels contain this string.
    pub fn metric(&self, name: &str, label: &str) -> u64 {
        sum(&Client::connect(self.admin).get("/metrics").body, name, label)
    }

    /// Waits until a metric satisfies the condition; returns its value.
    pub fn metric_when(&self, name: &str, label: &str, will_do: impl Fn(u64) -> bool) -> u64 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.metric(name, label);
            if will_do(value) {
                return value;
            }
            assert!(Instant::now() < deadline, "{name}{{{label}}} stays at {value}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its resident memory in bytes, counted page by page: the metric is the kernel's sum, which lacks up to 128 KiB
    /// for each core.
    pub fn resident(&self) -> u64 {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).unwrap();
        let rss = rollup.lines().find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB"));
        rss.unwrap_or_else(|| panic!("{rollup}")).parse::<u64>().unwrap() * 1024
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Lowers its limit so that it can open no more descriptors; returns the limit that it had.
    pub fn take_free_descriptors(&self) -> Rlimit {
        let open: Vec<u64> = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
            .collect();
        let first_free = (0..).find(|number| !open.contains(number)).unwrap();
        // The maximum stays as it is: only a privileged process may raise it again.
        let lowered = Rlimit { current: Some(first_free), maximum: getrlimit(Resource::Nofile).maximum };
        prlimit(Some(self.pid()), Resource::Nofile, lowered).unwrap()
    }

    /// Gives it back the limit that [`Process::take_free_descriptors`] returned.
    pub fn give_descriptors_back(&self, limit: Rlimit) {
        prlimit(Some(self.pid()), Resource::Nofile, limit).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Ends it as `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The names of its threads.
    pub fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let name =
            |task: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(task.ok()?.path().join("comm")).ok();
        tasks.filter_map(name).map(|name| name.trim_end().to_owned()).collect()
    }

    /// The next line that it logs, unless none comes in time.
    pub fn next_line(&self, deadline: Instant) -> Option<String> {
        self.log.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }

    /// Sends SIGTERM and waits for its end; returns what it has logged since it serves.
    pub fn drained_log(self) -> Vec<String> {
        self.ended_log(Signal::TERM)
    }

    /// Sends a signal and waits for its end; returns what it has logged since then.
    pub fn ended_log(mut self, signal: Signal) -> Vec<String> {
        assert!(self.end(signal).success());
        self.log.iter().collect()
    }

    /// Sends SIGTERM and waits for its end.
    pub fn terminate(mut self) -> ExitStatus {
        self.end(Signal::TERM)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits until it logs a line with this string.
    pub fn until_logged(&self, wanted: &str) {
        while !self.log.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{wanted} is not logged")).contains(wanted) {}
    }

    fn end(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end on a signal");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.config);
        self.read_log();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.watch.check();
    }
}

/// The sum of a metric over the series whose labels contain this string.
pub fn sum(text: &str, name: &str, label: &str) -> u64 {
    let series = text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
    let of_name = series.filter(|(labels, _)| labels.is_empty() || labels.starts_with('{'));
    of_name.filter(|(labels, _)| labels.contains(label)).map(|(_, value)| value.parse::<f64>().unwrap() as u64).sum()
}

/// The address behind a key of a log line.
fn address_in(line: &str, key: &str) -> Option<SocketAddr> {
    let (_, value) = line.split_once(key)?;
    value.split(' ').next()?.parse().ok()
}
