//! The name by which a client changes its stream, which learns it from the stream's `hello`.

use crate::{
    cache::WorkerIndex,
    fanout::{ControlNames, FirstBlock, StreamAddress},
    wire::{HelloDraft, StreamName},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use ring::hmac;
use std::sync::Arc;

/// How much of the signature a name carries: 128 bits.
const TAG_BYTES: usize = 16;
const NAME_BYTES: usize = StreamName::CHARACTERS;
/// A worker, a key there, a stream's name, and the signature of them.
const CONTROL_BYTES: usize = 1 + 8 + NAME_BYTES + TAG_BYTES;

/// What signs the names of one process. Nothing is stored: a name itself says where its stream is.
#[derive(Clone)]
pub(super) struct ControlKey(Arc<hmac::Key>);

/// Where a stream is, and its name there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Control {
    pub(super) address: StreamAddress,
    pub(super) name: StreamName,
}

impl ControlKey {
    pub(super) fn random() -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; 32]>())))
    }

    /// The name by which a stream is changed.
    pub(super) fn sign(&self, control: Control) -> String {
        let Control { address, name } = control;
        let mut bytes = Vec::with_capacity(CONTROL_BYTES);
        bytes.push(address.worker.get() as u8);
        bytes.extend_from_slice(&address.key.to_be_bytes());
        bytes.extend_from_slice(name.as_str().as_bytes());
        let tag = hmac::sign(&self.0, &bytes);
        bytes.extend_from_slice(&tag.as_ref()[..TAG_BYTES]);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a name that this process has signed.
    pub(super) fn read(&self, text: &str) -> Option<Control> {
        let bytes: [u8; CONTROL_BYTES] = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (signed, tag) = bytes.split_at(CONTROL_BYTES - TAG_BYTES);
        let expected = hmac::sign(&self.0, signed);
        // Every byte is compared, so that the time does not say how many are right.
        let differences = expected.as_ref().iter().zip(tag).fold(0, |sum, (one, other)| sum | (one ^ other));
        if differences != 0 {
            return None;
        }
        let (place, name) = signed.split_at(9);
        Some(Control {
            address: StreamAddress {
                worker: WorkerIndex::new(usize::from(place[0]))?,
                key: u64::from_be_bytes(place[1..].try_into().ok()?),
            },
            name: std::str::from_utf8(name).ok()?.parse().ok()?,
        })
    }
}

/// A stream's `hello`, before its worker has given it an address.
pub(super) struct SignedHello {
    pub(super) draft: HelloDraft,
    pub(super) name: StreamName,
    pub(super) key: ControlKey,
}

impl FirstBlock for SignedHello {
    fn block(self: Box<Self>, address: StreamAddress) -> Bytes {
        let control = self.key.sign(Control { address, name: self.name });
        self.draft.with_control(&control)
    }

    fn names(&self) -> Option<Arc<dyn ControlNames>> {
        Some(Arc::new(self.key.clone()))
    }
}

impl ControlNames for ControlKey {
    fn name(&self, stream: StreamName, address: StreamAddress) -> String {
        self.sign(Control { address, name: stream })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(worker: usize, key: u64) -> Control {
        let address = StreamAddress { worker: WorkerIndex::new(worker).unwrap(), key };
        Control { address, name: StreamName::new(20) }
    }

    #[test]
    fn a_name_leads_to_its_stream_and_no_other_text_does() {
        let key = ControlKey::random();
        for control in [control(0, 0), control(63, u64::MAX), control(1, 1 << 33)] {
            let text = key.sign(control);
            assert!(text.len() == 50 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            assert_eq!(key.read(&text), Some(control));
            assert_eq!(ControlKey::random().read(&text), None, "of another process");
            for place in 0..text.len() {
                for other in *b"Aq_" {
                    let mut changed = text.clone().into_bytes();
                    let before = std::mem::replace(&mut changed[place], other);
                    let changed = String::from_utf8(changed).unwrap();
                    assert!(before == other || key.read(&changed).is_none(), "{changed} for {text}");
                }
            }
            for wrong in ["", "x", &text[1..], &format!("{text}A"), &format!("{text}=="), "🦀"] {
                assert_eq!(key.read(wrong), None);
            }
        }
    }
}
