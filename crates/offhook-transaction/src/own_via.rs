//! The Via that goes on top of our requests (RFC 3261 §8.1.1.7, RFC 3581 §3).

use std::fmt::Write as _;
use std::ops::Range;

use crate::config::SentBy;
use crate::flow::Flow;
use crate::token::BRANCH_COOKIE;

/// One text for the Via of each request in turn: it is printed with the request, and not kept.
#[derive(Debug, Default)]
pub(crate) struct OwnVia {
    text: String,
    branch: Range<usize>,
}

impl OwnVia {
    /// Our sent-by, a branch that the token is for, and an empty `rport`.
    pub(crate) fn write(&mut self, flow: &Flow, sent_by: &SentBy, token: &str) {
        let Self { text, branch } = self;
        text.clear();
        text.push_str("SIP/2.0/");
        text.push_str(flow.transport.as_str());
        // Writing to memory cannot fail.
        let _ = write!(text, " {sent_by};branch=");
        branch.start = text.len();
        text.push_str(BRANCH_COOKIE);
        text.push_str(token);
        branch.end = text.len();
        text.push_str(";rport");
    }

    /// The whole value.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The branch in it.
    pub(crate) fn branch(&self) -> &str {
        self.text.get(self.branch.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_via_leaves_nothing_to_the_next() {
        let flow = Flow::udp(
            "192.0.2.1:5060".parse().unwrap(),
            "192.0.2.2:1".parse().unwrap(),
        );
        let mut via = OwnVia::default();
        for (sent_by, token) in [("192.0.2.1:5060", "longer"), ("192.0.2.3:1", "t")] {
            let sent_by = SentBy::from(sent_by.parse::<std::net::SocketAddr>().unwrap());
            via.write(&flow, &sent_by, token);
            let branch = format!("z9hG4bK{token}");
            assert_eq!(via.branch(), branch);
            assert_eq!(
                via.as_str(),
                format!("SIP/2.0/UDP {sent_by};branch={branch};rport")
            );
        }
    }
}
