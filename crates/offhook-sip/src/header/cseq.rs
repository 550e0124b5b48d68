//! Numbers that order requests: CSeq (RFC 3261 §20.16), RSeq and RAck (RFC 3262 §7).

use core::fmt;

use crate::error::{ErrorKind, ValueError};
use crate::grammar::{Parsed, fail, number, skip_lws, token, whole};
use crate::header::name::HeaderName;
use crate::header::typed::TypedHeader;
use crate::method::Method;

/// The number of a request in its dialog, and its method.
///
/// ```
/// use offhook_sip::header::CSeq;
/// use offhook_sip::{Headers, Method};
/// let mut headers = Headers::new();
/// headers.set_typed(&CSeq::new(314_159, Method::Invite));
/// assert_eq!(headers.get("CSeq"), Some("314159 INVITE"));
/// assert_eq!(headers.required::<CSeq>()?.number(), 314_159);
/// # Ok::<(), offhook_sip::HeaderError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CSeq {
    number: u32,
    method: Method,
}

impl CSeq {
    /// The largest number: it must be less than 2^31 (RFC 3261 §8.1.1.5).
    pub const MAX: u32 = (1 << 31) - 1;

    /// A number and a method. A number over [`Self::MAX`] counts as that.
    #[must_use]
    pub const fn new(number: u32, method: Method) -> Self {
        let number = if number > Self::MAX {
            Self::MAX
        } else {
            number
        };
        Self { number, method }
    }

    /// The number.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }
}

/// The usual form: up to nine digits, one space, and a method that RFCs name.
fn plain(text: &str) -> Option<CSeq> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=9).contains(&digits) {
        return None;
    }
    let number = text.bytes().take(digits);
    let number = number.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    let method = Method::known(text.get(digits..)?.strip_prefix(' ')?)?;
    Some(CSeq { number, method })
}

/// `1*DIGIT LWS Method`
fn cseq(text: &str) -> Parsed<'_, CSeq> {
    let (rest, number) = number(text)?;
    if number > CSeq::MAX {
        return fail(text, ErrorKind::Number);
    }
    let start = skip_lws(rest);
    if start.len() == rest.len() {
        return fail(rest, ErrorKind::Space);
    }
    let (rest, method) = token(start)?;
    Ok((rest, CSeq::new(number, Method::from_token(method))))
}

impl<'a> TypedHeader<'a> for CSeq {
    const NAME: HeaderName<'static> = HeaderName::CSEQ;

    fn decode(raw: &'a str) -> Result<Self, ValueError> {
        match plain(raw) {
            Some(cseq) => Ok(cseq),
            None => whole(raw, cseq),
        }
    }

    fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{} {}", self.number, self.method)
    }
}

/// Which reliable provisional response is acknowledged (RFC 3262 §7.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RAck {
    response: u32,
    cseq: CSeq,
}

impl RAck {
    /// The RSeq of the response, and the CSeq of the request that it answers.
    #[must_use]
    pub const fn new(response: u32, cseq: CSeq) -> Self {
        Self { response, cseq }
    }

    /// The RSeq of the response.
    #[must_use]
    pub const fn response(&self) -> u32 {
        self.response
    }

    /// The CSeq of the request that it answers.
    #[must_use]
    pub const fn cseq(&self) -> &CSeq {
        &self.cseq
    }
}

impl<'a> TypedHeader<'a> for RAck {
    const NAME: HeaderName<'static> = HeaderName::RACK;

    fn decode(raw: &'a str) -> Result<Self, ValueError> {
        whole(raw, |text| {
            let (rest, response) = number(text)?;
            let start = skip_lws(rest);
            if start.len() == rest.len() {
                return fail(rest, ErrorKind::Space);
            }
            let (rest, cseq) = cseq(start)?;
            Ok((rest, Self::new(response, cseq)))
        })
    }

    fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{} ", self.response)?;
        self.cseq.encode(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_reads_as_the_grammar_reads_it() {
        for (text, is_plain) in [
            ("1 INVITE", true),
            ("0 BYE", true),
            ("999999999 ACK", true),
            ("007 REGISTER", true),
            ("2147483647 INVITE", false),
            ("1  INVITE", false),
            ("1\tINVITE", false),
            ("1 invite", false),
            ("1 NEW", false),
        ] {
            let slow = whole(text, cseq).unwrap();
            assert_eq!(CSeq::decode(text).unwrap(), slow);
            assert_eq!(plain(text), is_plain.then_some(slow), "{text}");
        }
        for bad in [
            "",
            " INVITE",
            "1",
            "1 ",
            "1INVITE",
            "x INVITE",
            "1 INVITE x",
            "2147483648 BYE",
        ] {
            assert!(plain(bad).is_none() && CSeq::decode(bad).is_err(), "{bad}");
        }
    }

    // RFC 3261 §8.1.1.5
    #[test]
    fn a_number_is_less_than_two_to_the_31() {
        let largest = CSeq::new(CSeq::MAX, Method::Bye);
        assert_eq!(CSeq::decode("2147483647 BYE"), Ok(largest.clone()));
        assert_eq!(CSeq::new(u32::MAX, Method::Bye), largest);
        assert!(RAck::decode("1 2147483648 INVITE").is_err());
    }

    #[test]
    fn leading_zeros_are_allowed() {
        assert_eq!(
            CSeq::decode("0009    INVITE"),
            Ok(CSeq::new(9, Method::Invite))
        );
    }

    #[test]
    fn each_broken_part_is_refused() {
        for (bad, kind) in [
            ("36893488147419103232 REGISTER", ErrorKind::Number),
            ("4294967296 REGISTER", ErrorKind::Number),
            ("2147483648 REGISTER", ErrorKind::Number),
            ("-1 REGISTER", ErrorKind::Number),
            ("1REGISTER", ErrorKind::Space),
            ("1 ", ErrorKind::Token),
            ("1 RE GISTER", ErrorKind::EndOfValue),
            ("", ErrorKind::Number),
        ] {
            assert_eq!(
                CSeq::decode(bad).map_err(|error| error.kind()),
                Err(kind),
                "{bad}"
            );
        }
        assert!(RAck::decode("1 2").is_err());
        assert_eq!(
            RAck::decode("776656 1 INVITE"),
            Ok(RAck::new(776_656, CSeq::new(1, Method::Invite)))
        );
    }
}
