//! Any sequence of telephone events: never an end without a beginning, never two beginnings without an end between.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_rtp::redundancy::Redundant;
use offhook_rtp::telephone_event::{EventCode, EventPayload, EventReceiver, Heard};

fuzz_target!(|octets: &[u8]| {
    if let Ok(redundant) = Redundant::parse(octets) {
        let total: usize = redundant.blocks().map(|block| block.payload.len()).sum();
        assert!(total < octets.len());
    }
    let mut receiver = EventReceiver::new();
    let mut pending = None;
    let mut follow = |heard: Heard| match heard {
        Heard::Began(event) => assert_eq!(pending.replace(event), None::<EventCode>),
        Heard::Ended { event, .. } => assert_eq!(pending.take(), Some(event)),
    };
    let (packets, _) = octets.as_chunks::<6>();
    for [high, low, payload @ ..] in packets {
        let timestamp = u32::from(u16::from_be_bytes([*high, *low])) * 80;
        let payload = EventPayload::parse(payload).expect("four octets");
        receiver.receive(timestamp, payload).for_each(&mut follow);
    }
    receiver.give_up().into_iter().for_each(&mut follow);
    assert!(!receiver.is_pending());
});
