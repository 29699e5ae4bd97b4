//! A broker in a process of its own, and a proxy in front of one.

use super::PATIENCE;
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, Once,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};
use tokio::{
    io::copy_bidirectional,
    sync::{oneshot, watch},
};

/// The password of the user in the configurations of `deploy/nats/`.
pub(crate) const PASSWORD: &str = "as-long-as-it-is-secret-1";
/// That of the brokers among each other in `deploy/nats/three.conf`.
const ROUTE_PASSWORD: &str = "between-brokers-alone-1";
/// Where that configuration listens for other brokers.
const ROUTE_LISTEN: &str = "listen: 0.0.0.0:6222";

/// The variable that names the program of the broker.
const TOOL_VARIABLE: &str = "NATS_SERVER";

/// The program of the broker. Without it a test says so, and ends.
pub(crate) fn tool() -> Option<PathBuf> {
    static SAY: Once = Once::new();
    let path = std::env::var_os(TOOL_VARIABLE).map(PathBuf::from);
    if path.is_none() {
        SAY.call_once(|| println!("skipped: {TOOL_VARIABLE} does not name nats-server"));
    }
    path
}

/// A running broker. Dropping it kills it and deletes its files.
pub(crate) struct Broker {
    child: Child,
    pub(crate) port: u16,
    folder: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(&'static str, String)>,
    log: Log,
}

/// What a broker logs.
struct Log {
    lines: Mutex<mpsc::Receiver<String>>,
    said: String,
}

/// A port that is free now. Another process may take it before the broker does, so brokers that choose their own port
/// are better; those of a cluster must know each other's.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A folder that no other test has.
pub(crate) fn new_folder() -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("nats-{}-{count}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

impl Broker {
    /// Starts one that keeps leases.
    pub(crate) fn start(tool: &Path) -> Self {
        Self::start_with(tool, "", true)
    }

    /// Starts one with these lines in its configuration.
    pub(crate) fn start_with(tool: &Path, lines: &str, has_jetstream: bool) -> Self {
        let folder = new_folder();
        let jetstream = format!("jetstream {{ store_dir: {:?}, max_file_store: 64MB }}\n", folder.join("store"));
        let jetstream = if has_jetstream { &jetstream } else { "" };
        let config = format!("host: 127.0.0.1\nport: {}\n{jetstream}{lines}\n", free_port());
        fs::write(folder.join("broker.conf"), config).unwrap();
        Self::start_in(tool, folder)
    }

    /// Starts one whose `broker.conf` stands in the folder.
    pub(crate) fn start_in(tool: &Path, folder: PathBuf) -> Self {
        let config = folder.join("broker.conf").to_str().unwrap().to_owned();
        Self::launch(tool, folder, &["--config".to_owned(), config], &[])
    }

    /// Starts one with these arguments.
    pub(crate) fn launch(
        tool: &Path,
        folder: PathBuf,
        arguments: &[String],
        variables: &[(&'static str, String)],
    ) -> Self {
        let (arguments, variables) = (arguments.to_vec(), variables.to_vec());
        let mut command = Command::new(tool);
        command.args(&arguments).envs(variables.iter().map(|(name, value)| (name, value)));
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut log = Log::of(&mut child);
        let port = log.port().unwrap_or_else(|| panic!("the broker does not start: {}", log.said));
        Self { child, port, folder, arguments, variables, log }
    }

    /// Starts one with a configuration of `deploy/nats/` as it is: only addresses and folders are of the test, and what
    /// its user may publish besides.
    pub(crate) fn deployed(tool: &Path, config: &str, rights: &[&str], arguments: &[String]) -> Self {
        Self::deployed_with(tool, config, rights, arguments, &[], 6222)
    }

    /// Starts one of three so, which listens for the others at this port, and calls those at the ports of `routes`.
    pub(crate) fn deployed_of_three(
        tool: &Path,
        place: usize,
        rights: &[&str],
        arguments: &[String],
        port: u16,
        routes: [u16; 3],
    ) -> Self {
        let mut variables = vec![("BROKER", format!("n{}", place + 1)), ("ROUTE_PASSWORD", ROUTE_PASSWORD.to_owned())];
        for (name, port) in ["ROUTE_1", "ROUTE_2", "ROUTE_3"].into_iter().zip(routes) {
            variables.push((name, format!("nats-route://route:{ROUTE_PASSWORD}@127.0.0.1:{port}")));
        }
        Self::deployed_with(tool, "three.conf", rights, arguments, &variables, port)
    }

    fn deployed_with(
        tool: &Path,
        config: &str,
        rights: &[&str],
        arguments: &[String],
        variables: &[(&'static str, String)],
        route_port: u16,
    ) -> Self {
        let folder = new_folder();
        for name in [config, "common.conf"] {
            let text =
                fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/nats").join(name)).unwrap();
            let text = text.replace("/var/lib/nats", folder.to_str().unwrap());
            // An argument would take the password away.
            let text = text.replace(ROUTE_LISTEN, &format!("listen: 127.0.0.1:{route_port}"));
            let rights: String = rights.iter().map(|subject| format!("{subject:?}\n")).collect();
            fs::write(folder.join(name), text.replace("publish: [", &format!("publish: [{rights}"))).unwrap();
        }
        let config = folder.join(config);
        let mut all: Vec<String> =
            ["--config", config.to_str().unwrap(), "--addr", "127.0.0.1"].map(str::to_owned).into();
        all.extend_from_slice(arguments);
        let mut variables = variables.to_vec();
        variables.push(("NATS_PASSWORD", PASSWORD.to_owned()));
        Self::launch(tool, folder, &all, &variables)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its address.
    pub(crate) fn address(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Waits until it has logged this.
    pub(crate) fn logs(&mut self, text: &str) {
        while !self.log.said.contains(text) {
            assert!(self.log.read(), "the broker does not say {text:?}: {}", self.log.said);
        }
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) {
        self.child.wait().unwrap();
    }

    /// Starts it again after [`Broker::kill`], on the same port and with the same files.
    pub(crate) fn restart(&mut self, tool: &Path) {
        let again = Self::launch(tool, self.folder.clone(), &self.arguments, &self.variables);
        let mut old = std::mem::replace(self, again);
        // What it would clean up is the new one's.
        old.folder = PathBuf::new();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !self.folder.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

impl Log {
    /// A thread reads it, so that it never fills the pipe.
    fn of(child: &mut Child) -> Self {
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (line_tx, line_rx) = mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).all(|line| line_tx.send(line).is_ok()));
        Self { lines: Mutex::new(line_rx), said: String::new() }
    }

    /// Reads another line; false if none comes.
    fn read(&mut self) -> bool {
        let Ok(line) = self.lines.get_mut().unwrap().recv_timeout(PATIENCE) else { return false };
        self.said.push_str(&line);
        self.said.push('\n');
        true
    }

    /// The port for clients, once the broker is ready.
    fn port(&mut self) -> Option<u16> {
        while !self.said.contains("Server is ready") {
            if !self.read() {
                return None;
            }
        }
        let (_, address) = self.said.split_once("Listening for client connections on ")?;
        address.lines().next()?.trim().parse::<SocketAddr>().ok().map(|address| address.port())
    }
}

/// A proxy that can be mute: its sockets stay open, and nothing passes.
pub(crate) struct Proxy {
    pub(crate) address: String,
    mute: watch::Sender<bool>,
    _ends: oneshot::Sender<()>,
}

impl Proxy {
    pub(crate) async fn start(port: u16) -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = format!("nats://{}", listener.local_addr().unwrap());
        let (mute, is_mute) = watch::channel(false);
        let (ends, mut ended) = oneshot::channel::<()>();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (client, _) = accepted.unwrap();
                        tokio::spawn(pass(client, port, is_mute.clone()));
                    }
                    _ = &mut ended => return,
                }
            }
        });
        Self { address, mute, _ends: ends }
    }

    /// Nothing passes from now on.
    pub(crate) fn mute(&self) {
        self.mute.send_replace(true);
    }

    /// New connections pass again. Those that were muted stay so.
    pub(crate) fn pass(&self) {
        self.mute.send_replace(false);
    }
}

async fn pass(mut client: tokio::net::TcpStream, port: u16, mut is_mute: watch::Receiver<bool>) {
    let began_mute = *is_mute.borrow();
    if !began_mute {
        let Ok(mut broker) = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
        let ended = tokio::select! {
            _ = copy_bidirectional(&mut client, &mut broker) => true,
            _ = is_mute.wait_for(|is_mute| *is_mute) => false,
        };
        if ended {
            return;
        }
    }
    // The socket stays open until the client closes it.
    let mut rest = [0; 1 << 12];
    loop {
        match client.try_read(&mut rest) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if client.readable().await.is_err() {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

/// Whether a port accepts connections.
pub(crate) fn accepts(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Duration::from_secs(1)).is_ok()
}

/// Publishes a message past all that is tested, and waits until the broker has taken it.
pub(crate) fn raw(port: u16, subject: &str, header: Option<&str>, payload: &str) {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let message = match header {
        Some(header) => {
            let head = format!("NATS/1.0\r\n{header}\r\n\r\n");
            format!("HPUB {subject} {} {}\r\n{head}{payload}\r\n", head.len(), head.len() + payload.len())
        }
        None => format!("PUB {subject} {}\r\n{payload}\r\n", payload.len()),
    };
    let connect = r#"CONNECT {"verbose":false,"pedantic":false,"headers":true}"#;
    socket.write_all(format!("{connect}\r\n{message}PING\r\n").as_bytes()).unwrap();
    let mut lines = BufReader::new(socket);
    let mut line = String::new();
    while !line.starts_with("PONG") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0 && !line.starts_with("-ERR"), "{line}");
    }
}
