//! Semi-attended transfers: the transferor's other call still rings. Whoever answers it is then asked
//! to join, as in any attended transfer (RFC 5589 §7); until then it rings on, whether the transferor
//! stays, takes that call back or hangs up altogether.

use offhook_sip::StatusCode;
use offhook_ua::CallId;

use super::Bridge;
use crate::bridge::state::State;
use crate::bridge::transfer::{News, Report, Stage, Transfer};
use crate::cdr::{BridgeId, Outcome};
use crate::desk::Desk;
use crate::passing;

impl Bridge {
    /// Promises whoever answers to another conversation. Whether somebody's phone rings already;
    /// `None`: this call cannot be waited for.
    pub(crate) fn promise(&mut self, caller: CallId, to: BridgeId) -> Option<bool> {
        let State::Answer(state) = &mut self.state else {
            return self.promise_picker(caller, to);
        };
        // Where the phones make the offers the answer would have to come from who is leaving.
        let fits =
            caller == self.caller && state.promised.is_none() && !state.search.asks_for_offers();
        fits.then(|| {
            state.promised = Some(to);
            self.draft.has_rung()
        })
    }

    /// Waits for whoever answers another call.
    pub(crate) fn wait_for(
        &mut self,
        desk: &mut Desk<'_>,
        mut report: Report,
        home: BridgeId,
        rings: bool,
    ) {
        let Some((side, _)) = self.place_of(report.call()) else {
            return self.news.push(News::Renounced(home));
        };
        if rings {
            report.tell(desk, StatusCode::RINGING);
        }
        self.transfer = Some(Transfer {
            side,
            report: Some(report),
            stage: Stage::Promised { home },
        });
    }

    fn waits_for(&self, awaited: BridgeId) -> bool {
        matches!(
            &self.transfer,
            Some(Transfer { stage: Stage::Promised { home }, .. }) if *home == awaited
        )
    }

    /// The phone that is waited for has said something.
    pub(crate) fn promised_rings(
        &mut self,
        desk: &mut Desk<'_>,
        home: BridgeId,
        status: StatusCode,
    ) {
        if self.waits_for(home)
            && let Some(Transfer {
                report: Some(report),
                ..
            }) = &mut self.transfer
        {
            report.tell(desk, status);
        }
    }

    /// The phone that is waited for will not answer.
    pub(crate) fn promise_fails(
        &mut self,
        desk: &mut Desk<'_>,
        home: BridgeId,
        status: StatusCode,
    ) {
        if self.waits_for(home) {
            self.transfer_failed(desk, status);
        }
    }

    /// It has been answered: whose transfer goes on now.
    pub(crate) fn redeem(&mut self, home: BridgeId) -> Option<Report> {
        if !self.waits_for(home) {
            return None;
        }
        self.transfer.take()?.report
    }

    /// Nobody waits for who answers any more. If the caller does not either, the phones stop ringing.
    pub(crate) fn renounce(&mut self, desk: &mut Desk<'_>) {
        let caller = self.caller;
        let State::Answer(state) = &mut self.state else {
            return self.renounce_picker(desk);
        };
        state.promised = None;
        if self.open.contains(&caller) {
            return;
        }
        for ringing in state.search.calls() {
            desk.ua.hang_up(desk.now, ringing, passing::no_headers());
        }
        self.draft.ends(Outcome::Cancelled, None);
        self.state = State::End;
    }

    /// Whoever was to join does not. If the transferor has hung up, nobody is left to talk to.
    pub(crate) fn nobody_joins(
        &mut self,
        desk: &mut Desk<'_>,
        mut report: Report,
        status: StatusCode,
    ) {
        report.tell(desk, status);
        if let Some((side, _)) = self.place_of(report.call()) {
            self.let_go_or(desk, side, |_, _| {});
        }
    }

    /// The leg that called.
    pub(crate) const fn caller(&self) -> CallId {
        self.caller
    }

    pub(super) fn break_promise(&mut self, to: Option<BridgeId>, status: StatusCode) {
        self.news.extend(to.map(|to| News::Fails { to, status }));
    }
}
