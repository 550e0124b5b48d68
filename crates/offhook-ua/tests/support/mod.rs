//! Two user agents and a raw peer on a virtual network.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test uses its part"
)]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]
#![allow(clippy::unnecessary_wraps, reason = "as the verbs want it")]

mod message;
mod phone;
mod stage;
mod world;

pub use message::{
    ALICE, ANSWER, BOB, OFFER, address, answer, cseq, flow_to, header, requests, sdp, unasked, uri,
    with, within,
};
pub use phone::{Phone, add, config};
pub use stage::Stage;
pub use world::World;
