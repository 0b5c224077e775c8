//! Counts of judged calls, grouped by what changed, for whom and why.
//!
//! Invariant: memory is bounded: beyond `GROUPS_MAX` groups a call is counted, but only in the totals.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use super::verdict::{Judged, Verdict};

/// Groups that are told apart.
const GROUPS_MAX: usize = 20_000;

/// What changes for a group of calls.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Change {
    NewlyDenied,
    NewlyAllowed,
    Undecided,
}

/// Calls of one principal at one action, with the same change for the same reason.
#[derive(Serialize, Debug, Clone)]
pub(super) struct Group {
    pub(super) change: Change,
    pub(super) principal: String,
    pub(super) action: String,
    /// The statement that decides, or what the verdict depends on.
    pub(super) because: String,
    pub(super) count: u64,
    /// The event id of the first of them.
    pub(super) first: String,
    #[serde(skip)]
    place: u64,
}

/// All counts.
#[derive(Serialize, Default)]
pub(super) struct Tally {
    pub(super) calls: u64,
    pub(super) newly_denied: u64,
    pub(super) newly_allowed: u64,
    pub(super) undecided: u64,
    pub(super) unchanged: u64,
    /// By reason.
    pub(super) not_judged: std::collections::BTreeMap<String, u64>,
    /// Events that could not be read.
    pub(super) unreadable: u64,
    /// Changed or undecided calls beyond the groups that are told apart.
    pub(super) ungrouped: u64,
    #[serde(skip)]
    groups: HashMap<u64, Group>,
}

impl Tally {
    /// Counts one call. `place` is its place in the input, so that the first of a group is the same however the work was shared.
    pub(super) fn add(&mut self, judged: Judged, id: &str, place: u64) {
        self.calls += 1;
        let (change, because) = match judged.verdict {
            Verdict::Unchanged => {
                self.unchanged += 1;
                return;
            }
            Verdict::Unjudged(reason) => {
                *self.not_judged.entry(reason.to_owned()).or_default() += 1;
                return;
            }
            Verdict::NewlyDenied(because) => (Change::NewlyDenied, because),
            Verdict::NewlyAllowed(because) => (Change::NewlyAllowed, because),
            Verdict::Undecided(missing) => (Change::Undecided, missing),
        };
        match change {
            Change::NewlyDenied => self.newly_denied += 1,
            Change::NewlyAllowed => self.newly_allowed += 1,
            Change::Undecided => self.undecided += 1,
        }
        self.group(Group {
            change,
            principal: judged.principal,
            action: judged.action,
            because,
            count: 1,
            first: id.to_owned(),
            place,
        });
    }

    fn group(&mut self, group: Group) {
        let mut hasher = DefaultHasher::new();
        (group.change, &group.principal, &group.action, &group.because).hash(&mut hasher);
        let key = hasher.finish();
        let full = self.groups.len() >= GROUPS_MAX;
        match self.groups.get_mut(&key) {
            Some(held) => {
                held.count += group.count;
                if group.place < held.place {
                    held.place = group.place;
                    held.first = group.first;
                }
            }
            None if full => self.ungrouped += group.count,
            None => {
                self.groups.insert(key, group);
            }
        }
    }

    /// Adds another's counts.
    pub(super) fn merge(&mut self, other: Self) {
        self.calls += other.calls;
        self.newly_denied += other.newly_denied;
        self.newly_allowed += other.newly_allowed;
        self.undecided += other.undecided;
        self.unchanged += other.unchanged;
        self.unreadable += other.unreadable;
        self.ungrouped += other.ungrouped;
        for (reason, count) in other.not_judged {
            *self.not_judged.entry(reason).or_default() += count;
        }
        for group in other.groups.into_values() {
            self.group(group);
        }
    }

    /// The groups: denials first, the largest first.
    pub(super) fn sorted(&self) -> Vec<&Group> {
        let mut groups: Vec<_> = self.groups.values().collect();
        groups.sort_by(|one, other| {
            let key = |group: &Group| (group.change, std::cmp::Reverse(group.count));
            key(one).cmp(&key(other)).then_with(|| {
                (&one.principal, &one.action, &one.because).cmp(&(
                    &other.principal,
                    &other.action,
                    &other.because,
                ))
            })
        });
        groups
    }

    /// Calls whose verdict changes for certain.
    pub(super) const fn changed(&self) -> u64 {
        self.newly_denied + self.newly_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(principal: &str, verdict: Verdict) -> Judged {
        Judged {
            principal: principal.to_owned(),
            action: "s3:GetObject".to_owned(),
            verdict,
        }
    }

    #[test]
    fn groups_keep_the_first_event_whoever_counted_it() {
        let denied = || Verdict::NewlyDenied("p: s".to_owned());
        let (mut one, mut two) = (Tally::default(), Tally::default());
        one.add(call("a", denied()), "late", 9);
        two.add(call("a", denied()), "early", 2);
        two.add(call("b", Verdict::Undecided("aws:SourceVpc".to_owned())), "x", 3);
        two.add(call("b", Verdict::Unchanged), "y", 4);
        one.merge(two);
        let groups = one.sorted();
        assert_eq!((groups[0].count, groups[0].first.as_str()), (2, "early"));
        assert_eq!(groups[1].change, Change::Undecided);
        assert_eq!((one.calls, one.changed(), one.unchanged), (4, 2, 1));
    }

    #[test]
    fn beyond_the_bound_calls_are_counted_but_not_told_apart() {
        let mut tally = Tally::default();
        for number in 0..GROUPS_MAX + 5 {
            let verdict = Verdict::NewlyDenied(String::new());
            tally.add(call(&number.to_string(), verdict), "", number as u64);
        }
        assert_eq!(tally.sorted().len(), GROUPS_MAX);
        assert_eq!((tally.ungrouped, tally.newly_denied), (5, GROUPS_MAX as u64 + 5));
    }
}
