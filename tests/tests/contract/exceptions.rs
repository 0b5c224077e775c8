//! Where an operation may differ from the rule, and why. Every entry must be needed.

use std::cell::RefCell;
use std::collections::BTreeSet;

/// What is excused, and the reason.
pub(crate) type Excuse = (&'static str, &'static str);

/// A list of excuses in use.
pub(crate) struct Exceptions {
    list: &'static [Excuse],
    used: RefCell<BTreeSet<&'static str>>,
}

impl Exceptions {
    pub(crate) fn of(list: &'static [Excuse]) -> Self {
        for (name, reason) in list {
            assert!(!reason.is_empty(), "{name} is excused without a reason");
        }
        Self {
            list,
            used: RefCell::default(),
        }
    }

    /// Whether this is excused; notes that it was needed.
    pub(crate) fn excuse(&self, name: &str) -> bool {
        let found = self.list.iter().find(|(listed, _)| *listed == name);
        if let Some((listed, _)) = found {
            self.used.borrow_mut().insert(listed);
        }
        found.is_some()
    }

    /// Fails for what was found beyond the list, and for entries that nothing needed.
    pub(crate) fn settle(self, found: &[String]) {
        let used = self.used.borrow();
        let idle: Vec<_> = self
            .list
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| !used.contains(name))
            .collect();
        assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
        assert!(idle.is_empty(), "no longer needed, remove: {idle:?}");
    }
}
