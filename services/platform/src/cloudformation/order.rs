//! The order in which resources are made: after what they need.
//!
//! Invariant: every id is in the order once, even if the needs were to run in a circle.

use std::collections::{BTreeMap, BTreeSet};

/// Sorts `ids` so that each comes after those that it needs; otherwise they stay as they are.
pub(crate) fn sorted(ids: &[String], needs: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut left: Vec<&String> = ids.iter().collect();
    let known: BTreeSet<&String> = ids.iter().collect();
    let mut done: BTreeSet<&String> = BTreeSet::new();
    let mut order = Vec::with_capacity(ids.len());
    while !left.is_empty() {
        let ready = |id: &String| {
            let needed = needs.get(id);
            needed.is_none_or(|needed| {
                let mut needed = needed.iter();
                needed.all(|other| other == id || !known.contains(other) || done.contains(other))
            })
        };
        let (mut now, later): (Vec<&String>, Vec<&String>) = left.into_iter().partition(|id| ready(id));
        left = later;
        if now.is_empty() {
            // A circle; templates have none.
            now.append(&mut left);
        }
        done.extend(now.iter().copied());
        order.extend(now.into_iter().cloned());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(pairs: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
        let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        pairs
            .iter()
            .map(|(id, ids)| ((*id).to_owned(), owned(ids)))
            .collect()
    }

    #[test]
    fn what_is_needed_comes_first() {
        let ids = ["A", "B", "C", "D"].map(str::to_owned);
        let needs = needs(&[("A", &["C"]), ("C", &["D", "gone"]), ("B", &[])]);
        assert_eq!(sorted(&ids, &needs), ["B", "D", "C", "A"]);
    }

    #[test]
    fn a_circle_loses_nobody() {
        let ids = ["A", "B"].map(str::to_owned);
        let needs = needs(&[("A", &["B"]), ("B", &["A"])]);
        assert_eq!(sorted(&ids, &needs).len(), 2);
    }
}
