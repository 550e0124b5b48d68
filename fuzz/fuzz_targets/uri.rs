//! Any words as URIs, addresses and hosts: parts, comparison, key, edits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_sip::{Host, NameAddr, NameAddrRef, Uri, UriRef};

fuzz_target!(|text: &str| {
    read(text);
    for word in text.split([' ', '<', '>', '\r', '\n']).take(60) {
        read(word);
    }
});

fn read(text: &str) {
    if let Ok(uri) = UriRef::parse(text) {
        let owned = uri.to_owned();
        assert_eq!(owned.as_str(), text);
        assert!(uri.equivalent(&uri));
        let _ = (
            uri.user_decoded(),
            uri.password(),
            uri.host(),
            uri.transport_param(),
        );
        let _ = (
            uri.params().count(),
            uri.headers().count(),
            uri.is_loose_router(),
        );
        assert_eq!(uri.canonical(), owned.canonical());
        let edited = owned.without_headers().without_param("lr");
        assert!(!edited.is_loose_router());
        if let Ok(edited) = owned.with_param("x", Some(text)) {
            let again: Uri = edited.as_str().parse().expect("what is built is a URI");
            assert!(again.equivalent(&edited));
        }
        let address = NameAddr::new(owned);
        assert_eq!(address.to_string().parse(), Ok(address));
    }
    if let Ok(address) = NameAddrRef::parse(text) {
        let owned = address.to_owned();
        assert_eq!(owned.to_string().parse(), Ok(owned.clone()));
        let _ = (owned.display(), owned.tag(), owned.params().iter().count());
    }
    if let Ok(host) = Host::parse(text) {
        assert_eq!(Host::parse(&host.to_string()), Ok(host));
    }
    if let Ok(uri) = Uri::sip(Some(text), Host::Domain("example.net"), None) {
        assert_eq!(uri.user_decoded().as_deref(), Some(text));
    }
}
