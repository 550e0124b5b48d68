//! Where a 3xx leads (RFC 3261 §8.1.3.4): the same for calls and for what is asked outside of them.

use std::net::IpAddr;

use offhook_routing::hunt::{BranchId, Plan};
use offhook_sip::header::Contact;
use offhook_sip::{Response, Scheme, StatusCode, Uri};

use crate::call_settings::CallSettings;
use crate::candidate::{ATTENDANT, Candidate, branch_id, place_of};

/// The places that have been tried for one call or request; a branch's number is its place's.
pub(crate) trait Tried {
    fn count(&self) -> usize;

    /// Whether somebody has been tried there. A number of the exchange's own is no place.
    fn knows(&self, candidate: &Candidate) -> bool;

    /// One more. `is_number`: who is there only the dial plan knows.
    fn add(&mut self, candidate: Candidate, is_number: bool);
}

/// How far a call or request has been sent on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Followed {
    redirects: u8,
    /// What they have named. Whoever sends it on would flood others otherwise, at whom it is repeated for half a
    /// minute.
    places: usize,
}

/// Adds the places that a 3xx names, as far as the settings go, and none twice; beside them, what the
/// caller is told when there are none.
pub(crate) fn follow(
    tried: &mut impl Tried,
    followed: &mut Followed,
    settings: &CallSettings,
    here: IpAddr,
    response: &Response,
) -> (Vec<BranchId>, StatusCode) {
    let mut otherwise = StatusCode::TEMPORARILY_UNAVAILABLE;
    if followed.redirects >= settings.most_redirects {
        return (Vec::new(), otherwise);
    }
    followed.redirects += 1;
    let first = tried.count();
    let contacts = response
        .headers()
        .typed_all::<Contact<'_>>()
        .filter_map(Result::ok);
    for place in contacts.filter_map(|contact| contact.uri().map(|uri| uri.to_owned())) {
        let is_enough = followed.places >= settings.most_places_sent_to;
        if is_enough || tried.count() >= settings.most_branches {
            break;
        }
        // A trusted peer takes our word for who may call what: only the rules lead there.
        let own = settings.is_own(place.as_ref(), here)
            || settings.is_trusted_place(place.as_ref())
            || is_telephone_number(&place);
        let candidate = Candidate::sent_to(place);
        if !own && tried.knows(&candidate) {
            otherwise = StatusCode::LOOP_DETECTED;
            continue;
        }
        followed.places += 1;
        tried.add(candidate, own);
    }
    let instead = (first..tried.count()).map(branch_id).collect();
    (instead, otherwise)
}

/// Adds those whom the dial plan has found under a number, but for whoever has been tried already;
/// the order in which they have their turn.
pub(crate) fn found(
    tried: &mut impl Tried,
    settings: &CallSettings,
    candidates: Vec<Candidate>,
    order: Plan,
) -> Plan {
    let numbers: Vec<_> = candidates
        .into_iter()
        .map(|candidate| {
            let place = tried.count();
            let fits = place < settings.most_branches && !tried.knows(&candidate);
            fits.then(|| {
                tried.add(candidate, false);
                branch_id(place)
            })
        })
        .collect();
    order.renumbered(|own| match own {
        ATTENDANT => Some(ATTENDANT),
        own => numbers.get(place_of(own)?).copied().flatten(),
    })
}

/// A telephone number, which is no place (RFC 3966): only the dial plan knows where it leads.
fn is_telephone_number(uri: &Uri) -> bool {
    uri.scheme() == Scheme::Tel
}
