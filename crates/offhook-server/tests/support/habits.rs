//! What parties do in nearly every call: pick up, refuse, give up, leave.

use offhook_sip::{Method, Request, Response};

use super::Exchange;
use super::party::{Dialog, Party, description};

impl Party {
    /// Takes a call with his own description; the ACK of that has come too.
    #[track_caller]
    pub(crate) fn pick_up(&self, exchange: &mut Exchange, invite: &Request) -> Dialog {
        let dialog = self.answer(exchange, invite, 200, &description(self.address));
        self.expect_request(exchange, &Method::Ack);
        dialog
    }

    /// Does not take a call.
    #[track_caller]
    pub(crate) fn refuse(&self, exchange: &mut Exchange, invite: &Request, status: u16) {
        self.answer(exchange, invite, status, "");
        self.expect_request(exchange, &Method::Ack);
    }

    /// What he offered is answered, and he acknowledges that.
    #[track_caller]
    pub(crate) fn answered(&mut self, exchange: &mut Exchange, dialog: &mut Dialog) -> Response {
        let answer = self.expect(exchange, 200);
        self.acknowledge(exchange, dialog, &answer, "");
        answer
    }

    /// What he asked for with an INVITE is refused, and he acknowledges that.
    #[track_caller]
    pub(crate) fn refused(
        &mut self,
        exchange: &mut Exchange,
        dialog: &Dialog,
        status: u16,
    ) -> Response {
        let refusal = self.expect(exchange, status);
        self.acknowledge_failure(exchange, dialog, &refusal);
        refusal
    }

    /// Takes his INVITE back.
    pub(crate) fn cancel(&self, exchange: &mut Exchange, dialog: &Dialog) {
        let cancel = self.text("CANCEL", &dialog.target, dialog, "", "");
        self.send(exchange, &cancel);
    }

    /// Has rung, and is to ring no more.
    #[track_caller]
    pub(crate) fn is_cancelled(&self, exchange: &mut Exchange, invite: &Request) -> Request {
        let cancel = self.expect_request(exchange, &Method::Cancel);
        self.answer(exchange, &cancel, 200, "");
        self.refuse(exchange, invite, 487);
        cancel
    }

    /// Hangs up, with his proof.
    #[track_caller]
    pub(crate) fn leave(&mut self, exchange: &mut Exchange, dialog: &mut Dialog) {
        self.in_dialog(exchange, dialog, "BYE", "", "", true);
        self.expect(exchange, 200);
    }

    /// The exchange hangs up on him.
    #[track_caller]
    pub(crate) fn is_hung_up(&self, exchange: &mut Exchange) -> Request {
        let bye = self.expect_request(exchange, &Method::Bye);
        self.answer(exchange, &bye, 200, "");
        bye
    }
}
