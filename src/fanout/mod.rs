//! Fan-out: ticks from the cache to streams, by worker threads that own their streams outright.
//!
//! Pull, not push: a stream does not have a queue. A publisher marks a changed symbol for the workers that want it; a
//! worker finds in the symbol's ring what each of its streams still lacks, and writes that.

mod options;
mod resume;
mod missed;
mod response_head;
mod stream_key;
mod first_block;
mod stream_permit;
mod unlisted;
mod open_rights;
mod new_stream;
mod change;
mod transport;
mod close_reason;
mod http1;
mod input;
mod tcp;
mod socket;
mod sealed_socket;
mod tls_socket;
mod h2;
mod client_transport;
mod recent_ticks;
mod symbols;
mod cursors;
mod phase;
mod room;
mod schedule;
mod written;
mod stream;
mod stream_log;
mod connection_log;
mod write_queues;
mod stream_table;
mod counts;
mod metrics;
mod slowest;
mod inbox;
mod command;
mod pace;
mod worker_limits;
mod worker;
mod thread;
mod worker_handle;
mod worker_threads;
mod pool;
mod announcer;

pub use crate::cache::WORKERS_MAX;
pub use announcer::Announcer;
pub use change::{Change, ChangeRefused, ChangeReply, ChangeRights, ReadableState};
pub use client_transport::ClientTransport;
pub use close_reason::CloseReason;
pub use command::{Command, WorkerInbox};
pub use counts::Counts;
pub use first_block::{ControlNames, FirstBlock, RETRY_MILLIS};
pub use h2::{
    Activity, ConnectionAddress, ConnectionEnd, ConnectionPermit, ConnectionPermits, H2Answer, H2Io, H2Request,
    H2Socket, H2Stream, NewConnection, Refused, Requests, UnreadAnswers,
};
pub use http1::http1_first_block;
pub use inbox::Inbox;
pub use metrics::StreamMetrics;
pub use missed::Missed;
pub use new_stream::NewStream;
pub use open_rights::OpenRights;
pub use options::Options;
pub use pace::Wait;
pub use pool::{WorkerPool, worker_count};
pub use response_head::ResponseHead;
pub use resume::Resume;
pub use sealed_socket::SealedSocket;
pub use slowest::{SlowestQuery, SlowestStreams, StreamReport};
pub use socket::Socket;
pub use stream_key::StreamAddress;
pub use stream_permit::StreamPermit;
pub use tcp::Received;
pub use tls_socket::TlsSocket;
pub use transport::{ClientSide, CloseMode, Protocol, Ready, Stall, Taken, Transport, TransportError};
pub use unlisted::Unlisted;
pub use worker::Worker;
pub use worker_handle::WorkerHandle;
pub use worker_limits::WorkerLimits;
pub use worker_threads::WorkerThreads;
