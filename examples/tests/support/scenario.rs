//! Scenarios for `SIPp`, put together from steps: one party's side of a call, and what it must see.

use std::fmt::Write as _;
use std::path::Path;

use super::text;

/// A description of the party's voice, with more lines of its own.
fn description(more: &str) -> String {
    format!(
        "v=0\no=sipp 1 1 IN IP[local_ip_type] [local_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\nt=0 0\n\
         m=audio [media_port] RTP/AVP 0\na=rtpmap:0 PCMU/8000\n{more}"
    )
}

/// What a message carries.
#[derive(Clone, Copy, Default)]
pub struct With<'a> {
    /// Whole header lines.
    pub headers: &'a str,
    /// A description, with these lines more.
    pub sdp: Option<&'a str>,
}

/// No header of its own, no body.
pub const NOTHING: With<'static> = With {
    headers: "",
    sdp: None,
};
/// A plain description.
pub const SDP: With<'static> = With {
    headers: "",
    sdp: Some(""),
};

impl<'a> With<'a> {
    /// Whole header lines, and no body.
    pub const fn headers(headers: &'a str) -> Self {
        With { headers, sdp: None }
    }

    fn text(self) -> String {
        let body = self.sdp.map(description);
        let kind = body
            .as_ref()
            .map_or("", |_| "Content-Type: application/sdp\n");
        let headers = self.headers;
        format!(
            "{headers}{kind}Content-Length: [len]\n\n{}\n",
            body.unwrap_or_default()
        )
    }
}

/// One party's side of a call.
pub struct Scenario {
    pub name: &'static str,
    steps: String,
    checks: usize,
}

impl Scenario {
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            steps: String::new(),
            checks: 0,
        }
    }

    fn send(mut self, message: &str, repeated: bool) -> Self {
        let retrans = if repeated { " retrans=\"500\"" } else { "" };
        write!(
            self.steps,
            "<send{retrans}><![CDATA[\n\n{message}\n]]></send>\n"
        )
        .expect("a string takes it");
        self
    }

    /// Waits for a message, in which all these patterns must be found.
    fn recv(mut self, what: &str, patterns: &[&str]) -> Self {
        write!(self.steps, "<recv {what}><action>").expect("a string takes it");
        for pattern in patterns {
            self.checks += 1;
            let pattern = pattern
                .replace('&', "&amp;")
                .replace('"', "&quot;")
                .replace('<', "&lt;");
            write!(
                self.steps,
                "<ereg regexp=\"{pattern}\" search_in=\"msg\" check_it=\"true\" assign_to=\"c{}\"/>",
                self.checks
            )
            .expect("a string takes it");
        }
        self.steps.push_str("</action></recv>\n");
        self
    }

    /// Lets some time pass.
    pub fn pause(mut self, milliseconds: u32) -> Self {
        writeln!(self.steps, "<pause milliseconds=\"{milliseconds}\"/>")
            .expect("a string takes it");
        self
    }

    /// Waits for a response.
    pub fn expect(self, status: u16, patterns: &[&str]) -> Self {
        let routes = if status / 100 == 2 {
            " rrs=\"true\""
        } else {
            ""
        };
        self.recv(&format!("response=\"{status}\"{routes}"), patterns)
    }

    /// A response that may come or not.
    pub fn perhaps(mut self, status: u16) -> Self {
        writeln!(
            self.steps,
            "<recv response=\"{status}\" optional=\"true\"/>"
        )
        .expect("a string takes it");
        self
    }

    /// Waits for a request.
    pub fn takes(self, method: &str, patterns: &[&str]) -> Self {
        self.recv(&format!("request=\"{method}\""), patterns)
    }

    /// Waits for the INVITE that begins the call, and keeps what is needed of it.
    pub fn gets_called(mut self, patterns: &[&str]) -> Self {
        self = self.takes("INVITE", patterns);
        let keep = "<ereg regexp=\"[0-9]+\" search_in=\"hdr\" header=\"CSeq:\" assign_to=\"invite\"/>\
                    <ereg regexp=\".*\" search_in=\"hdr\" header=\"Via:\" assign_to=\"via\"/>\
                    <ereg regexp=\".*\" search_in=\"hdr\" header=\"From:\" assign_to=\"from\"/>\
                    <ereg regexp=\".*\" search_in=\"hdr\" header=\"To:\" assign_to=\"to\"/>\
                    <ereg regexp=\"sip:[^&gt;]*\" search_in=\"hdr\" header=\"Contact:\" assign_to=\"target\"/>\
                    </action></recv>\n";
        self.steps = self
            .steps
            .trim_end()
            .trim_end_matches("</action></recv>")
            .to_owned();
        self.steps.push_str(keep);
        self
    }

    /// Is called, answers, and has the ACK.
    pub fn picks_up(self, patterns: &[&str]) -> Self {
        self.gets_called(patterns)
            .says("200 OK", SDP)
            .takes("ACK", &[])
    }

    /// Is called, and does not take the call.
    pub fn refuses(self, status: &str, with: With<'_>) -> Self {
        self.gets_called(&[]).says(status, with).takes("ACK", &[])
    }

    /// Is hung up on, by a BYE in which all these patterns must be found.
    pub fn gets_hung_up(self, patterns: &[&str]) -> Self {
        self.takes("BYE", patterns).agrees(NOTHING)
    }

    /// A party that calls is answered.
    pub fn gets_answered(self) -> Self {
        self.expect(200, &[]).acknowledges(NOTHING)
    }

    /// A party that calls is refused.
    pub fn gets_refused(self, status: u16) -> Self {
        self.expect(status, &[]).acknowledges_failure()
    }

    fn request(&self, method: &str, uri: &str, to: &str, via: &str, with: &str) -> String {
        format!(
            "{method} {uri} SIP/2.0\n{via}\nMax-Forwards: 20\n\
             From: <sip:u1@[remote_ip]>;tag=[pid]{}[call_number]\nTo: <sip:[service]@[remote_ip]>{to}\n\
             Call-ID: [call_id]\nCSeq: [cseq] {method}\nContact: <sip:u1@[local_ip]:[local_port]>\n{with}",
            self.name
        )
    }

    fn dialling(self, method: &str, via: &str, with: &str, repeated: bool) -> Self {
        let request = self.request(
            method,
            "sip:[service]@[remote_ip]:[remote_port]",
            "",
            via,
            with,
        );
        self.send(&request, repeated)
    }

    /// Dials without credentials.
    pub fn knocks(self, with: With<'_>) -> Self {
        self.dialling("INVITE", OWN_VIA, &with.text(), true)
            .perhaps(100)
    }

    /// Dials as u1, is challenged, and dials with credentials.
    pub fn dials(self, with: With<'_>) -> Self {
        self.dials_at_last(with).perhaps(100)
    }

    /// The same, and waits for the 100, which comes when nothing else has come for 200 ms.
    pub fn dials_and_waits(self, with: With<'_>) -> Self {
        self.dials_at_last(with).expect(100, &[])
    }

    fn dials_at_last(self, with: With<'_>) -> Self {
        self.knocks(with)
            .recv("response=\"401\" auth=\"true\"", &[])
            .acknowledges_failure()
            .dialling(
                "INVITE",
                OWN_VIA,
                &format!("{CREDENTIALS}{}", with.text()),
                true,
            )
    }

    /// Tells the test, by a file, that it has come so far.
    pub fn tells(mut self, file: &Path) -> Self {
        let file = text(file);
        writeln!(
            self.steps,
            "<nop><action><exec command=\"touch {file}\"/></action></nop>"
        )
        .expect("a string takes it");
        self
    }

    /// Speaks: the file holds G.711 (µ-law).
    pub fn speaks(mut self, file: &Path) -> Self {
        let file = text(file);
        writeln!(
            self.steps,
            "<nop><action><exec rtp_stream=\"{file},1,0,PCMU/8000\"/></action></nop>"
        )
        .expect("a string takes it");
        self
    }

    /// The ACK of a failure.
    pub fn acknowledges_failure(self) -> Self {
        let ack = format!(
            "ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n[last_Via:]\nMax-Forwards: 20\n\
             From: <sip:u1@[remote_ip]>;tag=[pid]{}[call_number]\n[last_To:]\nCall-ID: [call_id]\n\
             CSeq: [cseq] ACK\nContent-Length: 0\n\n",
            self.name
        );
        self.send(&ack, false)
    }

    /// Takes the INVITE back.
    pub fn cancels(self) -> Self {
        self.dialling("CANCEL", "[last_Via:]", &NOTHING.text(), true)
    }

    /// A request within the dialog that the caller began.
    pub fn in_call(self, method: &str, with: &str) -> Self {
        let request = self.request(method, "[next_url]", "[peer_tag_param]", OWN_VIA, with);
        self.send(&request, method != "ACK")
    }

    /// The ACK of an answer.
    pub fn acknowledges(self, with: With<'_>) -> Self {
        self.in_call("ACK", &with.text())
    }

    /// A request of the caller within the call, which is challenged and repeated.
    pub fn asks(self, method: &str, with: With<'_>) -> Self {
        let asked = self
            .in_call(method, &with.text())
            .perhaps(100)
            .recv("response=\"401\" auth=\"true\"", &[]);
        let asked = if method == "INVITE" {
            asked.acknowledges_failure()
        } else {
            asked
        };
        asked
            .in_call(method, &format!("{CREDENTIALS}{}", with.text()))
            .perhaps(100)
    }

    /// Waits for a BYE that is to be answered later.
    pub fn takes_bye(mut self) -> Self {
        self.steps.push_str("<recv request=\"BYE\"><action>");
        for (name, variable) in KEPT_OF_BYE {
            write!(
                self.steps,
                "<ereg regexp=\".*\" search_in=\"hdr\" header=\"{name}:\" assign_to=\"{variable}\"/>"
            )
            .expect("a string takes it");
        }
        self.steps.push_str("</action></recv>\n");
        self
    }

    /// Answers that BYE.
    pub fn hangs_up_as_told(self) -> Self {
        let kept = KEPT_OF_BYE.map(|(name, variable)| format!("{name}:[${variable}]\n"));
        let response = format!(
            "SIP/2.0 200 OK\n{}[last_Call-ID:]\nContent-Length: 0\n\n",
            kept.concat()
        );
        self.send(&response, false)
    }

    /// A request within the call, with the answer to the challenge that came before.
    pub fn insists(self, method: &str) -> Self {
        self.in_call(method, &format!("{CREDENTIALS}{}", NOTHING.text()))
    }

    /// The first BYE, which is challenged.
    pub fn begins_to_hang_up(self) -> Self {
        self.in_call("BYE", &NOTHING.text())
            .perhaps(100)
            .recv("response=\"401\" auth=\"true\"", &[])
    }

    /// The caller hangs up.
    pub fn hangs_up(self) -> Self {
        self.asks("BYE", NOTHING).expect(200, &[])
    }

    /// The callee hangs up.
    pub fn leaves(self) -> Self {
        let bye = format!(
            "BYE [$target] SIP/2.0\n{OWN_VIA}\nMax-Forwards: 20\n\
             From:[$to];tag=[pid]{}[call_number]\nTo:[$from]\n[last_Call-ID:]\nCSeq: 7 BYE\n{}",
            self.name,
            NOTHING.text()
        );
        self.send(&bye, true)
    }

    /// Answers the last request; the first answers of a call give it its tag.
    pub fn says(self, status: &str, with: With<'_>) -> Self {
        let tag = format!(";tag=[pid]{}[call_number]", self.name);
        self.answers(status, &tag, with)
    }

    /// Answers the last request within the call.
    pub fn agrees(self, with: With<'_>) -> Self {
        self.answers("200 OK", "", with)
    }

    /// Refuses the last request within the call.
    pub fn answers_within(self, status: &str) -> Self {
        self.answers(status, "", NOTHING)
    }

    fn answers(self, status: &str, tag: &str, with: With<'_>) -> Self {
        let response = format!(
            "SIP/2.0 {status}\n[last_Via:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n[last_CSeq:]\n\
             Contact: <sip:{}@[local_ip]:[local_port]>\n{}",
            self.name,
            with.text()
        );
        let is_final = !status.starts_with('1');
        // Only what is acknowledged is sent again.
        self.send(&response, is_final && !tag.is_empty())
    }

    /// Answers the INVITE after another request has come.
    pub fn answers_invite(self, status: &str, with: With<'_>) -> Self {
        let response = format!(
            "SIP/2.0 {status}\nVia: [$via]\n[last_From:]\n<TO>\n[last_Call-ID:]\nCSeq: [$invite] INVITE\n\
             Contact: <sip:{}@[local_ip]:[local_port]>\n{}",
            self.name,
            with.text()
        );
        let to = format!("[last_To:];tag=[pid]{}[call_number]", self.name);
        let response = response.replace("<TO>", &to);
        self.send(&response, true)
    }

    /// What `SIPp` reads.
    pub fn xml(&self) -> String {
        let mut names: Vec<String> = (1..=self.checks).map(|n| format!("c{n}")).collect();
        if self.steps.contains("assign_to=\"invite\"") {
            names.extend(["invite", "via", "from", "to", "target"].map(str::to_owned));
        }
        if self.steps.contains("assign_to=\"bye_via\"") {
            names.extend(KEPT_OF_BYE.map(|(_, variable)| variable.to_owned()));
        }
        let used = if names.is_empty() {
            String::new()
        } else {
            format!("<Reference variables=\"{}\"/>\n", names.join(","))
        };
        let (name, steps) = (self.name, self.steps.replace("<action></action>", ""));
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"{name}\">\n{steps}{used}</scenario>\n"
        )
    }
}

/// What of a BYE goes into its answer, and where it is kept.
const KEPT_OF_BYE: [(&str, &str); 4] = [
    ("Via", "bye_via"),
    ("From", "bye_from"),
    ("To", "bye_to"),
    ("CSeq", "bye_cseq"),
];
const OWN_VIA: &str = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]";
const CREDENTIALS: &str = "[authentication username=u1 password=secret1]\n";
