//! INVITE with Replaces: a call that is up moves to another phone, or one that rings is picked up.

use std::time::Instant;

use offhook_auth::Verified;
use offhook_registrar::Directory;
use offhook_sip::StatusCode;
use offhook_ua::{CallId, IncomingCall};

use super::Server;
use crate::cdr::BridgeId;

impl Server {
    /// A call that is to take the place of another one: only the user whose phone has that one now
    /// may do that (RFC 3891 §3, §4). A call that still rings may be picked up by others too.
    pub(super) fn take_over(
        &mut self,
        now: Instant,
        incoming: IncomingCall,
        replaced: CallId,
        by: &Verified,
    ) {
        let id = self.bridges.of_call(replaced);
        if let Some(id) = id
            && let Some(allowed) = self.picks_up(id, replaced, by.username())
        {
            return match allowed {
                Ok(()) => self.with_bridge(now, id, |bridge, desk| {
                    bridge.pick_up(desk, replaced, incoming, by.username().to_owned());
                }),
                Err(status) => self.reject(now, incoming, status, None),
            };
        }
        let bridge = id.and_then(|id| self.bridges.get_mut(id));
        let refusal = match &bridge {
            Some(bridge) if bridge.account(replaced) != Some(by.username()) => {
                StatusCode::FORBIDDEN
            }
            Some(bridge) if bridge.may_transfer(replaced) => {
                let account = by.username().to_owned();
                return self.on_call(now, replaced, |bridge, desk| {
                    bridge.take_over(desk, replaced, incoming, account);
                });
            }
            Some(_) => StatusCode::REQUEST_PENDING,
            None => StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
        };
        self.reject(now, incoming, refusal, None);
    }

    /// Whether this leg rings, and this user may answer in its place: his own phones ring with it, or
    /// those of somebody of his group.
    fn picks_up(
        &mut self,
        id: BridgeId,
        ringing: CallId,
        user: &str,
    ) -> Option<Result<(), StatusCode>> {
        let bridge = self.bridges.get_mut(id)?;
        if !bridge.is_to_answer(ringing) {
            return None;
        }
        let mut rung = bridge.rung().into_iter();
        let directory = &self.directory;
        let allowed = rung.any(|rung| rung == user || share_a_group(directory, rung, user));
        Some(if !allowed {
            Err(StatusCode::FORBIDDEN)
        } else if self.is_engaged(user) {
            Err(StatusCode::BUSY_HERE)
        } else {
            Ok(())
        })
    }
}

/// The groups within which a user and others pick up each other's calls.
fn pickup_groups<'a>(directory: &'a Directory, user: &str) -> impl Iterator<Item = &'a str> {
    let user = directory.user(user);
    let parameters = user.into_iter().flat_map(|user| user.parameters().iter());
    parameters
        .filter(|(name, _)| name == "pickupgroup")
        .flat_map(|(_, groups)| groups.split(','))
        .map(str::trim)
        .filter(|group| !group.is_empty())
}

fn share_a_group(directory: &Directory, one: &str, other: &str) -> bool {
    pickup_groups(directory, one)
        .any(|group| pickup_groups(directory, other).any(|same| same == group))
}
