//! A binding as a few octets: how tables and journals keep it.
//!
//! Texts are counted, numbers are as short as they can be (seven bits an octet, low ones first), what is absent takes
//! no room. The first octet is the version of the format.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use offhook_sip::{Transport, Uri};

use crate::location::{AddressOfRecord, Binding, Received};

const VERSION: u8 = 1;

const RECEIVED: u8 = 1;
const CONNECTION: u8 = 2;
const USER_AGENT: u8 = 4;
const INSTANCE: u8 = 8;
const REG_ID: u8 = 16;
const PATH: u8 = 32;

/// The octets are no binding: cut short, damaged, or written by a later version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the record of a binding")]
pub struct RecordError;

/// Appends the record of `binding` to `out`.
pub fn encode(binding: &Binding, out: &mut Vec<u8>) {
    out.push(VERSION);
    text(out, binding.aor.as_str());
    text(out, binding.contact.as_str());
    out.push(flags(binding));
    if let Some(reg_id) = binding.reg_id {
        number(out, reg_id.into());
    }
    text(out, &binding.call_id);
    number(out, binding.cseq.into());
    number(out, binding.q.into());
    number(out, binding.expires_at);
    if let Some(received) = &binding.received {
        out.push(transport_code(received.transport));
        address(out, received.local);
        address(out, received.remote);
        if let Some(connection) = received.connection {
            number(out, connection);
        }
    }
    if let Some(user_agent) = &binding.user_agent {
        text(out, user_agent);
    }
    if let Some(instance) = &binding.instance {
        text(out, instance);
    }
    if !binding.path.is_empty() {
        number(out, u64::try_from(binding.path.len()).unwrap_or(u64::MAX));
        for hop in &binding.path {
            text(out, hop.as_str());
        }
    }
}

/// Reads a record.
///
/// # Errors
/// [`RecordError`] if `record` is anything but one whole record.
pub fn decode(record: &[u8]) -> Result<Binding, RecordError> {
    let mut reader = Reader::open(record)?;
    let aor = AddressOfRecord::new(reader.text()?);
    let contact = reader.uri()?;
    let flags = reader.octet()?;
    let has = |flag: u8| flags & flag != 0;
    let reg_id = if has(REG_ID) {
        Some(reader.narrow()?)
    } else {
        None
    };
    let call_id = reader.text()?.to_owned();
    let cseq = reader.narrow()?;
    let q = reader.narrow()?;
    let expires_at = reader.number()?;
    let received = if has(RECEIVED) {
        Some(reader.received(has(CONNECTION))?)
    } else {
        None
    };
    let user_agent = if has(USER_AGENT) {
        Some(reader.text()?.to_owned())
    } else {
        None
    };
    let instance = if has(INSTANCE) {
        Some(reader.text()?.to_owned())
    } else {
        None
    };
    let hops: u16 = if has(PATH) { reader.narrow()? } else { 0 };
    let path = (0..hops).map(|_| reader.uri()).collect::<Result<_, _>>()?;
    if !reader.0.is_empty() {
        return Err(RecordError);
    }
    Ok(Binding {
        aor,
        contact,
        received,
        call_id,
        cseq,
        q,
        expires_at,
        path,
        user_agent,
        instance,
        reg_id,
    })
}

/// The user of a record, without reading the rest.
#[must_use]
pub fn user_of(record: &[u8]) -> Option<&str> {
    Reader::open(record).ok()?.text().ok()
}

/// What tells the bindings of one user apart: the contact as it was written and the number of the
/// flow, without reading the rest.
#[must_use]
pub fn key_of(record: &[u8]) -> Option<(&str, Option<u32>)> {
    let mut reader = Reader::open(record).ok()?;
    reader.text().ok()?;
    let contact = reader.text().ok()?;
    let has_reg_id = reader.octet().ok()? & REG_ID != 0;
    let reg_id = if has_reg_id {
        Some(reader.narrow().ok()?)
    } else {
        None
    };
    Some((contact, reg_id))
}

fn flags(binding: &Binding) -> u8 {
    let connection = binding
        .received
        .as_ref()
        .and_then(|received| received.connection);
    [
        (binding.received.is_some(), RECEIVED),
        (connection.is_some(), CONNECTION),
        (binding.user_agent.is_some(), USER_AGENT),
        (binding.instance.is_some(), INSTANCE),
        (binding.reg_id.is_some(), REG_ID),
        (!binding.path.is_empty(), PATH),
    ]
    .into_iter()
    .filter(|(present, _)| *present)
    .fold(0, |flags, (_, flag)| flags | flag)
}

const fn transport_code(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => 0,
        Transport::Tcp => 1,
        Transport::Tls => 2,
        Transport::Ws => 3,
        Transport::Wss => 4,
    }
}

fn transport(code: u8) -> Option<Transport> {
    [
        Transport::Udp,
        Transport::Tcp,
        Transport::Tls,
        Transport::Ws,
        Transport::Wss,
    ]
    .get(usize::from(code))
    .copied()
}

fn number(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn text(out: &mut Vec<u8>, text: &str) {
    number(out, u64::try_from(text.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(text.as_bytes());
}

fn address(out: &mut Vec<u8>, address: SocketAddr) {
    match address {
        SocketAddr::V4(address) => {
            out.push(4);
            out.extend_from_slice(&address.ip().octets());
        }
        SocketAddr::V6(address) => {
            out.push(6);
            out.extend_from_slice(&address.ip().octets());
            number(out, address.scope_id().into());
        }
    }
    out.extend_from_slice(&address.port().to_be_bytes());
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn open(record: &'a [u8]) -> Result<Self, RecordError> {
        record
            .split_first()
            .filter(|(version, _)| **version == VERSION)
            .map(|(_, rest)| Self(rest))
            .ok_or(RecordError)
    }

    fn octets(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (octets, rest) = self.0.split_at_checked(count).ok_or(RecordError)?;
        self.0 = rest;
        Ok(octets)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        self.octets(N)?.try_into().map_err(|_| RecordError)
    }

    fn octet(&mut self) -> Result<u8, RecordError> {
        self.array().map(|[octet]| octet)
    }

    fn number(&mut self) -> Result<u64, RecordError> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let octet = self.octet()?;
            value |= u64::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(RecordError)
    }

    fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, RecordError> {
        self.number()?.try_into().map_err(|_| RecordError)
    }

    fn text(&mut self) -> Result<&'a str, RecordError> {
        let length = self.narrow()?;
        core::str::from_utf8(self.octets(length)?).map_err(|_| RecordError)
    }

    fn uri(&mut self) -> Result<Uri, RecordError> {
        self.text()?.parse().map_err(|_| RecordError)
    }

    fn address(&mut self) -> Result<SocketAddr, RecordError> {
        let (ip, scope) = match self.octet()? {
            4 => (IpAddr::V4(Ipv4Addr::from(self.array::<4>()?)), 0),
            6 => (
                IpAddr::V6(Ipv6Addr::from(self.array::<16>()?)),
                self.narrow()?,
            ),
            _ => return Err(RecordError),
        };
        let port = u16::from_be_bytes(self.array()?);
        Ok(match ip {
            IpAddr::V4(_) => SocketAddr::new(ip, port),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, scope).into(),
        })
    }

    fn received(&mut self, has_connection: bool) -> Result<Received, RecordError> {
        Ok(Received {
            transport: transport(self.octet()?).ok_or(RecordError)?,
            local: self.address()?,
            remote: self.address()?,
            connection: if has_connection {
                Some(self.number()?)
            } else {
                None
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().expect("a URI")
    }

    fn plain() -> Binding {
        Binding {
            aor: AddressOfRecord::new("u1"),
            contact: uri("sip:u1@192.168.1.183:5060"),
            received: None,
            call_id: "2126492930@192.168.1.50".into(),
            cseq: 7,
            q: 1000,
            expires_at: 1_795_412_587,
            path: Vec::new(),
            user_agent: None,
            instance: None,
            reg_id: None,
        }
    }

    fn full() -> Binding {
        Binding {
            received: Some(Received {
                transport: Transport::Wss,
                local: "192.0.2.1:443".parse().expect("an address"),
                remote: "[2001:db8::7%3]:49152".parse().expect("an address"),
                connection: Some(u64::MAX),
            }),
            cseq: u32::MAX,
            q: 0,
            path: vec![
                uri("sip:edge.example.com;lr"),
                uri("sip:[2001:db8::1]:5070;lr"),
            ],
            user_agent: Some("Zoiper é".into()),
            instance: Some("<urn:uuid:00000000-0000-1000-8000-000A95A0E128>".into()),
            reg_id: Some(u32::MAX),
            ..plain()
        }
    }

    fn record(binding: &Binding) -> Vec<u8> {
        let mut out = Vec::new();
        encode(binding, &mut out);
        out
    }

    #[test]
    fn a_binding_comes_back_as_it_was() {
        for binding in [plain(), full()] {
            let record = record(&binding);
            assert_eq!(decode(&record), Ok(binding.clone()));
            assert_eq!(user_of(&record), Some("u1"));
            assert_eq!(
                key_of(&record),
                Some((binding.contact.as_str(), binding.reg_id))
            );
        }
        assert_eq!(record(&plain()).len(), 63, "no more than it needs");
    }

    #[test]
    fn a_cut_or_prolonged_record_is_an_error() {
        let whole = record(&full());
        for length in 0..whole.len() {
            assert_eq!(decode(&whole[..length]), Err(RecordError), "{length}");
        }
        assert_eq!(decode(&[&whole[..], b"\0"].concat()), Err(RecordError));
        let mut later = whole;
        later[0] += 1;
        assert_eq!(decode(&later), Err(RecordError));
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(mut octets in proptest::collection::vec(0_u8.., 0..200)) {
            let _ = decode(&octets);
            octets.insert(0, VERSION);
            let _ = decode(&octets);
            let _ = (user_of(&octets), key_of(&octets));
        }
    }
}
