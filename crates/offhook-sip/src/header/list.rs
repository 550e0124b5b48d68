//! Headers that are lists of words as a whole: option tags, methods, event packages
//! (RFC 3261 §20.5, §20.32, §20.37; RFC 6665 §8.2.2).

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use crate::class::{self, all};
use crate::error::{BuildError, ErrorKind, HeaderError, ValueError};
use crate::grammar::trim;
use crate::header::name::HeaderName;
use crate::header::store::Lines;
use crate::header::typed::TypedHeader;

/// The words of a list: those of one text, or of all lines of a message's header.
#[derive(Clone, Debug)]
enum Source<'a> {
    Text(Cow<'a, str>),
    Lines(Lines<'a>),
}

/// The words of a list, one after the other.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    line: &'a str,
    lines: Option<Lines<'a>>,
}

impl<'a> Words<'a> {
    /// The words of all lines, tokens or not.
    pub(crate) const fn of_lines(lines: Lines<'a>) -> Self {
        Words {
            line: "",
            lines: Some(lines),
        }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            while !self.line.is_empty() {
                let (word, rest) = self.line.split_once(',').unwrap_or((self.line, ""));
                self.line = rest;
                let word = trim(word);
                if !word.is_empty() {
                    return Some(word);
                }
            }
            self.line = self.lines.as_mut()?.next()?;
        }
    }
}

impl Source<'_> {
    fn words(&self) -> Words<'_> {
        match self {
            Self::Text(text) => Words {
                line: text,
                lines: None,
            },
            Self::Lines(lines) => Words::of_lines(lines.clone()),
        }
    }
}

/// Checks one line: tokens with commas between them, or nothing at all.
fn check(line: &str) -> Result<(), ValueError> {
    if trim(line).is_empty() {
        return Ok(());
    }
    let mut offset = 0;
    for word in line.split(',') {
        let name = trim(word);
        if name.is_empty() || !all(name, class::TOKEN) {
            return Err(ValueError::new(offset, ErrorKind::Token));
        }
        offset += word.len() + 1;
    }
    Ok(())
}

macro_rules! list_headers {
    ($($(#[$doc:meta])+ $type:ident $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug)]
        pub struct $type<'a>(Source<'a>);

        impl<'a> $type<'a> {
            /// A list of words, which must be tokens.
            pub fn new<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> Result<Self, BuildError> {
                let mut text = String::new();
                for word in words {
                    let word = word.as_ref();
                    if word.is_empty() || !all(word, class::TOKEN) {
                        return Err(BuildError::new(0, ErrorKind::Token));
                    }
                    if !text.is_empty() {
                        text.push_str(", ");
                    }
                    text.push_str(word);
                }
                Ok(Self(Source::Text(Cow::Owned(text))))
            }

            /// The words, in order.
            #[must_use]
            pub fn iter(&self) -> Words<'_> {
                self.0.words()
            }

            /// Whether a word is among them.
            #[must_use]
            pub fn contains(&self, word: impl AsRef<str>) -> bool {
                let word = word.as_ref();
                self.iter().any(|other| other.eq_ignore_ascii_case(word))
            }

            /// Whether there is none.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.iter().next().is_none()
            }
        }

        impl<'a> TypedHeader<'a> for $type<'a> {
            const NAME: HeaderName<'static> = HeaderName::$name;

            fn decode(raw: &'a str) -> Result<Self, ValueError> {
                check(raw)?;
                Ok(Self(Source::Text(Cow::Borrowed(raw))))
            }

            fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                for (number, word) in self.iter().enumerate() {
                    if number > 0 {
                        out.write_str(", ")?;
                    }
                    out.write_str(word)?;
                }
                Ok(())
            }

            fn decode_lines(lines: Lines<'a>) -> Result<Option<Self>, HeaderError> {
                let mut found = false;
                let mut rest = lines.clone();
                while let Some((line, base)) = rest.next_placed() {
                    check(line).map_err(|error| HeaderError::new(Self::NAME, error, base))?;
                    found = true;
                }
                Ok(found.then_some(Self(Source::Lines(lines))))
            }
        }

        impl PartialEq for $type<'_> {
            fn eq(&self, other: &Self) -> bool {
                self.iter().eq(other.iter())
            }
        }

        impl Eq for $type<'_> {}

        impl<'a> IntoIterator for &'a $type<'_> {
            type Item = &'a str;
            type IntoIter = Words<'a>;

            fn into_iter(self) -> Words<'a> {
                self.iter()
            }
        }
    )+};
}

list_headers! {
    /// Extensions that the sender knows (RFC 3261 §20.37); all lines of it as one list.
    ///
    /// ```
    /// use offhook_sip::Headers;
    /// use offhook_sip::header::Supported;
    /// let mut headers = Headers::new();
    /// headers.append_typed(&Supported::new(["timer", "100rel"])?);
    /// headers.append("Supported", "replaces")?;
    /// let supported = headers.required::<Supported>()?;
    /// assert!(supported.contains("timer") && supported.contains("replaces"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Supported SUPPORTED;
    /// Extensions that the server must know (RFC 3261 §20.32); all lines of it as one list.
    Require REQUIRE;
    /// Extensions that proxies must know (RFC 3261 §20.29); all lines of it as one list.
    ProxyRequire PROXY_REQUIRE;
    /// Extensions that a server does not know (RFC 3261 §20.40); all lines of it as one list.
    Unsupported UNSUPPORTED;
    /// Methods that the sender takes (RFC 3261 §20.5); all lines of it as one list.
    Allow ALLOW;
    /// Event packages that the sender takes (RFC 6665 §8.2.2); all lines of it as one list.
    AllowEvents ALLOW_EVENTS;
    /// How a body is packed (RFC 3261 §20.12); all lines of it as one list.
    ContentEncoding CONTENT_ENCODING;
    /// The languages of a body (RFC 3261 §20.13); all lines of it as one list.
    ContentLanguage CONTENT_LANGUAGE;
}

impl Allow<'_> {
    /// The list of some methods.
    pub fn of<'m>(methods: impl IntoIterator<Item = &'m crate::method::Method>) -> Self {
        let words = methods.into_iter().map(crate::method::Method::as_str);
        // methods are tokens, so nothing is refused
        Self::new(words).unwrap_or(Self(Source::Text(Cow::Borrowed(""))))
    }

    /// Whether a method is among them.
    #[must_use]
    pub fn allows(&self, method: &crate::method::Method) -> bool {
        self.iter().any(|word| word == method.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_lists_are_refused() {
        assert!(Require::decode("a, b ,c").is_ok());
        assert!(Require::decode("").is_ok());
        for bad in ["a,,b", ",", "a,", "a b", "a;b"] {
            assert!(Require::decode(bad).is_err(), "{bad}");
        }
        assert!(Supported::new(["a\r\nb"]).is_err());
    }
}
