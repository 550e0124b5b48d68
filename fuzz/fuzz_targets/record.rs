//! Any octets as the record of a binding: what is read is written the same, and found by its key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_routing::record;

fuzz_target!(|octets: &[u8]| {
    let (user, key) = (record::user_of(octets), record::key_of(octets));
    let Ok(binding) = record::decode(octets) else {
        return;
    };
    assert_eq!(user, Some(binding.aor.as_str()));
    assert_eq!(key, Some((binding.contact.as_str(), binding.reg_id)));
    let mut again = Vec::new();
    record::encode(&binding, &mut again);
    assert_eq!(record::decode(&again), Ok(binding));
});
