//! From what was kept to rows and columns.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::call::Call;
use super::picture::{Column, Event, Host, Ladder, Role, Row, Voice};

/// How far voice and messages may be apart and still be of one moment. A phone and a witness of its
/// packets see the first voice and the ACK, which travel on different sockets, in either order; both
/// draw messages before voice, and voice from left to right first.
const MOMENT: Duration = Duration::from_millis(50);

/// A row before it has its columns.
struct Draft {
    at: Duration,
    order: u64,
    from: SocketAddr,
    to: SocketAddr,
    event: Event,
}

/// Draws the calls, as far as they touch `host`.
pub(super) fn draw(calls: &[&Call], host: Option<Host>) -> Option<Ladder> {
    let mut drafts: Vec<Draft> = Vec::new();
    let mut titles = Vec::new();
    let mut left_out = 0;
    for call in calls {
        let before = drafts.len();
        drafts.extend(messages(call));
        drafts.extend(streams(call));
        if let Some(host) = host {
            let mut index = 0;
            drafts.retain(|draft| {
                index += 1;
                index <= before || host.is(draft.from) || host.is(draft.to)
            });
        }
        if drafts.len() > before {
            titles.push(call.title.clone());
            left_out += call.left_out;
        }
    }
    drafts.sort_by_key(Draft::place);
    let start = drafts.first()?.at;
    let mut parties = Parties::of(&drafts);
    let mut rows: Vec<Row> = drafts
        .into_iter()
        .map(|draft| Row {
            at: draft.at.saturating_sub(start),
            from: parties.column(draft.from),
            to: parties.column(draft.to),
            event: draft.event,
        })
        .collect();
    from_left_to_right(&mut rows);
    let last = parties.columns.len().saturating_sub(1);
    let columns = parties
        .columns
        .iter()
        .enumerate()
        .map(|(index, (_, address))| {
            let role = match index {
                0 => Role::Caller,
                index if index == last => Role::Callee,
                _ => Role::Server,
            };
            Column {
                role,
                address: *address,
            }
        });
    Some(Ladder {
        calls: titles,
        columns: columns.collect(),
        rows,
        left_out,
    })
}

fn messages(call: &Call) -> impl Iterator<Item = Draft> {
    call.messages.iter().map(|message| Draft {
        at: message.at,
        order: message.order,
        from: message.from,
        to: message.to,
        event: Event::Message {
            name: message.name.clone(),
            has_sdp: message.has_sdp,
            is_resend: message.is_resend,
        },
    })
}

fn streams(call: &Call) -> impl Iterator<Item = Draft> {
    let seen = call.streams.iter().map(|stream| (stream, stream.counts()));
    seen.filter(|(_, counts)| counts.packets > 0)
        .map(|(stream, counts)| Draft {
            at: counts.first,
            order: stream.order,
            from: stream.owners.0,
            to: stream.owners.1,
            event: Event::Voice(Voice {
                from: stream.from,
                to: stream.to,
                codec: stream.codec.clone(),
                ssrc: stream.ssrc,
                packets: counts.packets,
                lost: counts.lost,
                quality: counts.quality,
                duration: counts.last.saturating_sub(counts.first),
            }),
        })
}

impl Draft {
    fn place(&self) -> (Duration, u64) {
        match self.event {
            Event::Message { .. } => (self.at, self.order),
            Event::Voice(_) => (self.at.saturating_add(MOMENT), self.order),
        }
    }
}

/// Puts voice streams that begin at one moment in the order of their columns.
fn from_left_to_right(rows: &mut [Row]) {
    let is_voice = |row: &Row| matches!(row.event, Event::Voice(_));
    for end in 1..rows.len() {
        for index in (1..=end).rev() {
            let (before, this) = (&rows[index - 1], &rows[index]);
            let is_one_moment =
                is_voice(before) && is_voice(this) && this.at.abs_diff(before.at) < MOMENT;
            if !is_one_moment || (before.from, before.to) <= (this.from, this.to) {
                break;
            }
            rows.swap(index - 1, index);
        }
    }
}

/// Who takes part, in the order of first sight.
struct Parties {
    /// Machines on which both ends of some row live: there the port tells them apart.
    shared: HashSet<IpAddr>,
    columns: Vec<((IpAddr, Option<u16>), SocketAddr)>,
}

impl Parties {
    fn of(drafts: &[Draft]) -> Self {
        let within = |draft: &&Draft| draft.from.ip() == draft.to.ip() && draft.from != draft.to;
        let shared = drafts
            .iter()
            .filter(within)
            .map(|draft| draft.from.ip())
            .collect();
        Self {
            shared,
            columns: Vec::new(),
        }
    }

    fn column(&mut self, address: SocketAddr) -> usize {
        let port = self.shared.contains(&address.ip()).then(|| address.port());
        let key = (address.ip(), port);
        let known = self.columns.iter().position(|(other, _)| *other == key);
        known.unwrap_or_else(|| {
            self.columns.push((key, address));
            self.columns.len() - 1
        })
    }
}
