//! A tick in a message.

use super::{
    error::DecodeError,
    head::Head,
    parts::{read_quote, read_standing, read_stats, read_trade, write_quote, write_standing, write_stats, write_trade},
    reader::Reader,
    writer::Writer,
};
use crate::market::{Guards, Origin, Part, Parts, Snapshot, Symbol, UnixMicros};

/// The longest tick that is written, with its length.
pub(super) const TICK_BYTES_MAX: usize = 512;
/// The longest length of a tick in front of it.
const LENGTH_BYTES_MAX: usize = 2;

/// The bits of `present`. The lowest four are those of [`Parts`]: parts that follow. A newer version may use the others
/// for what it appends.
const RECV: u8 = 1 << 4;
const FULL: u8 = 1 << 5;

/// A tick, as the owner has it.
#[derive(Debug, Clone, Copy)]
pub struct OwnTick<'a> {
    /// The symbol's place in the owner's table.
    pub index: u32,
    /// Its number among the symbol's ticks; 0 for a symbol that has not had one.
    pub seq: u64,
    /// Its number among the shard's ticks; 0 for `seq` 0.
    pub n: u64,
    /// The parts that it changed.
    pub changed: Parts,
    /// The symbol's state after it.
    pub snapshot: &'a Snapshot,
    /// The order guards that go with that state.
    pub guards: &'a Guards,
    /// How much of the state is sent.
    pub form: Form<'a>,
}

/// How much of a symbol's state a tick carries.
#[derive(Debug, Clone, Copy)]
pub enum Form<'a> {
    /// The parts that it changed: it stands on the tick before it.
    Changed {
        /// The state after the tick before it. Where the standing has changed since, it is sent, even if no client sees
        /// a difference.
        before: &'a Snapshot,
    },
    /// All: it stands alone.
    Full {
        /// The symbol.
        name: &'a Symbol,
        /// The `seq` before this one that last changed each part, by [`Part`].
        prior: [u64; Part::ALL.len()],
    },
}

/// A tick of a message that was checked.
#[derive(Debug, Clone, Copy)]
pub struct Tick<'a> {
    /// The symbol's place in the owner's table, below the head's `table`.
    pub index: u32,
    /// Its number among the symbol's ticks; 0 for a symbol that has not had one.
    pub seq: u64,
    /// Its number among the shard's ticks.
    pub n: u64,
    /// The parts that it changed.
    pub changed: Parts,
    /// When the owner received the last update that changed anything.
    pub recv: Option<UnixMicros>,
    /// What a full tick has besides all parts; `None` of a tick that stands on the one before it.
    pub full: Option<Full<'a>>,
    present: u8,
    base: u64,
    parts: &'a [u8],
}

/// What a full tick has besides all parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full<'a> {
    /// The symbol's name, which is a valid [`Symbol`].
    pub name: &'a str,
    /// Where its data come from.
    pub origin: Origin,
    /// The `seq` before this one that last changed each part, by [`Part`].
    pub prior: [u64; Part::ALL.len()],
}

impl OwnTick<'_> {
    /// Writes the tick behind its length; returns how many bytes both have. `out` has [`TICK_BYTES_MAX`] bytes.
    pub(super) fn write(&self, out: &mut [u8], base: u64) -> usize {
        // Most ticks have a length of one byte: it is left free, and a longer one moves the tick.
        let mut tick = Writer::new(&mut out[1..]);
        self.write_fields(&mut tick, base);
        let length = tick.len();
        let mut field = [0; LENGTH_BYTES_MAX];
        let mut writer = Writer::new(&mut field);
        writer.varint(length as u64);
        let prefix = writer.len();
        if prefix > 1 {
            out.copy_within(1..=length, prefix);
        }
        out[..prefix].copy_from_slice(&field[..prefix]);
        prefix + length
    }

    fn write_fields(&self, out: &mut Writer<'_>, base: u64) {
        let (snapshot, guards) = (self.snapshot, self.guards);
        let mut parts = Parts::ALL;
        let mut flags = FULL;
        if let Form::Changed { before } = self.form {
            flags = 0;
            parts = self.changed;
            if snapshot.status != before.status {
                parts.insert(Part::Status);
            }
        }
        if snapshot.recv.is_some() {
            flags |= RECV;
        }
        out.varint(u64::from(self.index));
        out.varint(self.seq);
        out.signed(self.n.wrapping_sub(base).cast_signed());
        out.byte(self.changed.bits());
        out.byte(parts.bits() & Parts::ALL.bits() | flags);
        if let Some(recv) = snapshot.recv {
            out.time(recv, base);
        }
        if let Form::Full { name, prior } = self.form {
            out.byte(name.as_str().len() as u8);
            out.bytes(name.as_str().as_bytes());
            out.byte(origin_code(snapshot.origin));
            prior.into_iter().for_each(|prior| out.varint(self.seq.wrapping_sub(prior)));
        }
        if parts.contains(Part::Trade) {
            write_trade(out, snapshot, guards, base);
        }
        if parts.contains(Part::Quote) {
            write_quote(out, &snapshot.quote, &guards.quote, base);
        }
        if parts.contains(Part::Stats) {
            write_stats(out, &snapshot.stats, &guards.stats, base);
        }
        if parts.contains(Part::Status) {
            write_standing(out, &snapshot.status, &guards.status, base);
        }
    }
}

impl<'a> Tick<'a> {
    /// Reads the next tick of a message, without its parts.
    pub(super) fn read(message: &mut Reader<'a>, head: &Head) -> Result<Self, DecodeError> {
        let length = usize::try_from(message.varint()?).map_err(|_| DecodeError::Length)?;
        let mut reader = Reader::new(message.bytes(length)?);
        let index = u32::try_from(reader.varint()?).map_err(|_| DecodeError::Index)?;
        if index >= head.table {
            return Err(DecodeError::Index);
        }
        let seq = reader.varint()?;
        let n = head.base.wrapping_add(reader.signed()?.cast_unsigned());
        let changed = Parts::from_bits(reader.byte()?).ok_or(DecodeError::Value)?;
        let present = reader.byte()?;
        let is_full = present & FULL != 0;
        let missing = if is_full { Parts::ALL.bits() } else { changed.bits() & Parts::ALL.bits() } & !present;
        if missing != 0 || (head.kind.is_full() && !is_full) {
            return Err(DecodeError::Value);
        }
        let recv = if present & RECV != 0 { Some(reader.time(head.base)?) } else { None };
        let full = if is_full { Some(read_full(&mut reader, seq)?) } else { None };
        Ok(Self { index, seq, n, changed, recv, full, present, base: head.base, parts: reader.rest() })
    }

    /// The parts that it carries: those that it changed, and others whose state behind them is new.
    pub fn present(&self) -> Parts {
        Part::ALL.into_iter().filter(|&part| self.has(part)).collect()
    }

    /// Puts the parts that it carries in place of those of the state that it stands on, or of any state if it is full.
    /// Then the state is as the owner's.
    pub fn merge_into(&self, snapshot: &mut Snapshot, guards: &mut Guards) {
        let merged = self.try_merge_into(snapshot, guards);
        debug_assert!(merged.is_ok(), "the message was checked when it was opened");
    }

    /// # Errors
    /// [`DecodeError`]: then some parts may have been merged.
    pub(super) fn try_merge_into(&self, snapshot: &mut Snapshot, guards: &mut Guards) -> Result<(), DecodeError> {
        let mut reader = Reader::new(self.parts);
        if self.has(Part::Trade) {
            read_trade(&mut reader, snapshot, guards, self.base)?;
        }
        if self.has(Part::Quote) {
            (snapshot.quote, guards.quote) = read_quote(&mut reader, self.base)?;
        }
        if self.has(Part::Stats) {
            (snapshot.stats, guards.stats) = read_stats(&mut reader, self.base)?;
        }
        if self.has(Part::Status) {
            (snapshot.status, guards.status) = read_standing(&mut reader, self.base)?;
        }
        if let Some(full) = self.full {
            snapshot.origin = full.origin;
        }
        snapshot.recv = self.recv;
        Ok(())
    }

    fn has(&self, part: Part) -> bool {
        self.present & Parts::from_iter([part]).bits() != 0
    }
}

fn read_full<'a>(reader: &mut Reader<'a>, seq: u64) -> Result<Full<'a>, DecodeError> {
    let length = usize::from(reader.byte()?);
    let name = std::str::from_utf8(reader.bytes(length)?).map_err(|_| DecodeError::Value)?;
    if !Symbol::is_valid(name) {
        return Err(DecodeError::Value);
    }
    let origin = match reader.byte()? {
        0 => Origin::Market,
        1 => Origin::Sim,
        2 => Origin::Delayed,
        3 => Origin::Replay,
        _ => return Err(DecodeError::Value),
    };
    let mut prior = [0; Part::ALL.len()];
    for of_part in &mut prior {
        *of_part = seq.wrapping_sub(reader.varint()?);
    }
    Ok(Full { name, origin, prior })
}

fn origin_code(origin: Origin) -> u8 {
    match origin {
        Origin::Market => 0,
        Origin::Sim => 1,
        Origin::Delayed => 2,
        Origin::Replay => 3,
    }
}
