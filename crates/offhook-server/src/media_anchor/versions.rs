//! Between the two versions of IP: a leg's ports are opened in the other one when somebody is to be
//! called there, and given up in the one that is not used.
//!
//! Both times they have the same numbers, so that the other leg need not be told of it: what a phone has
//! heard of in early media holds when somebody else answers (RFC 3261 §13.2.1).
//!
//! That is also why no other numbers are tried where the relay cannot have these: phones that ring have
//! been offered them, and the relay moves a leg to no other ports while its voice is on its way. It
//! happens where another program holds one of the numbers at the other address only. Then whoever was
//! to be called there is not reached (503, as without any ports), all others of the call ring on, and the
//! next one asks for the same numbers anew. An owner avoids it by a range of ports that is the server's
//! alone.

use std::net::IpAddr;

use offhook_media::relay::Command;
use offhook_sdp::SessionDescription;
use offhook_ua::Body;

use super::MediaAnchor;
use super::anchor::{Anchor, Second, Side, are_alike};

/// Whether somebody can be on a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Now.
    Ready,
    /// When the relay has said that it has the ports.
    Awaited,
    /// The leg has ports in one version of IP only: the parties send their voice to each other, or the
    /// exchange itself is at the other end.
    Never,
}

impl MediaAnchor {
    /// Whether who is reached from this address of ours can be on that leg; what is missing is asked
    /// for.
    pub(crate) fn reach(&mut self, anchor: &mut Anchor, side: Side, here: IpAddr) -> Reach {
        if anchor.suits(side, here) {
            return Reach::Ready;
        }
        let Some(id) = anchor.relay.filter(|id| !id.is_served()) else {
            return Reach::Never;
        };
        let second = &mut anchor.leg_mut(side).second;
        if second.is_none() {
            *second = Some(Second {
                ip: here,
                is_open: false,
            });
            let side = side.of_relay();
            self.commands
                .push_back(Command::Widen { id, side, ip: here });
        }
        Reach::Awaited
    }

    /// The leg's party is known: its ports in the other version of IP are given up.
    pub(crate) fn narrow(&mut self, anchor: &mut Anchor, side: Side) {
        let leg = anchor.leg_mut(side);
        let ip = leg.here();
        let Some(second) = leg.second.take() else {
            return;
        };
        leg.state.here = None;
        if are_alike(second.ip, ip) {
            leg.ports.ip = second.ip;
        }
        let side = side.of_relay();
        let narrow = anchor.relay.map(|id| Command::Narrow { id, side, ip });
        self.commands.extend(narrow);
    }

    /// The offer that is made to whoever is called on that leg, as it is made where our own address is
    /// `here`.
    pub(crate) fn offer_from(anchor: &Anchor, side: Side, here: IpAddr, offer: &Body) -> Body {
        if anchor.leg(side).second.is_none() {
            return offer.clone();
        }
        match SessionDescription::parse(&offer.bytes) {
            Ok(description) => Body::sdp(anchor.as_told(side, here, description).to_bytes()),
            // It is of our own making.
            Err(_) => offer.clone(),
        }
    }
}

impl Anchor {
    /// The relay has the ports of that leg at its second address, or cannot have them.
    pub(crate) fn opened_second(&mut self, side: Side, is_open: bool) {
        let second = &mut self.leg_mut(side).second;
        match second {
            Some(second) if is_open => second.is_open = true,
            // Where they are open already nothing has been asked for.
            Some(second) if second.is_open => {}
            _ => *second = None,
        }
    }
}
