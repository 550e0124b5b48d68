//! What parsing and reading cost in heap allocations.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use allocation_counter::measure;
use bytes::Bytes;
use offhook_sip::header::{CSeq, CallId, Contact, From, MaxForwards, RecordRoute, To, Via};
use offhook_sip::parse_datagram;

const FIXTURES: [&[u8]; 4] = [
    include_bytes!("fixtures/ok_invite.sip"),
    include_bytes!("fixtures/ok_challenge.sip"),
    include_bytes!("fixtures/ok_register.sip"),
    include_bytes!("fixtures/ok_no_reason.sip"),
];

#[test]
fn a_message_costs_one_allocation_and_reading_it_none() {
    for octets in FIXTURES {
        // The first share of a buffer costs one of its own, to count the shares; whoever cuts
        // datagrams from a buffer has paid it.
        let octets = Bytes::copy_from_slice(octets);
        drop(octets.clone());
        let mut message = None;
        let parsing = measure(|| message = parse_datagram(octets.clone()).ok());
        assert_eq!(parsing.count_total, 1);
        let message = message.unwrap();
        let headers = message.headers();
        let reading = measure(|| {
            assert!(headers.required::<Via>().unwrap().branch().is_some());
            assert!(headers.required::<From>().unwrap().tag().is_some());
            headers.required::<To>().unwrap();
            headers.required::<CallId>().unwrap();
            headers.required::<CSeq>().unwrap();
            headers.typed::<MaxForwards>().unwrap();
            assert!(
                headers
                    .typed_all::<Contact>()
                    .all(|contact| contact.is_ok())
            );
            assert!(headers.typed_all::<RecordRoute>().all(|hop| hop.is_ok()));
        });
        assert_eq!(reading.count_total, 0);
    }
}
