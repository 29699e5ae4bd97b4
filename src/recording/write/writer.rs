//! Turns lines into members, and members into files.

use super::{
    Settings,
    files::{Folder, file_name, take_surplus},
    line,
    member::{Hour, Member, of_line},
    metrics::RecordMetrics,
    queue::{Lines, What},
};
use crate::recording::line::Header;
use std::{io, time::Instant};

/// Writes the recording of one feed.
#[derive(Debug)]
pub(super) struct Writer {
    folder: Folder,
    venue: &'static str,
    feed: String,
    connections: Vec<Track>,
    bytes_max: u64,
    /// The bytes of all the feed's files.
    bytes: u64,
    metrics: RecordMetrics,
    /// Reused from line to line.
    line: Vec<u8>,
}

/// The recording of one connection.
#[derive(Debug)]
struct Track {
    /// The first line of a file, as a member.
    head: Vec<u8>,
    /// The hour of the file that was last begun or gone on with.
    hour: Option<Hour>,
    member: Option<Member>,
}

impl Track {
    fn new(head: Vec<u8>) -> Self {
        Self { head, hour: None, member: None }
    }
}

/// The first line of a file, as a member. Only names stand in it: an address may hold a key.
fn head(venue: &str, feed: &str, symbols: Vec<String>) -> io::Result<Vec<u8>> {
    let head = Header { venue: venue.to_owned(), feed: feed.to_owned(), symbols }.line();
    of_line(&format!("{head}\n"))
}

impl Writer {
    pub(super) fn open(settings: &Settings, metrics: RecordMetrics) -> io::Result<Self> {
        let folder = Folder::open(settings.folder.clone(), settings.feed.clone())?;
        let bytes = folder.files()?.iter().map(|file| file.bytes).sum();
        let (venue, feed) = (settings.venue, settings.feed.clone());
        let track = |symbols: &Vec<String>| Ok(Track::new(head(venue, &feed, symbols.clone())?));
        let connections = settings.symbols.iter().map(track).collect::<io::Result<_>>()?;
        Ok(Self { folder, venue, feed, connections, bytes_max: settings.bytes_max, bytes, metrics, line: Vec::new() })
    }

    /// The symbols of a connection, which may be new, from now on.
    fn list(&mut self, connection: usize, symbols: &[u8]) -> io::Result<()> {
        let symbols = std::str::from_utf8(symbols).unwrap_or_default();
        let symbols = symbols.split(',').filter(|symbol| !symbol.is_empty()).map(str::to_owned).collect();
        let head = head(self.venue, &self.feed, symbols)?;
        while self.connections.len() <= connection {
            self.connections.push(Track::new(head.clone()));
        }
        if self.connections[connection].head != head {
            self.finish(connection)?;
            // A file that goes on has it again, as after a restart.
            self.connections[connection].hour = None;
            self.connections[connection].head = head;
        }
        Ok(())
    }

    /// Takes lines into members, and writes each member that is full or whose hour is over.
    pub(super) fn write(&mut self, lines: &Lines) -> io::Result<()> {
        for (entry, frame) in lines.iter() {
            if entry.what == What::List {
                self.list(entry.connection, frame)?;
                continue;
            }
            self.line.clear();
            line::append(&mut self.line, entry.at.unix, entry.what, frame);
            let hour = Hour::of(entry.at.unix);
            let member = &self.connections[entry.connection].member;
            if member.as_ref().is_some_and(|member| member.ends_before(hour, self.line.len())) {
                self.finish(entry.connection)?;
            }
            let member = &mut self.connections[entry.connection].member;
            let member = member.get_or_insert_with(|| Member::new(hour, entry.at.instant));
            member.push(&self.line, matches!(entry.what, What::Text | What::Binary))?;
        }
        // A frame may have been longer than any other will be.
        self.line.shrink_to(super::member::BYTES_MAX);
        Ok(())
    }

    /// Writes the members whose time has come.
    pub(super) fn write_due(&mut self, now: Instant) -> io::Result<()> {
        self.finish_where(|member| member.is_due(now))
    }

    /// Writes all that there is.
    pub(super) fn write_all(&mut self) -> io::Result<()> {
        self.finish_where(|_| true)
    }

    fn finish_where(&mut self, ends: impl Fn(&Member) -> bool) -> io::Result<()> {
        for connection in 0..self.connections.len() {
            if self.connections[connection].member.as_ref().is_some_and(&ends) {
                self.finish(connection)?;
            }
        }
        Ok(())
    }

    /// Writes the member of a connection. A file begins with the head; so does what another run left off.
    fn finish(&mut self, connection: usize) -> io::Result<()> {
        let track = &mut self.connections[connection];
        let Some(member) = track.member.take() else { return Ok(()) };
        let hour = member.hour;
        let goes_on = track.hour.replace(hour) == Some(hour);
        let (member, frames) = member.finish()?;
        let head_bytes = track.head.len();
        self.make_room((head_bytes + member.len()) as u64)?;
        let name = file_name(&self.feed, connection, hour);
        let needs_head = !goes_on || self.folder.is_empty(&name);
        let head: &[u8] = if needs_head { &self.connections[connection].head } else { &[] };
        let block = [head, &member].concat();
        self.folder.append(&name, &block)?;
        self.bytes += block.len() as u64;
        self.metrics.bytes.increment(block.len() as u64);
        self.metrics.frames.increment(frames);
        Ok(())
    }

    /// Deletes the oldest files until so many bytes more fit.
    fn make_room(&mut self, bytes: u64) -> io::Result<()> {
        if self.bytes + bytes <= self.bytes_max {
            return Ok(());
        }
        // What others have deleted meanwhile no longer counts.
        let mut files = self.folder.files()?;
        for file in take_surplus(&mut files, self.bytes_max.saturating_sub(bytes)) {
            self.folder.remove(&file.name)?;
        }
        self.bytes = files.iter().map(|file| file.bytes).sum();
        Ok(())
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
