//! A bare transaction layer as a node: for tests of transactions, and as a pattern for other nodes.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use offhook_transaction::{Event, Flow, Layer, Output, Transmit};

use crate::node::Node;

/// A transaction layer whose events wait for the test.
#[derive(Debug)]
pub struct Stack {
    /// The machine.
    pub layer: Layer,
    /// What it has told, oldest first.
    pub events: VecDeque<Event>,
}

impl Stack {
    /// A node around a layer.
    #[must_use]
    pub fn new(layer: Layer) -> Self {
        Self {
            layer,
            events: VecDeque::new(),
        }
    }
}

impl Node for Stack {
    fn handle_packet(&mut self, now: Instant, flow: Flow, payload: Bytes) {
        self.layer.handle_packet(now, flow, payload);
    }

    fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        self.layer.handle_transport_error(now, flow);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.layer.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.layer.poll_timeout()
    }

    fn poll_transmit(&mut self, _now: Instant) -> Option<Transmit> {
        loop {
            match self.layer.poll_output()? {
                Output::Transmit(transmit) => return Some(transmit),
                Output::Event(event) => self.events.push_back(event),
            }
        }
    }
}
