//! The attendant answers calls at the exchange itself: tones, announcements, recordings, an echo,
//! and rooms where many meet.
//!
//! A call goes to him when a rule names such a target, alone or in a fork. The relay makes and
//! hears the voice ([`offhook_media::relay::Service`]); here is the signalling: one leg, its
//! description, and what the call was given.

mod call;
mod entrance;
mod session;

pub(crate) use call::Attended;
pub(crate) use entrance::{Entrance, Step};
