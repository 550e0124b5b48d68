//! Loss, jitter and the RTCP interval against the output of the RFC's own code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use offhook_rtp::reception::{ReceptionStatistics, Validity};
use offhook_rtp::rtcp::timing::{Membership, deterministic_interval, randomized};
use offhook_rtp::sequence::SequenceNumber;
use serde_json::Value;

fn algorithms() -> Option<Value> {
    let text = common::conformance("rtp/rfc3550_algorithms.json")?;
    Some(serde_json::from_slice(&text).expect("JSON"))
}

fn number(value: &Value, key: &str) -> u32 {
    u32::try_from(value[key].as_i64().expect(key)).expect(key)
}

// checklist: R3550-04, R3550-05
#[test]
fn sequence_loss_and_jitter_are_those_of_appendix_a() {
    let Some(vectors) = algorithms() else { return };
    let cases = vectors["sequence_cases"].as_array().unwrap();
    assert_eq!(cases.len(), 11);
    for case in cases {
        let mut statistics: Option<ReceptionStatistics> = None;
        for (step, event) in case["events"].as_array().unwrap().iter().enumerate() {
            let at = format!("{} step {step}: {event}", case["name"]);
            if event["op"] == "report" {
                let statistics = statistics.as_mut().unwrap();
                assert_eq!(
                    statistics.extended_highest(),
                    number(event, "extended_max"),
                    "{at}"
                );
                assert_eq!(statistics.expected(), number(event, "expected"), "{at}");
                let lost = i64::from(statistics.cumulative_lost());
                assert_eq!(Some(lost), event["cumulative_lost"].as_i64(), "{at}");
                let fraction = u32::from(statistics.take_fraction_lost());
                assert_eq!(fraction, number(event, "fraction_lost"), "{at}");
                continue;
            }
            let sequence = SequenceNumber::new(u16::try_from(number(event, "seq")).unwrap());
            let statistics = statistics.get_or_insert_with(|| ReceptionStatistics::new(sequence));
            let validity =
                statistics.receive(sequence, number(event, "ts"), number(event, "arrival"));
            assert_eq!(
                validity == Validity::Valid,
                number(event, "valid") == 1,
                "{at}"
            );
            assert_eq!(statistics.received(), number(event, "received"), "{at}");
            let extended = number(event, "cycles") + number(event, "max_seq");
            assert_eq!(statistics.extended_highest(), extended, "{at}");
            assert_eq!(
                statistics.is_valid(),
                number(event, "probation") == 0,
                "{at}"
            );
            assert_eq!(
                statistics.jitter(),
                number(event, "jitter_reported_int"),
                "{at}"
            );
        }
    }
}

// checklist: R3550-09
#[test]
fn the_interval_is_that_of_appendix_a7() {
    let Some(vectors) = algorithms() else { return };
    let cases = vectors["rtcp_interval_cases"].as_array().unwrap();
    assert_eq!(cases.len(), 13);
    for case in cases {
        let membership = Membership {
            members: number(case, "members"),
            senders: number(case, "senders"),
            we_sent: case["we_sent"].as_bool().unwrap(),
        };
        let float = |key: &str| case[key].as_f64().unwrap();
        let initial = case["initial"].as_bool().unwrap();
        let bandwidth = float("rtcp_bw_octets_per_s");
        let plain = deterministic_interval(membership, bandwidth, float("avg_rtcp_size"), initial);
        assert!((plain - float("deterministic_t")).abs() < 1e-9, "{case}");
        for (random, key) in [
            (0.0, "min_after_randomisation"),
            (1.0, "max_after_randomisation"),
        ] {
            assert!(
                (randomized(plain, random) - float(key)).abs() < 1e-6,
                "{case}"
            );
        }
    }
}

#[test]
fn a_probation_across_the_wrap_ends() {
    let mut statistics = ReceptionStatistics::new(SequenceNumber::new(65_535));
    statistics.receive(SequenceNumber::new(65_535), 0, 0);
    assert_eq!(
        statistics.receive(SequenceNumber::new(0), 160, 160),
        Validity::Valid
    );
}
