//! Any octets are a session description or an error; what is one can be printed, answered and told
//! to the other leg of a relayed call without an address of the one who made it.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use offhook_sdp::negotiation::{Capabilities, Local, answer, complete};
use offhook_sdp::{Anchor, Codec, Connection, SessionDescription};

fuzz_target!(|octets: &[u8]| {
    let session = match SessionDescription::parse(octets) {
        Ok(session) => session,
        Err(error) => {
            assert!(error.offset() <= octets.len());
            assert!(error.status() == 400 || error.status() == 488);
            return;
        }
    };
    let again = SessionDescription::parse(&session.to_bytes());
    assert_eq!(again.as_ref(), Ok(&session));
    negotiate(&session);
    anchor(&session);
});

fn negotiate(offer: &SessionDescription) {
    let voice = Capabilities::audio([Codec::pcmu(), Codec::pcma(), Codec::telephone_event(101)]);
    let local = Local::new(IpAddr::from([192, 0, 2, 2]), 30_000, 1);
    let Ok(agreement) = answer(offer, &local, &voice) else {
        return;
    };
    assert_eq!(agreement.answer.media().len(), offer.media().len());
    let streams = complete(offer, &agreement.answer).expect("our answer fits the offer");
    for (ours, theirs) in agreement.streams.iter().zip(&streams) {
        assert_eq!(ours.is_some(), theirs.is_some());
    }
}

fn anchor(session: &SessionDescription) {
    let relay = IpAddr::from([203, 0, 113, 77]);
    let Ok(told) = Anchor::new(relay, [4000, 4002, 4004], 1, 1).apply(session) else {
        return;
    };
    assert_eq!(told.media().len(), session.media().len());
    let text = told.to_string();
    assert_eq!(
        SessionDescription::parse(&told.to_bytes()).as_ref(),
        Ok(&told)
    );
    let own = session
        .media()
        .iter()
        .flat_map(|stream| stream.connections());
    let own = session
        .connection()
        .into_iter()
        .chain(own)
        .map(Connection::address);
    for ip in own
        .chain([session.origin().address()])
        .filter_map(|address| address.ip())
    {
        let is_it = |word: &str| word.parse() == Ok(ip);
        let mut words = text.split(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':');
        assert!(ip == relay || !words.any(is_it), "{ip} is told");
    }
}
