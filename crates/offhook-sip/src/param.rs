//! Parameters of headers: `;name=value` (RFC 3261 §25.1, `generic-param`).

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use memchr::memchr;

use crate::class::{self, all};
use crate::error::{BuildError, ErrorKind};
use crate::grammar::{
    Parsed, control, mark, quoted_string, separator, skip_lws, take1, token, trim,
};
use crate::plain::Stops;

/// The parameters of a header value, in order; names are compared without regard to case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(&'a str);

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    name: &'a str,
    value: Option<&'a str>,
}

impl<'a> Param<'a> {
    /// The name, as written.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The value as written, a quoted string with its quotes.
    #[must_use]
    pub const fn raw(&self) -> Option<&'a str> {
        self.value
    }

    /// The value, a quoted string without its quotes (escapes stay).
    #[must_use]
    pub fn value(&self) -> Option<&'a str> {
        self.value.map(unquote)
    }

    /// The value, a quoted string without quotes and escapes.
    #[must_use]
    pub fn decoded(&self) -> Option<Cow<'a, str>> {
        self.value.map(unescape)
    }
}

/// Takes the quotes off, if there are any.
pub(crate) fn unquote(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or(text)
}

/// Takes quotes and the backslashes of quoted pairs off (RFC 3261 §25.1).
pub(crate) fn unescape(text: &str) -> Cow<'_, str> {
    let inner = unquote(text);
    if inner.len() == text.len() || memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => plain.extend(chars.next()),
            _ => plain.push(char),
        }
    }
    Cow::Owned(plain)
}

/// Writes a text as a quoted string; control characters but HTAB are refused.
pub(crate) fn quote(text: &str, out: &mut String) -> Result<(), BuildError> {
    if let Some(offset) = control(text) {
        return Err(BuildError::new(offset, ErrorKind::Text));
    }
    out.push('"');
    for char in text.chars() {
        if matches!(char, '"' | '\\') {
            out.push('\\');
        }
        out.push(char);
    }
    out.push('"');
    Ok(())
}

/// `*( SEMI generic-param )`, the value of each a token, a host or a quoted string.
#[inline]
pub(crate) fn params(text: &str) -> Parsed<'_, Params<'_>> {
    let mut rest = text;
    while let Ok((after, ())) = separator(rest, b';') {
        rest = generic_param(after)?.0;
    }
    Ok((rest, Params(&text[..text.len() - rest.len()])))
}

/// `token [ EQUAL gen-value ]`
#[inline]
pub(crate) fn generic_param(text: &str) -> Parsed<'_, Param<'_>> {
    let (rest, name) = token(text)?;
    let blank = skip_lws(rest);
    if blank.as_bytes().first() != Some(&b'=') {
        return Ok((rest, Param { name, value: None }));
    }
    let (rest, ()) = mark(blank, b'=', ErrorKind::Parameter)?;
    let from = skip_lws(rest);
    let rest = if from.as_bytes().first() == Some(&b'"') {
        quoted_string(from)?.0
    } else {
        take1(from, class::GEN_VALUE, ErrorKind::Parameter)?.0
    };
    let value = Some(&from[..from.len() - rest.len()]);
    Ok((rest, Param { name, value }))
}

impl<'a> Params<'a> {
    /// Parameters in a text that was checked.
    pub(crate) const fn checked(text: &'a str) -> Self {
        Self(text)
    }

    /// The text, from the first semicolon on.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One after the other.
    #[must_use]
    pub const fn iter(&self) -> ParamIter<'a> {
        ParamIter(self.0)
    }

    /// The first parameter of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Param<'a>> {
        self.iter()
            .find(|param| param.name.eq_ignore_ascii_case(name))
    }

    /// The value of the first parameter of that name, without quotes: `None` when there is no such
    /// parameter, `Some(None)` when it has no value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Option<&'a str>> {
        self.find(name).map(|param| param.value())
    }

    /// The value of the first parameter of that name, without quotes, if it has one.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.find(name)?.value()
    }

    /// Whether there is a parameter of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }
}

impl fmt::Display for Params<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<'a> IntoIterator for Params<'a> {
    type Item = Param<'a>;
    type IntoIter = ParamIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &Params<'a> {
    type Item = Param<'a>;
    type IntoIter = ParamIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Parameters, one after the other.
#[derive(Clone, Debug)]
pub struct ParamIter<'a>(&'a str);

impl<'a> Iterator for ParamIter<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (rest, ()) = separator(self.0, b';').ok()?;
        // The text was checked when the value was read, so this splits without another check.
        let mut stops = Stops::new(rest.as_bytes(), 0);
        let (mut stop, mut equal) = (stops.next(), None);
        let end = loop {
            match stops.at(stop) {
                b';' => break stop,
                b'=' if equal.is_none() => equal = Some(stop),
                b'"' => break end_of_quoted(rest, stop),
                _ if stop >= rest.len() => break rest.len(),
                _ => {}
            }
            stop = stops.next();
        };
        let (text, rest) = rest.split_at(end);
        self.0 = rest;
        Some(match equal {
            Some(equal) => Param {
                name: trim(&text[..equal]),
                value: Some(trim(&text[equal + 1..])),
            },
            None => Param {
                name: trim(text),
                value: None,
            },
        })
    }
}

/// Where a parameter ends whose quoted value begins there.
fn end_of_quoted(text: &str, quote: usize) -> usize {
    let after = quoted_string(&text[quote..]).map_or("", |(after, _)| after);
    let skipped = text.len() - after.len();
    skipped + memchr(b';', after.as_bytes()).unwrap_or(after.len())
}

/// Parameters that can grow: borrowed until the first is added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ParamList<'a>(Cow<'a, str>);

impl<'a> From<Params<'a>> for ParamList<'a> {
    fn from(params: Params<'a>) -> Self {
        Self(Cow::Borrowed(params.0))
    }
}

impl ParamList<'_> {
    pub(crate) fn as_params(&self) -> Params<'_> {
        Params(&self.0)
    }

    pub(crate) fn into_owned(self) -> ParamList<'static> {
        ParamList(Cow::Owned(self.0.into_owned()))
    }

    /// Sets a parameter, in place of those of that name. A value that is no token is quoted.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), BuildError> {
        self.replace(name, value, false)
    }

    /// Sets a parameter whose value is always quoted.
    pub(crate) fn set_quoted(&mut self, name: &str, value: &str) -> Result<(), BuildError> {
        self.replace(name, Some(value), true)
    }

    fn replace(&mut self, name: &str, value: Option<&str>, quoted: bool) -> Result<(), BuildError> {
        if name.is_empty() || !all(name, class::TOKEN) {
            return Err(BuildError::new(0, ErrorKind::Parameter));
        }
        let mut text = String::with_capacity(self.0.len() + name.len() + 24);
        for param in self.as_params() {
            if !param.name.eq_ignore_ascii_case(name) {
                write_param(&mut text, param.name, param.value);
            }
        }
        text.push(';');
        text.push_str(name);
        if let Some(value) = value {
            text.push('=');
            if !quoted && !value.is_empty() && all(value, class::GEN_VALUE) {
                text.push_str(value);
            } else {
                quote(value, &mut text)?;
            }
        }
        self.0 = Cow::Owned(text);
        Ok(())
    }

    /// Takes the parameters of a name away.
    pub(crate) fn remove(&mut self, name: &str) {
        if !self.as_params().contains(name) {
            return;
        }
        let mut text = String::with_capacity(self.0.len());
        for param in self.as_params() {
            if !param.name.eq_ignore_ascii_case(name) {
                write_param(&mut text, param.name, param.value);
            }
        }
        self.0 = Cow::Owned(text);
    }
}

fn write_param(out: &mut String, name: &str, value: Option<&str>) {
    out.push(';');
    out.push_str(name);
    if let Some(value) = value {
        out.push('=');
        out.push_str(value);
    }
}

impl fmt::Display for ParamList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::whole;

    #[test]
    fn values_are_found_without_case_and_without_quotes() {
        let list = whole(r#" ; a=1 ;B = "x;\"y" ;c"#, params).unwrap();
        assert_eq!(list.get("A"), Some(Some("1")));
        assert_eq!(list.find("b").unwrap().decoded().unwrap(), "x;\"y");
        assert_eq!(list.get("c"), Some(None));
        assert_eq!(list.get("d"), None);
        assert_eq!(list.iter().count(), 3);
    }

    #[test]
    fn broken_parameters_are_refused() {
        for bad in [";", ";;a", ";a=", ";=b", ";a=\"b", ";a b", "; a=b c"] {
            assert!(whole(bad, params).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_grows_and_shrinks() {
        let mut list = ParamList::from(whole(";a=1;b", params).unwrap());
        list.set("A", Some("x y")).unwrap();
        assert_eq!(list.as_params().as_str(), ";b;A=\"x y\"");
        list.remove("B");
        assert_eq!(list.as_params().as_str(), ";A=\"x y\"");
        assert!(list.set("c", Some("a\r\nb")).is_err());
        assert!(list.set("c d", None).is_err());
    }
}
