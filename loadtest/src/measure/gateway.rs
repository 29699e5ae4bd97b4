//! Reads the gateway's admin listener.

use serde::Deserialize;
use std::{
    collections::HashMap,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long an answer may take. A gateway under load is slow.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// The longest answer. All metrics of a gateway are some 30 KB.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The admin listener of a gateway.
#[derive(Debug, Clone, Copy)]
pub struct Admin {
    address: SocketAddr,
}

/// Why the admin listener did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The connection failed.
    #[error("the admin listener {address} does not answer: {source}")]
    Io {
        /// Its address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The answer is an error.
    #[error("{address}{path} answers {status}")]
    Status {
        /// Its address.
        address: SocketAddr,
        /// The requested path.
        path: &'static str,
        /// The status code.
        status: u16,
    },
}

/// What a gateway tells of its build, as far as it knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Build {
    /// Its version.
    pub version: Option<String>,
    /// The commit that it was built from.
    pub commit: Option<String>,
    /// How it was built: `release` or `debug`.
    pub profile: Option<String>,
}

/// The gateway's metrics at one moment.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    exposition: String,
}

impl Admin {
    /// The listener at an address.
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Whether the gateway is ready for clients; if not, its reason.
    ///
    /// # Errors
    /// [`AdminError::Io`].
    pub fn readiness(&self) -> Result<Result<(), String>, AdminError> {
        let (status, body) = self.get("/readyz")?;
        Ok(if status == 200 { Ok(()) } else { Err(body) })
    }

    /// All metrics.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn counters(&self) -> Result<Counters, AdminError> {
        const PATH: &str = "/metrics";
        match self.get(PATH)? {
            (200, exposition) => Ok(Counters { exposition }),
            (status, _) => Err(AdminError::Status { address: self.address, path: PATH, status }),
        }
    }

    /// The missed ticks of each stream by the stream's name. If there are many streams, only of those that missed the
    /// most.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn missed(&self) -> Result<HashMap<String, u64>, AdminError> {
        const PATH: &str = "/debug/streams?limit=1000";
        match self.get(PATH)? {
            (200, body) => missed(&body).map_err(|error| self.io(error.into())),
            (status, _) => Err(AdminError::Status { address: self.address, path: PATH, status }),
        }
    }

    /// The last changes of a cluster's shards on the gateway, oldest first.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn transitions(&self) -> Result<Vec<Transition>, AdminError> {
        const PATH: &str = "/debug/cluster";
        match self.get(PATH)? {
            (200, body) => transitions(&body).map_err(|error| self.io(error.into())),
            (status, _) => Err(AdminError::Status { address: self.address, path: PATH, status }),
        }
    }

    /// The configuration in force, without secrets.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn config(&self) -> Result<String, AdminError> {
        const PATH: &str = "/debug/config";
        match self.get(PATH)? {
            (200, config) => Ok(config),
            (status, _) => Err(AdminError::Status { address: self.address, path: PATH, status }),
        }
    }

    fn io(&self, source: io::Error) -> AdminError {
        AdminError::Io { address: self.address, source }
    }

    fn get(&self, path: &str) -> Result<(u16, String), AdminError> {
        self.try_get(path).map_err(|source| self.io(source))
    }

    /// Uses HTTP/1.0, so that the answer ends with the connection and is not chunked.
    fn try_get(&self, path: &str) -> io::Result<(u16, String)> {
        let mut socket = TcpStream::connect_timeout(&self.address, ANSWER_TIME_MAX)?;
        socket.set_read_timeout(Some(ANSWER_TIME_MAX))?;
        socket.set_write_timeout(Some(ANSWER_TIME_MAX))?;
        socket.write_all(format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        socket.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        Ok((status, body.to_owned()))
    }
}

/// A change of a cluster's shard on a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Transition {
    /// When, in µs since 1970.
    pub at: i64,
    /// The shard.
    pub shard: String,
    /// What the shard is from then on.
    pub to: String,
}

fn transitions(body: &str) -> serde_json::Result<Vec<Transition>> {
    #[derive(Deserialize)]
    struct Answer {
        transitions: Vec<Transition>,
    }
    let answer: Answer = serde_json::from_str(body)?;
    Ok(answer.transitions)
}

fn missed(body: &str) -> serde_json::Result<HashMap<String, u64>> {
    #[derive(Deserialize)]
    struct Answer {
        streams: Vec<Stream>,
    }
    #[derive(Deserialize)]
    struct Stream {
        stream: String,
        /// By cause.
        missed: HashMap<String, u64>,
    }
    let answer: Answer = serde_json::from_str(body)?;
    Ok(answer.streams.into_iter().map(|Stream { stream, missed }| (stream, missed.into_values().sum())).collect())
}

impl Counters {
    /// The sum of a metric's series whose labels contain `label`; `None` if such a series does not exist.
    pub fn sum(&self, name: &str, label: &str) -> Option<f64> {
        let series = self.exposition.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
        let mut values = series
            .filter(|(labels, _)| labels.is_empty() || labels.starts_with('{'))
            .filter(|(labels, _)| labels.contains(label))
            .filter_map(|(_, value)| value.parse::<f64>().ok());
        values.next().map(|first| first + values.sum::<f64>())
    }

    /// The value of a label of a metric's first series; `None` if it does not have the label.
    pub fn label(&self, name: &str, label: &str) -> Option<String> {
        let mut lines = self.exposition.lines();
        let labels = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.split_once('}'))?.0;
        labels
            .split(',')
            .find_map(|pair| Some(pair.strip_prefix(label)?.strip_prefix("=\"")?.strip_suffix('"')?.to_owned()))
    }

    /// What the gateway tells of its build.
    pub fn build(&self) -> Build {
        let label = |label| self.label("tickfan_build_info", label).filter(|value| !value.is_empty());
        Build { version: label("version"), commit: label("commit"), profile: label("profile") }
    }

    /// How many samples of a histogram are at most each bound, in seconds, over all its series. The last bound is
    /// infinite.
    pub fn buckets(&self, name: &str) -> Vec<(f64, u64)> {
        let name = format!("{name}_bucket");
        let series = self.exposition.lines().filter_map(|line| line.strip_prefix(&name)?.rsplit_once("} "));
        let mut buckets: Vec<(f64, u64)> = Vec::new();
        for (labels, count) in series {
            let Some((_, bound)) = labels.trim_end_matches('"').rsplit_once("le=\"") else { continue };
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap_or(f64::INFINITY) };
            let count = count.parse::<f64>().unwrap_or_default() as u64;
            match buckets.iter_mut().find(|(of, _)| *of == bound) {
                Some((_, sum)) => *sum += count,
                None => buckets.push((bound, count)),
            }
        }
        buckets
    }

    /// A metric's series by the value of their only label.
    pub fn by_label(&self, name: &str) -> Vec<(String, u64)> {
        let series =
            self.exposition.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.split_once("} "));
        series
            .filter_map(|(labels, value)| {
                Some((labels.split('"').nth(1)?.to_owned(), value.parse::<f64>().ok()? as u64))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missed_ticks_of_a_stream_are_the_sum_of_all_causes() {
        let text = r#"{"now":1,"streams":[{"stream":"k3","peer":null,"missed":{"lag":1,"options":20,"ring":300}}]}"#;
        assert_eq!(missed(text).unwrap(), HashMap::from([("k3".to_owned(), 321)]));
        assert!(missed("{}").is_err());
    }

    #[test]
    fn series_are_summed_by_name_and_label() {
        let exposition = "# HELP a x\na 3\na_total{cause=\"lag\"} 4\na_total{cause=\"ring\"} 5\nab 7\n".to_owned();
        let counters = Counters { exposition };
        assert_eq!(counters.sum("a", ""), Some(3.0));
        assert_eq!(counters.sum("a_total", ""), Some(9.0));
        assert_eq!(counters.sum("a_total", "ring"), Some(5.0));
        assert_eq!(counters.sum("b", ""), None);
        assert_eq!(counters.label("a_total", "cause").as_deref(), Some("lag"));
        assert_eq!((counters.label("a_total", "caus"), counters.label("a", "cause")), (None, None));
        assert_eq!(counters.by_label("a_total"), [("lag".to_owned(), 4), ("ring".to_owned(), 5)]);
    }

    #[test]
    fn the_buckets_of_a_histogram_are_summed_over_its_series() {
        let series = |shard: &str, counts: [u64; 3]| {
            let bounds = ["0.001", "0.5", "+Inf"].into_iter().zip(counts);
            let line = |(bound, count)| format!("d_bucket{{shard=\"{shard}\",le=\"{bound}\"}} {count}\n");
            bounds.map(line).collect::<String>()
        };
        let exposition = format!("{}{}d_count{{shard=\"x\"}} 3\n", series("x", [1, 2, 3]), series("y", [10, 20, 20]));
        let buckets = Counters { exposition }.buckets("d");
        assert_eq!(buckets, [(0.001, 11), (0.5, 22), (f64::INFINITY, 23)]);
    }

    #[test]
    fn transitions_are_read_from_what_a_gateway_tells_of_its_cluster() {
        let body = r#"{"node":{},"transitions":[{"at":7,"shard":"x.0","to":"asking","cause":"c","term":null}]}"#;
        let expected = Transition { at: 7, shard: "x.0".to_owned(), to: "asking".to_owned() };
        assert_eq!(transitions(body).unwrap(), [expected]);
        assert!(transitions("{}").is_err());
    }
}
