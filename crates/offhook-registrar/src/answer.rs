//! The answer to a REGISTER (RFC 3261 §10.3 step 8).

use core::fmt::Write;

use offhook_auth::UnixTime;
use offhook_routing::location::Binding;
use offhook_sip::{HeaderName, Request, Response, StatusCode};

/// 200 with all bindings and what is left of them.
pub(crate) fn ok(request: &Request, bindings: &[&Binding], wall: UnixTime) -> Response {
    let mut response = request.response(StatusCode::OK);
    let headers = response.headers_mut();
    for binding in bindings {
        // What was read as a URI and parameters can be written as such, so nothing is refused here.
        let _ = headers.append(HeaderName::CONTACT, &contact(binding, wall));
    }
    let path = bindings
        .iter()
        .find(|binding| !binding.path.is_empty() && is_of(binding, request));
    for hop in path
        .map(|binding| binding.path.as_slice())
        .unwrap_or_default()
    {
        let _ = headers.append(HeaderName::PATH, &format!("<{hop}>"));
    }
    if bindings
        .iter()
        .any(|binding| binding.reg_id.is_some() && is_of(binding, request))
    {
        let _ = headers.append(HeaderName::REQUIRE, "outbound");
    }
    let _ = headers.append("Date", &date(wall));
    response
}

/// A refusal, which may say why.
pub(crate) fn refusal(request: &Request, status: StatusCode, reason: Option<&str>) -> Response {
    let plain = request.response(status);
    let with_reason = reason.and_then(|reason| plain.clone().with_reason(reason).ok());
    with_reason.unwrap_or(plain)
}

fn is_of(binding: &Binding, request: &Request) -> bool {
    request
        .headers()
        .get(HeaderName::CALL_ID)
        .is_some_and(|id| id.trim() == binding.call_id)
}

fn contact(binding: &Binding, wall: UnixTime) -> String {
    /// For the brackets and `;expires=`, and a `q`.
    const ROOM: usize = 32;
    let left = binding.expires_at.saturating_sub(wall.as_secs());
    let uri = binding.contact.as_str();
    let mut line = String::with_capacity(uri.len() + ROOM);
    line.push('<');
    line.push_str(uri);
    let _ = write!(line, ">;expires={left}");
    if binding.q < 1000 {
        let _ = write!(line, ";q=0.{:03}", binding.q);
    }
    if let Some(instance) = &binding.instance {
        let escaped = instance.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = write!(line, ";+sip.instance=\"{escaped}\"");
    }
    if let Some(reg_id) = binding.reg_id {
        let _ = write!(line, ";reg-id={reg_id}");
    }
    line
}

/// `Mon, 23 Nov 2026 07:45:23 GMT` (RFC 3261 §20.17): phones without a clock of their own set it by this.
fn date(wall: UnixTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb",
    ];
    const SECONDS: u64 = 86_400;
    let (days, seconds) = (wall.as_secs() / SECONDS, wall.as_secs() % SECONDS);
    // Days since 0000-03-01, so that the leap day is the last of its year and eras of 400 years repeat.
    let since_march = days + 719_468;
    let (era, of_era) = (since_march / 146_097, since_march % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era + u64::from(month >= 10);
    let name = |names: &[&'static str], index: u64| {
        usize::try_from(index)
            .ok()
            .and_then(|at| names.get(at).copied())
    };
    let mut text = String::with_capacity(29);
    text.push_str(name(&DAYS, days % 7).unwrap_or_default());
    text.push_str(", ");
    push_two(&mut text, day);
    text.push(' ');
    text.push_str(name(&MONTHS, month).unwrap_or_default());
    text.push(' ');
    push_two(&mut text, year / 100);
    push_two(&mut text, year % 100);
    for (separator, number) in [
        (' ', seconds / 3600),
        (':', seconds / 60 % 60),
        (':', seconds % 60),
    ] {
        text.push(separator);
        push_two(&mut text, number);
    }
    text.push_str(" GMT");
    text
}

/// Two digits; formatting machinery would cost more than all the rest of the date.
fn push_two(text: &mut String, number: u64) {
    for digit in [number / 10 % 10, number % 10] {
        text.push(char::from(b'0' + u8::try_from(digit).unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (1_795_412_587, "Mon, 23 Nov 2026 05:43:07 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            assert_eq!(date(UnixTime::from_secs(seconds)), text);
        }
    }
}
