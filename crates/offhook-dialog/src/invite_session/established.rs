//! A call that was answered, by either side: offers, refreshes, the way to the end (RFC 3261 §14, §15).

use std::time::{Duration, Instant};

use offhook_sip::{Headers, Method, Response, StatusCode};
use offhook_transaction::ServerTransactionId;
use rand::RngExt;

use crate::body::Body;
use crate::dialog::{Dialog, Role};
use crate::invite_session::context::{Context, Sent};
use crate::invite_session::ending::{AwaitByeAnswer, Ended};
use crate::invite_session::exchange::{AwaitAck, AwaitFinal, AwaitOurAnswer, Exchange, Wanted};
use crate::invite_session::step::{EndCause, Failure, Purpose, Report};
use crate::invite_session::update::Updates;
use crate::reliable_provisional::{RAckValue, ReceivedInOrder};
use crate::session_timer::{Refresher, SessionDue, SessionTimer, Terms};
use crate::wire;

/// After so many 491 in a row the change is given up.
const GLARES: u8 = 8;

/// Both sides have agreed on the call; see [`Exchange`] for what may still be open.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) dialog: Dialog,
    pub(super) exchange: Exchange,
    pub(super) updates: Updates,
    pub(super) timer: Option<SessionTimer>,
    /// The peer's Allow lists UPDATE.
    pub(super) peer_updates: bool,
    /// A reliable provisional that the 2xx overtook: its PRACK is still to be taken (RFC 3262 §3).
    pub(super) late_prack: Option<Box<RAckValue>>,
    /// The last CSeq that we used before our 2xx was acknowledged; 0: none.
    pub(super) early_cseq: u32,
    /// Hung up by a callee whose 2xx waits for its ACK: BYE must wait too (§15).
    pub(super) bye_wanted: Option<Box<Headers>>,
    pub(super) wanted: Option<Box<Wanted>>,
    /// Our last description, kept only where a refresh will have to repeat it.
    pub(super) described: Option<Box<Body>>,
}

/// What becomes of an answered call.
#[derive(Debug)]
pub(super) enum Talk {
    Established(Box<Established>),
    AwaitByeAnswer(Box<AwaitByeAnswer>),
    Ended(Ended),
}

impl Established {
    fn new(dialog: Dialog, exchange: Exchange, timer: Option<SessionTimer>) -> Self {
        Self {
            dialog,
            exchange,
            updates: Updates::default(),
            timer,
            peer_updates: false,
            late_prack: None,
            early_cseq: 0,
            bye_wanted: None,
            wanted: None,
            described: None,
        }
    }

    /// The peer's 2xx to our INVITE.
    pub(super) fn answered(
        cx: &mut Context<'_>,
        sent: &Sent<'_>,
        dialog: Dialog,
        response: Response,
        offered: bool,
    ) -> Box<Self> {
        let timer = cx.timer_of_answer(&response);
        let ack = dialog.ack(sent.request);
        let awaits_answer = !offered && !response.body().is_empty();
        let exchange = if awaits_answer {
            Exchange::AwaitOurAnswer(Box::new(AwaitOurAnswer {
                transaction: sent.transaction,
                ack,
            }))
        } else {
            cx.ack(sent.transaction, dialog.remote_tag(), ack);
            Exchange::Idle
        };
        let mut this = Self::new(dialog, exchange, timer);
        this.peer_updates = wire::allows(response.headers(), &Method::Update);
        this.describe(Body::of_request(sent.request).as_ref());
        cx.report(Report::Answered {
            response,
            awaits_answer,
        });
        Box::new(this)
    }

    /// Our 2xx to the peer's INVITE goes out.
    pub(super) fn accepted(
        dialog: Dialog,
        exchange: Exchange,
        timer: Option<SessionTimer>,
        peer_updates: bool,
        body: Option<&Body>,
    ) -> Self {
        let mut this = Self::new(dialog, exchange, timer);
        this.peer_updates = peer_updates;
        this.describe(body);
        this
    }

    /// Remembers our description if a refresh by re-INVITE will need it (RFC 4028 §7.4).
    pub(super) fn describe(&mut self, body: Option<&Body>) {
        let refreshes = self
            .timer
            .is_some_and(|timer| timer.terms().refresher == Refresher::Us);
        if !refreshes || self.peer_updates {
            self.described = None;
        } else if let Some(body) = body {
            self.described = Some(Box::new(body.clone()));
        }
    }

    pub(super) fn hang_up(
        mut self: Box<Self>,
        cx: &mut Context<'_>,
        headers: Headers,
        cause: EndCause,
    ) -> Talk {
        match core::mem::take(&mut self.exchange) {
            // §15: the callee's BYE waits for the ACK, or for the end of the wait for it.
            Exchange::AwaitAck(waiting) if waiting.first => {
                self.exchange = Exchange::AwaitAck(waiting);
                self.bye_wanted.get_or_insert(Box::new(headers));
                Talk::Established(self)
            }
            exchange => {
                self.exchange = exchange;
                self.leave(cx, &headers, cause)
            }
        }
    }

    /// Hangs up on a peer that has vanished. It leaves the BYE unanswered as well, and nobody is to wait
    /// 64*T1 more for that, unless a re-INVITE of ours is open: its 2xx must have its ACK.
    pub(super) fn give_up(
        self: Box<Self>,
        cx: &mut Context<'_>,
        headers: Headers,
        cause: EndCause,
    ) -> Talk {
        let asks = matches!(self.exchange, Exchange::AwaitFinal(_));
        match self.hang_up(cx, headers, cause) {
            Talk::AwaitByeAnswer(bye) if !asks => Talk::Ended(bye.answered(cx)),
            talk => talk,
        }
    }

    /// Sends BYE, after what must not stay open.
    pub(super) fn leave(
        mut self: Box<Self>,
        cx: &mut Context<'_>,
        headers: &Headers,
        cause: EndCause,
    ) -> Talk {
        match core::mem::take(&mut self.exchange) {
            Exchange::AwaitOurAnswer(waiting) => waiting.send(cx, self.dialog.remote_tag(), None),
            Exchange::AwaitDecision(asked) => cx.refuse(
                asked.transaction,
                &asked.request,
                StatusCode::REQUEST_TERMINATED,
            ),
            Exchange::Idle | Exchange::AwaitAck(_) | Exchange::AwaitFinal(_) => {}
        }
        self.updates.drop_asked(cx);
        Talk::AwaitByeAnswer(AwaitByeAnswer::start(cx, self.dialog, headers, cause))
    }

    /// Asks the peer to change the session, at once or when the dialog is free.
    pub(super) fn reoffer(&mut self, cx: &mut Context<'_>, update: bool, body: Option<Body>) {
        let peer_asks = matches!(
            self.exchange,
            Exchange::AwaitDecision(_) | Exchange::AwaitOurAnswer(_)
        ) || self.updates.asked_in().is_some();
        if peer_asks || self.wanted.as_ref().is_some_and(|wanted| !wanted.refresh) {
            // Waiting here could wait for each other, when two calls are bridged.
            cx.report(Report::ReofferFailed(Failure::Pending));
            return;
        }
        self.wanted = Some(Box::new(Wanted {
            update,
            body: body.map(Box::new),
            refresh: false,
            glares: 0,
            not_before: cx.now,
        }));
        self.pursue(cx);
    }

    /// The transaction of the peer's re-INVITE or UPDATE that waits for the application.
    pub(super) fn asked_in(&self) -> Option<ServerTransactionId> {
        match &self.exchange {
            Exchange::AwaitDecision(asked) => Some(asked.transaction),
            _ => self.updates.asked_in(),
        }
    }

    /// No offer and no INVITE is open, either way.
    fn is_free(&self) -> bool {
        self.exchange.is_idle()
            && !self.updates.is_out()
            && self.updates.asked_in().is_none()
            && self.bye_wanted.is_none()
    }

    /// Sends the wanted change if nothing else is open (§14.1).
    pub(super) fn pursue(&mut self, cx: &mut Context<'_>) {
        let due = |wanted: &mut Box<Wanted>| wanted.not_before <= cx.now;
        if !self.is_free() {
            return;
        }
        let Some(wanted) = self.wanted.take_if(due) else {
            return;
        };
        if wanted.update {
            let reported = !wanted.refresh;
            self.updates.send(
                cx,
                &mut self.dialog,
                wanted.body.as_deref(),
                reported,
                self.timer.as_ref(),
            );
            self.updates.set_glares(wanted.glares);
            return;
        }
        let mut request = self.dialog.request(&Method::Invite);
        cx.propose_timer(
            &mut request,
            self.timer.map(|timer| timer.terms().refresher),
        );
        if let Some(body) = &wanted.body {
            body.put_in_request(&mut request);
        }
        self.exchange = Exchange::AwaitFinal(AwaitFinal {
            refresh: wanted.refresh,
            offer: wanted.body,
            glares: wanted.glares,
            received: ReceivedInOrder::default(),
        });
        cx.send(request, Purpose::Reinvite);
    }

    /// After a 491: the owner of the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps of 10 ms (§14.1).
    pub(super) fn want_again(&mut self, cx: &mut Context<'_>, again: Wanted) {
        if again.glares >= GLARES || self.wanted.is_some() {
            if !again.refresh {
                cx.report(Report::ReofferFailed(Failure::Pending));
            }
            return;
        }
        let steps = match self.dialog.role() {
            Role::Caller => cx.rng.random_range(210..=400),
            Role::Callee => cx.rng.random_range(0..=200),
        };
        self.wanted = Some(Box::new(Wanted {
            not_before: cx.now + Duration::from_millis(10 * steps),
            glares: again.glares + 1,
            ..again
        }));
    }

    /// The answer to an offer that came in a 2xx (§13.2.2.4).
    pub(super) fn acknowledge(&mut self, cx: &mut Context<'_>, body: Option<&Body>) {
        match core::mem::take(&mut self.exchange) {
            Exchange::AwaitOurAnswer(waiting) => {
                waiting.send(cx, self.dialog.remote_tag(), body);
                self.describe(body);
            }
            other => self.exchange = other,
        }
        self.pursue(cx);
    }

    /// The application agrees to the peer's re-INVITE or UPDATE.
    pub(super) fn accept_reoffer(&mut self, cx: &mut Context<'_>, body: Option<&Body>) {
        match core::mem::take(&mut self.exchange) {
            Exchange::AwaitDecision(asked) => {
                let request = asked.request;
                self.dialog.refresh_target(request.headers());
                let mut response = request.response(StatusCode::OK);
                if let Some(body) = body {
                    body.put_in_response(&mut response);
                }
                cx.answer_timer(&request, &mut response, &mut self.timer);
                let cseq = wire::cseq_number(request.headers()).unwrap_or_default();
                self.exchange = AwaitAck::start(cx, asked.transaction, response, cseq, false);
            }
            other => {
                self.exchange = other;
                let timer = Some(&mut self.timer);
                self.updates.accept(cx, &mut self.dialog, body, timer);
            }
        }
        self.describe(body);
        self.pursue(cx);
    }

    /// The application refuses; the session stays as it was (§14.2).
    pub(super) fn reject_reoffer(&mut self, cx: &mut Context<'_>, response: Response) {
        match core::mem::take(&mut self.exchange) {
            Exchange::AwaitDecision(asked) => cx.respond(asked.transaction, response),
            other => {
                self.exchange = other;
                self.updates.reject(cx, response);
            }
        }
        self.pursue(cx);
    }

    pub(super) fn handle_timeout(mut self: Box<Self>, cx: &mut Context<'_>) -> Talk {
        if let Exchange::AwaitAck(waiting) = &mut self.exchange
            && waiting.handle_timeout(cx)
        {
            // §13.3.1.4, and §14.2 for a re-INVITE: nobody acknowledged, so the call is over.
            self.exchange = Exchange::Idle;
            let (headers, cause) = match self.bye_wanted.take() {
                Some(headers) => (*headers, EndCause::LocalHangUp),
                None => (Headers::default(), EndCause::AckMissing),
            };
            return self.hang_up(cx, headers, cause);
        }
        match self.timer.as_mut().and_then(|t| t.handle_timeout(cx.now)) {
            Some(SessionDue::Expired) => {
                let headers = wire::reason("SIP;cause=408;text=\"Session expired\"");
                return self.give_up(cx, headers, EndCause::SessionExpired);
            }
            Some(SessionDue::Refresh) => self.want_refresh(cx),
            None => {}
        }
        self.pursue(cx);
        Talk::Established(self)
    }

    /// A change serves as a refresh too, unless it is answered 491 again and again: then the session as
    /// it is comes first, since nobody need be asked about that.
    fn want_refresh(&mut self, cx: &mut Context<'_>) {
        if let Some(wanted) = &self.wanted {
            if wanted.refresh || wanted.glares < 2 {
                return;
            }
            cx.report(Report::ReofferFailed(Failure::Pending));
        }
        self.wanted = Some(Box::new(Wanted {
            update: self.peer_updates,
            body: self.described.clone(),
            refresh: true,
            glares: 0,
            not_before: cx.now,
        }));
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let wanted = self
            .wanted
            .as_ref()
            .filter(|_| self.is_free())
            .map(|wanted| wanted.not_before);
        [
            self.exchange.poll_timeout(),
            self.timer.map(|timer| timer.poll_timeout()),
            wanted,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Restarts the session timer with the peer's 2xx to our refresh or re-offer (RFC 4028 §7.2).
    pub(super) fn restart_timer(&mut self, cx: &Context<'_>, response: &Response) {
        if cx.config.session_timer.is_some() && self.timer.is_some() {
            self.timer = Terms::of_answer(response.headers())
                .map(|terms| SessionTimer::start(cx.now, terms))
                // A peer that knows no timers said nothing: the one that refreshes goes on.
                .or_else(|| {
                    self.timer
                        .map(|timer| SessionTimer::start(cx.now, timer.terms()))
                });
        }
    }
}

impl Context<'_> {
    fn timer_of_answer(&self, response: &Response) -> Option<SessionTimer> {
        let config = self.config.session_timer?;
        let terms = Terms::of_answer(response.headers()).unwrap_or_else(|| config.alone());
        Some(SessionTimer::start(self.now, terms))
    }
}
