//! What parties do in nearly every call: pick up, refuse, give up, leave.

use offhook_sip::{Method, Request, Response};

use super::Exchange;
use super::party::{Dialog, Party, description};
use super::trio::{reinvited, to_of};

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

    /// Hears that it rings, which is a dialog from now on.
    #[track_caller]
    pub(crate) fn hears_ringing(&mut self, exchange: &mut Exchange, dialog: &mut Dialog) {
        let heard = self.expect(exchange, 180);
        to_of(&heard).clone_into(&mut dialog.remote);
    }

    /// Takes his INVITE back, and is told so. A CANCEL has no tag in To, as its INVITE had none
    /// (RFC 3261 §9.1).
    #[track_caller]
    pub(crate) fn gives_up(&mut self, exchange: &mut Exchange, dialog: &Dialog) {
        let mut untagged = dialog.clone();
        let remote = dialog.remote.split(";tag=").next().expect("an address");
        remote.clone_into(&mut untagged.remote);
        self.cancel(exchange, &untagged);
        self.expect(exchange, 200);
        self.refused(exchange, dialog, 487);
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

    /// Is asked for another session, and agrees to his usual one.
    #[track_caller]
    pub(crate) fn agrees(&self, exchange: &mut Exchange) -> Request {
        reinvited(exchange, self, 200, &description(self.address))
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

    /// Asks to be registered with this Contact; what is said to that is in the letter box.
    pub(crate) fn names_itself(&mut self, exchange: &mut Exchange, contact: &str) {
        let uri = format!("sip:{}", exchange.at.ip());
        let mut dialog = self.new_dialog(&uri);
        dialog.remote = format!("<sip:{}@{}>", self.user, exchange.at.ip());
        let usual = format!("<sip:{}@{}>", self.user, self.address);
        let text = |party: &Self, dialog: &Dialog| {
            let text = party.text("REGISTER", &uri, dialog, "", "");
            text.replace(&usual, contact)
        };
        self.send(exchange, &text(self, &dialog));
        let challenge = self.expect(exchange, 401);
        dialog.cseq += 1;
        dialog.branch = self.branch();
        let again = text(self, &dialog);
        let again = self.authorize(&again, &challenge);
        self.send(exchange, &again);
    }
}
