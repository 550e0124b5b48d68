//! Who rings when.

use crate::target::Then;

/// One leg to one phone, numbered by whoever makes the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BranchId(pub u32);

/// Groups of branches, in the order in which they have their turn.
///
/// ```
/// use std::time::Duration;
/// use offhook_routing::hunt::{BranchId, Plan};
/// use offhook_routing::target::Then;
///
/// // fork A B |drop=10000 C
/// let plan = Plan::new()
///     .group([BranchId(0), BranchId(1)], Then::Drop(Duration::from_secs(10)))
///     .group([BranchId(2)], Then::Failed);
/// assert_eq!(plan.len(), 3);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub(crate) groups: Vec<(Vec<BranchId>, Then)>,
}

impl Plan {
    /// Nobody rings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Branches that ring together, and when the next group has its turn. A branch that stands in
    /// the plan already, and a group of none, are left out.
    #[must_use]
    pub fn group(mut self, branches: impl IntoIterator<Item = BranchId>, then: Then) -> Self {
        let mut group: Vec<BranchId> = Vec::new();
        for branch in branches {
            let known = self.groups.iter().any(|(known, _)| known.contains(&branch));
            if !known && !group.contains(&branch) {
                group.push(branch);
            }
        }
        if !group.is_empty() {
            self.groups.push((group, then));
        }
        self
    }

    /// The contacts of one user by their q-values: those of the highest ring first, those of the same
    /// together, and after each group `then` (RFC 3261 §16.6).
    #[must_use]
    pub fn by_preference(contacts: impl IntoIterator<Item = (BranchId, u16)>, then: Then) -> Self {
        let mut contacts: Vec<_> = contacts.into_iter().collect();
        contacts.sort_by_key(|&(_, q)| core::cmp::Reverse(q));
        contacts
            .chunk_by(|(_, one), (_, other)| one == other)
            .fold(Self::new(), |plan, same| {
                plan.group(same.iter().map(|&(branch, _)| branch), then)
            })
    }

    /// The same plan with other numbers; a branch that gets none is left out.
    #[must_use]
    pub fn renumbered(self, mut number: impl FnMut(BranchId) -> Option<BranchId>) -> Self {
        self.groups
            .into_iter()
            .fold(Self::new(), |plan, (group, then)| {
                let group: Vec<_> = group.into_iter().filter_map(&mut number).collect();
                plan.group(group, then)
            })
    }

    /// How many branches there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.iter().map(|(branches, _)| branches.len()).sum()
    }

    /// Whether nobody rings.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_ring_by_preference() {
        let contacts = [(1, 500), (2, 1000), (3, 500), (4, 1000)];
        let contacts = contacts.map(|(branch, q)| (BranchId(branch), q));
        let expected = Plan::new()
            .group([BranchId(2), BranchId(4)], Then::Failed)
            .group([BranchId(1), BranchId(3)], Then::Failed);
        assert_eq!(Plan::by_preference(contacts, Then::Failed), expected);
        assert!(Plan::by_preference([], Then::Failed).is_empty());
    }
}
