//! Blobs elsewhere, over the library's store in memory. Real servers are the judges' business.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use store::Store;
use store::blobs::{BlobName, Blobs};

use super::blobs::RemoteBlobs;
use super::place::{ContentsError, ContentsPlace};

fn open(objects: &Arc<InMemory>, owner: &str) -> Result<RemoteBlobs, ContentsError> {
    let objects: Arc<dyn ObjectStore> = Arc::clone(objects) as Arc<dyn ObjectStore>;
    RemoteBlobs::over(objects, Path::from("a/prefix"), owner)
}

fn publish(blobs: &dyn Blobs, name: &BlobName, pieces: &[&[u8]]) {
    let mut staged = blobs.stage(name).unwrap();
    for piece in pieces {
        staged.append(piece).unwrap();
    }
    staged.publish().unwrap();
}

fn whole(blobs: &dyn Blobs, name: &BlobName) -> Option<Vec<u8>> {
    let blob = blobs.open(name).unwrap()?;
    let mut bytes = vec![0; usize::try_from(blob.size()).unwrap()];
    blob.read_at(0, &mut bytes).unwrap();
    Some(bytes)
}

#[test]
fn blobs_are_published_read_listed_and_deleted() {
    let objects = Arc::new(InMemory::new());
    let blobs = open(&objects, "me").unwrap();
    let (small, large) = ([7; 16], [8; 16]);
    publish(&blobs, &small, &[b"abc", b"", b"def"]);
    // Two parts and a bit, in pieces that do not fit them.
    let text: Vec<u8> = (0..20_u32 << 20).map(|at| (at % 251) as u8).collect();
    let pieces: Vec<&[u8]> = text.chunks(3_000_001).collect();
    publish(&blobs, &large, &pieces);
    assert_eq!(whole(&blobs, &small).unwrap(), b"abcdef");
    assert!(whole(&blobs, &large).unwrap() == text);
    let blob = blobs.open(&large).unwrap().unwrap();
    let mut some = [0; 5];
    blob.read_at(9_000_000, &mut some).unwrap();
    assert_eq!(some, text[9_000_000..9_000_005]);
    assert!(
        blob.read_at(blob.size() - 4, &mut some).is_err(),
        "behind the end"
    );
    assert_eq!(blobs.list(7).unwrap(), [small]);
    assert!(blobs.list(9).unwrap().is_empty());
    assert!(blobs.delete(&small).unwrap());
    assert!(whole(&blobs, &small).is_none());
}

#[test]
fn what_is_not_published_is_not_there() {
    let objects = Arc::new(InMemory::new());
    let blobs = open(&objects, "me").unwrap();
    let mut staged = blobs.stage(&[7; 16]).unwrap();
    staged.append(&vec![1; 9 << 20]).unwrap();
    assert!(blobs.list(7).unwrap().is_empty());
    drop(staged);
    assert!(whole(&blobs, &[7; 16]).is_none());
}

#[test]
fn a_prefix_has_one_owner() {
    let objects = Arc::new(InMemory::new());
    drop(open(&objects, "me").unwrap());
    drop(open(&objects, "me").unwrap());
    assert!(matches!(open(&objects, "you"), Err(ContentsError::Foreign)));
}

#[test]
fn saved_blobs_are_files_and_files_are_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Arc::new(InMemory::new());
    let blobs = open(&objects, "me").unwrap();
    publish(&blobs, &[7; 16], &[b"abc"]);
    blobs.save(dir.path()).unwrap();
    let local = Store::disk_blobs(dir.path()).unwrap();
    assert_eq!(whole(local.as_ref(), &[7; 16]).unwrap(), b"abc");
    let other = open(&Arc::new(InMemory::new()), "you").unwrap();
    other.load(dir.path()).unwrap();
    assert_eq!(whole(&other, &[7; 16]).unwrap(), b"abc");
}

/// It may be used, and dropped, on the threads of any runtime.
#[tokio::test]
async fn it_may_be_used_within_a_runtime() {
    let blobs = open(&Arc::new(InMemory::new()), "me").unwrap();
    publish(&blobs, &[7; 16], &[b"abc"]);
    assert_eq!(whole(&blobs, &[7; 16]).unwrap(), b"abc");
}

#[test]
fn a_place_is_checked_and_never_quotes_its_secret() {
    let good = r#"{"bucket": "b", "prefix": "p/q", "endpoint": "https://s.example", "access_key_id": "A", "secret_access_key": "hidden"}"#;
    let place = ContentsPlace::parse(good.as_bytes()).unwrap();
    assert_eq!(place.name(), "https://s.example/b/p/q");
    assert!(!format!("{place:?}").contains("hidden"));
    for (from, to) in [
        ("https://s.example", "http://s.example"),
        ("https://s.example", "ftp://s.example"),
        ("p/q", "/p"),
        ("p/q", "p//q"),
        (r#""b""#, r#""""#),
        (r#""b""#, "7"),
        ("\"bucket\"", "\"bukket\""),
    ] {
        let error = ContentsPlace::parse(good.replace(from, to).as_bytes()).unwrap_err();
        assert!(!error.to_string().contains("hidden"), "{error}");
    }
    assert!(ContentsPlace::parse(good.replace("https://s.example", "http://127.0.0.1:9").as_bytes()).is_ok());
}
