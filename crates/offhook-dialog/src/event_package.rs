//! What a subscription is about: the event package and which of several (RFC 6665 §8.2.1).

use core::fmt;

use offhook_sip::header::Event;
use offhook_sip::{BuildError, HeaderName, Headers};

/// An event package, such as `dialog`, and an id where one dialog has several subscriptions to it.
///
/// ```
/// use offhook_dialog::EventPackage;
///
/// let event = EventPackage::parse("refer;id=93809824").unwrap();
/// assert_eq!((event.name(), event.id()), ("refer", Some("93809824")));
/// assert_eq!(event.to_string(), "refer;id=93809824");
/// assert_eq!(EventPackage::parse("two words"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPackage {
    name: Box<str>,
    id: Option<Box<str>>,
}

impl EventPackage {
    /// A package without an id.
    ///
    /// # Errors
    ///
    /// When the name is no token.
    pub fn new(name: &str) -> Result<Self, BuildError> {
        Event::new(name)?;
        Ok(Self {
            name: name.into(),
            id: None,
        })
    }

    /// Reads an Event value; other parameters than `id` do not count (§8.2.1).
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut headers = Headers::new();
        headers.append(HeaderName::EVENT, value).ok()?;
        Self::of(&headers)
    }

    /// The Event of a message; `None`: it has none, or one that is broken.
    #[must_use]
    pub fn of(headers: &Headers) -> Option<Self> {
        let event = headers.typed::<Event<'_>>().ok()??;
        Some(Self {
            name: event.as_str().into(),
            id: event.id().map(Into::into),
        })
    }

    /// The package.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which of several.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether a message is about this: same package, same id (§4.5.1).
    #[must_use]
    pub fn is_of(&self, headers: &Headers) -> bool {
        Self::of(headers)
            .is_some_and(|other| other.name.eq_ignore_ascii_case(&self.name) && other.id == self.id)
    }
}

impl fmt::Display for EventPackage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.id {
            Some(id) => write!(f, ";id={id}"),
            None => Ok(()),
        }
    }
}
