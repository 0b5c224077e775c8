//! What both engines' blobs must do, and what a start makes of leftovers.

use std::path::Path;
use std::sync::Arc;

use crate::blobs::{Blob, BlobName, Blobs, DiskBlobs, MemoryBlobs};

fn name(first: u8, last: u8) -> BlobName {
    let mut name = [0x5a; 16];
    name[0] = first;
    name[15] = last;
    name
}

fn publish(blobs: &dyn Blobs, name: &BlobName, pieces: &[&[u8]]) {
    let mut staged = blobs.stage(name).unwrap();
    for piece in pieces {
        staged.append(piece).unwrap();
    }
    staged.publish().unwrap();
}

fn bytes(blob: &dyn Blob, offset: u64, count: usize) -> Option<Vec<u8>> {
    let mut buffer = vec![0; count];
    blob.read_at(offset, &mut buffer).ok()?;
    Some(buffer)
}

fn whole(blobs: &dyn Blobs, name: &BlobName) -> Option<Vec<u8>> {
    let blob = blobs.open(name).unwrap()?;
    bytes(blob.as_ref(), 0, usize::try_from(blob.size()).unwrap())
}

/// Runs a test on both engines.
fn both(test: impl Fn(&dyn Blobs, &Path)) {
    let dir = tempfile::tempdir().unwrap();
    test(&MemoryBlobs::default(), &dir.path().join("memory"));
    test(
        &DiskBlobs::open(&dir.path().join("own")).unwrap(),
        &dir.path().join("disk"),
    );
}

#[test]
fn a_published_blob_is_read_at_any_offset() {
    both(|blobs, _| {
        publish(blobs, &name(1, 1), &[b"abc", b"", b"def"]);
        let blob = blobs.open(&name(1, 1)).unwrap().unwrap();
        assert_eq!(blob.size(), 6);
        assert_eq!(bytes(blob.as_ref(), 2, 3).unwrap(), b"cde");
        assert_eq!(bytes(blob.as_ref(), 6, 0).unwrap(), b"");
        assert!(bytes(blob.as_ref(), 4, 3).is_none(), "no bytes behind the end");
        publish(blobs, &name(2, 1), &[]);
        assert_eq!(whole(blobs, &name(2, 1)).unwrap(), b"");
    });
}

#[test]
fn a_staged_blob_is_not_seen_and_leaves_nothing() {
    both(|blobs, _| {
        let mut staged = blobs.stage(&name(1, 1)).unwrap();
        staged.append(b"abc").unwrap();
        assert!(whole(blobs, &name(1, 1)).is_none());
        drop(staged);
        for shard in 0..=u8::MAX {
            assert!(blobs.list(shard).unwrap().is_empty());
        }
    });
}

#[test]
fn names_are_listed_by_their_last_byte_and_go_when_deleted() {
    both(|blobs, _| {
        for (first, last) in [(1, 7), (2, 7), (3, 8)] {
            publish(blobs, &name(first, last), &[b"x"]);
        }
        let mut listed = blobs.list(7).unwrap();
        listed.sort_unstable();
        assert_eq!(listed, [name(1, 7), name(2, 7)]);
        assert!(blobs.delete(&name(1, 7)).unwrap());
        assert!(!blobs.delete(&name(1, 7)).unwrap());
        assert_eq!(blobs.list(7).unwrap(), [name(2, 7)]);
        assert!(blobs.list(9).unwrap().is_empty());
    });
}

#[test]
fn a_blob_that_is_held_outlives_its_deletion() {
    both(|blobs, _| {
        publish(blobs, &name(1, 1), &[b"abc"]);
        let held = blobs.open(&name(1, 1)).unwrap().unwrap();
        assert!(blobs.delete(&name(1, 1)).unwrap());
        assert_eq!(bytes(held.as_ref(), 0, 3).unwrap(), b"abc");
        assert!(whole(blobs, &name(1, 1)).is_none());
    });
}

#[test]
fn saved_blobs_are_loaded_by_either_engine() {
    both(|blobs, dir| {
        for last in [0, 1, 255] {
            publish(blobs, &name(1, last), &[&[last; 3]]);
        }
        blobs.save(dir).unwrap();
        assert!(blobs.delete(&name(1, 0)).unwrap(), "the copy is its own");
        let memory = MemoryBlobs::default();
        memory.load(dir).unwrap();
        let disk = DiskBlobs::open(&dir.join("again")).unwrap();
        disk.load(dir).unwrap();
        let opened = DiskBlobs::open(dir).unwrap();
        for loaded in [&memory as &dyn Blobs, &disk, &opened] {
            for last in [0, 1, 255] {
                assert_eq!(whole(loaded, &name(1, last)).unwrap(), [last; 3]);
            }
        }
    });
}

#[test]
fn many_writers_publish_at_once() {
    both(|blobs, _| {
        std::thread::scope(|scope| {
            for writer in 0..8_u8 {
                scope.spawn(move || {
                    for number in 0..20 {
                        publish(blobs, &name(writer, number), &[&[writer, number]]);
                    }
                });
            }
        });
        for writer in 0..8 {
            for number in 0..20 {
                assert_eq!(whole(blobs, &name(writer, number)).unwrap(), [writer, number]);
            }
        }
    });
}

/// A process that dies leaves its staged files behind; nothing else may stand or fall with the next start.
#[test]
fn leftovers_of_staging_are_removed_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = DiskBlobs::open(dir.path()).unwrap();
    publish(&blobs, &name(1, 1), &[b"kept"]);
    let mut staged = blobs.stage(&name(1, 1)).unwrap();
    staged.append(b"lost").unwrap();
    std::mem::forget(staged);
    let staging = dir.path().join("blobs/staging");
    assert_eq!(std::fs::read_dir(&staging).unwrap().count(), 1);
    let again = DiskBlobs::open(dir.path()).unwrap();
    assert_eq!(std::fs::read_dir(&staging).unwrap().count(), 0);
    assert_eq!(whole(&again, &name(1, 1)).unwrap(), b"kept");
}

/// A disk that refuses: the failed blob is not there, and the next one works.
#[test]
fn a_blob_that_cannot_be_published_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = DiskBlobs::open(dir.path()).unwrap();
    let shard = dir.path().join("blobs/01");
    std::fs::write(&shard, b"in the way").unwrap();
    let mut staged = blobs.stage(&name(1, 1)).unwrap();
    staged.append(b"abc").unwrap();
    assert!(staged.publish().is_err());
    std::fs::remove_file(&shard).unwrap();
    assert!(whole(&blobs, &name(1, 1)).is_none());
    publish(&blobs, &name(1, 1), &[b"abc"]);
    assert_eq!(whole(&blobs, &name(1, 1)).unwrap(), b"abc");
}

#[cfg(unix)]
#[test]
fn only_their_owner_may_read_blobs() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let blobs = DiskBlobs::open(dir.path()).unwrap();
    publish(&blobs, &name(1, 1), &[b"abc"]);
    let mode = |path: &str| {
        std::fs::metadata(dir.path().join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode("blobs"), 0o700);
    assert_eq!(mode("blobs/01/015a5a5a5a5a5a5a5a5a5a5a5a5a5a01"), 0o600);
}

#[test]
fn a_store_has_its_blobs_beside_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let open = || crate::Store::open(dir.path(), Box::new(crate::Plain)).unwrap();
    let store = open();
    publish(store.blobs().as_ref(), &name(1, 1), &[b"abc"]);
    drop(store);
    let blobs: Arc<dyn Blobs> = open().blobs();
    assert_eq!(whole(blobs.as_ref(), &name(1, 1)).unwrap(), b"abc");
}

/// Names of the files aside.
fn aside(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("blobs/staging")).unwrap().count()
}

#[cfg(unix)]
#[test]
fn a_deleted_file_is_written_over_and_nothing_of_it_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = DiskBlobs::open(dir.path()).unwrap();
    let (old, new) = (vec![1; 3 << 20], vec![2; 2 << 20]);
    publish(&blobs, &name(1, 1), &[&old]);
    assert!(blobs.delete(&name(1, 1)).unwrap());
    assert!(!blobs.delete(&name(1, 1)).unwrap());
    assert!(whole(&blobs, &name(1, 1)).is_none());
    assert_eq!(aside(dir.path()), 1, "it waits for the next");
    publish(&blobs, &name(2, 2), &[&new, b"end"]);
    assert_eq!(aside(dir.path()), 0, "it is taken");
    assert_eq!(whole(&blobs, &name(2, 2)).unwrap(), [&new[..], b"end"].concat());
    assert!(blobs.delete(&name(2, 2)).unwrap());
    publish(&blobs, &name(3, 3), &[&old]);
    assert_eq!(
        whole(&blobs, &name(3, 3)).unwrap(),
        old,
        "longer than what was there"
    );
    assert!(blobs.delete(&name(3, 3)).unwrap());
    drop(blobs);
    let _again = DiskBlobs::open(dir.path()).unwrap();
    assert_eq!(aside(dir.path()), 0, "a start gives the room back");
}

/// A file that is read, or that a copy of the folder shares, is never written over.
#[cfg(unix)]
#[test]
fn what_is_held_or_copied_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = DiskBlobs::open(&dir.path().join("own")).unwrap();
    let (old, new) = (vec![1; 1 << 20], vec![2; 1 << 20]);
    publish(&blobs, &name(1, 1), &[&old]);
    publish(&blobs, &name(1, 2), &[&old]);
    let held = blobs.open(&name(1, 1)).unwrap().unwrap();
    assert!(blobs.delete(&name(1, 1)).unwrap());
    // Saving makes hard links.
    blobs.save(&dir.path().join("copy")).unwrap();
    assert!(blobs.delete(&name(1, 2)).unwrap());
    for last in 3..6 {
        publish(&blobs, &name(1, last), &[&new]);
    }
    assert_eq!(bytes(held.as_ref(), 0, 1 << 20).unwrap(), old);
    let copy = DiskBlobs::open(&dir.path().join("copy")).unwrap();
    assert_eq!(whole(&copy, &name(1, 2)).unwrap(), old);
    drop(held);
    // A second name that was made after the deletion.
    assert!(blobs.delete(&name(1, 3)).unwrap());
    let staging = dir.path().join("own/blobs/staging");
    let spare = std::fs::read_dir(&staging)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::hard_link(&spare, dir.path().join("linked")).unwrap();
    publish(&blobs, &name(1, 7), &[&old]);
    assert_eq!(std::fs::read(dir.path().join("linked")).unwrap(), new);
}

#[cfg(unix)]
#[test]
fn spare_files_take_bounded_room() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = DiskBlobs::open(dir.path()).unwrap();
    for last in 0..7 {
        publish(&blobs, &name(1, last), &[b"x"]);
        let shard = dir.path().join(format!("blobs/{last:02x}"));
        let file = std::fs::read_dir(shard).unwrap().next().unwrap().unwrap().path();
        let file = std::fs::File::options().write(true).open(file).unwrap();
        file.set_len(40 << 20).unwrap();
    }
    for last in 0..7 {
        assert!(blobs.delete(&name(1, last)).unwrap());
    }
    assert_eq!(aside(dir.path()), 6, "240 of 280 MiB");
}
