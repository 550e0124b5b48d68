//! What lies at hand while one event of a call is handled.

use std::time::Instant;

use offhook_sip::StatusCode;
use offhook_transaction::TokenSource;
use offhook_ua::{IncomingCall, UserAgent};

use crate::call_settings::CallSettings;
use crate::media_anchor::MediaAnchor;
use crate::studio::Studio;

/// What a bridge works with while it handles one event.
pub(crate) struct Desk<'a> {
    pub(crate) now: Instant,
    pub(crate) ua: &'a mut UserAgent,
    pub(crate) anchors: &'a mut MediaAnchor,
    pub(crate) tokens: &'a mut TokenSource,
    pub(crate) studio: &'a mut Studio,
    pub(crate) settings: &'a CallSettings,
}

impl Desk<'_> {
    /// Refuses the call of somebody who cannot have the place that he wants.
    pub(crate) fn turn_away(&mut self, incoming: IncomingCall, status: StatusCode) {
        let refusal = incoming.response(status);
        self.ua.reject(self.now, incoming, refusal);
    }
}
