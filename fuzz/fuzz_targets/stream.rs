//! Any octets as a connection, cut anywhere: the frames are the same as when they come at once,
//! and what is kept is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_sip::stream::{Frame, StreamDecoder};
use offhook_sip::{Limits, ParserConfig, parse_datagram_with};

fn frames<'a>(config: ParserConfig, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, bool) {
    let mut decoder = StreamDecoder::new(config);
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next() {
                Ok(Some(frame)) => {
                    if let Frame::Message(octets) = &frame {
                        let _ = parse_datagram_with(&config, octets.clone());
                    }
                    frames.push(frame);
                }
                Ok(None) => break,
                Err(error) => {
                    let _ = error.response();
                    assert_eq!(decoder.next(), Err(error));
                    return (frames, true);
                }
            }
        }
        assert!(decoder.buffered() <= config.limits.message + piece.len());
    }
    (frames, false)
}

fuzz_target!(|input: (u8, bool, &[u8])| {
    let (cut, lenient, octets) = input;
    let limits = Limits {
        message: 2000,
        head: 1000,
        ..Limits::DEFAULT
    };
    let base = if lenient {
        ParserConfig::LENIENT
    } else {
        ParserConfig::STRICT
    };
    let config = ParserConfig { limits, ..base };
    let whole = frames(config, core::iter::once(octets));
    let pieces = frames(config, octets.chunks(usize::from(cut).max(1)));
    assert_eq!(whole, pieces);
});
