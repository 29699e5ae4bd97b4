//! Leases as keys of the bucket.

use super::{
    bucket::Bucket,
    link::Link,
    request::{Failed, read_json, request},
};
use crate::{
    cluster::{
        bus::Leases,
        lease::{LeaseValue, ReadAnswer, WriteAnswer},
        names::ShardName,
    },
    telemetry::SharedLogLimit,
};
use async_nats::{HeaderMap, Message, StatusCode};
use bytes::Bytes;
use serde::Deserialize;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// The newest revision is not the expected one.
const WRONG_LAST_SEQUENCE: [u64; 2] = [10_071, 10_164];
/// With it a write counts only if this is the key's newest revision.
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";
/// The revision of a value that was read.
const SEQUENCE: &str = "Nats-Sequence";
/// It marks a key that was deleted.
const OPERATION: &str = "KV-Operation";
/// A store that fails, fails with each request.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// The store of leases.
#[derive(Debug, Clone)]
pub struct NatsLeases(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    link: Arc<Link>,
    bucket: Arc<Bucket>,
    /// Told when the bucket may be gone.
    missing: Arc<Notify>,
    failure_log: SharedLogLimit,
}

#[derive(Debug, Deserialize)]
struct Ack {
    seq: u64,
}

impl NatsLeases {
    pub(super) fn new(link: Arc<Link>, bucket: Arc<Bucket>, missing: Arc<Notify>) -> Self {
        Self(Arc::new(Shared { link, bucket, missing, failure_log: SharedLogLimit::new(LOG_EVERY) }))
    }

    async fn get(&self, shard: &ShardName) -> Result<Message, Failed> {
        request(&self.0.link, &self.0.bucket.read_subject(shard.as_str()), None, Bytes::new()).await
    }

    async fn put(&self, shard: &ShardName, expected: u64, value: Vec<u8>) -> Result<u64, Failed> {
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED, expected.to_string());
        let subject = self.0.bucket.write_subject(shard.as_str());
        let answer = request(&self.0.link, &subject, Some(headers), value.into()).await?;
        read_json::<Ack>(&answer.payload).map(|ack| ack.seq)
    }

    fn failed(&self, what: &'static str, shard: &ShardName, failed: &Failed) {
        if *failed == Failed::NoResponders {
            self.0.missing.notify_one();
        }
        // While the connection is down, that is what is logged.
        if *failed != Failed::NotConnected
            && let Some(held_back) = self.0.failure_log.admit(Instant::now())
        {
            tracing::warn!(%shard, held_back, error = %failed, "{what}");
        }
    }
}

impl Leases for NatsLeases {
    async fn read(&self, shard: &ShardName) -> ReadAnswer {
        match self.get(shard).await.map(|message| read(&message)) {
            Ok(Ok(Some((revision, Content::Value(bytes))))) => {
                ReadAnswer::Found { revision, value: LeaseValue::from_json(&bytes) }
            }
            Ok(Ok(Some((_, Content::Deleted)) | None)) => ReadAnswer::Absent,
            Ok(Err(failed)) | Err(failed) => {
                self.failed("a lease cannot be read", shard, &failed);
                ReadAnswer::Failed
            }
        }
    }

    async fn write(&self, shard: &ShardName, expected: Option<u64>, value: &LeaseValue) -> WriteAnswer {
        let value = value.to_json();
        let mut answer = written(self.put(shard, expected.unwrap_or_default(), value.clone()).await);
        if expected.is_none() && answer == Ok(WriteAnswer::Conflict) {
            // A key that a person has deleted has a revision, and is as good as one that never was.
            if let Ok(Ok(Some((revision, Content::Deleted)))) = self.get(shard).await.map(|message| read(&message)) {
                answer = written(self.put(shard, revision, value).await);
            }
        }
        answer.unwrap_or_else(|failed| {
            self.failed("a lease may not have been written", shard, &failed);
            WriteAnswer::Unknown
        })
    }
}

/// What a write's answer says, or why it says nothing.
fn written(answer: Result<u64, Failed>) -> Result<WriteAnswer, Failed> {
    match answer {
        Ok(revision) => Ok(WriteAnswer::Written(revision)),
        Err(Failed::Error(error)) if WRONG_LAST_SEQUENCE.contains(&error.err_code) => Ok(WriteAnswer::Conflict),
        Err(failed) => Err(failed),
    }
}

/// What a key holds.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    Value(Bytes),
    Deleted,
}

/// The revision and the content of a key that was read; `None` if there never was one.
fn read(message: &Message) -> Result<Option<(u64, Content)>, Failed> {
    match message.status {
        None => {}
        Some(StatusCode::NOT_FOUND) => return Ok(None),
        Some(status) => return Err(Failed::Other(format!("status {status}"))),
    }
    let header = |name: &str| message.headers.as_ref()?.get(name).map(|value| value.as_str());
    let revision = header(SEQUENCE).and_then(|text| text.parse().ok());
    let revision = revision.ok_or_else(|| Failed::Other("a value without its revision".to_owned()))?;
    let content = if matches!(header(OPERATION), Some("DEL" | "PURGE")) {
        Content::Deleted
    } else {
        Content::Value(message.payload.clone())
    };
    Ok(Some((revision, content)))
}

#[cfg(test)]
mod tests {
    use super::{super::request::ApiError, *};

    fn message(status: Option<u16>, headers: &[(&str, &str)]) -> Message {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, *value);
        }
        Message {
            subject: "_INBOX.x".into(),
            reply: None,
            payload: Bytes::from_static(b"{}"),
            headers: Some(map),
            status: status.map(|status| StatusCode::from_u16(status).unwrap()),
            description: None,
            length: 0,
        }
    }

    #[test]
    fn a_value_a_deleted_key_an_absent_one_and_a_failure_are_told_apart() {
        let value = || Content::Value(Bytes::from_static(b"{}"));
        for (status, headers, expected) in [
            (None, &[(SEQUENCE, "7")][..], Ok(Some((7, value())))),
            (None, &[(SEQUENCE, "8"), (OPERATION, "DEL")], Ok(Some((8, Content::Deleted)))),
            (None, &[(SEQUENCE, "9"), (OPERATION, "PURGE")], Ok(Some((9, Content::Deleted)))),
            (Some(404), &[], Ok(None)),
            (Some(408), &[], Err(Failed::Other("status 408".to_owned()))),
            (None, &[(SEQUENCE, "x")], Err(Failed::Other("a value without its revision".to_owned()))),
        ] {
            assert_eq!(read(&message(status, headers)), expected);
        }
    }

    #[test]
    fn only_a_wrong_revision_is_a_conflict() {
        let error = |err_code| Err(Failed::Error(ApiError { err_code, description: String::new() }));
        assert_eq!(written(Ok(4)), Ok(WriteAnswer::Written(4)));
        for code in WRONG_LAST_SEQUENCE {
            assert_eq!(written(error(code)), Ok(WriteAnswer::Conflict));
        }
        assert!(written(error(10_008)).is_err() && written(Err(Failed::TimedOut)).is_err());
    }
}
