//! What the gateway tells of itself on its admin listener.

use serde::Deserialize;
use std::{
    collections::HashMap,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long an answer may take: a gateway under load is slow, not silent.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// The longest answer that is read; all metrics of a gateway are some 30 KB.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The admin listener of a gateway.
#[derive(Debug, Clone, Copy)]
pub struct Admin {
    address: SocketAddr,
}

/// Why the admin listener told nothing.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// It cannot be reached.
    #[error("the admin listener {address} does not answer: {source}")]
    Io {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// It answers something else.
    #[error("{address}{path} answers {status}")]
    Status {
        /// Where.
        address: SocketAddr,
        /// What was asked.
        path: &'static str,
        /// Its answer.
        status: u16,
    },
}

/// What the gateway has counted, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    text: String,
}

impl Admin {
    /// The listener at an address.
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Whether the gateway is ready for clients; if not, what it says of it.
    ///
    /// # Errors
    /// [`AdminError::Io`].
    pub fn readiness(&self) -> Result<Result<(), String>, AdminError> {
        let (status, body) = self.get("/readyz")?;
        Ok(if status == 200 { Ok(()) } else { Err(body) })
    }

    /// All that it has counted.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn counters(&self) -> Result<Counters, AdminError> {
        const PATH: &str = "/metrics";
        match self.get(PATH)? {
            (200, text) => Ok(Counters { text }),
            (status, _) => Err(AdminError::Status { address: self.address, path: PATH, status }),
        }
    }

    /// How many ticks it has left out of each of its streams, by their names; of many, those that missed the most.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn missed(&self) -> Result<HashMap<String, u64>, AdminError> {
        const PATH: &str = "/debug/streams?limit=1000";
        match self.get(PATH)? {
            (200, text) => missed(&text).map_err(|error| self.io(error.into())),
            (status, _) => Err(AdminError::Status { address: self.address, path: PATH, status }),
        }
    }

    fn io(&self, source: io::Error) -> AdminError {
        AdminError::Io { address: self.address, source }
    }

    fn get(&self, path: &str) -> Result<(u16, String), AdminError> {
        self.try_get(path).map_err(|source| self.io(source))
    }

    /// HTTP/1.0: the answer ends with the connection and is never chunked.
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

fn missed(text: &str) -> serde_json::Result<HashMap<String, u64>> {
    #[derive(Deserialize)]
    struct Told {
        streams: Vec<Stream>,
    }
    #[derive(Deserialize)]
    struct Stream {
        stream: String,
        /// By cause.
        missed: HashMap<String, u64>,
    }
    let told: Told = serde_json::from_str(text)?;
    Ok(told.streams.into_iter().map(|Stream { stream, missed }| (stream, missed.into_values().sum())).collect())
}

impl Counters {
    /// The sum of a metric's series whose labels contain a text; `None` if there is no such series.
    pub fn sum(&self, name: &str, label: &str) -> Option<f64> {
        let series = self.text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
        let of_name = series.filter(|(labels, _)| labels.is_empty() || labels.starts_with('{'));
        let mut values =
            of_name.filter(|(labels, _)| labels.contains(label)).filter_map(|(_, value)| value.parse::<f64>().ok());
        values.next().map(|first| first + values.sum::<f64>())
    }

    /// A metric's series by the value of its one label.
    pub fn by_label(&self, name: &str) -> Vec<(String, u64)> {
        let series = self.text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.split_once("} "));
        let value = |(labels, value): (&str, &str)| {
            Some((labels.split('"').nth(1)?.to_owned(), value.parse::<f64>().ok()? as u64))
        };
        series.filter_map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_stream_missed_is_the_sum_of_all_causes() {
        let text = r#"{"now":1,"streams":[{"stream":"k3","peer":null,"missed":{"lag":1,"options":20,"ring":300}}]}"#;
        assert_eq!(missed(text).unwrap(), HashMap::from([("k3".to_owned(), 321)]));
        assert!(missed("{}").is_err());
    }

    #[test]
    fn series_are_summed_by_name_and_label() {
        let text = "# HELP a x\na 3\na_total{cause=\"lag\"} 4\na_total{cause=\"ring\"} 5\nab 7\n".to_owned();
        let counters = Counters { text };
        assert_eq!(counters.sum("a", ""), Some(3.0));
        assert_eq!(counters.sum("a_total", ""), Some(9.0));
        assert_eq!(counters.sum("a_total", "ring"), Some(5.0));
        assert_eq!(counters.sum("b", ""), None);
        assert_eq!(counters.by_label("a_total"), [("lag".to_owned(), 4), ("ring".to_owned(), 5)]);
    }
}
