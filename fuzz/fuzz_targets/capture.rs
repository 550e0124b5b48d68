//! Any octets are a capture file or an error; the calls in it can be drawn.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_trace::capture::replay;
use offhook_trace::ladder::{Limits, Recorder};

fuzz_target!(|file: &[u8]| {
    let limits = Limits {
        calls: 8,
        messages: 16,
        streams: 4,
        endpoints: 4,
    };
    let mut recorder = Recorder::new(limits);
    let _ = replay(file, &mut recorder);
    let call_ids: Vec<&str> = recorder.call_ids().collect();
    assert!(call_ids.len() <= limits.calls);
    for call_id in &call_ids {
        let ladder = recorder.ladder(&[call_id], None).expect("a call has a row");
        assert!(ladder.rows.len() <= limits.messages + limits.streams);
        assert!(!ladder.to_string().contains('\u{1b}'));
        assert!(ladder.to_svg().ends_with("</svg>\n"));
    }
    let _ = recorder.ladder(&call_ids, None);
});
