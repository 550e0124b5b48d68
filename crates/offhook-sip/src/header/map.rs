//! The headers of a message: in order, raw until they are asked for.

use alloc::string::String;
use core::fmt::{self, Write as _};

use bytestring::ByteString;

use crate::class::{self, all};
use crate::error::{BuildError, ErrorKind, HeaderError};
use crate::grammar::{comma, control, skip_lws, trim};
use crate::header::name::{HeaderName, UNKNOWN};
use crate::header::store::{Lines, Store};
use crate::header::table::Table;
use crate::header::typed::{TypedHeader, TypedValues};
use crate::header::via::Via;

/// The headers of a message, in order.
///
/// Names are compared without regard to case and to compact forms. A value is text until a type is
/// asked for; reading a type borrows the message.
///
/// ```
/// use offhook_sip::header::{Route, Supported};
/// use offhook_sip::{HeaderName, Headers};
///
/// let mut headers = Headers::new();
/// headers.append(HeaderName::ROUTE, "<sip:one.example.com;lr>, <sip:two.example.com;lr>")?;
/// headers.append("k", "timer, 100rel")?;
/// assert_eq!(headers.get("Supported"), Some("timer, 100rel"));
/// assert!(headers.required::<Supported>()?.contains("100rel"));
/// assert_eq!(headers.typed_all::<Route>().count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Headers {
    pub(crate) store: Store,
}

/// Refuses what would break out of a value: control characters, CR and LF among them.
fn check(name: HeaderName<'_>, value: &str) -> Result<(), BuildError> {
    let key = name.as_str();
    if name.number() == UNKNOWN
        && (key.is_empty() || key.len() > usize::from(u16::MAX) || !all(key, class::TOKEN))
    {
        return Err(BuildError::new(0, ErrorKind::HeaderName));
    }
    match control(value) {
        // A quoted pair may hold any other control character (RFC 3261 §25.1).
        Some(_) if crate::grammar::bad_control(value).is_none() => Ok(()),
        Some(offset) => Err(BuildError::new(offset, ErrorKind::Text)),
        None => Ok(()),
    }
}

impl Headers {
    /// No headers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a line could be added with this name and value.
    ///
    /// # Errors
    ///
    /// What [`Self::append`] would say.
    pub fn check<'n>(name: impl Into<HeaderName<'n>>, value: &str) -> Result<(), BuildError> {
        check(name.into(), value)
    }

    pub(crate) const fn empty() -> Self {
        Self {
            store: Store::new(ByteString::new(), Table::new()),
        }
    }

    /// How many header lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.store.len() == 0
    }

    /// Names and values, in order.
    pub fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = (HeaderName<'_>, &str)> + ExactSizeIterator {
        self.store
            .entries()
            .map(|entry| (self.store.name(entry), self.store.value(entry)))
    }

    /// The value of the first line of a name.
    #[must_use]
    pub fn get<'n>(&self, name: impl Into<HeaderName<'n>>) -> Option<&str> {
        let at = self.store.position(name.into())?;
        self.store.value_at(at)
    }

    /// The values of all lines of a name.
    pub fn get_all<'a>(&'a self, name: impl Into<HeaderName<'a>>) -> Lines<'a> {
        self.store.lines(name.into())
    }

    /// Whether there is a line of that name.
    #[must_use]
    pub fn contains<'n>(&self, name: impl Into<HeaderName<'n>>) -> bool {
        self.store.position(name.into()).is_some()
    }

    /// The first value of a header, read; `None` when there is none. Headers that are lists as a
    /// whole (`Supported`, `Allow`, ...) read all their lines.
    pub fn typed<'a, H: TypedHeader<'a>>(&'a self) -> Result<Option<H>, HeaderError> {
        H::decode_lines(self.store.lines(H::NAME))
    }

    /// Like [`Self::typed`], with an error when there is none.
    pub fn required<'a, H: TypedHeader<'a>>(&'a self) -> Result<H, HeaderError> {
        self.typed()?.ok_or_else(|| HeaderError::missing(H::NAME))
    }

    /// All values of a header, over lines and commas alike.
    pub fn typed_all<'a, H: TypedHeader<'a>>(&'a self) -> TypedValues<'a, H> {
        TypedValues::new(self.store.lines(H::NAME))
    }

    /// Adds a line at the end. The name must be a token, the value free of control characters.
    pub fn append<'n>(
        &mut self,
        name: impl Into<HeaderName<'n>>,
        value: &str,
    ) -> Result<(), BuildError> {
        let name = name.into();
        check(name, value)?;
        self.insert(self.len(), name, value);
        Ok(())
    }

    /// Like [`Self::append`], with a value that is written where it is kept, without a text of its own.
    ///
    /// ```
    /// # use offhook_sip::{HeaderName, Headers};
    /// let mut headers = Headers::new();
    /// headers.append_fmt(HeaderName::CSEQ, format_args!("{} {}", 7, "BYE"))?;
    /// assert_eq!(headers.get("CSeq"), Some("7 BYE"));
    /// assert!(headers.append_fmt(HeaderName::TO, format_args!("a\r\n")).is_err());
    /// assert_eq!(headers.len(), 1);
    /// # Ok::<(), offhook_sip::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`Self::append`]; and where white space stands around the value.
    pub fn append_fmt<'n>(
        &mut self,
        name: impl Into<HeaderName<'n>>,
        value: fmt::Arguments<'_>,
    ) -> Result<(), BuildError> {
        self.insert_fmt(self.len(), name.into(), value)
    }

    /// Like [`Self::set`], with a value that is written as by [`Self::append_fmt`]. After an error no
    /// line of that name is left.
    ///
    /// # Errors
    ///
    /// As of [`Self::append_fmt`].
    pub fn set_fmt<'n>(
        &mut self,
        name: impl Into<HeaderName<'n>>,
        value: fmt::Arguments<'_>,
    ) -> Result<(), BuildError> {
        let name = name.into();
        let at = self.store.position(name);
        if at.is_some() {
            self.store.remove_all(name);
        }
        self.insert_fmt(at.unwrap_or(self.len()), name, value)
    }

    fn insert_fmt(
        &mut self,
        at: usize,
        name: HeaderName<'_>,
        value: fmt::Arguments<'_>,
    ) -> Result<(), BuildError> {
        self.store.insert_with(at, name, |out| {
            // Writing to memory cannot fail.
            let _ = out.write_fmt(value);
        });
        let written = self.store.value_at(at).unwrap_or_default();
        let checked = if trim(written).len() == written.len() {
            check(name, written)
        } else {
            Err(BuildError::new(0, ErrorKind::Text))
        };
        if checked.is_err() {
            self.store.remove(at);
        }
        checked
    }

    /// Adds a line before the others of that name; at the top when there are none.
    pub fn prepend<'n>(
        &mut self,
        name: impl Into<HeaderName<'n>>,
        value: &str,
    ) -> Result<(), BuildError> {
        let name = name.into();
        check(name, value)?;
        let at = self.store.position(name).unwrap_or_default();
        self.insert(at, name, value);
        Ok(())
    }

    /// Puts one line in the place of all of that name; at the end when there are none.
    pub fn set<'n>(
        &mut self,
        name: impl Into<HeaderName<'n>>,
        value: &str,
    ) -> Result<(), BuildError> {
        let name = name.into();
        check(name, value)?;
        let at = self.store.position(name);
        if at.is_some() {
            self.store.remove_all(name);
        }
        self.insert(at.unwrap_or(self.len()), name, value);
        Ok(())
    }

    /// Adds a text to the end of the first value of a name, as a parameter behind an address; whether
    /// there is one. The text must be free of control characters.
    ///
    /// ```
    /// # use offhook_sip::Headers;
    /// let mut headers = Headers::new();
    /// headers.append("To", "<sip:bob@example.com>")?;
    /// assert!(headers.extend_value("t", ";tag=a6c85cf")?);
    /// assert_eq!(headers.get("To"), Some("<sip:bob@example.com>;tag=a6c85cf"));
    /// # Ok::<(), offhook_sip::BuildError>(())
    /// ```
    pub fn extend_value<'n>(
        &mut self,
        name: impl Into<HeaderName<'n>>,
        text: &str,
    ) -> Result<bool, BuildError> {
        let name = name.into();
        check(name, text)?;
        let at = self.store.position(name);
        if let Some(at) = at {
            self.store.extend(at, text);
        }
        Ok(at.is_some())
    }

    /// Takes all lines of a name away; how many there were.
    pub fn remove<'n>(&mut self, name: impl Into<HeaderName<'n>>) -> usize {
        self.store.remove_all(name.into())
    }

    fn insert(&mut self, at: usize, name: HeaderName<'_>, value: &str) {
        self.store
            .insert_with(at, name, |out| out.push_str(trim(value)));
    }

    /// The headers of some names that the RFCs define, sharing the text of the message.
    pub(crate) fn share(&self, names: &[HeaderName<'_>]) -> Self {
        Self {
            store: self.store.share(names),
        }
    }

    /// The headers of some names that the RFCs define, in just the room that they take.
    pub(crate) fn only(&self, names: &[HeaderName<'_>]) -> Self {
        Self {
            store: self.store.only(names),
        }
    }

    pub(crate) fn append_clean(&mut self, name: HeaderName<'_>, value: &str) {
        self.insert(self.len(), name, value);
    }

    /// Adds a line at the end.
    pub fn append_typed<'a, H: TypedHeader<'a>>(&mut self, header: &H) {
        self.insert_typed(self.len(), header);
    }

    /// Adds a line before the others of that name; at the top when there are none.
    pub fn prepend_typed<'a, H: TypedHeader<'a>>(&mut self, header: &H) {
        let at = self.store.position(H::NAME).unwrap_or_default();
        self.insert_typed(at, header);
    }

    /// Puts one line in the place of all of that name; at the end when there are none.
    pub fn set_typed<'a, H: TypedHeader<'a>>(&mut self, header: &H) {
        let at = self.store.position(H::NAME);
        self.store.remove_all(H::NAME);
        self.insert_typed(at.unwrap_or(self.len()), header);
    }

    fn insert_typed<'a, H: TypedHeader<'a>>(&mut self, at: usize, header: &H) {
        self.store
            .insert_with(at, H::NAME, |out| encode_clean(header, out));
    }

    /// Puts a Via on top (RFC 3261 §16.6 step 8, §18.1.1).
    pub fn push_via(&mut self, via: &Via<'_>) {
        self.prepend_typed(via);
    }

    /// Takes the topmost Via value away (RFC 3261 §16.7 step 3); whether there was one.
    pub fn pop_via(&mut self) -> bool {
        self.pop(HeaderName::VIA)
    }

    /// Takes the first value of a comma-separated header away, such as the topmost Route
    /// (RFC 3261 §16.4); whether there was one.
    pub fn pop<'n>(&mut self, name: impl Into<HeaderName<'n>>) -> bool {
        let Some(at) = self.store.position(name.into()) else {
            return false;
        };
        let rest = self
            .store
            .value_at(at)
            .and_then(|value| comma(value).map(|end| String::from(skip_lws(&value[end + 1..]))));
        match rest {
            Some(rest) => self.store.rewrite_with(at, |out| out.push_str(&rest)),
            None => self.store.remove(at),
        }
        true
    }
}

/// Writes a typed value. Ours hold no control characters; what a foreign [`TypedHeader`] writes is
/// made to hold none.
fn encode_clean<'a, H: TypedHeader<'a>>(header: &H, out: &mut String) {
    struct Clean<'o>(&'o mut String);
    impl fmt::Write for Clean<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            if control(text).is_none() {
                self.0.push_str(text);
            } else {
                self.0.extend(text.chars().map(|char| {
                    if matches!(char, '\r' | '\n') {
                        ' '
                    } else {
                        char
                    }
                }));
            }
            Ok(())
        }
    }
    let written = header.encode(&mut Clean(out));
    debug_assert!(written.is_ok(), "writing to a string does not fail");
}

impl PartialEq for Headers {
    /// Same names and same values in the same order.
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| (name.as_str(), value)))
            .finish()
    }
}
