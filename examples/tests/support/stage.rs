//! A server, and `SIPp` on both sides of it: who is where, and what most of them do.

use std::net::Ipv4Addr;

use super::player::{Player, wait_until_bound};
use super::scenario::{NOTHING, SDP, Scenario};
use super::{REGFILE, Server, has_program, skip, write};

/// The parties of one test: each on an address that no other test has.
pub struct Stage {
    pub server: Server,
    net: u8,
    host: u8,
    pub folder: tempfile::TempDir,
}

impl Stage {
    /// A server with these numbers, in which `A` and `B` stand for the places of two callees.
    pub fn new(net: u8, host: u8, numbers: &str, more: &[&str]) -> Option<Self> {
        if !has_program("sipp") {
            skip("SIPp is not installed");
            return None;
        }
        let config = tempfile::tempdir().expect("a folder");
        write(config.path().join("regfile.conf"), REGFILE);
        let place = |name, n| format!("sip/sip:{name}@{}:5060", address(net, host, n));
        let numbers = numbers
            .replace('A', &place("a", 2))
            .replace('B', &place("b", 3));
        write(
            config.path().join("regexroute.conf"),
            &format!("[default]\n{numbers}\n"),
        );
        let server = Server::start_in(config, &format!("{}:5060", address(net, host, 0)), more);
        let folder = tempfile::tempdir().expect("a folder");
        Some(Self {
            server,
            net,
            host,
            folder,
        })
    }

    pub fn callee(&self, scenario: &Scenario, n: u8) -> Player {
        let at = address(self.net, self.host, n);
        let player = Player::start(scenario, at, &self.server.address, "none", &self.folder);
        wait_until_bound(at, 5060);
        player
    }

    /// The caller dials 2 and all scenarios are fulfilled.
    pub fn play(self, caller: &Scenario, callees: &[&Scenario]) {
        let callees = self.callees(callees);
        self.caller(caller).finish();
        for callee in callees {
            callee.finish();
        }
        self.server.program.stops_well();
    }

    /// The callees, who listen already.
    pub fn callees(&self, callees: &[&Scenario]) -> Vec<Player> {
        (2..)
            .zip(callees)
            .map(|(n, scenario)| self.callee(scenario, n))
            .collect()
    }

    /// The caller, who begins at once.
    pub fn caller(&self, caller: &Scenario) -> Player {
        let at = address(self.net, self.host, 1);
        Player::start(caller, at, &self.server.address, "2", &self.folder)
    }
}

/// The server is 0, the caller 1, callees 2 and 3.
pub const fn address(net: u8, host: u8, n: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, net, host + n)
}

pub fn caller() -> Scenario {
    Scenario::new("caller").dials(SDP)
}

/// Whom the caller talks to and hangs up on.
pub fn talks(caller: Scenario) -> Scenario {
    caller
        .perhaps(180)
        .expect(200, &["m=audio [1-9]"])
        .acknowledges(NOTHING)
        .pause(200)
        .hangs_up()
}

/// Who answers, and is hung up on.
pub fn answers(callee: Scenario) -> Scenario {
    callee
        .gets_called(&["m=audio [1-9]"])
        .says("180 Ringing", NOTHING)
        .says("200 OK", SDP)
        .takes("ACK", &[])
        .gets_hung_up(&[])
}

/// Whose phone rings until it is told to stop.
pub fn rings_in_vain(callee: Scenario, patterns: &[&str]) -> Scenario {
    rings_until_told(callee.gets_called(&[]), patterns)
}

/// The same of who has been called already.
pub fn rings_until_told(callee: Scenario, patterns: &[&str]) -> Scenario {
    callee
        .says("180 Ringing", NOTHING)
        .takes("CANCEL", patterns)
        .agrees(NOTHING)
        .answers_invite("487 Request Terminated", NOTHING)
        .takes("ACK", &[])
}
