//! Stores whose batches were changed behind their back.

use std::collections::BTreeMap;
use std::sync::Arc;

use store::{Append, Chain as _};

use super::*;
use crate::ledger::chain::LedgerChain;
use crate::ledger::chain::tests::batch_of_version_1;
use crate::ledger::record::Record;
use crate::ledger::scan::tests::record;
use crate::recorder;
use crate::testing::{ACCOUNT, REGION};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn stream() -> String {
    format!("{ACCOUNT}/{REGION}")
}

fn elsewhere() -> Record {
    let mut record = record(900, 9, 9);
    record.region = "us-east-1".to_owned();
    record
}

/// Commits of so many records each, as rows.
fn written(commits: &[&[Record]]) -> Rows {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Box::new(LedgerChain::default())).unwrap();
    for records in commits {
        let appends: Vec<Append> = records.iter().map(recorder::append).collect();
        store.commit(store.begin(), appends).wait().unwrap();
    }
    drop(store);
    let rows = Store::disk_engine(dir.path()).unwrap().snapshot().unwrap();
    let rows = rows.range(&[0, 1], &[0, 2], Direction::Forward, 10_000);
    rows.unwrap().into_iter().collect()
}

/// Five batches of a stream, the third of them compressed, and two of another.
fn rows() -> Rows {
    let records: Vec<Record> = (0..16).map(|number| record(number, 5, 7)).collect();
    let other = [elsewhere()];
    written(&[
        &records[..1],
        &records[1..3],
        &other,
        &records[3..13],
        &records[13..14],
        &records[14..],
        &other,
    ])
}

fn over(rows: &Rows) -> Store {
    let engine = Store::memory_engine();
    let writes = rows.iter();
    let writes = writes.map(|(key, value)| (Arc::from(key.as_slice()), Some(value.clone())));
    let batch = store::Batch {
        version: 1,
        wipe: false,
        writes: writes.collect(),
    };
    engine.commit(&batch).unwrap();
    Store::with_engine(engine, Box::new(LedgerChain::default())).unwrap()
}

fn walked(rows: &Rows) -> Vec<Followed> {
    verify(&over(rows), &[]).unwrap()
}

/// What is wrong with the first stream; the other must be whole.
fn flaw(rows: &Rows) -> Option<(u64, Flaw)> {
    let followed = walked(rows);
    let broken = followed.iter().find(|followed| followed.broken.is_some())?;
    assert_eq!(broken.stream, stream());
    let broken = broken.broken.unwrap();
    Some((broken.sequence, broken.flaw))
}

/// The keys of the first stream's batches.
fn keys(rows: &Rows) -> Vec<Vec<u8>> {
    let region = REGION.as_bytes();
    let own = |key: &&Vec<u8>| key.windows(region.len()).any(|part| part == region);
    rows.keys().filter(own).cloned().collect()
}

/// Takes the batch apart, changes its content and gives it a link that fits: what a forger does who knows the layout.
fn relinked(rows: &mut Rows, key: &[u8], first: u64, records: &[Vec<u8>], count: u32) {
    let stored = rows.get(key).unwrap();
    let previous = Batch::parse(&stored[4..]).unwrap().previous;
    let bytes = LedgerChain::default().batch(b"s", first, Some(&previous), records);
    rows.insert(key.to_vec(), [count.to_le_bytes().as_slice(), &bytes].concat());
}

#[test]
fn whole_streams_are_counted_and_told_by_their_last_link() {
    let rows = rows();
    let followed = walked(&rows);
    let told: Vec<_> = followed
        .iter()
        .map(|followed| (followed.stream.clone(), followed.records, followed.broken))
        .collect();
    let other = format!("{ACCOUNT}/us-east-1");
    assert_eq!(told, [(stream(), 16, None), (other, 2, None)]);
    let keys = keys(&rows);
    assert_eq!(keys.len(), 5);
    let last = Batch::parse(&rows[&keys[4]][4..]).unwrap().link;
    assert_eq!(followed[0].link, crypto::digest::hex(&last));
    assert!(
        verify(&Store::memory(Box::new(LedgerChain::default())), &[])
            .unwrap()
            .is_empty()
    );
}

#[test]
fn streams_longer_than_a_page_and_names_beyond_a_page_are_walked() {
    let many: Vec<Record> = (0..2 * PAGE as u64 + 3)
        .map(|number| record(number, 5, 7))
        .collect();
    let mut commits: Vec<&[Record]> = many.chunks(1).collect();
    let places = (0..NAMES + 5).map(|number| {
        let mut record = record(1, 1, 1);
        record.account = format!("{:012}", number + 1);
        record
    });
    let places: Vec<Record> = places.collect();
    commits.push(&places);
    let mut rows = written(&commits);
    let followed = walked(&rows);
    assert_eq!(followed.len(), NAMES + 6);
    assert!(followed.iter().all(|followed| followed.broken.is_none()));
    assert_eq!(
        followed.iter().map(|followed| followed.records).max(),
        Some(many.len() as u64)
    );
    let keys = keys(&rows);
    let own: Vec<_> = keys
        .iter()
        .filter(|key| String::from_utf8_lossy(key).contains(ACCOUNT))
        .collect();
    rows.remove(own[PAGE + 7]);
    assert_eq!(flaw(&rows), Some((PAGE as u64 + 7, Flaw::Order)));
}

#[test]
fn every_changed_byte_is_noticed_in_its_batch() {
    let rows = rows();
    let keys = keys(&rows);
    // One batch that is compressed, and one that is not: both in the middle.
    for (key, first) in [(&keys[2], 3), (&keys[1], 1)] {
        for position in 0..rows[key].len() {
            let mut changed = rows.clone();
            changed.get_mut(key).unwrap()[position] ^= 1;
            let (sequence, _) = flaw(&changed).unwrap_or_else(|| panic!("byte {position} changed unnoticed"));
            assert_eq!(sequence, first, "byte {position}");
        }
    }
}

#[test]
fn times_index_and_payload_belong_to_the_link() {
    let rows = rows();
    let key = &keys(&rows)[1];
    // Behind the count: version, flags and both links; then the times, the length of the index, the index.
    let times = 4 + 2 + 2 * LINK;
    for position in [times, times + 32 + 4, rows[key].len() - 1] {
        let mut changed = rows.clone();
        changed.get_mut(key).unwrap()[position] ^= 1;
        assert_eq!(flaw(&changed), Some((1, Flaw::Link)), "byte {position}");
    }
    let mut counted = rows.clone();
    counted.get_mut(key).unwrap()[0] ^= 1;
    assert_eq!(flaw(&counted), Some((1, Flaw::Count)));
}

#[test]
fn missing_and_swapped_batches_are_noticed_where_they_were() {
    let rows = rows();
    let keys = keys(&rows);
    for (gone, sequence) in [(0, 0), (1, 1), (2, 3), (3, 13)] {
        let mut changed = rows.clone();
        changed.remove(&keys[gone]);
        assert_eq!(flaw(&changed), Some((sequence, Flaw::Order)));
    }
    let mut swapped = rows.clone();
    swapped.insert(keys[1].clone(), rows[&keys[3]].clone());
    swapped.insert(keys[3].clone(), rows[&keys[1]].clone());
    assert_eq!(flaw(&swapped), Some((1, Flaw::Link)));
    // Another history of the same length, whole in itself.
    let records: Vec<Record> = (100..103).map(|number| record(number, 5, 7)).collect();
    let another = written(&[&records[..1], &records[1..]]);
    let mut mixed = rows.clone();
    mixed.insert(keys[0].clone(), another[&keys[0]].clone());
    assert_eq!(flaw(&mixed), Some((1, Flaw::Previous)));
}

#[test]
fn a_batch_that_is_none_is_named_and_hides_nothing() {
    let rows = rows();
    let keys = keys(&rows);
    for (key, sequence) in [(&keys[0], 0), (&keys[2], 3), (&keys[4], 14)] {
        for bytes in [&[][..], &[1, 0], &[1, 0, 0, 0], &[1, 0, 0, 0, 9]] {
            let mut changed = rows.clone();
            changed.insert(key.clone(), bytes.to_vec());
            assert_eq!(flaw(&changed), Some((sequence, Flaw::Payload)), "{bytes:?}");
        }
    }
    // One in between, where no batch begins.
    for (bytes, wanted) in [(Vec::new(), Flaw::Payload), (rows[&keys[1]].clone(), Flaw::Order)] {
        let mut between = keys[2].clone();
        *between.last_mut().unwrap() += 1;
        let mut changed = rows.clone();
        changed.insert(between, bytes);
        assert_eq!(flaw(&changed).map(|(_, flaw)| flaw), Some(wanted));
    }
}

#[test]
fn forged_links_do_not_make_records_right() {
    let rows = rows();
    let key = &keys(&rows)[4];
    let (own, foreign) = (record(14, 5, 7).encode().unwrap(), elsewhere().encode().unwrap());
    let mut cut = own.clone();
    cut.truncate(own.len() - 1);
    for (second, count, wanted) in [
        (&own, 2, None),
        (&own, 3, Some((14, Flaw::Count))),
        (&cut, 2, Some((15, Flaw::Record))),
        (&foreign, 2, Some((15, Flaw::Place))),
    ] {
        let mut forged = rows.clone();
        relinked(&mut forged, key, 14, &[own.clone(), second.clone()], count);
        assert_eq!(flaw(&forged), wanted);
    }
}

/// A shorter stream is whole in itself: only what was noted tells.
#[test]
fn a_cut_tail_shows_against_what_was_noted_alone() {
    let rows = rows();
    let keys = keys(&rows);
    let noted = walked(&rows);
    let mut longer = rows.clone();
    let mut cut = rows.clone();
    cut.remove(&keys[4]);
    assert_eq!(flaw(&cut), None);
    let against = |rows: &Rows, noted: &[Followed]| -> Vec<(String, u64, Flaw)> {
        let followed = verify(&over(rows), noted).unwrap();
        let told = followed.into_iter().filter_map(|followed| {
            let broken = followed.broken?;
            Some((followed.stream, broken.sequence, broken.flaw))
        });
        told.collect()
    };
    assert_eq!(against(&rows, &noted), []);
    assert_eq!(against(&cut, &noted), [(stream(), 14, Flaw::Noted)]);
    // What was noted of the shorter one holds of the longer one too.
    assert_eq!(against(&rows, &walked(&cut)), []);
    assert_ne!(digest(&walked(&cut)), digest(&noted));
    assert_eq!(digest(&walked(&rows)), digest(&noted));
    // A last batch that was written anew, with a link that fits.
    let anew = record(77, 5, 7).encode().unwrap();
    relinked(&mut longer, &keys[4], 14, &[anew.clone(), anew], 2);
    assert_eq!(flaw(&longer), None);
    assert_eq!(against(&longer, &noted), [(stream(), 14, Flaw::Noted)]);
    let mut gone = rows.clone();
    gone.retain(|key, _| keys.contains(key));
    let other = format!("{ACCOUNT}/us-east-1");
    assert_eq!(against(&gone, &noted), [(other, 0, Flaw::Noted)]);
}

/// Version 1: linked before it was compressed, with records in JSON.
#[test]
fn batches_of_the_first_version_are_followed() {
    let records: Vec<Record> = (0..2).map(|number| record(number, 5, 7)).collect();
    let mut rows = written(&[&records[..1], &records[1..]]);
    let keys = keys(&rows);
    let text = |record: &Record| serde_json::to_string(record).unwrap();
    let old = batch_of_version_1(0, &text(&records[0]));
    let link = LedgerChain::default().link(&old);
    let new = LedgerChain::default().batch(b"s", 1, Some(&link), &[records[1].encode().unwrap()]);
    let count = 1_u32.to_le_bytes();
    rows.insert(keys[0].clone(), [count.as_slice(), &old].concat());
    rows.insert(keys[1].clone(), [count.as_slice(), &new].concat());
    assert_eq!(flaw(&rows), None);
    assert_eq!(walked(&rows)[0].records, 2);
    let other = batch_of_version_1(0, &text(&records[1]));
    rows.insert(keys[0].clone(), [count.as_slice(), &other].concat());
    assert_eq!(flaw(&rows), Some((1, Flaw::Previous)));
    rows.insert(
        keys[0].clone(),
        [count.as_slice(), &batch_of_version_1(0, "{}")].concat(),
    );
    assert_eq!(flaw(&rows), Some((0, Flaw::Record)));
}
