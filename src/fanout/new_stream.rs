//! A stream before a worker has opened it.

use super::{
    first_block::FirstBlock, options::Options, response_head::ResponseHead, resume::Resume,
    stream_permit::StreamPermit, unlisted::Unlisted,
};
use crate::{
    cache::SymbolState,
    market::UnixMicros,
    telemetry::ClientName,
    wire::{Dictionary, StreamName},
};
use std::sync::Arc;

/// A stream to be opened.
pub struct NewStream {
    /// Its name in its `hello` and on the admin listener.
    pub name: StreamName,
    /// Its client, for operators.
    pub client: ClientName,
    /// The head of the response, which the transport writes.
    pub head: ResponseHead,
    /// The [generation](crate::cache::Cache::generation) of the epoch that the first block tells.
    pub generation: u32,
    /// The first block of the body, ahead of all frames.
    pub hello: Box<dyn FirstBlock>,
    /// The symbols that it carries: each once, at least one.
    pub symbols: Box<[Arc<SymbolState>]>,
    /// What its client named beside them.
    pub unlisted: Unlisted,
    /// The options that its client gave beside the symbols.
    pub options: Options,
    /// The dictionary that its body is compressed with, if it is: all streams of a process have the same.
    pub dictionary: Option<Arc<Dictionary>>,
    /// Where it resumes, if its client has been connected before.
    pub resume: Option<Resume>,
    /// Whether its client has rights that a `hello` tells.
    pub has_rights: bool,
    /// When its client's rights end, and the stream with them.
    pub until: Option<UnixMicros>,
    /// The stream's permit, held as long as the stream lives.
    pub permit: Box<dyn StreamPermit>,
}
