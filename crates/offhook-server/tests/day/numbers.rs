//! The numbers of the town, as the exchange's files have them.

use super::identity::Identity;
use super::script::Size;

/// What the exchange gives itself.
pub(crate) const SERVICES: [&str; 8] = [
    "room0", "room1", "room2", "echo", "tone", "music", "news", "memo",
];

const RULES: &str = "[default]\n\
    ${username}^$=-;error=noauth\n\
    ^room\\(.*\\)$=conf/\\1;maxusers=3\n\
    ^echo$=echo/\n\
    ^tone$=tone/dial\n\
    ^music$=moh/harp\n\
    ^news$=wave/play/news\n\
    ^lost$=wave/play/lost\n\
    ^memo$=wave/record/memo;maxlen=160000\n\
    ^hurry-\\(.*\\)$=return;called=\\1;maxcall=6000\n";

/// Who may log in. Three users side by side answer a common number.
pub(crate) fn users(size: Size) -> String {
    let mut text = String::new();
    for user in 0..size.users {
        text += &format!("[u{user}]\npassword=secret-u{user}\n");
        text += &format!("pickupgroup=office{}\n", office(user));
        if user / 3 < size.groups() {
            text += &format!("alternatives={}\n", 7000 + user / 3);
        }
    }
    for liar in 0..size.liars() {
        text += &format!("[l{liar}]\npassword=secret-l{liar}\n");
    }
    text
}

/// Users side by side work in one office, where everybody picks up for the others.
const fn office(user: usize) -> usize {
    user / 4
}

/// Whether one of two users may pick up what rings at the other.
pub(crate) fn colleagues(one: &str, other: &str) -> bool {
    let office = |name: &str| Some(office(name.strip_prefix('u')?.parse().ok()?));
    one == other || (office(one).is_some() && office(one) == office(other))
}

/// The rules: a hunt rings three phones one after the other, each in its own way, and nobody in the
/// end but the exchange.
pub(crate) fn rules(size: Size, phones: &[Identity]) -> String {
    let mut text = RULES.to_owned();
    for hunt in 0..size.hunts() {
        let place = |step: usize| phones[(7 * hunt + step) % phones.len()].place();
        let last = if hunt % 4 == 0 {
            ""
        } else {
            " |drop=6000 echo/"
        };
        text += &format!(
            "^{}$=fork sip/{} |next=4000 sip/{} |drop=8000 sip/{}{last}\n",
            8000 + hunt,
            place(0),
            place(1),
            place(2)
        );
    }
    text
}

/// What is behind a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// A user, perhaps with less patience than usual.
    User,
    /// Users who answer in common: the first of three.
    Group(usize),
    /// Phones one after the other: the first of three.
    Hunt(usize),
    /// The exchange.
    Service,
}

/// The number of a user, without how he was dialled.
pub(crate) fn bare(number: &str) -> &str {
    number.strip_prefix("hurry-").unwrap_or(number)
}

/// What a number means.
pub(crate) fn behind(number: &str) -> Behind {
    match number.parse::<usize>() {
        Ok(hunt @ 8000..) => Behind::Hunt(7 * (hunt - 8000)),
        Ok(group @ 7000..) => Behind::Group(3 * (group - 7000)),
        _ if SERVICES.contains(&number) || number.contains('/') => Behind::Service,
        _ => Behind::User,
    }
}
