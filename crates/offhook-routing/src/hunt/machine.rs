//! The machine that rings, drops, waits and chooses.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use offhook_sip::StatusCode;

use crate::hunt::best::{best, for_caller};
use crate::hunt::plan::{BranchId, Plan};
use crate::target::Then;

/// What [`Hunt`] wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Call this branch.
    Start(BranchId),
    /// End the branch's call, which has not been answered. Its final response is still awaited.
    Cancel(BranchId, Why),
    /// This branch has the call. Comes once, and then no [`Output::Failed`].
    Answered(BranchId),
    /// The branch has answered too late: acknowledge, and hang up.
    HangUp(BranchId, Why),
    /// Nobody answers. Comes once, and then no [`Output::Answered`].
    Failed {
        /// The best answer (RFC 3261 §16.7 step 6).
        status: StatusCode,
        /// The branch whose response it was, if it was one's.
        branch: Option<BranchId>,
    },
}

/// Why a branch is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Another branch has answered: `Reason: SIP;cause=200;text="Call completed elsewhere"`
    /// (RFC 3326 §3.1).
    CompletedElsewhere,
    /// Its time is up.
    TimedOut,
    /// A branch has refused for all (6xx): that phone's status goes into the Reason.
    Refused(StatusCode),
    /// The caller has given up.
    CallerGone,
}

/// One call that looks for somebody to answer it.
///
/// Feed one thing, drain [`Self::poll_output`] until `None`, sleep until [`Self::poll_timeout`].
/// Every branch that was started must be followed to its final response, or to the status that
/// stands for one (408 for a timeout, 503 for a transport that fails), also after the hunt is over.
///
/// ```
/// use std::time::{Duration, Instant};
/// use offhook_routing::hunt::{BranchId, Hunt, Output, Plan};
/// use offhook_routing::target::Then;
/// use offhook_sip::StatusCode;
///
/// # fn story(now: Instant) {
/// let (first, second) = (BranchId(1), BranchId(2));
/// let plan = Plan::new().group([first], Then::Failed).group([second], Then::Failed);
/// let mut hunt = Hunt::new(now, plan);
/// assert_eq!(hunt.poll_output(), Some(Output::Start(first)));
/// hunt.handle_response(now, first, StatusCode::BUSY_HERE);
/// assert_eq!(hunt.poll_output(), Some(Output::Start(second)));
/// hunt.handle_response(now, second, StatusCode::OK);
/// assert_eq!(hunt.poll_output(), Some(Output::Answered(second)));
/// # }
/// ```
#[derive(Debug)]
pub struct Hunt {
    /// Those whose turn has not come, first first.
    waiting: VecDeque<(Vec<BranchId>, Then)>,
    branches: BTreeMap<BranchId, Branch>,
    /// When the group that was started last gives way, and how.
    turn: Option<(Instant, Turn)>,
    give_up: Option<(Instant, StatusCode)>,
    failures: Vec<(BranchId, StatusCode)>,
    outcome: Option<Why>,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Branch {
    /// Called, and may yet answer.
    Ringing,
    /// Cancelled; its final response is on its way.
    Ending,
    /// Nothing more will come, unless it is a 2xx to hang up on.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Add,
    Drop,
}

impl Hunt {
    /// Starts the first group. A plan for nobody fails with 480.
    #[must_use]
    pub fn new(now: Instant, plan: Plan) -> Self {
        let mut hunt = Self {
            waiting: plan.groups.into(),
            branches: BTreeMap::new(),
            turn: None,
            give_up: None,
            failures: Vec::new(),
            outcome: None,
            outputs: VecDeque::new(),
        };
        hunt.next_group(now);
        hunt
    }

    /// Ends the hunt at `at`, if it still goes on then, and fails with `status`.
    pub const fn give_up_at(&mut self, at: Instant, status: StatusCode) {
        self.give_up = Some((at, status));
    }

    /// When [`Self::give_up_at`] ends it.
    #[must_use]
    pub fn gives_up_at(&self) -> Option<Instant> {
        self.give_up.map(|(at, _)| at)
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] next has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let turn = self.turn.map(|(at, _)| at);
        let give_up = self.give_up.map(|(at, _)| at);
        match (turn, give_up) {
            _ if self.is_over() => None,
            (Some(turn), Some(give_up)) => Some(turn.min(give_up)),
            (turn, give_up) => turn.or(give_up),
        }
    }

    /// Whether the caller's question is answered; branches may still be ending.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    /// Whether no branch is left to ring or to end.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.is_over()
            && self
                .branches
                .values()
                .all(|branch| *branch == Branch::Ended)
    }

    /// A response to the INVITE of a branch, or the status that stands for none.
    pub fn handle_response(&mut self, now: Instant, branch: BranchId, status: StatusCode) {
        if status.is_provisional() {
            return;
        }
        let Some(state) = self.branches.get_mut(&branch) else {
            return;
        };
        let was = core::mem::replace(state, Branch::Ended);
        if status.is_success() {
            self.answered(branch, was);
            return;
        }
        if was == Branch::Ended || self.is_over() {
            return;
        }
        let status = for_caller(status);
        if was == Branch::Ringing {
            self.failures.push((branch, status));
        }
        if status.get() >= 600 {
            self.fail(status, Some(branch), Why::Refused(status));
        } else {
            self.go_on(now);
        }
    }

    /// A branch has rung long enough by itself: it is ended, and counts as failed with this status.
    pub fn expire(&mut self, now: Instant, branch: BranchId, status: StatusCode) {
        let Some(state) = self.branches.get_mut(&branch) else {
            return;
        };
        if *state != Branch::Ringing || self.outcome.is_some() {
            return;
        }
        *state = Branch::Ending;
        self.failures.push((branch, status));
        self.outputs
            .push_back(Output::Cancel(branch, Why::TimedOut));
        self.go_on(now);
    }

    /// A branch was sent elsewhere (3xx), and these are called in its place. None of them: it has
    /// failed with that status.
    pub fn redirect(
        &mut self,
        now: Instant,
        branch: BranchId,
        status: StatusCode,
        instead: impl IntoIterator<Item = BranchId>,
    ) {
        let ringing = self.branches.get(&branch) == Some(&Branch::Ringing);
        if self.is_over() || !ringing {
            self.handle_response(now, branch, status);
            return;
        }
        let mut followed = false;
        for new in instead {
            if !self.branches.contains_key(&new) {
                followed = true;
                self.start(new);
            }
        }
        if followed {
            self.branches.insert(branch, Branch::Ended);
        } else {
            self.handle_response(now, branch, status);
        }
    }

    /// A branch was sent to where a plan of its own leads: the first group of that is called in its
    /// place, the others before whoever waits already. The plan's times count where nobody else
    /// rings. No branch that is not known already: it has failed with that status.
    pub fn redirect_to(&mut self, now: Instant, branch: BranchId, status: StatusCode, plan: Plan) {
        let ringing = self.branches.get(&branch) == Some(&Branch::Ringing);
        let mut groups = plan.groups;
        for (group, _) in &mut groups {
            group.retain(|new| !self.branches.contains_key(new));
        }
        groups.retain(|(group, _)| !group.is_empty());
        if self.is_over() || !ringing || groups.is_empty() {
            self.handle_response(now, branch, status);
            return;
        }
        self.branches.insert(branch, Branch::Ended);
        let alone = !self.is_ringing();
        let (first, then) = groups.remove(0);
        for new in first {
            self.start(new);
        }
        for group in groups.into_iter().rev() {
            self.waiting.push_front(group);
        }
        if alone {
            self.take_turn(now, then);
        }
    }

    /// The caller has given up, or has to (the answer to him, a 487, is not ours).
    pub fn cancel(&mut self) {
        if !self.is_over() {
            self.end(Why::CallerGone);
        }
    }

    /// Does what is due at `now`; an early call is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is_over() {
            return;
        }
        if let Some((_, status)) = self.give_up.filter(|(at, _)| *at <= now) {
            self.fail(status, None, Why::TimedOut);
            return;
        }
        let Some((_, turn)) = self.turn.filter(|(at, _)| *at <= now) else {
            return;
        };
        self.turn = None;
        match turn {
            Turn::Add => self.next_group(now),
            Turn::Drop => {
                self.cancel_ringing(Why::TimedOut);
                self.go_on(now);
            }
        }
    }

    fn start(&mut self, branch: BranchId) {
        self.branches.insert(branch, Branch::Ringing);
        self.outputs.push_back(Output::Start(branch));
    }

    fn next_group(&mut self, now: Instant) {
        let Some((group, then)) = self.waiting.pop_front() else {
            self.go_on(now);
            return;
        };
        for branch in group {
            // A branch that a redirection took is not called twice.
            if !self.branches.contains_key(&branch) {
                self.start(branch);
            }
        }
        self.take_turn(now, then);
        self.go_on(now);
    }

    fn take_turn(&mut self, now: Instant, then: Then) {
        self.turn = match then {
            Then::Add(after) if !self.waiting.is_empty() => Some((now + after, Turn::Add)),
            Then::Drop(after) | Then::Exec(Some(after)) => Some((now + after, Turn::Drop)),
            Then::Add(_) | Then::Failed | Then::Exec(None) => None,
        };
    }

    fn is_ringing(&self) -> bool {
        let mut branches = self.branches.values();
        branches.any(|branch| *branch == Branch::Ringing)
    }

    /// Starts the next group, or fails, when nobody rings any more.
    fn go_on(&mut self, now: Instant) {
        if self.is_over() || self.is_ringing() {
            return;
        }
        self.turn = None;
        if !self.waiting.is_empty() {
            self.next_group(now);
            return;
        }
        match best(&self.failures) {
            Some((branch, status)) => self.fail(status, Some(branch), Why::TimedOut),
            None => self.fail(StatusCode::TEMPORARILY_UNAVAILABLE, None, Why::TimedOut),
        }
    }

    fn answered(&mut self, branch: BranchId, was: Branch) {
        match self.outcome {
            // A branch that was dropped may still win: somebody has picked up.
            None if was != Branch::Ended => {
                self.outputs.push_back(Output::Answered(branch));
                self.end(Why::CompletedElsewhere);
            }
            None => self
                .outputs
                .push_back(Output::HangUp(branch, Why::TimedOut)),
            // The answering branch's own 200 again: the layers below acknowledge it.
            Some(_) if was == Branch::Ended => {}
            Some(why) => self.outputs.push_back(Output::HangUp(branch, why)),
        }
    }

    fn fail(&mut self, status: StatusCode, branch: Option<BranchId>, why: Why) {
        self.outputs.push_back(Output::Failed { status, branch });
        self.end(why);
    }

    fn end(&mut self, why: Why) {
        self.outcome = Some(why);
        self.turn = None;
        self.waiting.clear();
        self.cancel_ringing(why);
    }

    fn cancel_ringing(&mut self, why: Why) {
        for (branch, state) in &mut self.branches {
            if *state == Branch::Ringing {
                *state = Branch::Ending;
                self.outputs.push_back(Output::Cancel(*branch, why));
            }
        }
    }
}
