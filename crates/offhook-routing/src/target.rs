//! Where a call is sent: the target strings that a routing table yields, taken apart.

use std::time::Duration;

use offhook_sip::Uri;

use crate::parameters::Parameters;

/// More phones than ring for one number anywhere.
const MAX_MEMBERS: usize = 64;

/// Where a call goes.
///
/// ```
/// use offhook_routing::{Parameters, Target};
///
/// let target = Target::parse("sip/sip:100@192.0.2.1:5070", &Parameters::new(None))?;
/// let Target::Sip(uri) = target else { panic!("not SIP") };
/// assert_eq!(uri.as_str(), "sip:100@192.0.2.1:5070");
/// # Ok::<(), offhook_routing::TargetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `sip/sip:user@host`: this URI.
    Sip(Uri),
    /// `line/NUMBER` or `sip/NUMBER`: a number called through an account at another server.
    Line {
        /// What to dial there.
        number: String,
        /// The name of the account: the parameter `line`.
        account: Option<String>,
    },
    /// `tone/NAME`: a tone played to the caller.
    Tone(String),
    /// `wave/play/FILE`: a file played to the caller.
    Play(String),
    /// `wave/record/FILE`: what the caller says, into a file.
    Record(String),
    /// `dumb/`: a call without media.
    Dumb,
    /// `conf/ROOM`: a conference.
    Conference(String),
    /// `moh/NAME`: music, again and again.
    Music(String),
    /// `echo/`: the caller hears himself. Ours; Yate has none.
    Echo,
    /// `mux/...`, `analyzer/...`, `external/...`, `pickup/ID`: named, and not taken apart.
    Other(TargetKind, String),
    /// `fork A B | C`: several targets, at once or one after the other.
    Fork(Fork),
}

/// What kinds of targets there are, for those who can reach only some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TargetKind {
    /// [`Target::Sip`].
    Sip,
    /// [`Target::Line`].
    Line,
    /// [`Target::Tone`].
    Tone,
    /// [`Target::Play`].
    Play,
    /// [`Target::Record`].
    Record,
    /// [`Target::Dumb`].
    Dumb,
    /// [`Target::Conference`].
    Conference,
    /// [`Target::Music`].
    Music,
    /// [`Target::Echo`].
    Echo,
    /// `mux/...`.
    Mux,
    /// `analyzer/...`.
    Analyzer,
    /// `external/...`.
    External,
    /// `pickup/ID`.
    Pickup,
    /// [`Target::Fork`].
    Fork,
    /// [`Then::Exec`] between the groups of a fork.
    ForkExec,
}

/// The groups of a `fork`, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fork {
    /// The first rings at once.
    pub groups: Vec<ForkGroup>,
}

/// Targets that ring at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkGroup {
    /// One leg each.
    pub members: Vec<ForkMember>,
    /// When the next group has its turn.
    pub then: Then,
}

/// One target of a fork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkMember {
    /// Where this leg goes.
    pub target: Target,
    /// Parameters for this leg alone: `callto.N.name=value`, N counted from 1
    /// with the separators.
    pub parameters: Vec<(String, String)>,
}

/// What separates a group from the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Then {
    /// `|`: the next group is tried when this one has failed.
    #[default]
    Failed,
    /// `|next=MS`: the next group rings too after this time.
    Add(Duration),
    /// `|drop=MS`: the next group rings instead after this time.
    Drop(Duration),
    /// `|exec`, `|exec=MS`: the call is handed to the next target and is no fork any more.
    Exec(Option<Duration>),
}

/// A target string that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// There is nothing in it.
    #[error("an empty target")]
    Empty,
    /// It is none of the kinds that there are.
    #[error("`{0}` is no target (to answer with a user of regfile.conf: return;called=USER)")]
    Unknown(String),
    /// The URI cannot be read.
    #[error("`{0}` is no SIP URI")]
    Uri(String),
    /// A separator or number in a fork cannot be read.
    #[error("`{0}` cannot stand there in a fork")]
    Fork(String),
    /// A fork into more than 64 targets.
    #[error("more than 64 targets in one fork")]
    TooMany,
}

impl Target {
    /// Takes a target string apart.
    ///
    /// The `parameters` of the call name the account (`line`) and, for a bare `fork`, the targets
    /// (`callto.1`, `callto.2`, ...).
    ///
    /// # Errors
    ///
    /// When it is no target, or holds a URI that is none.
    pub fn parse(text: &str, parameters: &Parameters) -> Result<Self, TargetError> {
        let text = text.trim();
        let rest = text.strip_prefix("fork");
        match rest.filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            Some("") => fork_of_parameters(parameters).map(Self::Fork),
            Some(list) => fork(list.split_whitespace(), parameters).map(Self::Fork),
            None => Self::single(text, parameters.get("line")),
        }
    }

    fn single(text: &str, account: Option<&str>) -> Result<Self, TargetError> {
        if text.is_empty() {
            return Err(TargetError::Empty);
        }
        let unknown = || TargetError::Unknown(text.to_owned());
        let (kind, rest) = text.split_once('/').ok_or_else(unknown)?;
        let line = || Self::Line {
            number: rest.to_owned(),
            account: account.map(str::to_owned),
        };
        let owned = rest.to_owned();
        Ok(match kind {
            "sip" if rest.contains(':') => Self::Sip(
                rest.parse()
                    .ok()
                    .filter(|uri: &Uri| uri.host().is_some())
                    .ok_or_else(|| TargetError::Uri(rest.to_owned()))?,
            ),
            "sip" | "line" if !rest.is_empty() => line(),
            "tone" => Self::Tone(owned),
            "wave" => match rest.split_once('/') {
                Some(("play", file)) => Self::Play(file.to_owned()),
                Some(("record", file)) => Self::Record(file.to_owned()),
                _ => return Err(unknown()),
            },
            "dumb" => Self::Dumb,
            "conf" => Self::Conference(owned),
            "moh" => Self::Music(owned),
            "echo" => Self::Echo,
            "mux" => Self::Other(TargetKind::Mux, owned),
            "analyzer" => Self::Other(TargetKind::Analyzer, owned),
            "external" => Self::Other(TargetKind::External, owned),
            "pickup" => Self::Other(TargetKind::Pickup, owned),
            _ => return Err(unknown()),
        })
    }

    /// What kind of target this is.
    #[must_use]
    pub const fn kind(&self) -> TargetKind {
        match self {
            Self::Sip(_) => TargetKind::Sip,
            Self::Line { .. } => TargetKind::Line,
            Self::Tone(_) => TargetKind::Tone,
            Self::Play(_) => TargetKind::Play,
            Self::Record(_) => TargetKind::Record,
            Self::Dumb => TargetKind::Dumb,
            Self::Conference(_) => TargetKind::Conference,
            Self::Music(_) => TargetKind::Music,
            Self::Echo => TargetKind::Echo,
            Self::Other(kind, _) => *kind,
            Self::Fork(_) => TargetKind::Fork,
        }
    }

    /// This kind and, for a fork, all kinds in it.
    pub fn kinds(&self) -> impl Iterator<Item = TargetKind> {
        let groups = match self {
            Self::Fork(fork) => fork.groups.as_slice(),
            _ => &[],
        };
        let inner = groups.iter().flat_map(|group| {
            let exec = matches!(group.then, Then::Exec(_)).then_some(TargetKind::ForkExec);
            group
                .members
                .iter()
                .map(|member| member.target.kind())
                .chain(exec)
        });
        core::iter::once(self.kind()).chain(inner)
    }
}

fn fork_of_parameters(parameters: &Parameters) -> Result<Fork, TargetError> {
    let named = (1..).map_while(|n: usize| parameters.get(&format!("callto.{n}")));
    let fork = fork(named, parameters)?;
    if fork.groups.is_empty() {
        return Err(TargetError::Empty);
    }
    Ok(fork)
}

fn fork<'a>(
    words: impl Iterator<Item = &'a str>,
    parameters: &Parameters,
) -> Result<Fork, TargetError> {
    let mut groups = Vec::new();
    let mut members = Vec::new();
    let mut count = 0;
    for (n, word) in (1_usize..).zip(words) {
        if let Some(separator) = word.strip_prefix('|') {
            if members.is_empty() {
                return Err(TargetError::Fork(word.to_owned()));
            }
            groups.push(ForkGroup {
                members: core::mem::take(&mut members),
                then: then(separator).ok_or_else(|| TargetError::Fork(word.to_owned()))?,
            });
            continue;
        }
        count += 1;
        if count > MAX_MEMBERS {
            return Err(TargetError::TooMany);
        }
        members.push(member(n, word, parameters)?);
    }
    if !members.is_empty() {
        groups.push(ForkGroup {
            members,
            then: Then::Failed,
        });
    }
    if groups.is_empty() {
        return Err(TargetError::Empty);
    }
    Ok(Fork { groups })
}

fn member(n: usize, word: &str, parameters: &Parameters) -> Result<ForkMember, TargetError> {
    let prefix = format!("callto.{n}.");
    let own: Vec<(String, String)> = parameters
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?, value)))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let line = own.iter().find(|(name, _)| name == "line");
    let account = line
        .map(|(_, account)| account.as_str())
        .or_else(|| parameters.get("line"));
    Ok(ForkMember {
        target: Target::single(word, account)?,
        parameters: own,
    })
}

fn then(separator: &str) -> Option<Then> {
    let milliseconds = |digits: &str| digits.parse().ok().map(Duration::from_millis);
    Some(match separator.split_once('=') {
        None if separator.is_empty() => Then::Failed,
        None if separator == "exec" => Then::Exec(None),
        Some(("next", digits)) => Then::Add(milliseconds(digits)?),
        Some(("drop", digits)) => Then::Drop(milliseconds(digits)?),
        Some(("exec", digits)) => Then::Exec(Some(milliseconds(digits)?)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Target, TargetError> {
        Target::parse(text, &Parameters::new(None))
    }

    #[test]
    fn every_kind_of_target_is_known() {
        for (text, kind) in [
            ("sip/sip:100@192.0.2.1", TargetKind::Sip),
            ("sip/sips:a@b.example:5062", TargetKind::Sip),
            ("sip/100", TargetKind::Line),
            ("line/100", TargetKind::Line),
            ("tone/dial", TargetKind::Tone),
            ("wave/play/a/b.au", TargetKind::Play),
            ("wave/record/-", TargetKind::Record),
            ("dumb/", TargetKind::Dumb),
            ("conf/room", TargetKind::Conference),
            ("moh/default", TargetKind::Music),
            ("echo/", TargetKind::Echo),
            ("mux/x", TargetKind::Mux),
            ("analyzer/x", TargetKind::Analyzer),
            ("external/play/x.sh", TargetKind::External),
            ("pickup/sip/1", TargetKind::Pickup),
            ("fork sip/sip:a@b.example", TargetKind::Fork),
        ] {
            assert_eq!(parse(text).map(|target| target.kind()), Ok(kind), "{text}");
        }
        for text in [
            "",
            " ",
            "u2",
            "h323/x",
            "wave/x",
            "sip/",
            "sip/sip:",
            "sip/mailto:a@b",
            "fork",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_fork_is_taken_apart() {
        let target = parse(
            "fork sip/sip:a@h.example tone/dial |next=1500 conf/c |drop=2000 dumb/ |exec=5 dumb/ | moh/x |exec dumb/",
        )
        .unwrap();
        let Target::Fork(fork) = &target else {
            panic!("{target:?}")
        };
        let shape: Vec<_> = fork
            .groups
            .iter()
            .map(|group| (group.members.len(), group.then))
            .collect();
        let ms = Duration::from_millis;
        assert_eq!(
            shape,
            [
                (2, Then::Add(ms(1500))),
                (1, Then::Drop(ms(2000))),
                (1, Then::Exec(Some(ms(5)))),
                (1, Then::Failed),
                (1, Then::Exec(None)),
                (1, Then::Failed),
            ]
        );
        assert!(target.kinds().any(|kind| kind == TargetKind::ForkExec));
        for text in [
            "fork |",
            "fork dumb/ | | dumb/",
            "fork dumb/ |next dumb/",
            "fork dumb/ |drop=x dumb/",
            "fork dumb/ |what=1 dumb/",
            "fork fork",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(
            parse(&format!("fork{}", " dumb/".repeat(65))),
            Err(TargetError::TooMany)
        );
    }

    #[test]
    fn parameters_name_the_account_and_the_targets_of_a_bare_fork() {
        let mut parameters = Parameters::new(None);
        for (name, value) in [
            ("line", "home"),
            ("callto.1", "line/1"),
            ("callto.1.line", "work"),
            ("callto.1.caller", "9"),
            ("callto.2", "|drop=1000"),
            ("callto.3", "line/2"),
        ] {
            parameters.set(name, value);
        }
        let line = |number: &str, account: &str| Target::Line {
            number: number.to_owned(),
            account: Some(account.to_owned()),
        };
        assert_eq!(Target::parse("line/5", &parameters), Ok(line("5", "home")));
        let Ok(Target::Fork(fork)) = Target::parse("fork", &parameters) else {
            panic!("no fork")
        };
        assert_eq!(fork.groups.len(), 2);
        let first = &fork.groups[0].members[0];
        assert_eq!(first.target, line("1", "work"));
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(first.parameters, [own("line", "work"), own("caller", "9")]);
        assert_eq!(fork.groups[1].members[0].target, line("2", "home"));
    }
}
