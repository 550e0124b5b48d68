//! How changes stand in a journal: each in a frame with its length and a checksum.
//!
//! `length (4) | CRC-32 of the payload (4) | payload`, numbers with the low octet first. The payload is `1` and a
//! [`record`] for a binding that was put, `2` and a key for one that was removed.

use offhook_routing::location::{Binding, Change};
use offhook_routing::record;

/// What a journal begins with: name and version.
pub(crate) const MAGIC: &[u8; 8] = b"offhook1";

const HEAD: usize = 8;
/// A SIP message has 65,535 octets at most, and nothing in a binding is longer than the message it came in.
const LONGEST: usize = 0x2_0000;
const PUT: u8 = 1;
const REMOVE: u8 = 2;

/// Appends the frame of a change.
pub(crate) fn write(change: &Change, out: &mut Vec<u8>) {
    seal(out, |out| match change {
        Change::Put(binding) => {
            out.push(PUT);
            record::encode(binding, out);
        }
        Change::Remove {
            aor,
            contact,
            reg_id,
        } => {
            out.push(REMOVE);
            out.extend_from_slice(&reg_id.map_or(0, |id| u64::from(id) + 1).to_le_bytes());
            out.extend_from_slice(
                &u32::try_from(aor.as_str().len())
                    .unwrap_or(u32::MAX)
                    .to_le_bytes(),
            );
            out.extend_from_slice(aor.as_str().as_bytes());
            out.extend_from_slice(contact.as_str().as_bytes());
        }
    });
}

/// The frame of a binding that stands in a record already.
pub(crate) fn of_record(record: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + 1 + record.len());
    seal(&mut out, |out| {
        out.push(PUT);
        out.extend_from_slice(record);
    });
    out
}

fn seal(out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    payload(out);
    let payload = out.get(start + HEAD..).unwrap_or_default();
    if payload.len() > LONGEST {
        out.truncate(start);
        return;
    }
    let length = u32::try_from(payload.len())
        .unwrap_or_default()
        .to_le_bytes();
    let checksum = crc32fast::hash(payload).to_le_bytes();
    for (place, octet) in out
        .iter_mut()
        .skip(start)
        .zip(length.into_iter().chain(checksum))
    {
        *place = octet;
    }
}

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    payload: &'a [u8],
}

/// What tells bindings apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key<'a> {
    pub(crate) user: &'a str,
    pub(crate) contact: &'a str,
    pub(crate) reg_id: Option<u32>,
}

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry<'a> {
    /// This is bound, as in this record.
    Put(Key<'a>, &'a [u8]),
    /// This no more.
    Remove(Key<'a>),
}

impl<'a> Frame<'a> {
    /// The frame that `octets` begin with; `None` if they are cut short or damaged.
    pub(crate) fn read(octets: &'a [u8]) -> Option<Self> {
        let (length, rest) = octets.split_first_chunk()?;
        let (checksum, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length))
            .ok()
            .filter(|length| (1..=LONGEST).contains(length))?;
        let payload = rest.get(..length)?;
        (crc32fast::hash(payload) == u32::from_le_bytes(*checksum)).then_some(Self { payload })
    }

    /// How many octets it takes in the file.
    pub(crate) const fn len(&self) -> usize {
        HEAD + self.payload.len()
    }

    /// What it says; `None` if that makes no sense.
    pub(crate) fn entry(&self) -> Option<Entry<'a>> {
        let (kind, rest) = self.payload.split_first()?;
        match *kind {
            PUT => {
                let (contact, reg_id) = record::key_of(rest)?;
                Some(Entry::Put(
                    Key {
                        user: record::user_of(rest)?,
                        contact,
                        reg_id,
                    },
                    rest,
                ))
            }
            REMOVE => {
                let (reg_id, rest) = rest.split_first_chunk()?;
                let (length, rest) = rest.split_first_chunk()?;
                let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
                let (user, contact) = rest.split_at_checked(length)?;
                let reg_id = u64::from_le_bytes(*reg_id)
                    .checked_sub(1)
                    .map(u32::try_from)
                    .transpose()
                    .ok()?;
                let text = |octets| core::str::from_utf8(octets).ok();
                Some(Entry::Remove(Key {
                    user: text(user)?,
                    contact: text(contact)?,
                    reg_id,
                }))
            }
            _ => None,
        }
    }
}

/// Reads a binding out of the record of an [`Entry::Put`].
pub(crate) fn binding(record: &[u8]) -> Option<Binding> {
    record::decode(record).ok()
}

/// The removal of a binding.
#[cfg(test)]
pub(crate) fn removal(binding: &Binding) -> Change {
    Change::Remove {
        aor: binding.aor.clone(),
        contact: binding.contact.clone(),
        reg_id: binding.reg_id,
    }
}

/// A binding for tests.
#[cfg(test)]
pub(crate) fn sample(user: &str, contact: &str) -> Binding {
    Binding {
        aor: offhook_routing::location::AddressOfRecord::new(user),
        contact: contact.parse().expect("a URI"),
        received: None,
        call_id: "2126492930@192.168.1.50".into(),
        cseq: 7,
        q: 1000,
        expires_at: 1_795_412_587,
        path: Vec::new(),
        user_agent: Some("a phone".into()),
        instance: None,
        reg_id: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(change: &Change) -> Vec<u8> {
        let mut out = b"before".to_vec();
        write(change, &mut out);
        out.split_off(6)
    }

    #[test]
    fn what_is_written_is_read() {
        let put = sample("u1", "sip:u1@192.168.1.183");
        let removed = Binding {
            reg_id: Some(u32::MAX),
            ..put.clone()
        };
        let octets = frame(&Change::Put(Box::new(put.clone())));
        let whole = Frame::read(&octets).expect("a frame");
        assert_eq!(whole.len(), octets.len());
        let Some(Entry::Put(key, record)) = whole.entry() else {
            panic!("{whole:?}")
        };
        assert_eq!(
            key,
            Key {
                user: "u1",
                contact: "sip:u1@192.168.1.183",
                reg_id: None
            }
        );
        assert_eq!(binding(record), Some(put));

        let octets = frame(&removal(&removed));
        let key = Key {
            user: "u1",
            contact: "sip:u1@192.168.1.183",
            reg_id: Some(u32::MAX),
        };
        assert_eq!(
            Frame::read(&octets).and_then(|frame| frame.entry()),
            Some(Entry::Remove(key))
        );
    }

    #[test]
    fn a_cut_or_changed_frame_is_none() {
        let octets = frame(&removal(&sample("u1", "sip:u1@h")));
        for length in 0..octets.len() {
            assert_eq!(Frame::read(&octets[..length]), None, "{length}");
            let mut changed = octets.clone();
            changed[length] ^= 1;
            assert_eq!(Frame::read(&changed), None, "{length}");
        }
        assert_eq!(Frame::read(&[0; 100]), None, "a hole in the file");
        assert_eq!(Frame::read(&[0xff; 100]), None);
    }
}
