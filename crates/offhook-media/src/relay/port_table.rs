//! Which leg a port belongs to: two array steps, no hashing.

use super::command::Side;

/// Where a port leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PortUse {
    pub(super) slot: u32,
    pub(super) side: Side,
    /// `false` for a port that carries RTCP alone.
    pub(super) rtp: bool,
}

type Page = [Option<PortUse>; 256];

/// Pages of 256 ports, made when first used.
#[derive(Debug, Default)]
pub(super) struct PortTable {
    pages: Vec<Option<Box<Page>>>,
}

impl PortTable {
    #[inline]
    pub(super) fn get(&self, port: u16) -> Option<PortUse> {
        let [page, entry] = port.to_be_bytes();
        self.pages.get(usize::from(page))?.as_ref()?[usize::from(entry)]
    }

    pub(super) fn set(&mut self, port: u16, port_use: Option<PortUse>) {
        let [page, entry] = port.to_be_bytes();
        if self.pages.is_empty() {
            self.pages.resize_with(256, || None);
        }
        let page = self.pages[usize::from(page)].get_or_insert_with(|| Box::new([None; 256]));
        page[usize::from(entry)] = port_use;
    }
}
