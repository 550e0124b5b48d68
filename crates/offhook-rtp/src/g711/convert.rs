//! The A-law code nearest to each mu-law code, and back: what a relay does where the legs differ.

use super::single::{alaw, ulaw};

const ULAW_TO_ALAW: [u8; 256] = table(true);
const ALAW_TO_ULAW: [u8; 256] = table(false);

#[expect(clippy::cast_possible_truncation, reason = "the index is below 256")]
const fn table(to_alaw: bool) -> [u8; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = if to_alaw {
            alaw::encode(ulaw::decode(code as u8))
        } else {
            ulaw::encode(alaw::decode(code as u8))
        };
        code += 1;
    }
    table
}

/// Converts a mu-law payload in place.
pub fn ulaw_to_alaw(payload: &mut [u8]) {
    for code in payload {
        *code = ULAW_TO_ALAW[usize::from(*code)];
    }
}

/// Converts an A-law payload in place.
pub fn alaw_to_ulaw(payload: &mut [u8]) {
    for code in payload {
        *code = ALAW_TO_ULAW[usize::from(*code)];
    }
}
