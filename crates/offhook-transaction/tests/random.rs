//! Any order of legal and illegal events: no panic, and every machine waits or has ended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may panic

mod common;

use std::sync::Arc;

use common::{Desk, VIA, config, incoming, ms, outgoing, sent_request, tcp, udp};
use offhook_sip::{Headers, Message, StatusCode, parse};
use offhook_transaction::{
    ClientTransactionId, Config, Event, Flow, Limits, ServerTransactionId, Timers,
};
use proptest::prelude::*;

/// One thing that happens; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Request {
        method: usize,
        flow: usize,
        large: bool,
    },
    Cancel {
        which: usize,
    },
    Arrive {
        method: usize,
        branch: usize,
        flow: usize,
        tagged: bool,
    },
    Respond {
        which: usize,
        status: u16,
    },
    Answer {
        which: usize,
        status: u16,
        tag: usize,
        flow: usize,
    },
    TransportError {
        flow: usize,
    },
    Wait {
        milliseconds: u64,
    },
    Noise {
        which: usize,
        place: usize,
        octet: u8,
    },
}

const METHODS: [&str; 6] = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER"];
const OURS: [&str; 4] = ["INVITE", "BYE", "OPTIONS", "REGISTER"];

fn flows(index: usize) -> Flow {
    let any = Flow {
        connection: None,
        ..tcp(1)
    };
    [udp(), tcp(1), tcp(2), any][index % 4]
}

fn step() -> impl Strategy<Value = Step> {
    let small = 0_usize..4;
    prop_oneof![
        (small.clone(), small.clone(), any::<bool>()).prop_map(|(method, flow, large)| {
            Step::Request {
                method,
                flow,
                large,
            }
        }),
        small.clone().prop_map(|which| Step::Cancel { which }),
        (0_usize..6, small.clone(), small.clone(), any::<bool>()).prop_map(
            |(method, branch, flow, tagged)| Step::Arrive {
                method,
                branch,
                flow,
                tagged
            }
        ),
        (small.clone(), 100_u16..700).prop_map(|(which, status)| Step::Respond { which, status }),
        (any::<usize>(), 100_u16..700, small.clone(), small.clone()).prop_map(
            |(which, status, tag, flow)| Step::Answer {
                which,
                status,
                tag,
                flow
            }
        ),
        small.clone().prop_map(|flow| Step::TransportError { flow }),
        prop_oneof![Just(0), Just(1), 2_u64..600, 600_u64..40_000]
            .prop_map(|milliseconds| Step::Wait { milliseconds }),
        (any::<usize>(), any::<usize>(), any::<u8>()).prop_map(|(which, place, octet)| {
            Step::Noise {
                which,
                place,
                octet,
            }
        }),
    ]
}

/// What a user of the layer would know.
#[derive(Default)]
struct Known {
    clients: Vec<ClientTransactionId>,
    servers: Vec<(ServerTransactionId, offhook_sip::Request)>,
    sent: Vec<bytes::Bytes>,
    ended_clients: Vec<ClientTransactionId>,
    ended_servers: Vec<ServerTransactionId>,
}

impl Known {
    fn learn(&mut self, desk: &mut Desk) {
        for (_, transmit) in desk.sent.drain(..) {
            if self.sent.len() < 64 {
                self.sent.push(transmit.payload);
            }
        }
        for (_, event) in desk.events.drain(..) {
            match event {
                Event::Request {
                    transaction,
                    request,
                    ..
                } => {
                    self.servers
                        .push((transaction, Arc::unwrap_or_clone(request)));
                }
                Event::ClientEnded { transaction } => {
                    assert!(!self.ended_clients.contains(&transaction), "ended twice");
                    self.ended_clients.push(transaction);
                }
                Event::ServerEnded { transaction } => {
                    assert!(!self.ended_servers.contains(&transaction), "ended twice");
                    self.ended_servers.push(transaction);
                }
                Event::Response { transaction, .. }
                | Event::TimedOut { transaction }
                | Event::TransportFailed { transaction } => {
                    assert!(!self.ended_clients.contains(&transaction), "after its end");
                }
                _ => {}
            }
        }
    }
}

fn pick<T>(from: &[T], index: usize) -> Option<&T> {
    from.get(index % from.len().max(1))
}

#[allow(clippy::too_many_lines)] // one arm a step
fn perform(desk: &mut Desk, known: &mut Known, step: &Step) {
    match *step {
        Step::Request {
            method,
            flow,
            large,
        } => {
            let mut text = outgoing(OURS[method]);
            if large {
                let filler = format!("Subject: {}\r\nCSeq", "x".repeat(1300));
                text = text.replace("CSeq", &filler);
            }
            let request = common::request(&text);
            if let Ok(id) = desk.layer.request(desk.now, &request, flows(flow)) {
                known.clients.push(id);
            }
        }
        Step::Cancel { which } => {
            if let Some(id) = pick(&known.clients, which) {
                desk.layer.cancel(desk.now, *id, Headers::new());
            }
        }
        Step::Arrive {
            method,
            branch,
            flow,
            tagged,
        } => {
            let via = [
                VIA.to_owned(),
                VIA.replace("peer1", "peer2"),
                "SIP/2.0/UDP 192.0.2.9".into(),
                VIA.replace("192.0.2.9", "nat.example;rport"),
            ];
            let mut text = incoming(METHODS[method], &via[branch]);
            if tagged {
                text = text.replace("bob@192.0.2.1>\r\nCall", "bob@192.0.2.1>;tag=t\r\nCall");
            }
            desk.receive(flows(flow), text);
        }
        Step::Respond { which, status } => {
            if let Some((id, request)) = pick(&known.servers, which) {
                let response = request.response(StatusCode::new(status).unwrap());
                let _ = desk.layer.respond(desk.now, *id, response);
            }
        }
        Step::Answer {
            which,
            status,
            tag,
            flow,
        } => {
            let requests: Vec<_> = known
                .sent
                .iter()
                .filter(|bytes| {
                    matches!(parse::datagram((*bytes).clone()), Ok(Message::Request(_)))
                })
                .cloned()
                .collect();
            if let Some(payload) = pick(&requests, which) {
                let flow = flows(flow);
                let transmit = offhook_transaction::Transmit {
                    flow,
                    payload: payload.clone(),
                };
                if *sent_request(&transmit).method() != offhook_sip::Method::Ack {
                    desk.receive(flow, common::answer(&transmit, status, &format!("t{tag}")));
                }
            }
        }
        Step::TransportError { flow } => desk.layer.handle_transport_error(desk.now, flows(flow)),
        Step::Wait { milliseconds } => desk.run_for(ms(milliseconds)),
        Step::Noise {
            which,
            place,
            octet,
        } => {
            if let Some(payload) = pick(&known.sent, which) {
                let mut noisy = payload.to_vec();
                let place = place % noisy.len();
                noisy[place] = octet;
                desk.layer.handle_packet(desk.now, udp(), noisy.into());
            }
        }
    }
    desk.drain();
    known.learn(desk);
}

proptest! {
    #[test]
    fn nothing_hangs_and_nothing_is_left(
        steps in prop::collection::vec(step(), 1..60),
        at_once in any::<bool>(),
        limit in prop_oneof![Just(3_usize), Just(1000)],
    ) {
        let mut desk = Desk::with(Config {
            limits: Limits {
                client_transactions: limit,
                server_transactions: limit,
                retry_after: 1,
            },
            timers: Timers { c: Some(ms(200_000)), ..Timers::default() },
            trying_to_non_invite_at_once: at_once,
            ..config()
        });
        let mut known = Known::default();
        for step in &steps {
            perform(&mut desk, &mut known, step);
            // What lives and has no timer can only be an INVITE that waits for its user.
            let counts = desk.layer.counts();
            let waiting = counts.client + counts.server - counts.timers;
            let open = known.servers.iter().filter(|(id, request)| {
                *request.method() == offhook_sip::Method::Invite
                    && !known.ended_servers.contains(id)
            });
            prop_assert!(waiting <= open.count());
        }
        // The user answers whatever still rings; then all must end by itself.
        for (id, request) in &known.servers {
            let _ = desk.layer.respond(desk.now, *id, request.response(StatusCode::BUSY_HERE));
        }
        desk.drain();
        desk.run_for(ms(400_000));
        prop_assert!(desk.layer.counts().is_empty(), "{:?}", desk.layer.counts());
        prop_assert_eq!(desk.layer.poll_timeout(), None);
        known.learn(&mut desk);
        prop_assert_eq!(known.ended_clients.len(), known.clients.len());
        prop_assert_eq!(known.ended_servers.len(), known.servers.len());
    }

    #[test]
    fn the_same_seed_and_steps_send_the_same_octets(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let run = || {
            let mut desk = Desk::new();
            let mut known = Known::default();
            for step in &steps {
                perform(&mut desk, &mut known, step);
            }
            known.sent
        };
        prop_assert_eq!(run(), run());
    }
}
