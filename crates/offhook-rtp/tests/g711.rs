//! G.711 against the ITU-T tables, all inputs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use common::conformance;
use offhook_rtp::g711::{alaw, convert, ulaw};

fn check_decode(file: &str, decode: fn(u8) -> i16, decode_slice: fn(&[u8], &mut [i16]) -> usize) {
    let Some(text) = conformance(file) else {
        return;
    };
    let text = String::from_utf8(text).expect("CSV is text");
    let mut rows = 0;
    for line in text.lines().skip(1) {
        let (code, sample) = line.split_once(',').expect("two columns");
        let code: u8 = code.parse().expect("code");
        let sample: i16 = sample.trim().parse().expect("sample");
        assert_eq!(decode(code), sample, "code {code}");
        rows += 1;
    }
    assert_eq!(rows, 256);
    let codes: Vec<u8> = (0..=255).collect();
    let mut out = vec![0; 256];
    assert_eq!(decode_slice(&codes, &mut out), 256);
    assert!(
        codes
            .iter()
            .zip(&out)
            .all(|(code, sample)| decode(*code) == *sample)
    );
}

fn check_encode(file: &str, encode: fn(i16) -> u8, encode_slice: fn(&[i16], &mut [u8]) -> usize) {
    let Some(table) = conformance(file) else {
        return;
    };
    assert_eq!(table.len(), 65_536);
    let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    for (sample, code) in samples.iter().zip(&table) {
        assert_eq!(encode(*sample), *code, "sample {sample}");
    }
    let mut out = vec![0; 65_536];
    assert_eq!(encode_slice(&samples, &mut out), 65_536);
    assert_eq!(out, table);
}

// checklist: G711-01, R3551-01
#[test]
fn every_code_decodes_to_the_itu_table() {
    check_decode("g711/ulaw_decode.csv", ulaw::decode, ulaw::decode_slice);
    check_decode("g711/alaw_decode.csv", alaw::decode, alaw::decode_slice);
}

// checklist: G711-02, R3551-01
#[test]
fn every_sample_encodes_to_the_itu_table() {
    check_encode("g711/ulaw_encode_itu.bin", ulaw::encode, ulaw::encode_slice);
    check_encode("g711/alaw_encode_itu.bin", alaw::encode, alaw::encode_slice);
}

#[test]
fn encoding_what_was_decoded_gives_the_code_back() {
    for code in 0..=255u8 {
        assert_eq!(alaw::encode(alaw::decode(code)), code);
        // Mu-law has two zeros; the negative one becomes the positive one.
        let expected = if code == 0x7f { 0xff } else { code };
        assert_eq!(ulaw::encode(ulaw::decode(code)), expected);
    }
}

#[test]
fn odd_lengths_and_short_outputs_are_safe() {
    for length in 0..40usize {
        let samples: Vec<i16> = (0..length)
            .map(|n| i16::try_from(n * 700).unwrap())
            .collect();
        let mut codes = vec![0; length / 2 + 3];
        let count = ulaw::encode_slice(&samples, &mut codes);
        assert_eq!(count, samples.len().min(codes.len()));
        assert!(
            samples
                .iter()
                .zip(&codes)
                .all(|(sample, code)| ulaw::encode(*sample) == *code)
        );
    }
}

#[test]
fn conversion_between_the_laws_keeps_the_sound() {
    let mut all: Vec<u8> = (0..=255).collect();
    convert::ulaw_to_alaw(&mut all);
    for (code, converted) in (0..=255u8).zip(&all) {
        assert_eq!(*converted, alaw::encode(ulaw::decode(code)));
    }
    convert::alaw_to_ulaw(&mut all);
    for (code, back) in (0..=255u8).zip(&all) {
        let (was, is) = (
            i32::from(ulaw::decode(code)),
            i32::from(ulaw::decode(*back)),
        );
        // The lowest A-law steps are 16 wide, those of mu-law 8.
        assert!((was - is).abs() <= 8 + was.abs() / 16, "{code}: {was} {is}");
    }
}
