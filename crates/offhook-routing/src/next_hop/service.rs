//! The order in which services and hosts are tried.

use offhook_sip::Transport;
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::next_hop::dns::{Naptr, Srv};

/// The SRV name of a transport at a domain (RFC 3263 §4.1); WebSocket has none.
pub(crate) fn name(transport: Transport, domain: &str) -> Option<String> {
    let prefix = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
        Transport::Ws | Transport::Wss => return None,
    };
    Some(format!("{prefix}.{domain}"))
}

/// The transport that a NAPTR service means (RFC 3263 §4.1, RFC 7118 §9).
pub(crate) fn transport(service: &str) -> Option<Transport> {
    let known = [
        ("SIP+D2U", Transport::Udp),
        ("SIP+D2T", Transport::Tcp),
        ("SIPS+D2T", Transport::Tls),
        ("SIP+D2W", Transport::Ws),
        ("SIPS+D2W", Transport::Wss),
    ];
    known
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(service))
        .map(|&(_, transport)| transport)
}

/// Sorts NAPTR records by order and preference (RFC 3403 §4.1).
pub(crate) fn sort(records: &mut [Naptr]) {
    records.sort_by_key(|record| (record.order, record.preference));
}

/// The order of SRV records: by priority, among the same priority at random by weight
/// (RFC 2782, "Usage rules").
pub(crate) fn shuffle(mut records: Vec<Srv>, random: &mut StdRng) -> Vec<Srv> {
    // A weight of 0 comes first, so that it has a small chance while others have weights.
    records.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|record| record.priority) {
        let same = records.partition_point(|record| record.priority == priority);
        let weights = || {
            records
                .iter()
                .take(same)
                .map(|record| u32::from(record.weight))
        };
        let drawn = random.random_range(0..=weights().sum());
        let mut sum = 0;
        let chosen = weights().position(|weight| {
            sum += weight;
            sum >= drawn
        });
        ordered.push(records.remove(chosen.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn srv(priority: u16, weight: u16, port: u16) -> Srv {
        Srv {
            priority,
            weight,
            port,
            target: "h.example".to_owned(),
        }
    }

    #[test]
    fn weights_are_shares_and_priorities_are_not() {
        let records = vec![
            srv(20, 65535, 9),
            srv(10, 75, 1),
            srv(10, 25, 2),
            srv(10, 0, 3),
        ];
        let mut random = StdRng::from_seed([7; 32]);
        let mut first = [0; 10];
        for _ in 0..10_000 {
            let ports: Vec<usize> = shuffle(records.clone(), &mut random)
                .iter()
                .map(|record| usize::from(record.port))
                .collect();
            assert_eq!((ports.len(), ports[3]), (4, 9));
            first[ports[0]] += 1;
        }
        assert!((7200..7800).contains(&first[1]), "{first:?}");
        assert!((2200..2700).contains(&first[2]), "{first:?}");
        assert!((30..300).contains(&first[3]), "{first:?}");
    }

    #[test]
    fn naptr_goes_by_order_then_preference() {
        let naptr = |order, preference| Naptr {
            order,
            preference,
            flags: "s".to_owned(),
            service: "SIP+D2U".to_owned(),
            replacement: String::new(),
        };
        let mut records = [naptr(20, 1), naptr(10, 9), naptr(10, 2)];
        sort(&mut records);
        assert_eq!(records, [naptr(10, 2), naptr(10, 9), naptr(20, 1)]);
        assert_eq!(transport("sips+d2t"), Some(Transport::Tls));
        assert_eq!(transport("E2U+sip"), None);
    }
}
