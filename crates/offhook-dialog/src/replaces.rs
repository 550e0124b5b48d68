//! The dialog that a Replaces names (RFC 3891).

use core::fmt;

/// Call-ID and tags, as the receiver of the Replaces has them (§6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// The Call-ID.
    pub call_id: String,
    /// The receiver's own tag.
    pub to_tag: String,
    /// The tag of the receiver's peer; empty for a peer of RFC 2543.
    pub from_tag: String,
    /// Only while that dialog is early.
    pub early_only: bool,
}

impl Replaces {
    /// Reads a value; `None`: a tag or the Call-ID is missing, or comes twice.
    ///
    /// ```
    /// use offhook_dialog::Replaces;
    ///
    /// let replaces = Replaces::parse("98asjd8@here;to-tag=7;from-tag=8;early-only").unwrap();
    /// assert_eq!(replaces.call_id, "98asjd8@here");
    /// assert!(replaces.early_only);
    /// assert_eq!(Replaces::parse("98asjd8@here;to-tag=7"), None);
    /// ```
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split(';').map(str::trim);
        let call_id = parts.next().filter(|call_id| !call_id.is_empty())?;
        let (mut to_tag, mut from_tag, mut early_only) = (None, None, false);
        for part in parts {
            match part.split_once('=') {
                Some((name, tag)) => {
                    let slot = if name.trim().eq_ignore_ascii_case("to-tag") {
                        &mut to_tag
                    } else if name.trim().eq_ignore_ascii_case("from-tag") {
                        &mut from_tag
                    } else {
                        continue;
                    };
                    if slot.replace(tag.trim()).is_some() {
                        return None;
                    }
                }
                None => early_only |= part.eq_ignore_ascii_case("early-only"),
            }
        }
        // §3: a tag of zero stands for none, as RFC 2543 peers have it.
        let tag = |tag: &str| {
            if tag == "0" {
                String::new()
            } else {
                tag.to_owned()
            }
        };
        Some(Self {
            call_id: call_id.to_owned(),
            to_tag: tag(to_tag?),
            from_tag: tag(from_tag?),
            early_only,
        })
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = |tag: &str| {
            if tag.is_empty() {
                "0".to_owned()
            } else {
                tag.to_owned()
            }
        };
        write!(
            f,
            "{};to-tag={};from-tag={}",
            self.call_id,
            tag(&self.to_tag),
            tag(&self.from_tag)
        )?;
        if self.early_only {
            f.write_str(";early-only")?;
        }
        Ok(())
    }
}
