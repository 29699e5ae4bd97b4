//! The bucket that keeps the leases: a key-value bucket of JetStream, which a node makes if it is not there.
//!
//! It is written out here instead of made by the client, which would ask for rights that no other request needs.

use super::{
    link::Link,
    request::{ApiError, Failed, read_json, request},
};
use crate::cluster::lease::VALUE_BYTES_MAX;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The most bytes of all leases: 64 of them take some 40 KB.
const BYTES_MAX: i64 = 1 << 20;
/// The most bytes of a message: a lease with its headers.
const MESSAGE_BYTES_MAX: i64 = VALUE_BYTES_MAX as i64 + 1_024;

const STREAM_NOT_FOUND: u64 = 10_059;
const NOT_ENABLED: u64 = 10_076;
const NOT_ENABLED_FOR_ACCOUNT: u64 = 10_039;
/// Too few brokers: one that stands alone.
const ALONE: u64 = 10_074;
/// Too few brokers: several, of which fewer serve JetStream. Those that have just started may not know each other yet.
const NO_PEERS: u64 = 10_005;
/// What passes: no leader is elected, or a broker is not up yet.
const PASSING: [u64; 6] = [10_004, 10_006, 10_007, 10_008, 10_009, 10_058];

/// The names of a cluster's bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    stream: String,
    /// In front of each key.
    pub(super) prefix: String,
    replicas: usize,
}

/// A bucket that is there, and what is not as it was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Prepared {
    /// So many copies are kept of it, if not as many as configured.
    pub(super) other_replicas: Option<usize>,
}

/// Why the bucket is missing, or cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unprepared {
    /// Perhaps it will be there later.
    Passing(Failed),
    /// JetStream is off, on this broker or for this account.
    NoJetStream,
    /// The broker stands alone: too few for the replicas.
    Alone,
    /// The brokers that know each other so far are too few for the replicas.
    NoPeers,
    /// A stream of its name is something else, and why.
    Other(&'static str),
    /// The broker refuses it.
    Refused(ApiError),
}

/// The configuration of a stream, as far as it makes a bucket. Durations are in ns; -1 sets no limit.
#[derive(Debug, Serialize)]
struct NewStream<'a> {
    name: &'a str,
    description: &'static str,
    subjects: [String; 1],
    retention: &'static str,
    storage: &'static str,
    discard: &'static str,
    max_consumers: i64,
    max_msgs: i64,
    max_msgs_per_subject: i64,
    max_bytes: i64,
    max_msg_size: i64,
    max_age: i64,
    num_replicas: usize,
    allow_rollup_hdrs: bool,
    deny_delete: bool,
    allow_direct: bool,
}

#[derive(Debug, Deserialize)]
struct StreamInfo {
    config: OldStream,
}

#[derive(Debug, Deserialize)]
struct OldStream {
    #[serde(default)]
    subjects: Vec<String>,
    #[serde(default)]
    max_msgs_per_subject: i64,
    #[serde(default)]
    max_age: i64,
    #[serde(default)]
    allow_direct: bool,
    #[serde(default)]
    num_replicas: usize,
}

impl Bucket {
    pub(super) fn new(cluster: &str, replicas: usize) -> Self {
        Self { stream: format!("KV_tickfan_{cluster}"), prefix: format!("$KV.tickfan_{cluster}."), replicas }
    }

    /// Where a key is read.
    pub(super) fn read_subject(&self, key: &str) -> String {
        format!("$JS.API.DIRECT.GET.{}.{}{key}", self.stream, self.prefix)
    }

    /// Where a key is written.
    pub(super) fn write_subject(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Looks at the bucket, and makes nothing.
    pub(super) async fn look(&self, link: &Link) -> Result<Prepared, Unprepared> {
        self.judge(&self.api(link, "INFO", Bytes::new()).await?)
    }

    /// Makes the bucket, unless it is there.
    pub(super) async fn prepare(&self, link: &Link) -> Result<Prepared, Unprepared> {
        let info = self.api(link, "INFO", Bytes::new()).await;
        match info {
            Err(Unprepared::Refused(error)) if error.is_no_stream() => {
                let config = serde_json::to_vec(&self.config()).expect("strings and numbers are JSON");
                self.judge(&self.api(link, "CREATE", config.into()).await?)
            }
            info => self.judge(&info?),
        }
    }

    async fn api(&self, link: &Link, verb: &str, payload: Bytes) -> Result<StreamInfo, Unprepared> {
        let subject = format!("$JS.API.STREAM.{verb}.{}", self.stream);
        let answer = request(link, &subject, None, payload).await;
        answer.and_then(|message| read_json(&message.payload)).map_err(unprepared)
    }

    fn config(&self) -> NewStream<'_> {
        NewStream {
            name: &self.stream,
            description: "tickfan: which gateway owns which shard",
            subjects: [format!("{}>", self.prefix)],
            retention: "limits",
            storage: "file",
            discard: "new",
            max_consumers: -1,
            max_msgs: -1,
            max_msgs_per_subject: 1,
            max_bytes: BYTES_MAX,
            max_msg_size: MESSAGE_BYTES_MAX,
            max_age: 0,
            num_replicas: self.replicas,
            allow_rollup_hdrs: true,
            deny_delete: true,
            allow_direct: true,
        }
    }

    /// Whether a stream is a bucket that keeps leases.
    fn judge(&self, found: &StreamInfo) -> Result<Prepared, Unprepared> {
        let config = &found.config;
        if config.subjects != [format!("{}>", self.prefix)] {
            return Err(Unprepared::Other("its subjects are not a bucket's"));
        }
        if !config.allow_direct {
            return Err(Unprepared::Other("allow_direct is off"));
        }
        if config.max_age != 0 {
            return Err(Unprepared::Other("its values have a time to live"));
        }
        if config.max_msgs_per_subject < 1 {
            return Err(Unprepared::Other("its history has no limit"));
        }
        let replicas = config.num_replicas;
        Ok(Prepared { other_replicas: (replicas != self.replicas).then_some(replicas) })
    }
}

impl ApiError {
    /// Whether the bucket is missing.
    pub(super) fn is_no_stream(&self) -> bool {
        self.err_code == STREAM_NOT_FOUND
    }
}

fn unprepared(failed: Failed) -> Unprepared {
    match failed {
        Failed::Error(error) => match error.err_code {
            NOT_ENABLED | NOT_ENABLED_FOR_ACCOUNT => Unprepared::NoJetStream,
            ALONE => Unprepared::Alone,
            NO_PEERS => Unprepared::NoPeers,
            code if PASSING.contains(&code) => Unprepared::Passing(Failed::Error(error)),
            _ => Unprepared::Refused(error),
        },
        failed => Unprepared::Passing(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(config: &str) -> StreamInfo {
        read_json(format!(r#"{{"type":"x","config":{config},"state":{{}}}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn the_bucket_is_the_clusters_and_keeps_one_value_of_each_key() {
        let bucket = Bucket::new("prod", 3);
        assert_eq!(bucket.read_subject("a.0"), "$JS.API.DIRECT.GET.KV_tickfan_prod.$KV.tickfan_prod.a.0");
        assert_eq!(bucket.write_subject("a.0"), "$KV.tickfan_prod.a.0");
        let own = serde_json::to_string(&bucket.config()).unwrap();
        assert_eq!(bucket.judge(&info(&own)), Ok(Prepared { other_replicas: None }));
        let one = own.replace("\"num_replicas\":3", "\"num_replicas\":1");
        assert_eq!(bucket.judge(&info(&one)), Ok(Prepared { other_replicas: Some(1) }));
        for (from, to, why) in [
            ("tickfan_prod.>", "other.>", "its subjects are not a bucket's"),
            ("\"allow_direct\":true", "\"allow_direct\":false", "allow_direct is off"),
            ("\"max_age\":0", "\"max_age\":9000000000", "its values have a time to live"),
            ("\"max_msgs_per_subject\":1", "\"max_msgs_per_subject\":-1", "its history has no limit"),
        ] {
            assert!(own.contains(from), "{from}");
            assert_eq!(bucket.judge(&info(&own.replace(from, to))), Err(Unprepared::Other(why)));
        }
    }

    #[test]
    fn errors_that_pass_are_told_from_those_that_a_person_must_change() {
        let error = |err_code| Failed::Error(ApiError { err_code, description: String::new() });
        for (code, expected) in [
            (10_076, Unprepared::NoJetStream),
            (10_039, Unprepared::NoJetStream),
            (10_074, Unprepared::Alone),
            (10_005, Unprepared::NoPeers),
            (10_008, Unprepared::Passing(error(10_008))),
            (10_047, Unprepared::Refused(ApiError { err_code: 10_047, description: String::new() })),
        ] {
            assert_eq!(unprepared(error(code)), expected);
        }
        assert_eq!(unprepared(Failed::TimedOut), Unprepared::Passing(Failed::TimedOut));
    }
}
