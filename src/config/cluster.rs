//! `[cluster]`: many gateways that share each venue's connection over NATS. Without the table there is one gateway.

use super::{
    Config, ca_file,
    environment::Variables,
    error::{Wrong, shown},
};
use crate::venue::Secret;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// The most feeds of a cluster: each is a shard.
pub const CLUSTER_FEEDS_MAX: usize = 64;
/// The most brokers that a node may know.
pub(super) const SERVERS_MAX: usize = 16;
/// The longest file of credentials or of a key, in bytes. One of credentials has some 1,200.
const CREDENTIALS_BYTES_MAX: usize = 64 << 10;
/// The longest user, password and token, in bytes.
const ACCESS_BYTES_MAX: usize = 1_024;
/// Where a relative path begins.
const BASE: &str = "the folder of the configuration, or, in a variable, at the working directory";

/// `[cluster]`: how this gateway reaches the others.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The cluster's name, `[a-z0-9-]{1,32}`: a part of subjects, and of the bucket's name.
    pub name: String,
    /// This node's name, `[A-Za-z0-9_-]{1,64}`. It differs from the names of all other nodes.
    pub node: String,
    /// The brokers, as `nats://host:port` or `tls://host:port`.
    pub servers: Vec<String>,
    /// The file of a user's credentials; empty without one.
    pub credentials_file: PathBuf,
    /// The variable with the user's name; empty without one.
    pub user_env: String,
    /// The variable with the user's password; empty without one.
    pub password_env: String,
    /// The variable with a token; empty without one.
    pub token_env: String,
    /// CAs that may have signed the brokers' certificates, instead of those that the machine trusts; empty for these.
    pub ca_file: PathBuf,
    /// The node's own certificate, for brokers that ask for one; empty without one.
    pub cert_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
    /// How long a lease lasts that is not renewed.
    pub lease: Duration,
    /// How old a shard's newest message may be before its symbols are stale.
    pub stale_after: Duration,
    /// How long an owner gathers ticks for a message.
    pub batch: Duration,
    /// How many brokers keep the leases.
    pub replicas: usize,
    /// What opens the brokers, as it was when the configuration was read.
    pub access: BrokerAccess,
}

/// How a node says who it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum BrokerAccess {
    /// It does not.
    #[default]
    Anonymous,
    /// By a user's credentials: a JWT, and the seed of its key.
    Credentials(Secret),
    /// By a user's name and password.
    User {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// By a token.
    Token(Secret),
}

/// The table, which is made with its defaults if it is absent.
pub(super) fn table(config: &mut Config) -> &mut Cluster {
    config.cluster.get_or_insert_default()
}

/// An error, with the key of `[cluster]` that it is about; without one it is about the table.
pub(super) struct Of(pub(super) Option<&'static str>, pub(super) Box<Wrong>);

fn of(key: &'static str) -> impl Fn(Wrong) -> Of {
    move |wrong| Of(Some(key), Box::new(wrong))
}

/// Checks that the table is complete, gives the node its name, and reads the files and the variables that it names.
/// `host` is the machine's name.
///
/// # Errors
/// The first mistake.
pub(super) fn load(cluster: &mut Cluster, variables: &Variables, host: &str) -> Result<(), Of> {
    if !cfg!(feature = "cluster") {
        let wrong = Wrong::new("this tickfan is built without clusters");
        return Err(Of(None, Box::new(wrong.help("build it with the feature `cluster`, or remove [cluster]"))));
    }
    let required = [
        ("name", cluster.name.is_empty(), "name = \"prod\", the same on all nodes"),
        ("servers", cluster.servers.is_empty(), "servers = [\"nats://n1:4222\"], with all brokers"),
    ];
    if let Some((name, _, example)) = required.into_iter().find(|(_, is_missing, _)| *is_missing) {
        let wrong = Wrong::new(format!("[cluster] requires `{name}`")).help(format!("write {example}"));
        return Err(Of(None, Box::new(wrong)));
    }
    if cluster.node.is_empty() {
        cluster.node = node_of_host(host).map_err(of("node"))?;
    }
    cluster.access = access(cluster, variables)?;
    check_certificates(cluster)
}

/// The host's name up to its first dot.
fn node_of_host(host: &str) -> Result<String, Wrong> {
    let first = host.split('.').next().unwrap_or_default();
    let is_unique = !first.eq_ignore_ascii_case("localhost");
    super::cluster_values::node(first).ok().filter(|node| is_unique && !node.is_empty()).ok_or_else(|| {
        Wrong::new(format!("the host's name `{}` does not name this node", shown(host)))
            .help("write node = \"gw-1\" in [cluster], another on each node")
    })
}

fn access(cluster: &Cluster, variables: &Variables) -> Result<BrokerAccess, Of> {
    let set = [
        ("credentials_file", !cluster.credentials_file.as_os_str().is_empty()),
        ("user_env", !cluster.user_env.is_empty()),
        ("token_env", !cluster.token_env.is_empty()),
    ];
    let mut set = set.into_iter().filter_map(|(name, is_set)| is_set.then_some(name));
    let first = set.next();
    if let (Some(first), Some(second)) = (first, set.next()) {
        let wrong = Wrong::new(format!("`{first}` and `{second}` are both set"));
        return Err(of(second)(wrong.help("a node has one way to sign on at the brokers: remove the other")));
    }
    let pair = [("user_env", &cluster.user_env), ("password_env", &cluster.password_env)];
    check_pair(pair.map(|(name, value)| (name, value.is_empty())))?;
    match first {
        None => Ok(BrokerAccess::Anonymous),
        Some("credentials_file") => {
            credentials(&cluster.credentials_file).map(BrokerAccess::Credentials).map_err(of("credentials_file"))
        }
        Some("user_env") => {
            let user = variable("user_env", &cluster.user_env, variables)?.expose().to_owned();
            Ok(BrokerAccess::User { user, password: variable("password_env", &cluster.password_env, variables)? })
        }
        Some(_) => variable("token_env", &cluster.token_env, variables).map(BrokerAccess::Token),
    }
}

/// Two keys of which either both are set or none.
fn check_pair(pair: [(&'static str, bool); 2]) -> Result<(), Of> {
    let [(first, first_is_empty), (second, second_is_empty)] = pair;
    if first_is_empty == second_is_empty {
        return Ok(());
    }
    let [set, missing] = if first_is_empty { [second, first] } else { [first, second] };
    Err(of(set)(Wrong::new(format!("`{set}` requires `{missing}`")).help(format!("set both, or remove `{set}`"))))
}

fn variable(key: &'static str, name: &str, variables: &Variables) -> Result<Secret, Of> {
    let found = variables.iter().find(|(variable, _)| variable.as_os_str() == OsStr::new(name));
    let value = found.and_then(|(_, value)| value.to_str()).map(str::trim).filter(|value| !value.is_empty());
    let wrong = match value {
        Some(value) if value.len() <= ACCESS_BYTES_MAX => return Ok(Secret::new(value)),
        Some(_) => Wrong::new(format!("the variable {name} of `{key}` is too long"))
            .help(format!("at most {ACCESS_BYTES_MAX} bytes")),
        None => Wrong::new(format!("the variable {name} of `{key}` is not set"))
            .help(format!("set it before the start: export {name}=...")),
    };
    Err(of(key)(wrong))
}

/// A file as `nsc` and `nats` write it: a JWT and a seed, each between two lines of hyphens.
fn credentials(path: &Path) -> Result<Secret, Wrong> {
    let bytes = read(path)?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    if ["BEGIN NATS USER JWT", "BEGIN USER NKEY SEED"].iter().all(|part| text.contains(part)) {
        return Ok(Secret::new(text));
    }
    let name = shown(&path.display().to_string());
    Err(Wrong::new(format!("{name} does not hold a user's credentials"))
        .help("such a file begins with -----BEGIN NATS USER JWT-----; `nsc generate creds` writes one")
        .help("a user with a password has its own keys: user_env and password_env"))
}

fn check_certificates(cluster: &Cluster) -> Result<(), Of> {
    let is_set = |path: &Path| !path.as_os_str().is_empty();
    let pair = [("cert_file", &cluster.cert_file), ("key_file", &cluster.key_file)];
    check_pair(pair.map(|(name, path)| (name, !is_set(path))))?;
    for (key, path) in [("ca_file", &cluster.ca_file), ("cert_file", &cluster.cert_file)] {
        if is_set(path) {
            ca_file::read(&path.display().to_string(), BASE).map_err(of(key))?;
        }
    }
    if is_set(&cluster.key_file) {
        let bytes = read(&cluster.key_file).map_err(of("key_file"))?;
        let name = shown(&cluster.key_file.display().to_string());
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
            let wrong = Wrong::new(format!("{name} does not hold a private key in PEM form"));
            of("key_file")(wrong.help("a key begins with -----BEGIN PRIVATE KEY-----"))
        })?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Wrong> {
    let name = shown(&path.display().to_string());
    let failed = |error: io::Error| {
        let wrong = Wrong::new(format!("cannot read {name}: {error}"));
        match error.kind() {
            io::ErrorKind::NotFound => wrong.help(format!("a relative path begins at {BASE}")),
            _ => wrong,
        }
    };
    let mut bytes = Vec::new();
    let limit = CREDENTIALS_BYTES_MAX as u64 + 1;
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() > CREDENTIALS_BYTES_MAX {
        let limit = super::show_bytes(CREDENTIALS_BYTES_MAX as u64);
        return Err(Wrong::new(format!("{name} is too large")).help(format!("at most {limit}")));
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "cluster_tests.rs"]
mod tests;
