//! What `replay` prints: the totals, and the groups of calls that change.

use serde::Serialize;

use super::tally::{Change, Group, Tally};
use crate::error::Error;

/// Groups of each kind that people are shown; `--json` shows them all.
const SHOWN_MAX: usize = 50;

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    tally: &'a Tally,
    seconds: f64,
    calls_per_second: f64,
    groups: Vec<&'a Group>,
}

pub(super) fn print(tally: &Tally, seconds: f64, json: bool) -> Result<(), Error> {
    let calls_per_second = f64::from(u32::try_from(tally.calls).unwrap_or(u32::MAX)) / seconds.max(1e-9);
    let groups = tally.sorted();
    if json {
        return super::super::print_json(&Report {
            tally,
            seconds,
            calls_per_second,
            groups,
        });
    }
    for (change, title) in [
        (Change::NewlyDenied, "Newly denied"),
        (Change::NewlyAllowed, "Newly allowed"),
        (Change::Undecided, "Undecided, since the record does not tell"),
    ] {
        let of_kind: Vec<_> = groups.iter().filter(|group| group.change == change).collect();
        if of_kind.is_empty() {
            continue;
        }
        println!("{title}:");
        for group in of_kind.iter().take(SHOWN_MAX) {
            println!("  {:>8}  {}  {}", group.count, group.action, group.principal);
            println!("            {}  (first {})", group.because, group.first);
        }
        if of_kind.len() > SHOWN_MAX {
            println!(
                "  … and {} more groups; --json shows them all",
                of_kind.len() - SHOWN_MAX
            );
        }
        println!();
    }
    println!(
        "{} calls: {} newly denied, {} newly allowed, {} undecided, {} unchanged",
        tally.calls, tally.newly_denied, tally.newly_allowed, tally.undecided, tally.unchanged
    );
    for (reason, count) in &tally.not_judged {
        println!("{count} not judged: {reason}");
    }
    if tally.unreadable > 0 {
        println!("{} events could not be read", tally.unreadable);
    }
    if tally.ungrouped > 0 {
        println!(
            "{} changed or undecided calls are beyond the groups that are told apart",
            tally.ungrouped
        );
    }
    println!("{seconds:.1} s, {calls_per_second:.0} calls a second");
    Ok(())
}
