//! Proofs that did not hold, counted by whom or what they were tried at, so that nobody can go on guessing: passwords of people, codes
//! of MFA devices.
//!
//! Invariant: a try is counted once, however often its call is run again. Counts are kept in memory alone, since who can start the
//! server anew has no need to guess; windows go by the cloud's clock.

use std::collections::HashMap;

use parking_lot::Mutex;
use wire::Timestamp;

use crate::call::Look;

/// What is counted at a time. A try costs a hash of a password or a signature, so that one host can't fill it within a window.
const ENTRIES_MAX: usize = 65_536;

type Place = [u8; 32];

/// How many proofs may fail within a window.
#[derive(Clone, Copy)]
pub struct Limit {
    pub purpose: &'static str,
    pub failures_max: u32,
    /// Milliseconds.
    pub window: i64,
}

struct Window {
    ends: i64,
    failures: u32,
    /// What told the last one from others.
    once: String,
}

impl Window {
    /// A clock that was set back leaves no window that lasts longer than it should.
    const fn is_open(&self, now: Timestamp, limit: Limit) -> bool {
        now.0 < self.ends && self.ends <= now.0.saturating_add(limit.window)
    }
}

/// All that is counted.
#[derive(Default)]
pub(crate) struct Attempts(Mutex<HashMap<Place, Window>>);

impl Attempts {
    fn exhausted(&self, place: &Place, now: Timestamp, limit: Limit) -> bool {
        let windows = self.0.lock();
        let window = windows.get(place).filter(|window| window.is_open(now, limit));
        window.is_some_and(|window| window.failures >= limit.failures_max)
    }

    fn count(&self, place: Place, now: Timestamp, limit: Limit, once: &str) {
        let mut windows = self.0.lock();
        if windows.len() >= ENTRIES_MAX && !windows.contains_key(&place) {
            windows.retain(|_, window| window.ends > now.0);
        }
        if windows.len() >= ENTRIES_MAX {
            let oldest = windows.iter().min_by_key(|(_, window)| window.ends);
            if let Some(place) = oldest.map(|(place, _)| *place) {
                windows.remove(&place);
            }
        }
        let fresh = || Window {
            ends: now.0.saturating_add(limit.window),
            failures: 0,
            once: String::new(),
        };
        let window = windows.entry(place).or_insert_with(fresh);
        if !window.is_open(now, limit) {
            *window = fresh();
        }
        if window.once != once {
            once.clone_into(&mut window.once);
            window.failures = window.failures.saturating_add(1);
        }
    }
}

impl Look<'_> {
    /// Whether so many proofs failed of late at `whom` that no other is looked at.
    pub fn exhausted(&self, limit: Limit, whom: &[&str]) -> bool {
        let attempts = &self.environment.attempts;
        attempts.exhausted(&place(limit, whom), self.now, limit)
    }

    /// Counts a proof that failed. `once` tells it from the one before, so that a call that is run again is counted once.
    pub fn count_failure(&self, limit: Limit, whom: &[&str], once: &str) {
        let attempts = &self.environment.attempts;
        attempts.count(place(limit, whom), self.now, limit, once);
    }

    /// Forgets those that failed, after one that held.
    pub fn forgive(&self, limit: Limit, whom: &[&str]) {
        self.environment.attempts.0.lock().remove(&place(limit, whom));
    }
}

fn place(limit: Limit, whom: &[&str]) -> Place {
    let mut all = Vec::new();
    for part in std::iter::once(&limit.purpose).chain(whom) {
        all.extend_from_slice(&(part.len() as u64).to_be_bytes());
        all.extend_from_slice(part.as_bytes());
    }
    crypto::digest::sha256(&all)
}

#[cfg(test)]
mod tests {
    use wire::Timestamp;

    use super::{Attempts, Limit};

    const LIMIT: Limit = Limit {
        purpose: "test",
        failures_max: 2,
        window: 1000,
    };

    #[test]
    fn a_window_closes_when_enough_failed_and_opens_with_time() {
        let attempts = Attempts::default();
        let (place, now) = ([1; 32], Timestamp(0));
        attempts.count(place, now, LIMIT, "one");
        assert!(!attempts.exhausted(&place, now, LIMIT));
        attempts.count(place, now, LIMIT, "two");
        assert!(attempts.exhausted(&place, Timestamp(999), LIMIT));
        assert!(!attempts.exhausted(&[2; 32], now, LIMIT));
        assert!(!attempts.exhausted(&place, Timestamp(1000), LIMIT));
        assert!(
            !attempts.exhausted(&place, Timestamp(-1), LIMIT),
            "the clock was set back"
        );
        attempts.count(place, Timestamp(1000), LIMIT, "three");
        assert!(!attempts.exhausted(&place, Timestamp(1000), LIMIT));
    }

    #[test]
    fn a_request_that_is_run_again_is_counted_once() {
        let attempts = Attempts::default();
        for _ in 0..5 {
            attempts.count([1; 32], Timestamp(0), LIMIT, "one");
        }
        assert!(!attempts.exhausted(&[1; 32], Timestamp(0), LIMIT));
    }
}
