//! What a caller is given, as a rule names it.

use core::fmt;

use offhook_routing::Target;

/// What a rule names; whether it can be had is found out when a call comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// The caller hears himself.
    Echo,
    /// Nothing is heard.
    Silence,
    /// `tone/NAME`, with the country of the parameter `lang`.
    Tone {
        name: String,
        country: Option<String>,
    },
    /// `wave/play/FILE`, again and again with `autorepeat=yes`.
    Play { name: String, repeat: bool },
    /// `wave/record/FILE`; `-` is heard and forgotten. `most` is the parameter `maxlen`: bytes of
    /// 16-bit samples.
    Record { name: String, most: Option<u64> },
    /// `conf/ROOM`, for `maxusers` people at the most.
    Room { name: String, most: Option<usize> },
}

impl fmt::Display for Service {
    /// As a rule names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Echo => f.write_str("echo/"),
            Self::Silence => f.write_str("dumb/"),
            Self::Tone { name, .. } => write!(f, "tone/{name}"),
            Self::Play { name, .. } => write!(f, "wave/play/{name}"),
            Self::Record { name, .. } => write!(f, "wave/record/{name}"),
            Self::Room { name, .. } => write!(f, "conf/{name}"),
        }
    }
}

impl Service {
    /// What this target names here; `None` when it is a place elsewhere. `parameter` looks up a
    /// parameter of the call.
    pub(crate) fn of<'a>(
        target: &Target,
        parameter: impl Fn(&str) -> Option<&'a str>,
    ) -> Option<Self> {
        let yes = |name| {
            matches!(
                parameter(name),
                Some("yes" | "true" | "on" | "enable" | "1")
            )
        };
        Some(match target {
            Target::Echo => Self::Echo,
            Target::Dumb => Self::Silence,
            Target::Tone(name) => Self::Tone {
                name: name.clone(),
                country: parameter("lang").map(str::to_owned),
            },
            Target::Play(name) => Self::Play {
                name: name.clone(),
                repeat: yes("autorepeat"),
            },
            Target::Music(name) => Self::Play {
                name: format!("moh/{name}"),
                repeat: true,
            },
            Target::Record(name) => Self::Record {
                name: name.clone(),
                most: parameter("maxlen").and_then(|most| most.parse().ok()),
            },
            Target::Conference(name) => Self::Room {
                name: name.clone(),
                most: parameter("maxusers").and_then(|most| most.parse().ok()),
            },
            _ => return None,
        })
    }
}
