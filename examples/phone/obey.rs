//! What a person wants by a key is done.

use std::time::Instant;

use offhook_phone::{CallId, Target};
use offhook_sip::StatusCode;

use super::{KEY_TIME, Run, said};
use crate::console::Key;
use crate::exit::Exit;

impl Run {
    pub(super) fn obey(&mut self, key: Key) {
        let now = Instant::now();
        match (key, self.lines.current()) {
            (Key::Answer, Some(call)) => said(self.phone.answer(now, call)),
            (Key::Reject, Some(call)) => said(self.phone.reject(now, call, StatusCode::DECLINE)),
            (Key::HangUp, Some(call)) => said(self.phone.hang_up(now, call)),
            (Key::Digit(digit), Some(call)) => {
                said(self.phone.send_digit(call, digit, KEY_TIME));
            }
            (Key::Hold, Some(call)) => said(self.phone.hold(now, call)),
            (Key::Resume, Some(call)) => said(self.phone.resume(now, call)),
            (Key::Mute, Some(call)) => self.mute(call),
            (Key::Transfer(target), Some(call)) => self.transfer(call, &target),
            (Key::Consult(target), Some(_)) => self.consult(&target),
            (Key::Connect, Some(_)) => self.connect(),
            (Key::Quit, _) => self.leave(self.exit),
            (Key::Interrupt, _) if self.exit == Exit::Interrupted => self.leave_by = Some(now),
            (Key::Interrupt, _) => {
                self.exit = Exit::Interrupted;
                self.leave(Exit::Interrupted);
            }
            (_, None) => println!("there is no call"),
        }
    }

    fn mute(&mut self, call: CallId) {
        self.muted = !self.muted;
        println!("{}", if self.muted { "muted" } else { "not muted" });
        said(self.phone.mute(call, self.muted));
    }

    fn transfer(&mut self, call: CallId, target: &str) {
        match Target::parse(target, self.server.as_ref()) {
            Ok(target) => said(self.phone.transfer(Instant::now(), call, &target)),
            Err(error) => println!("{error}"),
        }
    }

    /// Puts the call on hold and calls somebody else.
    fn consult(&mut self, target: &str) {
        let Some(waits) = self.lines.may_wait() else {
            return println!("there is no call that could wait");
        };
        let target = match Target::parse(target, self.server.as_ref()) {
            Ok(target) => target,
            Err(error) => return println!("{error}"),
        };
        let now = Instant::now();
        let call = match self.phone.call(now, &target, self.account) {
            Ok(call) => call,
            Err(error) => return println!("{error}"),
        };
        if !self.lines.is_on_hold() {
            said(self.phone.hold(now, waits));
        }
        if self.muted {
            self.mute(waits);
        }
        println!("asking {}", target.uri());
        self.lines.consult(call);
        self.asked = Some(target);
        self.open += 1;
    }

    /// Connects who waits with who was asked.
    fn connect(&mut self) {
        match (self.lines.pair(), &self.asked) {
            (Some((waits, asked)), Some(target)) => {
                let now = Instant::now();
                said(self.phone.transfer_to(now, waits, asked, target));
            }
            _ => println!("nobody was asked"),
        }
    }

    pub(super) fn hang_up_all(&mut self) {
        for call in self.lines.all() {
            said(self.phone.hang_up(Instant::now(), call));
        }
    }
}
