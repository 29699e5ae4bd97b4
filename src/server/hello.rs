//! Whether a client's hello has come whole. Until then it stays in the kernel, where it takes no turn from others.

use rustix::net::{RecvFlags, recv};
use std::io::{self, ErrorKind};
use tokio::{io::Interest, net::TcpStream};

/// The types of records.
const CHANGE_CIPHER_SPEC: u8 = 0x14;
pub(super) const HANDSHAKE_RECORD: u8 = 0x16;
/// The bytes before a record's payload: its type, a version and its length.
const RECORD_HEAD_BYTES: usize = 5;
/// The bytes before the content of a message of a handshake: its type and its length.
const MESSAGE_HEAD_BYTES: usize = 4;
const CLIENT_HELLO: u8 = 1;
/// The longest payload of a record, as long as nothing is encrypted.
const PAYLOAD_BYTES_MAX: usize = 16 * 1024;
/// How much of a hello is awaited: the longest record. A hello has some 500 to 2,000 bytes.
const AWAITED_BYTES: usize = RECORD_HEAD_BYTES + PAYLOAD_BYTES_MAX;

/// Waits until the kernel has a client's whole hello, or all of it that is awaited. What is not a hello, and a client
/// that leaves, is for the reader to see: then it is ready too.
///
/// # Errors
/// The system's.
///
/// # Cancel safety
/// It takes nothing.
pub(super) async fn arrives(socket: &TcpStream) -> io::Result<()> {
    loop {
        let ready = socket.ready(Interest::READABLE).await?;
        let looked = socket.try_io(Interest::READABLE, || {
            let mut bytes = [0; AWAITED_BYTES];
            let (_, count) = recv(socket, &mut bytes, RecvFlags::PEEK)?;
            if count == 0 || is_whole(&bytes[..count]) { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
        });
        match looked {
            Err(error) if error.kind() == ErrorKind::WouldBlock && !ready.is_read_closed() => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            looked => return looked,
        }
    }
}

/// Whether these are a whole hello, or do not begin one. It may be spread over records.
fn is_whole(bytes: &[u8]) -> bool {
    let mut message = [0; MESSAGE_HEAD_BYTES];
    let mut count = 0;
    let mut rest = bytes;
    while let Some((&[kind, _, _, high, low], behind)) = rest.split_first_chunk::<RECORD_HEAD_BYTES>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let payload = &behind[..length.min(behind.len())];
        match kind {
            HANDSHAKE_RECORD if length <= PAYLOAD_BYTES_MAX => {
                let head = message.get_mut(count..).unwrap_or_default();
                head.iter_mut().zip(payload).for_each(|(byte, came)| *byte = *came);
                count += payload.len();
            }
            CHANGE_CIPHER_SPEC => {} // stands before a second hello
            _ => return true,
        }
        rest = &behind[payload.len()..];
        if payload.len() < length {
            break;
        }
    }
    let [kind, length @ ..] = message;
    let length = length.into_iter().fold(0, |length, byte| length << 8 | usize::from(byte));
    let has_whole = count >= MESSAGE_HEAD_BYTES && count - MESSAGE_HEAD_BYTES >= length;
    let is_hello = (count == 0 || kind == CLIENT_HELLO)
        && matches!(rest.first(), None | Some(&(HANDSHAKE_RECORD | CHANGE_CIPHER_SPEC)));
    has_whole || !is_hello || bytes.len() >= AWAITED_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records that hold a message of so many bytes, a part of the message each.
    fn records(length: usize, parts: &[usize]) -> Vec<u8> {
        let message: Vec<u8> = [&[CLIENT_HELLO][..], &(length as u32).to_be_bytes()[1..]].concat();
        let mut message = message.into_iter().chain(std::iter::repeat(7));
        let mut bytes = Vec::new();
        for &part in parts {
            bytes.extend_from_slice(&[HANDSHAKE_RECORD, 3, 1]);
            bytes.extend_from_slice(&(part as u16).to_be_bytes());
            bytes.extend(message.by_ref().take(part));
        }
        bytes
    }

    #[test]
    fn a_hello_is_whole_with_its_last_byte_in_however_many_records_it_comes() {
        for parts in [&[104][..], &[1, 2, 3, 98], &[4, 100], &[103, 1]] {
            let bytes = records(100, parts);
            let whole: Vec<_> = (1..=bytes.len()).filter(|&count| is_whole(&bytes[..count])).collect();
            assert_eq!(whole, [bytes.len()], "{parts:?}");
        }
    }

    #[test]
    fn a_second_hello_may_come_behind_a_change_of_ciphers() {
        let bytes = [&[CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1][..], &records(100, &[104])].concat();
        let whole: Vec<_> = (1..=bytes.len()).filter(|&count| is_whole(&bytes[..count])).collect();
        assert_eq!(whole, [bytes.len()]);
    }

    #[test]
    fn rule_10_of_a_long_hello_only_so_much_is_awaited() {
        let bytes = records(60_000, &[16_384, 16_384]);
        assert!(!is_whole(&bytes[..AWAITED_BYTES - 1]) && is_whole(&bytes[..AWAITED_BYTES]));
    }

    #[test]
    fn what_is_not_a_hello_is_not_awaited() {
        for bytes in [
            &b"G"[..],
            b"GET / HTTP/1.1\r\n",
            &[0x80; 50],
            &[0x15, 3, 1],
            &[0x16, 3, 1, 0x40, 1],
            &[0x16, 3, 1, 0, 9, 2],
        ] {
            assert!(is_whole(bytes), "{bytes:?}");
        }
        assert!(!is_whole(&[HANDSHAKE_RECORD]) && !is_whole(&[HANDSHAKE_RECORD, 3, 1, 0, 0]));
    }
}
