//! Parties of different versions of IP in one call: whoever is to be called or comes is waited for until
//! the relay has ports that he can reach.

use offhook_sip::StatusCode;
use offhook_ua::Body;

use super::Bridge;
use crate::bridge::state::State;
use crate::bridge::transfer::{Newcomer, Report, Stage, Transfer, Way};
use crate::desk::Desk;
use crate::media_anchor::{Anchor, Reach, Side};

impl Bridge {
    /// The relay has a leg's ports in the other version of IP, or cannot have them.
    pub(super) fn widened(&mut self, desk: &mut Desk<'_>, side: Side, opened: bool) {
        if let Some(anchor) = &mut self.anchor {
            anchor.opened_second(side, opened);
        }
        if !opened {
            desk.anchors.refused();
        }
        if let State::Answer(state) = &mut self.state {
            state.search.ports_opened(desk.now, opened);
            self.hunt(desk);
            return self.let_pick_up(desk, opened);
        }
        let transfer = self.transfer.as_mut();
        match transfer.filter(|transfer| transfer.side == side) {
            Some(Transfer {
                stage: Stage::Ringing { search, .. },
                ..
            }) => {
                search.ports_opened(desk.now, opened);
                self.search_on(desk);
                self.let_pick_up(desk, opened);
            }
            Some(Transfer {
                stage: Stage::Opening { .. },
                ..
            }) if opened => self.let_in(desk),
            Some(Transfer {
                stage: Stage::Opening { .. },
                ..
            }) => self.transfer_failed(desk, StatusCode::SERVICE_UNAVAILABLE),
            _ => self.let_pick_up(desk, opened),
        }
    }

    /// Somebody has come to take a place: he is let in as soon as there are ports for him.
    pub(super) fn receive(
        &mut self,
        desk: &mut Desk<'_>,
        side: Side,
        report: Option<Report>,
        newcomer: Box<Newcomer>,
    ) {
        self.transfer = Some(Transfer {
            side,
            report,
            stage: Stage::Opening { newcomer },
        });
        self.let_in(desk);
    }

    fn let_in(&mut self, desk: &mut Desk<'_>) {
        let (Some(transfer), Some(anchor)) = (&mut self.transfer, &mut self.anchor) else {
            return;
        };
        let side = transfer.side;
        let Stage::Opening { newcomer } = &mut transfer.stage else {
            return;
        };
        match desk.anchors.reach(anchor, side, newcomer.here) {
            Reach::Ready => {}
            Reach::Awaited => return,
            Reach::Never => {
                return self.transfer_failed(desk, StatusCode::NOT_ACCEPTABLE_HERE);
            }
        }
        if matches!(newcomer.way, Way::Lent(_)) {
            if let Err(status) = invite_guest(desk, anchor, side, newcomer) {
                return self.transfer_failed(desk, status);
            }
            transfer.go_on(|newcomer| Stage::Invited { newcomer });
        } else {
            transfer.go_on(|newcomer| Stage::Willing { newcomer });
            self.pursue(desk);
        }
    }
}

/// Asks the far end of another call to talk to the leg that stays.
///
/// # Errors
/// There is nothing to be offered.
fn invite_guest(
    desk: &mut Desk<'_>,
    anchor: &Anchor,
    side: Side,
    newcomer: &mut Newcomer,
) -> Result<(), StatusCode> {
    let offered = desk.anchors.offer_in_place(anchor, side);
    let offered = offered.ok_or(StatusCode::NOT_ACCEPTABLE_HERE)?;
    let mut offered = anchor.as_told(side, newcomer.here, offered);
    // Its session goes on under the number that it knows (RFC 3264 §8).
    if let Some(told) = &newcomer.knew {
        offered = offered.succeeding(told);
    }
    let body = Body::sdp(offered.to_bytes());
    desk.ua.reoffer(desk.now, newcomer.leg.call, Some(body));
    newcomer.offered = Some(offered);
    Ok(())
}
