//! Headers that name a dialog: Replaces (RFC 3891), Join (RFC 3911), Target-Dialog (RFC 4538).

use alloc::borrow::Cow;
use core::fmt;

use crate::class::{self, all};
use crate::error::{BuildError, ErrorKind, ValueError};
use crate::grammar::whole;
use crate::header::name::HeaderName;
use crate::header::text::call_id;
use crate::header::typed::TypedHeader;
use crate::param::{ParamList, Params, params};

macro_rules! dialog_headers {
    ($($(#[$doc:meta])+ $type:ident $name:ident $ours:literal $theirs:literal;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $type<'a> {
            call_id: Cow<'a, str>,
            params: ParamList<'a>,
        }

        impl<'a> $type<'a> {
            #[doc = concat!("Names the dialog of a Call-ID, `", $ours, "` and `", $theirs, "`.")]
            pub fn new(call_id: &'a str, first: &str, second: &str) -> Result<Self, BuildError> {
                let call_id = whole(call_id, crate::header::text::call_id)?;
                let mut params = ParamList::default();
                for (name, tag) in [($ours, first), ($theirs, second)] {
                    if tag.is_empty() || !all(tag, class::TOKEN) {
                        return Err(BuildError::new(0, ErrorKind::Token));
                    }
                    params.set(name, Some(tag))?;
                }
                Ok(Self { call_id: Cow::Borrowed(call_id), params })
            }

            /// Sets a parameter.
            pub fn with_param(mut self, name: &str, value: Option<&str>) -> Result<Self, BuildError> {
                self.params.set(name, value)?;
                Ok(self)
            }

            /// The Call-ID.
            #[must_use]
            pub fn call_id(&self) -> &str {
                &self.call_id
            }

            #[doc = concat!("`", $ours, "`.")]
            #[must_use]
            pub fn first_tag(&self) -> &str {
                self.params.as_params().value($ours).unwrap_or_default()
            }

            #[doc = concat!("`", $theirs, "`.")]
            #[must_use]
            pub fn second_tag(&self) -> &str {
                self.params.as_params().value($theirs).unwrap_or_default()
            }

            /// The parameters.
            #[must_use]
            pub fn params(&self) -> Params<'_> {
                self.params.as_params()
            }
        }

        impl<'a> TypedHeader<'a> for $type<'a> {
            const NAME: HeaderName<'static> = HeaderName::$name;

            fn decode(raw: &'a str) -> Result<Self, ValueError> {
                let header = whole(raw, |text| {
                    let (rest, call_id) = call_id(text)?;
                    let (rest, params) = params(rest)?;
                    Ok((rest, (call_id, params)))
                })?;
                let (call_id, params) = header;
                // Both tags must be there, each once (RFC 3891 §6.1).
                for name in [$ours, $theirs] {
                    let mut tags = params.iter().filter(|param| param.name().eq_ignore_ascii_case(name));
                    let tag = tags.next().and_then(|param| param.value());
                    if tag.is_none() || tags.next().is_some() {
                        return Err(ValueError::new(call_id.len(), ErrorKind::Parameter));
                    }
                }
                Ok(Self { call_id: Cow::Borrowed(call_id), params: params.into() })
            }

            fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                write!(out, "{}{}", self.call_id, self.params)
            }
        }
    )+};
}

dialog_headers! {
    /// The dialog that a new one takes the place of (RFC 3891).
    ///
    /// ```
    /// use offhook_sip::TypedHeader;
    /// use offhook_sip::header::Replaces;
    /// let dialog = Replaces::decode("98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff")?;
    /// assert_eq!(dialog.call_id(), "98732@sip.example.com");
    /// assert_eq!((dialog.to_tag(), dialog.from_tag()), ("ff87ff", "r33th4x0r"));
    /// assert!(!dialog.is_early_only());
    /// # Ok::<(), offhook_sip::ValueError>(())
    /// ```
    Replaces REPLACES "to-tag" "from-tag";
    /// The dialog that a new one joins (RFC 3911).
    Join JOIN "to-tag" "from-tag";
    /// A dialog that a request outside of it belongs to (RFC 4538).
    TargetDialog TARGET_DIALOG "local-tag" "remote-tag";
}

impl Replaces<'_> {
    /// The tag of the side that gets the request (RFC 3891 §6.1).
    #[must_use]
    pub fn to_tag(&self) -> &str {
        self.first_tag()
    }

    /// The tag of the other side.
    #[must_use]
    pub fn from_tag(&self) -> &str {
        self.second_tag()
    }

    /// Whether only a dialog that is not confirmed yet is meant.
    #[must_use]
    pub fn is_early_only(&self) -> bool {
        self.params.as_params().contains("early-only")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tags_must_be_there_once() {
        for bad in [
            "a@b",
            "a@b;to-tag=1",
            "a@b;from-tag=1",
            "a@b;to-tag=1;from-tag=2;to-tag=3",
            ";to-tag=1;from-tag=2",
            "a@b;to-tag;from-tag=2",
        ] {
            assert!(Replaces::decode(bad).is_err(), "{bad}");
        }
        assert!(TargetDialog::decode("a@b;local-tag=1;remote-tag=2").is_ok());
        assert!(Replaces::new("a@b", "1\r\n", "2").is_err());
        assert!(Replaces::new("a b", "1", "2").is_err());
    }
}
