//! Parse, print, parse: the message is the same, and printing again prints the same octets.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use offhook_sip::{ParserConfig, parse_datagram, parse_datagram_with};

fuzz_target!(|octets: &[u8]| {
    for config in [ParserConfig::STRICT, ParserConfig::LENIENT] {
        let Ok(message) = parse_datagram_with(&config, Bytes::copy_from_slice(octets)) else {
            continue;
        };
        let printed = message.to_bytes();
        let again = parse_datagram(printed.clone()).expect("what is printed can be read, strictly");
        assert_eq!(again, message);
        assert_eq!(again.validate().is_ok(), message.validate().is_ok());
        assert_eq!(again.to_bytes(), printed);
        assert_eq!(again.to_bytes_verbatim(), Some(printed));
        if config == ParserConfig::STRICT {
            let verbatim = message.to_bytes_verbatim().expect("nothing was changed");
            let start = octets.len() - octets.trim_ascii_start().len();
            assert!(octets[start..].starts_with(&verbatim));
        }
    }
});
