//! What every element checks of a message before it acts on it (RFC 3261 §8.1.1, §8.2, §16.3).

use crate::error::{ErrorKind, HeaderError, ParseError, ValueError};
use crate::header::content::ContentType;
use crate::header::cseq::CSeq;
use crate::header::lifetime::MaxForwards;
use crate::header::map::Headers;
use crate::header::name::HeaderName;
use crate::header::party::{Contact, From, RecordRoute, Route, To};
use crate::header::store::Repeated;
use crate::header::text::CallId;
use crate::header::typed::TypedHeader;
use crate::header::via::Via;
use crate::message::{Message, Request, Response};

/// The header is there once, and reads well.
fn once<'a, H: TypedHeader<'a>>(headers: &'a Headers, repeated: Repeated) -> Result<H, ParseError> {
    let value = headers.required()?;
    at_most_once(headers, repeated, H::NAME)?;
    Ok(value)
}

fn at_most_once(
    headers: &Headers,
    repeated: Repeated,
    name: HeaderName<'static>,
) -> Result<(), ParseError> {
    if !repeated.contains(name) {
        return Ok(());
    }
    let mut lines = headers.get_all(name);
    lines.next();
    match lines.next_placed() {
        None => Ok(()),
        Some((_, at)) => {
            Err(HeaderError::new(name, ValueError::new(0, ErrorKind::RepeatedHeader), at).into())
        }
    }
}

/// Each value of the header reads well; whether there is one.
fn each<'a, H: TypedHeader<'a>>(headers: &'a Headers) -> Result<bool, ParseError> {
    let mut found = false;
    for value in headers.typed_all::<H>() {
        value?;
        found = true;
    }
    Ok(found)
}

/// `STAR / ( contact-param *( COMMA contact-param ) )`: the star stands alone.
fn contacts(headers: &Headers) -> Result<(), ParseError> {
    let (mut stars, mut count) = (0, 0);
    for contact in headers.typed_all::<Contact<'_>>() {
        stars += usize::from(contact? == Contact::Star);
        count += 1;
    }
    if stars > 0 && count > 1 {
        let mut lines = headers.get_all(HeaderName::CONTACT);
        let at = lines.next_placed().map_or(0, |(_, at)| at);
        let fault = ValueError::new(0, ErrorKind::RepeatedHeader);
        return Err(HeaderError::new(HeaderName::CONTACT, fault, at).into());
    }
    Ok(())
}

/// The headers that tell a request from others, read (RFC 3261 §8.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Essentials<'a> {
    /// Who asks.
    pub from: From<'a>,
    /// Who is asked.
    pub to: To<'a>,
    /// What groups the messages of a dialog or of a registration.
    pub call_id: CallId<'a>,
    /// What orders them.
    pub cseq: CSeq,
}

/// What requests and responses have in common; beside it, which headers stand there more than once.
fn common(headers: &Headers) -> Result<(Essentials<'_>, Repeated), ParseError> {
    if !each::<Via<'_>>(headers)? {
        return Err(HeaderError::missing(HeaderName::VIA).into());
    }
    let repeated = headers.store.repeated();
    let essentials = Essentials {
        from: once(headers, repeated)?,
        to: once(headers, repeated)?,
        call_id: once(headers, repeated)?,
        cseq: once(headers, repeated)?,
    };
    each::<RecordRoute<'_>>(headers)?;
    contacts(headers)?;
    at_most_once(headers, repeated, HeaderName::CONTENT_TYPE)?;
    headers.typed::<ContentType<'_>>()?;
    Ok((essentials, repeated))
}

impl Request {
    /// Checks what every element needs of a request: Via, From, To, Call-ID and CSeq are there
    /// and read well, CSeq names this method, what is there of Max-Forwards, Route, Record-Route,
    /// Contact and Content-Type reads well too, and the Request-URI has no headers.
    ///
    /// The error's [`status`](ParseError::status) is the one to answer by:
    /// `request.response(error.status())`. Max-Forwards and the From tag may be missing, as in
    /// RFC 2543 (RFC 4475 §3.4.1).
    pub fn validate(&self) -> Result<(), ParseError> {
        self.validated().map(drop)
    }

    /// Like [`Self::validate`], and gives what was read for it.
    pub fn validated(&self) -> Result<Essentials<'_>, ParseError> {
        let (essentials, repeated) = common(&self.headers)?;
        if essentials.cseq.method() != &self.method {
            let fault = ValueError::new(0, ErrorKind::MethodMismatch);
            let at = self.headers.get_all(HeaderName::CSEQ).next_placed();
            let at = at.map_or(0, |(_, at)| at);
            return Err(HeaderError::new(HeaderName::CSEQ, fault, at).into());
        }
        at_most_once(&self.headers, repeated, HeaderName::MAX_FORWARDS)?;
        self.headers.typed::<MaxForwards>()?;
        each::<Route<'_>>(&self.headers)?;
        // RFC 3261 §19.1.1, table 1
        if self.uri.headers().next().is_some() {
            return Err(ParseError::new(0, ErrorKind::UriHeader));
        }
        Ok(essentials)
    }
}

impl Response {
    /// Checks what every element needs of a response: Via, From, To, Call-ID and CSeq are there
    /// and read well, and so does what is there of Record-Route, Contact and Content-Type. A
    /// response that fails is dropped.
    pub fn validate(&self) -> Result<(), ParseError> {
        common(&self.headers).map(drop)
    }
}

impl Message {
    /// [`Request::validate`] or [`Response::validate`].
    pub fn validate(&self) -> Result<(), ParseError> {
        match self {
            Self::Request(request) => request.validate(),
            Self::Response(response) => response.validate(),
        }
    }
}
