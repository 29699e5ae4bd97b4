//! How much TLS a client may send with hardly any data in it.

/// The bytes of a client's records beyond what its data account for. Empty records and changes of keys carry no data,
/// and each change costs the derivation of a key.
#[derive(Debug, Default)]
pub struct Overhead(u16);

impl Overhead {
    /// Twice the longest record, whose data count only once it is whole.
    const MAX: u16 = 32 * 1_024;
    /// So many bytes of TLS belong to a byte of data. A WINDOW_UPDATE of HTTP/2 in a record of its own has 13 in 42.
    const PER_BYTE: usize = 3;

    /// Counts bytes of TLS with so many bytes of data in them; whether that is still within the limit.
    pub fn add(&mut self, sealed: usize, plain: usize) -> bool {
        let bytes = (usize::from(self.0) + sealed).saturating_sub(plain.saturating_mul(Self::PER_BYTE));
        self.0 = u16::try_from(bytes).unwrap_or(u16::MAX);
        self.0 <= Self::MAX
    }
}
