//! A process that is killed under load: what it acknowledged is there after the start, what it refused is not.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{COUNTERS, Linked, USERS, append, read_stream, user};
use crate::Store;

const FOLDER: &str = "STORE_CRASH_FOLDER";
const ROUND: &str = "STORE_CRASH_ROUND";
const CHILD: &str = "suite::crash::writes_until_it_is_killed";

/// The child's half, which does nothing unless the test below starts it.
#[test]
fn writes_until_it_is_killed() {
    let (Ok(folder), Ok(round)) = (std::env::var(FOLDER), std::env::var(ROUND)) else {
        return;
    };
    let store = Store::open(Path::new(&folder), Box::new(Linked)).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..8_u32 {
            let (store, round) = (&store, round.as_str());
            scope.spawn(move || {
                for number in 0.. {
                    let name = format!("{round}.{writer}.{number}");
                    let mut tx = store.begin();
                    if number % 3 == 0 {
                        // A counter that all writers want, so that some are refused.
                        let count = tx.get(&COUNTERS, &("1", 0)).unwrap().map_or(0, |old| old.age);
                        tx.put(&COUNTERS, &("1", 0), user("count", count + 1)).unwrap();
                    }
                    tx.put(&USERS, &("1", name.as_str()), user(&name, 1)).unwrap();
                    let answer = store.commit(tx, vec![append("1/log", name.as_str())]).wait();
                    let word = match answer {
                        Ok(_) => "kept",
                        Err(error) if error.is_conflict() => "refused",
                        Err(error) => panic!("{error}"),
                    };
                    writeln!(std::io::stdout().lock(), "{word} {name}").unwrap();
                }
            });
        }
    });
}

/// Starts the child, lets it acknowledge some hundred commits, kills it, and returns what it said until then.
fn killed_under_load(folder: &Path, round: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut said = Vec::new();
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 {
        // A line that was cut off by the end was not said.
        if let Some(line) = line.strip_suffix('\n') {
            said.push(line.to_owned());
        }
        line.clear();
        if said.len() == 700 + 411 * round {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
    said
}

#[test]
fn every_acknowledged_write_survives_a_kill_and_no_refused_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let (mut kept, mut refused) = (HashSet::new(), HashSet::new());
    for round in 0..4 {
        for line in killed_under_load(folder.path(), round) {
            match line.split_once(' ') {
                // The harness's own words may stand before the first one.
                Some((word, name)) if word.ends_with("kept") => kept.insert(name.to_owned()),
                Some((word, name)) if word.ends_with("refused") => refused.insert(name.to_owned()),
                _ => false,
            };
        }
        let store = Store::open(folder.path(), Box::new(Linked)).unwrap();
        store.check().unwrap();
        let mut tx = store.begin();
        let rows = tx.range(&USERS, &("1",), None, usize::MAX).unwrap();
        let rows: HashSet<String> = rows.into_iter().map(|((_, name), _)| name).collect();
        let log = read_stream(&mut tx, "1/log");
        let recorded: HashSet<String> = log
            .iter()
            .map(|name| String::from_utf8(name.clone()).unwrap())
            .collect();
        assert_eq!(recorded.len(), log.len(), "no record twice");
        assert_eq!(recorded, rows, "a row and its record stand or fall together");
        assert!(kept.is_subset(&rows));
        assert!(refused.is_disjoint(&rows));
        assert_eq!(tx.stream_last(b"1/log").unwrap(), Some(log.len() as u64 - 1));
        let counted = rows.iter().filter(|name| {
            let number: u32 = name.rsplit('.').next().unwrap().parse().unwrap();
            number.is_multiple_of(3)
        });
        let counter = tx.get(&COUNTERS, &("1", 0)).unwrap().unwrap();
        assert_eq!(counter.age as usize, counted.count(), "no increment was lost");
    }
    assert!(
        kept.len() > 2000 && !refused.is_empty(),
        "{} kept, {} refused",
        kept.len(),
        refused.len()
    );
}
