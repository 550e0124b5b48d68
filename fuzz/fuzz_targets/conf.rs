//! Any text is a configuration file or an error at a line that is there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_routing::Conf;
use offhook_routing::conf::Source;

fuzz_target!(|text: &str| {
    let lines = text.lines().count();
    let mut left = 20;
    // Every file that is named has the same text, so that files include each other.
    let conf = Conf::parse_with("fuzz", text, |name| {
        left -= 1;
        if left == 0 {
            return Err("enough".to_owned());
        }
        Ok(vec![Source {
            name: name.to_owned(),
            text: text.to_owned(),
        }])
    });
    match conf {
        Ok(conf) => {
            for entry in conf.sections().iter().flat_map(|section| section.entries()) {
                assert!((1..=lines).contains(&(entry.place().line() as usize)));
                assert!(!entry.key().is_empty() && !entry.key().contains('='));
            }
        }
        Err(error) => assert!((1..=lines).contains(&(error.line() as usize))),
    }
});
