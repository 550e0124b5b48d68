//! The trait of all typed headers.

use core::fmt;

use crate::error::{HeaderError, ValueError};
use crate::grammar::{comma, skip_lws, trim};
use crate::header::name::HeaderName;
use crate::header::store::Lines;

/// A header whose value is read into parts when it is asked for, borrowing the message.
///
/// Implement it for a header of your own by [`Self::NAME`], [`Self::decode`] and
/// [`Self::encode`]:
///
/// ```
/// use core::fmt;
/// use offhook_sip::{ErrorKind, HeaderName, Headers, TypedHeader, ValueError};
///
/// struct Floor(u8);
///
/// impl<'a> TypedHeader<'a> for Floor {
///     const NAME: HeaderName<'static> = HeaderName::from_static("X-Floor");
///
///     fn decode(raw: &'a str) -> Result<Self, ValueError> {
///         raw.parse().map(Self).map_err(|_| ValueError::new(0, ErrorKind::Number))
///     }
///     fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
///         write!(out, "{}", self.0)
///     }
/// }
///
/// let mut headers = Headers::new();
/// headers.append_typed(&Floor(3));
/// assert_eq!(headers.get("x-floor"), Some("3"));
/// assert_eq!(headers.required::<Floor>()?.0, 3);
/// # Ok::<(), offhook_sip::HeaderError>(())
/// ```
pub trait TypedHeader<'a>: Sized {
    /// Whether one line may hold several values with commas between them (RFC 3261 §7.3.1).
    const COMMA_SEPARATED: bool = false;

    /// Whether a line may hold no value at all, as that of Accept may (RFC 3261 §20.1).
    const MAY_BE_EMPTY: bool = false;

    /// The header's name.
    const NAME: HeaderName<'static>;

    /// Reads one value, without white space around it.
    fn decode(raw: &'a str) -> Result<Self, ValueError>;

    /// Writes one value.
    fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result;

    /// Reads the first value of a line.
    #[doc(hidden)]
    fn decode_first(line: &'a str) -> Result<Self, ValueError> {
        let value = if Self::COMMA_SEPARATED {
            comma(line).map_or(line, |end| trim(&line[..end]))
        } else {
            line
        };
        Self::decode(value)
    }

    /// Reads the first value that the lines of this header hold; lists read all lines as one.
    #[inline]
    fn decode_lines(mut lines: Lines<'a>) -> Result<Option<Self>, HeaderError> {
        let Some((line, base)) = lines.next_placed() else {
            return Ok(None);
        };
        if Self::MAY_BE_EMPTY && line.is_empty() {
            return Ok(None);
        }
        Self::decode_first(line)
            .map(Some)
            .map_err(|error| HeaderError::new(Self::NAME, error, base))
    }
}

/// All values of one header, over lines and commas alike.
#[derive(Clone, Debug)]
pub struct TypedValues<'a, H> {
    lines: Lines<'a>,
    /// What is left of the present line, where the line stands, and its length.
    rest: Option<(&'a str, usize, usize)>,
    header: core::marker::PhantomData<fn() -> H>,
}

impl<'a, H: TypedHeader<'a>> TypedValues<'a, H> {
    pub(crate) const fn new(lines: Lines<'a>) -> Self {
        Self {
            lines,
            rest: None,
            header: core::marker::PhantomData,
        }
    }
}

impl<'a, H: TypedHeader<'a>> Iterator for TypedValues<'a, H> {
    type Item = Result<H, HeaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (text, base, length) = if let Some(rest) = self.rest.take() {
            rest
        } else {
            let mut line = self.lines.next_placed()?;
            while H::MAY_BE_EMPTY && line.0.is_empty() {
                line = self.lines.next_placed()?;
            }
            (line.0, line.1, line.0.len())
        };
        let offset = length - text.len();
        let value = match comma(text).filter(|_| H::COMMA_SEPARATED) {
            Some(end) => {
                self.rest = Some((skip_lws(&text[end + 1..]), base, length));
                trim(&text[..end])
            }
            None => text,
        };
        Some(
            H::decode(value)
                .map_err(|error| HeaderError::new(H::NAME, error.shifted(offset), base)),
        )
    }
}
