//! Bridges act, and what becomes of them is followed up: news for others, ports, records.

use std::time::Instant;

use offhook_ua::CallId;

use super::Server;
use crate::bridge::{Bridge, News};
use crate::cdr::{BridgeId, CallRecord};
use crate::desk::Desk;
use crate::event::{Event, Output};
use crate::passing;

impl Server {
    /// What a bridge that is not in the table yet works with.
    pub(super) fn desk(&mut self, now: Instant) -> Desk<'_> {
        Desk {
            now,
            ua: &mut self.ua,
            anchors: &mut self.anchors,
            tokens: &mut self.tokens,
            studio: &mut self.studio,
            settings: &self.call_settings,
        }
    }

    pub(super) fn on_call(
        &mut self,
        now: Instant,
        call: CallId,
        act: impl FnOnce(&mut Bridge, &mut Desk<'_>),
    ) {
        if let Some(id) = self.bridges.of_call(call) {
            self.with_bridge(now, id, act);
        }
    }

    /// Lets a bridge act, and follows up on what became of it.
    pub(super) fn with_bridge(
        &mut self,
        now: Instant,
        id: BridgeId,
        act: impl FnOnce(&mut Bridge, &mut Desk<'_>),
    ) {
        let Some(bridge) = self.bridges.get_mut(id) else {
            return;
        };
        let settings = &self.call_settings;
        act(
            bridge,
            &mut Desk {
                now,
                ua: &mut self.ua,
                anchors: &mut self.anchors,
                tokens: &mut self.tokens,
                studio: &mut self.studio,
                settings,
            },
        );
        self.spread_news(now, id);
        self.settle(now, id);
    }

    /// Tells other bridges what one has for them.
    pub(super) fn spread_news(&mut self, now: Instant, id: BridgeId) {
        let news = self.bridges.get_mut(id).map(Bridge::take_news);
        for news in news.unwrap_or_default() {
            match news {
                News::Stays(home) | News::Lost(home) => {
                    self.with_bridge(now, home, Bridge::hang_up_rest);
                }
                News::Detour(detour) => self.look_up_detour(now, id, detour),
                News::Rings { to, status } => self.with_bridge(now, to, |bridge, desk| {
                    bridge.promised_rings(desk, id, status);
                }),
                News::Answers(to) => self.redeem(now, id, to),
                News::Fails { to, status } => self.with_bridge(now, to, |bridge, desk| {
                    bridge.promise_fails(desk, id, status);
                }),
                News::Renounced(home) => self.with_bridge(now, home, Bridge::renounce),
                News::Invites(invited) => self.invite_in(now, id, *invited),
                News::Serves { to, service } => self.serve_instead(now, id, to, service),
                News::Serve {
                    report,
                    service,
                    by,
                } => self.serve_who_stays(now, id, report, service, &by),
                News::Arrives(arriving) => self.welcome(now, id, *arriving),
                News::Parts(home) => self.with_bridge(now, home, Bridge::part),
                News::GoesBack {
                    home,
                    leg,
                    changed,
                    told,
                } if self.bridges.get_mut(home).is_some() => {
                    self.with_bridge(now, id, |bridge, _| bridge.release(leg.call));
                    self.with_bridge(now, home, |bridge, desk| {
                        bridge.take_back(desk, &leg, changed, told.as_deref());
                    });
                }
                // The call that it came from is over: it has nobody to go back to.
                News::GoesBack { leg, .. } => {
                    self.ua.hang_up(now, leg.call, passing::no_headers());
                }
            }
        }
    }

    pub(super) fn settle(&mut self, now: Instant, id: BridgeId) {
        let Some(over) = self.bridges.settle(id) else {
            return;
        };
        let relayed = over
            .anchor()
            .and_then(|anchor| Some((anchor, anchor.relay()?)));
        match relayed {
            Some((anchor, relay)) => {
                self.anchors.close(anchor);
                self.bridges.part(relay, over);
            }
            None => self.record(over.into_record(now, Vec::new())),
        }
    }

    pub(super) fn record(&mut self, record: CallRecord) {
        let picture = self
            .picture
            .as_mut()
            .and_then(|picture| picture.draw(&record));
        if let Some(picture) = picture {
            let call = record.call;
            self.outputs
                .push_back(Output::Event(Event::Ladder { call, picture }));
        }
        self.outputs
            .push_back(Output::Event(Event::CallEnded(Box::new(record))));
    }
}
