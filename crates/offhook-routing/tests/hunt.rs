//! Ringing several phones: groups, deadlines, losers, the best answer.

#![allow(clippy::disallowed_methods, clippy::expect_used)]

use std::time::{Duration, Instant};

use offhook_routing::hunt::{BranchId, Hunt, Output, Plan, Why};
use offhook_routing::target::Then;
use offhook_sip::StatusCode;
use proptest::prelude::*;

const A: BranchId = BranchId(0);
const B: BranchId = BranchId(1);
const C: BranchId = BranchId(2);
const ELSEWHERE: Why = Why::CompletedElsewhere;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn code(code: u16) -> StatusCode {
    StatusCode::new(code).expect("a status")
}

fn failed(status: u16, branch: BranchId) -> Output {
    Output::Failed {
        status: code(status),
        branch: Some(branch),
    }
}

fn drain(hunt: &mut Hunt) -> Vec<Output> {
    core::iter::from_fn(|| hunt.poll_output()).collect()
}

#[test]
fn the_first_to_answer_has_the_call_and_the_others_are_told() {
    let now = Instant::now();
    let mut hunt = Hunt::new(now, Plan::new().group([A, B, C], Then::Failed));
    assert_eq!(
        drain(&mut hunt),
        [Output::Start(A), Output::Start(B), Output::Start(C)]
    );
    hunt.handle_response(now, A, code(180));
    hunt.handle_response(now, C, code(486));
    assert_eq!(drain(&mut hunt), []);
    hunt.handle_response(now, B, code(200));
    assert_eq!(
        drain(&mut hunt),
        [Output::Answered(B), Output::Cancel(A, ELSEWHERE)]
    );
    assert!(hunt.is_over() && !hunt.is_finished());
    hunt.handle_response(now, A, code(487));
    assert_eq!(drain(&mut hunt), []);
    assert!(hunt.is_finished());
    assert_eq!(hunt.poll_timeout(), None);
}

#[test]
fn an_answer_that_crosses_the_cancel_is_hung_up() {
    let now = Instant::now();
    let mut hunt = Hunt::new(now, Plan::new().group([A, B], Then::Failed));
    hunt.handle_response(now, A, code(200));
    hunt.handle_response(now, B, code(200));
    assert_eq!(
        drain(&mut hunt)[2..],
        [
            Output::Answered(A),
            Output::Cancel(B, ELSEWHERE),
            Output::HangUp(B, ELSEWHERE)
        ]
    );
    hunt.handle_response(now, A, code(200));
    assert_eq!(drain(&mut hunt), []);
    assert!(hunt.is_finished());
}

#[test]
fn the_next_group_waits_for_the_whole_group_to_fail() {
    let now = Instant::now();
    let plan = Plan::new()
        .group([A, B], Then::Failed)
        .group([C], Then::Failed);
    let mut hunt = Hunt::new(now, plan);
    hunt.handle_response(now, A, code(404));
    assert_eq!(drain(&mut hunt).len(), 2);
    hunt.handle_response(now, B, code(486));
    assert_eq!(drain(&mut hunt), [Output::Start(C)]);
    hunt.handle_response(now, C, code(480));
    assert_eq!(drain(&mut hunt), [failed(486, B)]);
    assert!(hunt.is_finished());
}

#[test]
fn next_adds_a_group_after_its_time() {
    let now = Instant::now();
    let plan = || {
        Plan::new()
            .group([A], Then::Add(ms(1500)))
            .group([B], Then::Failed)
    };
    let mut hunt = Hunt::new(now, plan());
    assert_eq!(hunt.poll_timeout(), Some(now + ms(1500)));
    hunt.handle_timeout(now + ms(1499));
    assert_eq!(drain(&mut hunt), [Output::Start(A)]);
    hunt.handle_timeout(now + ms(1500));
    assert_eq!(drain(&mut hunt), [Output::Start(B)]);
    assert_eq!(hunt.poll_timeout(), None);
    hunt.handle_response(now, A, code(486));
    assert_eq!(drain(&mut hunt), []);
    hunt.handle_response(now, B, code(200));
    assert_eq!(drain(&mut hunt), [Output::Answered(B)]);

    let mut hunt = Hunt::new(now, plan());
    hunt.handle_response(now, A, code(486));
    assert_eq!(
        drain(&mut hunt),
        [Output::Start(A), Output::Start(B)],
        "no need to wait"
    );
}

#[test]
fn drop_rings_the_next_group_instead() {
    let now = Instant::now();
    let plan = Plan::new()
        .group([A], Then::Drop(ms(2000)))
        .group([B], Then::Drop(ms(3000)));
    let mut hunt = Hunt::new(now, plan);
    hunt.handle_timeout(now + ms(2000));
    assert_eq!(
        drain(&mut hunt),
        [
            Output::Start(A),
            Output::Cancel(A, Why::TimedOut),
            Output::Start(B)
        ]
    );
    hunt.handle_response(now, A, code(487));
    assert_eq!(hunt.poll_timeout(), Some(now + ms(5000)));
    hunt.handle_timeout(now + ms(5000));
    assert_eq!(
        drain(&mut hunt),
        [
            Output::Cancel(B, Why::TimedOut),
            Output::Failed {
                status: code(480),
                branch: None
            }
        ]
    );
    assert!(!hunt.is_finished());
    hunt.handle_response(now, B, code(408));
    assert!(hunt.is_finished());
}

#[test]
fn a_branch_may_ring_long_enough_by_itself() {
    let now = Instant::now();
    let plan = Plan::new()
        .group([A, B], Then::Failed)
        .group([C], Then::Failed);
    let mut hunt = Hunt::new(now, plan);
    drain(&mut hunt);
    hunt.expire(now, A, code(408));
    hunt.expire(now, A, code(408));
    assert_eq!(drain(&mut hunt), [Output::Cancel(A, Why::TimedOut)]);
    hunt.handle_response(now, A, code(487));
    hunt.handle_response(now, B, code(404));
    assert_eq!(drain(&mut hunt), [Output::Start(C)]);
    hunt.expire(now, B, code(408));
    hunt.expire(now, C, code(480));
    assert_eq!(
        drain(&mut hunt),
        [Output::Cancel(C, Why::TimedOut), failed(480, C)]
    );
    hunt.handle_response(now, C, code(487));
    hunt.expire(now, C, code(480));
    assert_eq!(drain(&mut hunt), []);
    assert!(hunt.is_finished());
}

#[test]
fn somebody_dropped_who_picks_up_after_all_has_the_call() {
    let now = Instant::now();
    let plan = Plan::new()
        .group([A], Then::Drop(ms(10)))
        .group([B], Then::Failed);
    let mut hunt = Hunt::new(now, plan);
    hunt.handle_timeout(now + ms(10));
    drain(&mut hunt);
    hunt.handle_response(now, A, code(200));
    assert_eq!(
        drain(&mut hunt),
        [Output::Answered(A), Output::Cancel(B, ELSEWHERE)]
    );
}

#[test]
fn a_6xx_speaks_for_all() {
    let now = Instant::now();
    let plan = Plan::new()
        .group([A, B], Then::Failed)
        .group([C], Then::Failed);
    let mut hunt = Hunt::new(now, plan);
    drain(&mut hunt);
    hunt.handle_response(now, A, code(603));
    let refused = Why::Refused(code(603));
    assert_eq!(
        drain(&mut hunt),
        [failed(603, A), Output::Cancel(B, refused)]
    );
    hunt.handle_response(now, B, code(200));
    assert_eq!(drain(&mut hunt), [Output::HangUp(B, refused)]);
}

#[test]
fn a_lone_target_is_heard_as_it_is_but_for_challenges() {
    let now = Instant::now();
    for (callee, caller) in [(503, 503), (404, 404), (302, 302), (401, 403), (407, 403)] {
        let mut hunt = Hunt::new(now, Plan::new().group([A], Then::Failed));
        drain(&mut hunt);
        hunt.handle_response(now, A, code(callee));
        assert_eq!(drain(&mut hunt), [failed(caller, A)]);
    }
}

#[test]
fn a_redirection_takes_the_place_of_its_branch() {
    let now = Instant::now();
    let mut hunt = Hunt::new(now, Plan::new().group([A], Then::Failed));
    drain(&mut hunt);
    hunt.redirect(now, A, code(302), [B]);
    assert_eq!(drain(&mut hunt), [Output::Start(B)]);
    hunt.redirect(now, B, code(302), [A]);
    assert_eq!(
        drain(&mut hunt),
        [failed(302, B)],
        "it goes round in circles"
    );
}

#[test]
fn a_redirection_may_lead_to_a_plan_of_its_own() {
    let now = Instant::now();
    let [c, d, e] = [3, 4, 5].map(BranchId);
    let plan = Plan::new()
        .group([A], Then::Failed)
        .group([e], Then::Failed);
    let mut hunt = Hunt::new(now, plan);
    drain(&mut hunt);
    let detour = Plan::new()
        .group([BranchId(0), BranchId(1), BranchId(9)], Then::Add(ms(1000)))
        .group([BranchId(2)], Then::Failed)
        .renumbered(|BranchId(own)| [B, c, d].get(own as usize).copied());
    hunt.redirect_to(now, A, code(482), detour.clone());
    assert_eq!(drain(&mut hunt), [Output::Start(B), Output::Start(c)]);
    assert_eq!(hunt.poll_timeout(), Some(now + ms(1000)));
    hunt.handle_timeout(now + ms(1000));
    assert_eq!(drain(&mut hunt), [Output::Start(d)]);
    // Where it leads has been tried: that is a circle, and the others go on.
    hunt.redirect_to(now, d, code(482), detour);
    hunt.handle_response(now, B, code(486));
    assert_eq!(drain(&mut hunt), []);
    hunt.handle_response(now, c, code(404));
    assert_eq!(drain(&mut hunt), [Output::Start(e)]);
    hunt.handle_response(now, e, code(404));
    assert_eq!(drain(&mut hunt), [failed(486, B)]);
}

#[test]
fn the_caller_may_give_up_and_so_may_the_server() {
    let now = Instant::now();
    let mut hunt = Hunt::new(now, Plan::new().group([A], Then::Failed));
    drain(&mut hunt);
    hunt.cancel();
    assert_eq!(drain(&mut hunt), [Output::Cancel(A, Why::CallerGone)]);
    hunt.handle_response(now, A, code(487));
    assert_eq!(drain(&mut hunt), []);
    assert!(hunt.is_finished());

    let mut hunt = Hunt::new(now, Plan::new().group([A], Then::Failed));
    hunt.give_up_at(now + ms(1500), code(408));
    drain(&mut hunt);
    assert_eq!(hunt.poll_timeout(), Some(now + ms(1500)));
    hunt.handle_timeout(now + ms(1500));
    let given_up = Output::Failed {
        status: code(408),
        branch: None,
    };
    assert_eq!(
        drain(&mut hunt),
        [given_up, Output::Cancel(A, Why::TimedOut)]
    );
}

#[test]
fn a_plan_for_nobody_fails() {
    let mut hunt = Hunt::new(Instant::now(), Plan::new());
    assert_eq!(
        drain(&mut hunt),
        [Output::Failed {
            status: code(480),
            branch: None
        }]
    );
    assert!(hunt.is_finished());
}

#[derive(Clone, Debug)]
enum Step {
    Response(u32, u16),
    Redirect(u32, u32),
    Wait(u64),
    Cancel,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..8_u32, prop_oneof![Just(180_u16), Just(200), Just(603), 300..500_u16])
            .prop_map(|(branch, status)| Step::Response(branch, status)),
        1 => (0..8_u32, 0..12_u32).prop_map(|(branch, new)| Step::Redirect(branch, new)),
        2 => (0..4000_u64).prop_map(Step::Wait),
        1 => Just(Step::Cancel),
    ]
}

fn any_then() -> impl Strategy<Value = Then> {
    prop_oneof![
        Just(Then::Failed),
        (0..3000_u64).prop_map(|after| Then::Add(ms(after))),
        (0..3000_u64).prop_map(|after| Then::Drop(ms(after))),
    ]
}

proptest! {
    /// Any events in any order: one outcome, and nothing is left over once all branches have ended.
    #[test]
    fn a_hunt_has_one_outcome(
        groups in prop::collection::vec((prop::collection::vec(0..8_u32, 0..4), any_then()), 0..4),
        steps in prop::collection::vec(any_step(), 0..40),
    ) {
        let mut now = Instant::now();
        let plan = groups.into_iter().fold(Plan::new(), |plan, (branches, then)| {
            plan.group(branches.into_iter().map(BranchId), then)
        });
        let mut hunt = Hunt::new(now, plan);
        let mut outputs = drain(&mut hunt);
        let mut cancelled = false;
        for step in steps {
            match step {
                Step::Response(branch, status) => hunt.handle_response(now, BranchId(branch), code(status)),
                Step::Redirect(branch, new) => hunt.redirect(now, BranchId(branch), code(302), [BranchId(new)]),
                Step::Wait(time) => {
                    now += ms(time);
                    hunt.handle_timeout(now);
                }
                Step::Cancel => {
                    cancelled |= !hunt.is_over();
                    hunt.cancel();
                }
            }
            outputs.extend(drain(&mut hunt));
        }
        // Everybody who rings or is being cancelled gives a final answer in the end.
        for _ in 0..20 {
            for branch in 0..12 {
                hunt.handle_response(now, BranchId(branch), code(480));
            }
            outputs.extend(drain(&mut hunt));
        }
        prop_assert!(hunt.is_finished());
        prop_assert_eq!(hunt.poll_timeout(), None);
        let outcomes = outputs
            .iter()
            .filter(|output| matches!(output, Output::Answered(_) | Output::Failed { .. }))
            .count();
        prop_assert_eq!(outcomes, usize::from(!cancelled));
        for branch in (0..12).map(BranchId) {
            let starts = outputs.iter().filter(|output| **output == Output::Start(branch)).count();
            let ends = outputs
                .iter()
                .filter(|output| matches!(output, Output::Cancel(ended, _) if *ended == branch))
                .count();
            prop_assert!(starts <= 1 && ends <= starts, "{:?}", outputs);
        }
    }
}
