//! How soon a login may be tried again: the limits on guessing passwords.
//!
//! Failures are counted for each source, for each user, and for each pair of both; after a few free ones every further
//! failure doubles the wait. A source is one place, an address and a port, as long as few places of its network have
//! failed; whoever goes from port to port finds the whole network counted as one. Two rules more keep others' failures
//! from locking a valid user out:
//!
//! - the count of a **user** slows down only sources that have failed before, so whoever guesses from many addresses
//!   is slowed, and the user himself, from wherever he first comes, is not;
//! - where a user **has logged in** lately, only his own failures there count: at that very place whatever goes on in
//!   the rest of the network, and in the network, so a guesser behind the same NAT does not take the phones there
//!   with him.
//!
//! All that is about sources that are proved. The address of a datagram can be forged: failures whose source is only
//! claimed are counted apart ([`LoginGuard::failed_elsewhere`]), for each user, and hold up nobody else.
//!
//! Every table has a fixed size. A full one forgets the entry with the fewest failures, so an attacker with many
//! addresses cannot wash out the memory of what each of them did by adding more.

mod guard;
mod known_good;
mod limits;
mod source;
mod tally;

pub use guard::LoginGuard;
pub use limits::{LoginLimits, TooManyFailures};
