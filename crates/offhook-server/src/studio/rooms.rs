//! Rooms by their names, and how many people are in each.

use std::collections::BTreeMap;

use offhook_sip::StatusCode;

/// Longest name of a room, in bytes.
const LONGEST_NAME: usize = 64;

/// A place in a room, to be given back with [`Rooms::leave`].
#[derive(Debug)]
#[must_use]
pub(crate) struct Seat {
    name: String,
    number: u64,
}

impl Seat {
    /// The number under which the relay knows the room.
    pub(crate) const fn room(&self) -> u64 {
        self.number
    }
}

/// The rooms that somebody is in.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    by_name: BTreeMap<String, Room>,
    next: u64,
}

#[derive(Debug)]
struct Room {
    number: u64,
    members: usize,
}

impl Rooms {
    /// A seat in the room of this name, which is opened for the first who comes.
    ///
    /// # Errors
    /// 404 for what is no name, 486 when the room is full, 503 when there are too many rooms.
    pub(super) fn enter(
        &mut self,
        name: &str,
        most_rooms: usize,
        most_members: usize,
    ) -> Result<Seat, StatusCode> {
        if name.is_empty() || name.len() > LONGEST_NAME {
            return Err(StatusCode::NOT_FOUND);
        }
        if !self.by_name.contains_key(name) {
            if self.by_name.len() >= most_rooms {
                return Err(StatusCode::SERVICE_UNAVAILABLE);
            }
            let number = self.next;
            self.next += 1;
            let members = 0;
            self.by_name
                .insert(name.to_owned(), Room { number, members });
        }
        match self.by_name.get_mut(name) {
            Some(room) if room.members < most_members.max(1) => {
                room.members += 1;
                Ok(Seat {
                    name: name.to_owned(),
                    number: room.number,
                })
            }
            _ => Err(StatusCode::BUSY_HERE),
        }
    }

    /// Gives a seat back; the last one closes the room.
    pub(super) fn leave(&mut self, seat: &Seat) {
        if let Some(room) = self.by_name.get_mut(&seat.name) {
            room.members -= 1;
            if room.members == 0 {
                self.by_name.remove(&seat.name);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_there_while_somebody_is_in_it() {
        let mut rooms = Rooms::default();
        let first = rooms.enter("blue", 2, 2).unwrap();
        let second = rooms.enter("blue", 2, 2).unwrap();
        assert_eq!(first.room(), second.room());
        assert_eq!(
            rooms.enter("blue", 2, 2).unwrap_err(),
            StatusCode::BUSY_HERE
        );
        let other = rooms.enter("red", 2, 2).unwrap();
        assert_ne!(other.room(), first.room());
        assert_eq!(
            rooms.enter("green", 2, 2).unwrap_err(),
            StatusCode::SERVICE_UNAVAILABLE
        );
        rooms.leave(&first);
        rooms.leave(&second);
        assert_eq!(rooms.len(), 1);
        let again = rooms.enter("blue", 2, 2).unwrap();
        assert_ne!(again.room(), first.room(), "nobody meets who has left");
        assert_eq!(rooms.enter("", 9, 9).unwrap_err(), StatusCode::NOT_FOUND);
    }
}
