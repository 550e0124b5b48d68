//! The `.conf` dialect: sections, `key=value` lines, comments, continuation and `$include`.
//!
//! Order and repeated keys are kept, because to a routing table both have a meaning. Every entry
//! knows its file and line, so that whoever reads it can say where something is wrong.
//!
//! This crate reads no files: [`Conf::parse_with`] asks the caller for the text of what a file
//! includes.

use core::fmt;
use core::str::FromStr;
use std::collections::HashMap;
use std::sync::Arc;

/// How deep files may include one another.
const MAX_DEPTH: usize = 10;

/// Where in which file something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    file: Arc<str>,
    line: u32,
}

impl Place {
    /// The name of the file, as the caller gave it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, counted from 1.
    #[must_use]
    pub const fn line(&self) -> u32 {
        self.line
    }

    /// An error at this place.
    #[must_use]
    pub fn error(&self, what: impl Into<String>) -> ConfError {
        ConfError {
            place: self.clone(),
            what: what.into(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A configuration file cannot be used: which file, which line, what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct ConfError {
    place: Place,
    what: String,
}

impl ConfError {
    /// The name of the file.
    #[must_use]
    pub fn file(&self) -> &str {
        self.place.file()
    }

    /// The line, counted from 1.
    #[must_use]
    pub const fn line(&self) -> u32 {
        self.place.line()
    }

    /// What is wrong, for people.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }
}

/// The name and text of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name that errors will show.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// One `key=value` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    key: Box<str>,
    value: Box<str>,
    place: Place,
}

impl Entry {
    /// What stands before the first `=`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What stands after the first `=`; empty when there is none.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Where the line stands.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// An error at this line.
    #[must_use]
    pub fn error(&self, what: impl Into<String>) -> ConfError {
        self.place.error(what)
    }

    /// The value as a boolean, as [`boolean`] reads it.
    ///
    /// # Errors
    ///
    /// When the value is none of those words.
    pub fn as_bool(&self) -> Result<bool, ConfError> {
        boolean(&self.value).ok_or_else(|| self.error(format!("`{}` must be yes or no", self.key)))
    }

    /// The value as a number or whatever else can be read from text.
    ///
    /// # Errors
    ///
    /// When the value cannot be read so.
    pub fn parse<T: FromStr>(&self) -> Result<T, ConfError> {
        let read = self.value.parse();
        read.map_err(|_| {
            self.error(format!(
                "`{}` has an unusable value `{}`",
                self.key, self.value
            ))
        })
    }
}

/// Reads yes, true, on, enable, t and no, false, off, disable, f, without regard to case.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    let is = |words: [&str; 5]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(["yes", "true", "on", "enable", "t"]) {
        Some(true)
    } else if is(["no", "false", "off", "disable", "f"]) {
        Some(false)
    } else {
        None
    }
}

/// A `[section]`: its entries in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    name: Box<str>,
    place: Place,
    entries: Vec<Entry>,
}

impl Section {
    /// The name between the brackets.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the section was first opened.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// All lines, in order, repeated keys included.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The first entry with this key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key() == key)
    }

    /// The value of the first entry with this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entry(key).map(Entry::value)
    }

    /// A boolean, or `default` when the key is absent.
    ///
    /// # Errors
    ///
    /// When the value is no boolean.
    pub fn bool_or(&self, key: &str, default: bool) -> Result<bool, ConfError> {
        self.entry(key).map_or(Ok(default), Entry::as_bool)
    }

    /// A parsed value, or `default` when the key is absent.
    ///
    /// # Errors
    ///
    /// When the value cannot be read.
    pub fn parse_or<T: FromStr>(&self, key: &str, default: T) -> Result<T, ConfError> {
        self.entry(key).map_or(Ok(default), Entry::parse)
    }
}

/// A configuration file with all that it includes.
///
/// ```
/// use offhook_routing::Conf;
///
/// let conf = Conf::parse("regfile.conf", "[sunny]\npassword=870212\n")?;
/// assert_eq!(conf.section("sunny").and_then(|user| user.get("password")), Some("870212"));
///
/// let error = Conf::parse("regfile.conf", "; a key outside of all sections\npassword=1\n").unwrap_err();
/// assert_eq!((error.file(), error.line()), ("regfile.conf", 2));
/// # Ok::<(), offhook_routing::ConfError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conf {
    sections: Vec<Section>,
    by_name: HashMap<Box<str>, usize>,
}

impl Conf {
    /// Reads a file that includes no other.
    ///
    /// # Errors
    ///
    /// The first line that cannot be read, or that includes a file.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, ConfError> {
        Self::parse_with(file_name, text, |_| {
            Err("no other file can be included here".to_owned())
        })
    }

    /// Reads a file; `include` finds the files that it names in `$include` lines.
    ///
    /// `include` gets the name as written, and returns no source when there is no such file (an
    /// error, except for `$includesilent`), several for a whole folder. An included file starts
    /// in the section that is open; a section that it opens ends with it.
    ///
    /// # Errors
    ///
    /// The first line that cannot be read, or whatever `include` says.
    pub fn parse_with(
        file_name: &str,
        text: &str,
        mut include: impl FnMut(&str) -> Result<Vec<Source>, String>,
    ) -> Result<Self, ConfError> {
        let mut reader = Reader {
            conf: Self::default(),
            include: &mut include,
        };
        reader.read(file_name, text, None, 0)?;
        Ok(reader.conf)
    }

    /// All sections, in the order in which they were first opened.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The section of this name, case and all.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.by_name
            .get(name)
            .and_then(|&index| self.sections.get(index))
    }

    fn open(&mut self, name: &str, place: &Place) -> usize {
        if let Some(&index) = self.by_name.get(name) {
            return index;
        }
        let index = self.sections.len();
        self.sections.push(Section {
            name: name.into(),
            place: place.clone(),
            entries: Vec::new(),
        });
        self.by_name.insert(name.into(), index);
        index
    }
}

struct Reader<'a> {
    conf: Conf,
    include: &'a mut dyn FnMut(&str) -> Result<Vec<Source>, String>,
}

impl Reader<'_> {
    fn read(
        &mut self,
        file_name: &str,
        text: &str,
        mut section: Option<usize>,
        depth: usize,
    ) -> Result<(), ConfError> {
        let file: Arc<str> = file_name.into();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = (1..).zip(text.lines());
        while let Some((line, raw)) = lines.next() {
            let place = Place {
                file: file.clone(),
                line,
            };
            let trimmed = raw.trim();
            if trimmed.is_empty() || trimmed.starts_with(';') {
                continue;
            }
            if trimmed.contains('\0') {
                return Err(place.error("a zero octet in the file"));
            }
            if let Some(header) = trimmed.strip_prefix('[') {
                section = Some(self.section(header, &place)?);
            } else if let Some(directive) = directive(trimmed) {
                self.directive(directive, &place, section, depth)?;
            } else {
                let logical = joined(trimmed, &mut lines);
                self.entry(&logical, place, section)?;
            }
        }
        Ok(())
    }

    fn section(&mut self, header: &str, place: &Place) -> Result<usize, ConfError> {
        let (name, rest) = header
            .split_once(']')
            .ok_or_else(|| place.error("a section without its closing bracket"))?;
        let rest = rest.trim();
        if !rest.is_empty() && !rest.starts_with(';') {
            return Err(place.error(format!("`{rest}` after the section's name")));
        }
        let name = name.trim();
        if name.starts_with("$enabled") || name.starts_with("$disabled") {
            return Err(place.error(format!("conditional sections ([{name}]) are not supported")));
        }
        Ok(self.conf.open(name, place))
    }

    fn directive(
        &mut self,
        (word, name): (&str, &str),
        place: &Place,
        section: Option<usize>,
        depth: usize,
    ) -> Result<(), ConfError> {
        let silent = match word {
            "$include" => false,
            "$includesilent" => true,
            _ => return Err(place.error(format!("{word} is not supported"))),
        };
        if name.is_empty() {
            return Err(place.error(format!("{word} without a file name")));
        }
        if name.contains("${") {
            return Err(place.error("engine parameters in a file name are not supported"));
        }
        if depth >= MAX_DEPTH {
            return Err(place.error(format!("files include each other deeper than {MAX_DEPTH}")));
        }
        let sources = (self.include)(name).map_err(|why| place.error(format!("{name}: {why}")))?;
        if sources.is_empty() && !silent {
            return Err(place.error(format!("{name}: no such file")));
        }
        for source in sources {
            self.read(&source.name, &source.text, section, depth + 1)?;
        }
        Ok(())
    }

    fn entry(&mut self, line: &str, place: Place, section: Option<usize>) -> Result<(), ConfError> {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let key = key.trim();
        if key.is_empty() {
            // Yate drops a line that starts with `=`, and files in the field rely on it.
            return Ok(());
        }
        let open = section.and_then(|index| self.conf.sections.get_mut(index));
        let Some(open) = open else {
            return Err(place.error(format!("`{key}` stands before the first section")));
        };
        open.entries.push(Entry {
            key: key.into(),
            value: value.trim().into(),
            place,
        });
        Ok(())
    }
}

/// Splits a line such as `$include other.conf`; a rule such as `${username}^$=` is none.
fn directive(line: &str) -> Option<(&str, &str)> {
    let is_word = line
        .strip_prefix('$')
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_alphabetic()));
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (is_word && !word.contains('=')).then(|| (word, rest.trim()))
}

/// A logical line: a value that ends in a backslash goes on in the next line.
fn joined<'a>(first: &'a str, lines: &mut impl Iterator<Item = (u32, &'a str)>) -> String {
    let mut whole = first.to_owned();
    while whole.contains('=') && whole.ends_with('\\') {
        whole.pop();
        let Some((_, next)) = lines.next() else {
            break;
        };
        whole.push_str(next.trim());
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries<'a>(conf: &'a Conf, section: &str) -> Vec<(&'a str, &'a str, u32)> {
        conf.section(section)
            .map(Section::entries)
            .unwrap_or_default()
            .iter()
            .map(|entry| (entry.key(), entry.value(), entry.place().line()))
            .collect()
    }

    #[test]
    fn order_repetition_and_line_numbers_are_kept() {
        let conf = Conf::parse(
            "f",
            "\u{feff}[a]\r\n  ; comment\r\n b = 1=2 \r\nb=3\r\nalone\r\n=dropped\r\n[c]\nd=\n[a] ; again\nb=4\n",
        )
        .unwrap();
        assert_eq!(
            entries(&conf, "a"),
            [
                ("b", "1=2", 3),
                ("b", "3", 4),
                ("alone", "", 5),
                ("b", "4", 10)
            ]
        );
        assert_eq!(entries(&conf, "c"), [("d", "", 8)]);
        assert_eq!(conf.section("A"), None);
        assert_eq!(conf.section("a").and_then(|a| a.get("b")), Some("1=2"));
    }

    #[test]
    fn a_backslash_at_the_end_joins_lines() {
        let conf = Conf::parse("f", "[a]\nb=one \\\n   two\\\n\nc=3\nd=\\").unwrap();
        assert_eq!(
            entries(&conf, "a"),
            [("b", "one two", 2), ("c", "3", 5), ("d", "", 6)]
        );
    }

    #[test]
    fn an_included_file_starts_in_the_open_section_and_does_not_change_it() {
        let conf = Conf::parse_with("f", "[a]\nb=1\n$include other\nb=3\n", |name| {
            assert_eq!(name, "other");
            Ok(vec![Source {
                name: "dir/other".to_owned(),
                text: "b=2\n[z]\ny=1\n".to_owned(),
            }])
        })
        .unwrap();
        assert_eq!(
            entries(&conf, "a"),
            [("b", "1", 2), ("b", "2", 1), ("b", "3", 4)]
        );
        assert_eq!(entries(&conf, "z"), [("y", "1", 3)]);
        let inner = conf.section("z").unwrap().entry("y").unwrap().place();
        assert_eq!(inner.to_string(), "dir/other:3");
    }

    #[test]
    fn a_missing_file_is_an_error_unless_silent() {
        let none = |_: &str| Ok(Vec::new());
        let error = Conf::parse_with("f", "\n$include x", none).unwrap_err();
        assert_eq!(error.to_string(), "f:2: x: no such file");
        assert!(Conf::parse_with("f", "$includesilent x", none).is_ok());
        let around = |name: &str| {
            Ok(vec![Source {
                name: name.to_owned(),
                text: "$include x".to_owned(),
            }])
        };
        let error = Conf::parse_with("f", "$include x", around).unwrap_err();
        assert_eq!(error.what(), "files include each other deeper than 10");
    }

    #[test]
    fn what_is_not_supported_is_said_with_its_line() {
        for (text, line) in [
            ("[a\n", 1),
            ("[a] b\n", 1),
            ("a=1\n", 1),
            ("[a]\n$require x\n", 2),
            ("[a]\n\n$include\n", 3),
            ("[a]\n$include ${configpath}/x\n", 2),
            ("[$enabled x]\n", 1),
            ("[a]\nb=\0\n", 2),
        ] {
            let error = Conf::parse("f", text).unwrap_err();
            assert_eq!(error.line(), line, "{text:?}: {error}");
        }
        let conf = Conf::parse("f", "[a]\n${username}^$=-\nn=x\nb=maybe").unwrap();
        let section = conf.section("a").unwrap();
        assert_eq!(section.get("${username}^$"), Some("-"));
        assert!(section.parse_or::<u32>("n", 1).is_err());
        assert!(section.bool_or("b", true).is_err());
        assert_eq!(section.bool_or("c", true), Ok(true));
    }
}
