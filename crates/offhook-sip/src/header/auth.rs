//! Challenges and credentials (RFC 3261 §20.7, §20.27, §20.28, §20.44; RFC 7616, RFC 8760), as
//! text: `offhook-auth` computes.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use memchr::memchr;

use crate::class::{self, all};
use crate::error::{BuildError, ErrorKind, ValueError};
use crate::grammar::{
    Parsed, fail, mark, quoted_string, separator, skip_lws, take, take1, token, trim, whole,
};
use crate::header::name::HeaderName;
use crate::header::typed::TypedHeader;
use crate::param::{quote, unescape, unquote};

/// `name=value` pairs with commas between them, as Digest has them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AuthParams<'a>(Cow<'a, str>);

/// The parameters of a challenge or of credentials: name and value as written.
#[derive(Clone, Debug)]
pub struct AuthParamIter<'a>(&'a str);

impl<'a> Iterator for AuthParamIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        // The text was checked when the value was read, so this splits without another check.
        let equal = memchr(b'=', self.0.as_bytes())?;
        let (name, from) = (&self.0[..equal], skip_lws(&self.0[equal + 1..]));
        let quoted = match from.as_bytes().first() {
            Some(b'"') => quoted_string(from).map_or(0, |(after, _)| from.len() - after.len()),
            // The end of a blob, not a value.
            None | Some(b'=') => return None,
            Some(_) => 0,
        };
        let rest = &from.as_bytes()[quoted..];
        let comma = quoted + memchr(b',', rest).unwrap_or(rest.len());
        self.0 = from.get(comma + 1..).map_or("", skip_lws);
        Some((trim(name), trim(&from[..comma])))
    }
}

/// `auth-param-name EQUAL ( token / quoted-string )`; an unquoted value may hold what a token may
/// not, since some send `algorithm`, `uri` or `opaque` without quotes.
fn auth_param(text: &str) -> Parsed<'_, (&str, &str)> {
    let (rest, name) = token(text)?;
    let (from, ()) = separator(rest, b'=')?;
    let rest = if from.starts_with('"') {
        quoted_string(from)?.0
    } else if from.starts_with('=') {
        return fail(from, ErrorKind::Parameter);
    } else {
        take1(from, class::TOKEN | class::TOKEN68, ErrorKind::Parameter)?.0
    };
    Ok((rest, (name, &from[..from.len() - rest.len()])))
}

/// `auth-param *( COMMA auth-param )`, or the one blob of other schemes; `each` is told the names and
/// values.
#[inline]
fn auth_params<'a>(
    text: &'a str,
    mut each: impl FnMut(&'a str, &'a str),
) -> Parsed<'a, AuthParams<'a>> {
    let mut rest = text;
    loop {
        rest = match auth_param(rest) {
            Ok((after, (name, value))) => {
                each(name, value);
                after
            }
            Err(error) => {
                let (after, blob) = take(text, class::TOKEN68);
                let letters = blob.trim_end_matches('=');
                let is_blob = !letters.is_empty() && !letters.contains('=');
                if rest.len() == text.len() && is_blob && skip_lws(after).is_empty() {
                    return Ok((after, AuthParams(Cow::Borrowed(blob))));
                }
                return Err(error);
            }
        };
        match separator(rest, b',') {
            Ok((after, ())) => rest = after,
            Err(_) => break,
        }
    }
    Ok((
        rest,
        AuthParams(Cow::Borrowed(&text[..text.len() - rest.len()])),
    ))
}

impl AuthParams<'_> {
    fn iter(&self) -> AuthParamIter<'_> {
        AuthParamIter(&self.0)
    }

    fn raw(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    fn push(&mut self, name: &str, value: &str, quoted: bool) -> Result<(), BuildError> {
        if name.is_empty() || !all(name, class::TOKEN) {
            return Err(BuildError::new(0, ErrorKind::Parameter));
        }
        if !quoted && (value.is_empty() || !all(value, class::TOKEN)) {
            return Err(BuildError::new(0, ErrorKind::Token));
        }
        let mut text = String::from(&*self.0);
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(name);
        text.push('=');
        if quoted {
            quote(value, &mut text)?;
        } else {
            text.push_str(value);
        }
        self.0 = Cow::Owned(text);
        Ok(())
    }
}

macro_rules! auth_headers {
    ($($(#[$doc:meta])+ $type:ident $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $type<'a> {
            scheme: Cow<'a, str>,
            params: AuthParams<'a>,
        }

        impl<'a> $type<'a> {
            /// A header of that scheme, without parameters yet.
            pub fn new(scheme: impl Into<Cow<'a, str>>) -> Result<Self, BuildError> {
                let scheme = scheme.into();
                if scheme.is_empty() || !all(&scheme, class::TOKEN) {
                    return Err(BuildError::new(0, ErrorKind::Token));
                }
                Ok(Self { scheme, params: AuthParams(Cow::Borrowed("")) })
            }

            /// A Digest header, without parameters yet.
            #[must_use]
            pub fn digest() -> Self {
                Self { scheme: Cow::Borrowed("Digest"), params: AuthParams(Cow::Borrowed("")) }
            }

            /// Adds a parameter whose value is a token.
            pub fn with_token(mut self, name: &str, value: &str) -> Result<Self, BuildError> {
                self.params.push(name, value, false)?;
                Ok(self)
            }

            /// Adds a parameter whose value is quoted.
            pub fn with_quoted(mut self, name: &str, value: &str) -> Result<Self, BuildError> {
                self.params.push(name, value, true)?;
                Ok(self)
            }

            /// Reads a value, and tells each parameter on the way, name and value as written: one pass
            /// for whoever wants many of them. What was told before an error counts for nothing.
            pub fn read(
                raw: &'a str,
                each: impl FnMut(&'a str, &'a str),
            ) -> Result<Self, ValueError> {
                whole(raw, |text| {
                    let (rest, scheme) = token(text)?;
                    let (start, ()) = mark(rest, b' ', ErrorKind::Space)?;
                    let start = skip_lws(start);
                    if start.is_empty() {
                        return fail(start, ErrorKind::Parameter);
                    }
                    let (rest, params) = auth_params(start, each)?;
                    Ok((rest, Self { scheme: Cow::Borrowed(scheme), params }))
                })
            }

            /// The scheme, such as `Digest`.
            #[must_use]
            pub fn scheme(&self) -> &str {
                &self.scheme
            }

            /// Whether the scheme is Digest, in any case.
            #[must_use]
            pub fn is_digest(&self) -> bool {
                self.scheme.eq_ignore_ascii_case("Digest")
            }

            /// Names and values as written, in order.
            #[must_use]
            pub fn params(&self) -> AuthParamIter<'_> {
                self.params.iter()
            }

            /// The value of a parameter without its quotes; escapes stay.
            #[must_use]
            pub fn param(&self, name: &str) -> Option<&str> {
                self.params.raw(name).map(unquote)
            }

            /// The value of a parameter without quotes and escapes.
            #[must_use]
            pub fn param_decoded(&self, name: &str) -> Option<Cow<'_, str>> {
                self.params.raw(name).map(unescape)
            }
        }

        impl<'a> TypedHeader<'a> for $type<'a> {
            const NAME: HeaderName<'static> = HeaderName::$name;

            fn decode(raw: &'a str) -> Result<Self, ValueError> {
                Self::read(raw, |_, _| {})
            }

            fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                write!(out, "{} {}", self.scheme, self.params.0)
            }
        }

        impl fmt::Display for $type<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.encode(f)
            }
        }
    )+};
}

auth_headers! {
    /// What a server asks a client to prove (RFC 3261 §20.44). One line holds one challenge.
    WwwAuthenticate WWW_AUTHENTICATE;
    /// What a proxy asks a client to prove (RFC 3261 §20.27). One line holds one challenge.
    ProxyAuthenticate PROXY_AUTHENTICATE;
    /// A client's proof to a server (RFC 3261 §20.7).
    ///
    /// ```
    /// use offhook_sip::TypedHeader;
    /// use offhook_sip::header::Authorization;
    /// let proof = Authorization::decode(r#"Digest username="bob", realm="a\"b", nc=00000001"#)?;
    /// assert!(proof.is_digest());
    /// assert_eq!(proof.param("username"), Some("bob"));
    /// assert_eq!(proof.param_decoded("realm").as_deref(), Some("a\"b"));
    /// assert_eq!(proof.param("NC"), Some("00000001"));
    /// # Ok::<(), offhook_sip::ValueError>(())
    /// ```
    Authorization AUTHORIZATION;
    /// A client's proof to a proxy (RFC 3261 §20.28).
    ProxyAuthorization PROXY_AUTHORIZATION;
}

macro_rules! info_headers {
    ($($(#[$doc:meta])+ $type:ident $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $type<'a>(AuthParams<'a>);

        impl<'a> $type<'a> {
            /// A header without parameters yet.
            #[must_use]
            pub fn new() -> Self {
                Self(AuthParams(Cow::Borrowed("")))
            }

            /// Adds a parameter whose value is a token.
            pub fn with_token(mut self, name: &str, value: &str) -> Result<Self, BuildError> {
                self.0.push(name, value, false)?;
                Ok(self)
            }

            /// Adds a parameter whose value is quoted.
            pub fn with_quoted(mut self, name: &str, value: &str) -> Result<Self, BuildError> {
                self.0.push(name, value, true)?;
                Ok(self)
            }

            /// Names and values as written, in order.
            #[must_use]
            pub fn params(&self) -> AuthParamIter<'_> {
                self.0.iter()
            }

            /// The value of a parameter without its quotes; escapes stay.
            #[must_use]
            pub fn param(&self, name: &str) -> Option<&str> {
                self.0.raw(name).map(unquote)
            }
        }

        impl Default for $type<'_> {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<'a> TypedHeader<'a> for $type<'a> {
            const NAME: HeaderName<'static> = HeaderName::$name;

            fn decode(raw: &'a str) -> Result<Self, ValueError> {
                whole(raw, |text| auth_params(text, |_, _| {})).map(Self)
            }

            fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                out.write_str(&self.0.0)
            }
        }
    )+};
}

info_headers! {
    /// A server's proof, and its next nonce (RFC 3261 §20.6).
    AuthenticationInfo AUTHENTICATION_INFO;
    /// A proxy's proof, and its next nonce (RFC 7615).
    ProxyAuthenticationInfo PROXY_AUTHENTICATION_INFO;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_do_not_split() {
        let challenge =
            WwwAuthenticate::decode(r#"Digest realm="a, b" , qop="auth,auth-int",stale=FALSE"#)
                .unwrap();
        assert_eq!(challenge.param("qop"), Some("auth,auth-int"));
        assert_eq!(challenge.params().count(), 3);
    }

    #[test]
    fn other_schemes_are_kept() {
        let blob = Authorization::decode("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").unwrap();
        assert_eq!(blob.scheme(), "Basic");
        assert_eq!(blob.params().count(), 0);
        assert!(Authorization::decode("NoOneKnowsThisScheme opaque-data=here").is_ok());
    }

    #[test]
    fn broken_values_are_refused() {
        for bad in [
            "",
            "Digest",
            "Digest ",
            "Digest realm=\"a\" nonce=\"b\"",
            "Digest realm=\"a\",",
            "Digest realm=\"a",
            "Digest =a",
        ] {
            assert!(Authorization::decode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_built_cannot_break_out() {
        let header = Authorization::digest()
            .with_quoted("realm", "a\"b\\")
            .unwrap();
        assert_eq!(header.to_string(), r#"Digest realm="a\"b\\""#);
        assert_eq!(header.param_decoded("realm").as_deref(), Some("a\"b\\"));
        assert!(header.clone().with_quoted("x", "a\r\nb").is_err());
        assert!(header.with_token("x", "a, b").is_err());
    }

    use alloc::string::ToString;
}
