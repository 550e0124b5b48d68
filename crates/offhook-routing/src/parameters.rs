//! The parameters of the message that is being routed: what `${name}` reads and `;name=value` sets.

use std::fmt::{self, Write as _};
use std::ops::Range;

/// More than a call brings and a table sets; what a table would add beyond is refused.
const MAX_PARAMETERS: usize = 512;

/// The name that only a verified digest gives a value to.
pub(crate) const USERNAME: &str = "username";

/// What Yate takes from the parameters of a call, and no server of this crate does.
const WITHOUT_EFFECT: [&str; 6] = [
    "callto",
    "cdrwrite",
    "formats",
    "maxchans",
    "antiloop",
    "tonedetect_in",
];

/// What a single target of a fork may have of its own: `callto.N.NAME`.
const OF_A_MEMBER: [&str; 9] = [
    "line",
    "caller",
    "callername",
    "timeout",
    "maxcall",
    "lang",
    "autorepeat",
    "maxlen",
    "maxusers",
];

/// Why a file may not set a parameter: Yate would do something with it that is not done here.
pub fn without_effect(name: &str) -> Option<String> {
    let member = name.strip_prefix("callto.").and_then(|rest| {
        let (number, own) = rest.split_once('.')?;
        let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
        is_number.then_some(own)
    });
    let idle = match member {
        Some(own) => !OF_A_MEMBER.contains(&own) && !own.starts_with("osip_"),
        None => WITHOUT_EFFECT.contains(&name) || name.starts_with("fork."),
    };
    idle.then(|| format!("the parameter `{name}` has no effect in this server"))
}

/// The parameters of one message, in the order in which they were first set.
///
/// `${username}` means that this user has proved who he is. It is therefore no parameter like the
/// others: it is the argument of [`Parameters::new`], and neither [`Parameters::set`] nor a rule
/// can change it.
///
/// ```
/// use offhook_routing::Parameters;
///
/// let mut parameters = Parameters::new(None);
/// parameters.set("called", "2");
/// assert!(!parameters.set("username", "sunny"));
/// assert_eq!(parameters.get("username"), None);
/// assert_eq!(Parameters::new(Some("sunny")).get("username"), Some("sunny"));
/// ```
#[derive(Clone, Default)]
pub struct Parameters {
    verified_user: Option<Box<str>>,
    /// Names and values, as they were set: a call brings some thirty, and most are never asked for.
    text: String,
    entries: Vec<Entry>,
}

/// Where a parameter stands in the text.
#[derive(Clone, Debug)]
struct Entry {
    name: Range<usize>,
    value: Range<usize>,
}

/// Room for what a call brings: so many octets a parameter.
const OCTETS: usize = 32;

impl Parameters {
    /// No parameters but `username`, if there is one: pass what a digest check has verified, and
    /// nothing that a message only claims.
    #[must_use]
    pub fn new(verified_user: Option<&str>) -> Self {
        Self {
            verified_user: verified_user.map(Into::into),
            ..Self::default()
        }
    }

    /// The same with room for so many parameters.
    pub(crate) fn with_room(verified_user: Option<&str>, parameters: usize) -> Self {
        Self {
            verified_user: verified_user.map(Into::into),
            text: String::with_capacity(parameters * OCTETS),
            entries: Vec::with_capacity(parameters),
        }
    }

    /// The user who has proved who he is.
    #[must_use]
    pub fn verified_user(&self) -> Option<&str> {
        self.verified_user.as_deref()
    }

    /// The value of a parameter; names are compared with their case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        if name == USERNAME {
            return self.verified_user();
        }
        let at = self.position(name)?;
        self.entries
            .get(at)
            .map(|entry| self.part(entry.value.clone()))
    }

    fn part(&self, place: Range<usize>) -> &str {
        self.text.get(place).unwrap_or_default()
    }

    fn position(&self, name: &str) -> Option<usize> {
        let text = self.text.as_bytes();
        self.entries.iter().position(|entry| {
            entry.name.len() == name.len() && text.get(entry.name.clone()) == Some(name.as_bytes())
        })
    }

    /// Sets a parameter. Returns whether it was done: `username` cannot be set, and there can be
    /// no more than 512 parameters.
    pub fn set(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> bool {
        self.put(name.as_ref(), |text| text.push_str(value.as_ref()))
    }

    /// As [`Self::set`], with a value that is written where it stands.
    pub(crate) fn set_to(&mut self, name: &str, value: fmt::Arguments<'_>) -> bool {
        self.put(name, |text| {
            // Writing to memory cannot fail.
            let _ = text.write_fmt(value);
        })
    }

    fn put(&mut self, name: &str, write: impl FnOnce(&mut String)) -> bool {
        if name == USERNAME || name.is_empty() {
            return false;
        }
        if let Some(at) = self.position(name) {
            let value = self.add(write);
            self.entries[at].value = value;
            self.tidy();
            return true;
        }
        self.push(name, write)
    }

    /// Sets a parameter that was not set before; another stays as it is.
    pub(crate) fn set_first(&mut self, name: &str, value: &str) {
        if self.position(name).is_none() && name != USERNAME {
            self.push(name, |text| text.push_str(value));
        }
    }

    fn push(&mut self, name: &str, write: impl FnOnce(&mut String)) -> bool {
        if self.entries.len() >= MAX_PARAMETERS {
            return false;
        }
        let name = self.add(|text| text.push_str(name));
        let value = self.add(write);
        self.entries.push(Entry { name, value });
        true
    }

    fn add(&mut self, write: impl FnOnce(&mut String)) -> Range<usize> {
        let start = self.text.len();
        write(&mut self.text);
        start..self.text.len()
    }

    /// Leaves out the old values once there is more of them than of the others: rules may set one
    /// parameter again and again.
    fn tidy(&mut self) {
        let lengths = |entry: &Entry| entry.name.len() + entry.value.len();
        let live: usize = self.entries.iter().map(lengths).sum();
        if self.text.len() > 2 * live + MAX_PARAMETERS * OCTETS {
            let mut tidy = Self::with_room(self.verified_user(), self.entries.len());
            for (name, value) in self.set_ones() {
                tidy.set(name, value);
            }
            *self = tidy;
        }
    }

    /// The text with every `${name}` and `${name$default}` in it replaced by the parameter's value.
    ///
    /// ```
    /// use offhook_routing::Parameters;
    ///
    /// let mut parameters = Parameters::new(None);
    /// parameters.set("caller", "1");
    /// assert_eq!(parameters.expand("The ${caller} ${x$2}${y}."), "The 1 2.");
    /// ```
    #[must_use]
    pub fn expand(&self, text: &str) -> String {
        let (mut whole, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            let Some((reference, behind)) = after.split_once('}') else {
                break;
            };
            let (name, default) = reference.split_once('$').unwrap_or((reference, ""));
            whole.push_str(before);
            whole.push_str(self.get(name.trim()).unwrap_or(default));
            rest = behind;
        }
        whole.push_str(rest);
        whole
    }

    /// Removes a parameter and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let entry = self.entries.remove(self.position(name)?);
        Some(self.part(entry.value).to_owned())
    }

    /// All names and values, `username` first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let user = self.verified_user().map(|user| (USERNAME, user));
        user.into_iter().chain(self.set_ones())
    }

    fn set_ones(&self) -> impl Iterator<Item = (&str, &str)> {
        let both = |entry: &Entry| {
            (
                self.part(entry.name.clone()),
                self.part(entry.value.clone()),
            )
        };
        self.entries.iter().map(both)
    }
}

impl PartialEq for Parameters {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Parameters {}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_their_order_and_their_last_value() {
        let mut parameters = Parameters::new(Some("u1"));
        assert!(parameters.set("a", "1"));
        assert!(parameters.set("b", "2"));
        assert!(parameters.set("a", "3"));
        assert!(!parameters.set("", "x"));
        let all: Vec<_> = parameters.iter().collect();
        assert_eq!(all, [("username", "u1"), ("a", "3"), ("b", "2")]);
        assert_eq!(parameters.remove("a").as_deref(), Some("3"));
        assert_eq!(parameters.remove("username"), None);
        assert_eq!(parameters.get("A"), None);
    }

    #[test]
    fn a_value_that_is_set_again_and_again_takes_no_more_room() {
        let mut parameters = Parameters::new(None);
        parameters.set("kept", "1");
        for n in 0..100_000 {
            parameters.set("counter", n.to_string());
        }
        assert_eq!(parameters.get("counter"), Some("99999"));
        assert_eq!(parameters.get("kept"), Some("1"));
        assert!(
            parameters.text.len() < 64 * 1024,
            "{}",
            parameters.text.len()
        );
    }

    #[test]
    fn their_number_is_bounded() {
        let mut parameters = Parameters::new(None);
        for n in 0..MAX_PARAMETERS {
            assert!(parameters.set(n.to_string(), "1"));
        }
        assert!(!parameters.set("one more", "1"));
        assert!(parameters.set("0", "2"));
    }
}
