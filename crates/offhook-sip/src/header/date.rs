//! Date and Timestamp: when a message was sent (RFC 3261 §20.17, §20.38).

use alloc::borrow::Cow;
use core::fmt;

use crate::class::{self, all};
use crate::error::{BuildError, ErrorKind, ValueError};
use crate::grammar::{skip_lws, take, whole};
use crate::header::name::HeaderName;
use crate::header::typed::TypedHeader;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// A moment, in GMT and to the second.
///
/// ```
/// use offhook_sip::TypedHeader;
/// use offhook_sip::header::Date;
/// let date = Date::decode("Sat, 13 Nov 2010 23:29:00 GMT")?;
/// assert_eq!(date.unix_seconds(), 1_289_690_940);
/// assert_eq!(Date::from_unix_seconds(1_289_690_940), Some(date));
/// # Ok::<(), offhook_sip::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date(u64);

/// The last second that four digits of a year can say.
const LAST: u64 = 253_402_300_799;

impl Date {
    /// The moment so many seconds after 1970; `None` after the year 9999.
    #[must_use]
    pub const fn from_unix_seconds(seconds: u64) -> Option<Self> {
        if seconds <= LAST {
            Some(Self(seconds))
        } else {
            None
        }
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn unix_seconds(self) -> u64 {
        self.0
    }
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_of_month(year: u64, month: usize) -> u64 {
    match month {
        1 if is_leap(year) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first of a month.
fn days_before(year: u64, month: usize) -> u64 {
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    (0..month).fold(years, |days, month| days + days_of_month(year, month))
}

/// `wkday "," SP 2DIGIT SP month SP 4DIGIT SP time SP "GMT"`; only GMT is allowed (RFC 3261
/// §20.17).
fn date(text: &str) -> Option<Date> {
    let octets = text.as_bytes();
    let marks = [
        (3, b','),
        (4, b' '),
        (7, b' '),
        (11, b' '),
        (16, b' '),
        (19, b':'),
        (22, b':'),
    ];
    if octets.len() != 29 || !text.is_ascii() || !text.ends_with(" GMT") {
        return None;
    }
    if marks.iter().any(|&(at, mark)| octets[at] != mark) {
        return None;
    }
    let number = |range: core::ops::Range<usize>| -> Option<u64> {
        let digits = &text[range];
        all(digits, class::DIGIT).then(|| digits.parse().ok())?
    };
    if !DAYS.contains(&&text[..3]) {
        return None;
    }
    let month = MONTHS.iter().position(|&name| name == &text[8..11])?;
    let (day, year) = (number(5..7)?, number(12..16)?);
    let (hour, minute, second) = (number(17..19)?, number(20..22)?, number(23..25)?);
    if year < 1970 || day == 0 || day > days_of_month(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_before(year, month) + day - 1;
    Date::from_unix_seconds(((days * 24 + hour) * 60 + minute) * 60 + second)
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0 / 86_400, self.0 % 86_400);
        let mut year = 1970 + days / 366;
        while days_before(year + 1, 0) <= days {
            year += 1;
        }
        let mut month = 0;
        while month < 11 && days_before(year, month + 1) <= days {
            month += 1;
        }
        let day = days - days_before(year, month) + 1;
        let weekday = DAYS[usize::try_from(days % 7).unwrap_or_default()];
        write!(
            f,
            "{weekday}, {day:02} {} {year} {:02}:{:02}:{:02} GMT",
            MONTHS[month],
            rest / 3600,
            rest / 60 % 60,
            rest % 60
        )
    }
}

impl<'a> TypedHeader<'a> for Date {
    const NAME: HeaderName<'static> = HeaderName::DATE;

    fn decode(raw: &'a str) -> Result<Self, ValueError> {
        date(raw).ok_or(ValueError::new(0, ErrorKind::Date))
    }

    fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{self}")
    }
}

/// When the client sent the request, by its own clock (RFC 3261 §20.38), and how long the server
/// took: decimal numbers of seconds, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp<'a> {
    sent: Cow<'a, str>,
    delay: Option<Cow<'a, str>>,
}

impl<'a> Timestamp<'a> {
    /// A decimal number such as `54` or `54.21`.
    pub fn new(sent: impl Into<Cow<'a, str>>) -> Result<Self, BuildError> {
        let sent = sent.into();
        if !is_decimal(&sent) {
            return Err(BuildError::new(0, ErrorKind::Number));
        }
        Ok(Self { sent, delay: None })
    }

    /// Adds how long the server took (RFC 3261 §8.2.6.1).
    pub fn with_delay(mut self, delay: impl Into<Cow<'a, str>>) -> Result<Self, BuildError> {
        let delay = delay.into();
        if !is_decimal(&delay) {
            return Err(BuildError::new(0, ErrorKind::Number));
        }
        self.delay = Some(delay);
        Ok(self)
    }

    /// When the client sent the request.
    #[must_use]
    pub fn sent(&self) -> &str {
        &self.sent
    }

    /// How long the server took.
    #[must_use]
    pub fn delay(&self) -> Option<&str> {
        self.delay.as_deref()
    }
}

/// `1*(DIGIT) [ "." *(DIGIT) ]`; a delay may do without the digits before the dot
fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    !whole.is_empty() && all(whole, class::DIGIT) && all(fraction, class::DIGIT)
}

impl<'a> TypedHeader<'a> for Timestamp<'a> {
    const NAME: HeaderName<'static> = HeaderName::TIMESTAMP;

    fn decode(raw: &'a str) -> Result<Self, ValueError> {
        whole(raw, |text| {
            let end = text.find([' ', '\t']).unwrap_or(text.len());
            let (sent, rest) = text.split_at(end);
            if !is_decimal(sent) {
                return crate::grammar::fail(text, ErrorKind::Number);
            }
            let start = skip_lws(rest);
            let (after, digits) = take(start, class::DIGIT);
            let after = after
                .strip_prefix('.')
                .map_or(after, |rest| take(rest, class::DIGIT).0);
            let delay = &start[..start.len() - after.len()];
            if (digits.is_empty() && delay.len() == 1) || (delay.is_empty() && !start.is_empty()) {
                return crate::grammar::fail(start, ErrorKind::Number);
            }
            let delay = (!delay.is_empty()).then_some(Cow::Borrowed(delay));
            Ok((
                after,
                Self {
                    sent: Cow::Borrowed(sent),
                    delay,
                },
            ))
        })
    }

    fn encode(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(&self.sent)?;
        match &self.delay {
            Some(delay) => write!(out, " {delay}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn dates_come_back() {
        for text in [
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Thu, 29 Feb 2024 23:59:59 GMT",
            "Fri, 01 Mar 2024 00:00:00 GMT",
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "Mon, 31 Dec 2029 12:00:00 GMT",
        ] {
            assert_eq!(
                Date::decode(text).map(|date| date.to_string()).as_deref(),
                Ok(text)
            );
        }
        assert_eq!(Date::from_unix_seconds(LAST + 1), None);
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for bad in [
            "",
            "Fri, 01 Jan 2010 16:00:00 EST",
            "Fri, 1 Jan 2010 16:00:00 GMT",
            "Fri, 30 Feb 2010 16:00:00 GMT",
            "Fri, 01 Jan 2010 24:00:00 GMT",
            "Fri, 01 jan 2010 16:00:00 GMT",
            "Fri, 01 Jan +010 16:00:00 GMT",
            "Xxx, 01 Jan 2010 16:00:00 GMT",
            "Fri; 01 Jan 2010 16:00:00 GMT",
            "Fri, 01 Jan 2010 16:00:00 GMTé",
        ] {
            assert!(Date::decode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn timestamps_are_decimal() {
        let stamp = Timestamp::decode("54.21 0.5").unwrap();
        assert_eq!((stamp.sent(), stamp.delay()), ("54.21", Some("0.5")));
        assert_eq!(Timestamp::decode("54").unwrap().delay(), None);
        assert_eq!(Timestamp::decode("54 .5").unwrap().delay(), Some(".5"));
        for bad in ["", ".5", "a", "1 a", "1 .", "1 2 3", "1.2.3"] {
            assert!(Timestamp::decode(bad).is_err(), "{bad}");
        }
        assert!(Timestamp::new("1\r\n").is_err());
    }
}
