//! Contents through the whole way of a request: what is put comes back, what is refused or breaks off leaves nothing.

mod chunked;
mod crash;
mod held;
mod lost;
mod rig;
mod snapshots;
mod sweep;

use http::Method;
use proptest::prelude::*;
use store::Store;

use super::intake::ROW_BYTES_MAX;
use crate::front::Interrupted;
use crate::testing::Cloud;
use rig::{Ask, Signed, cloud, files, last, over, rows, stored, text};

fn get(cloud: &Cloud, key: &str) -> rig::Said {
    Ask::new(Method::GET, key).whole(cloud)
}

fn put(cloud: &Cloud, key: &str, body: &[u8]) {
    let said = Ask::put(key, body).stream(cloud, 10_000);
    assert_eq!(said.status, 200, "{}", String::from_utf8_lossy(&said.body));
}

fn blobs(cloud: &Cloud) -> std::sync::Arc<dyn store::blobs::Blobs> {
    cloud.gateway.store().blobs()
}

const LARGE: usize = 1_500_000;

#[test]
fn small_contents_lie_in_rows_and_large_ones_in_files() {
    let cloud = cloud();
    let row = usize::try_from(ROW_BYTES_MAX).unwrap();
    for (size, in_file) in [(0, 0), (1, 0), (row, 0), (row + 1, 1), (LARGE, 1)] {
        for streamed in [false, true] {
            let ask = Ask::put("a", text(size));
            let said = if streamed {
                ask.stream(&cloud, 7000)
            } else {
                ask.whole(&cloud)
            };
            assert_eq!(said.status, 200);
            assert_eq!(
                (files(&blobs(&cloud)), rows(&cloud)),
                (in_file, (in_file, 1 - in_file)),
                "{size}"
            );
            let got = get(&cloud, "a");
            assert_eq!(got.status, 200);
            assert!(
                got.body == text(size) && got.streamed == (size > 256 << 10),
                "{size}"
            );
        }
    }
    assert_eq!(Ask::new(Method::DELETE, "a").whole(&cloud).status, 204);
    assert_eq!((files(&blobs(&cloud)), rows(&cloud)), (0, (0, 0)));
}

#[test]
fn ranges_over_contents_of_every_kind_come_back() {
    let cloud = cloud();
    let mut all = Vec::new();
    // Large in two layers, small, large, empty.
    for (size, class) in [(400_000, "DSSE"), (100, "MORE"), (300_000, "MORE"), (0, "MORE")] {
        let said = Ask::put("a", text(size))
            .with("x-amz-website-redirect-location", class)
            .stream(&cloud, 65_536);
        assert_eq!(said.status, 200);
        all.extend(text(size));
    }
    assert!(get(&cloud, "a").body == all);
    for (first, last) in [
        (0, 0),
        (399_999, 400_100),
        (65_535, 65_536),
        (131_072, 700_099),
        (700_099, 700_099),
        (0, 700_099),
    ] {
        let range = format!("bytes={first}-{last}");
        let said = Ask::new(Method::GET, "a").with("range", range).whole(&cloud);
        assert!(said.body == all[first..=last], "{first} {last}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_range_of_any_segments_comes_back(sizes in prop::collection::vec(0..150_000_usize, 1..4), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let cloud = cloud();
        let mut all = Vec::new();
        for size in sizes {
            Ask::put("a", text(size)).with("x-amz-website-redirect-location", "MORE").whole(&cloud);
            all.extend(text(size));
        }
        prop_assume!(!all.is_empty());
        let (from, to) = (from.index(all.len()), to.index(all.len()));
        let (first, last) = (from.min(to), from.max(to));
        let range = format!("bytes={first}-{last}");
        let said = Ask::new(Method::GET, "a").with("range", range).whole(&cloud);
        prop_assert!(said.body == all[first..=last]);
    }
}

#[test]
fn nothing_is_asked_of_a_client_that_is_refused() {
    let cloud = cloud();
    let mut ask = Ask::put("a", text(LARGE));
    ask.access_key_id = "AKIDNOBODY";
    let (said, asked) = ask.pieces(&cloud, 10_000, None);
    assert_eq!(
        (said.status, said.code().as_str(), asked),
        (403, "AccessDenied", 0)
    );
    let (said, asked) = Ask::put("a", text(LARGE))
        .with("content-length", "9999999999")
        .pieces(&cloud, 10_000, None);
    assert_eq!(
        (said.status, said.code().as_str(), asked),
        (400, "EntityTooLarge", 0)
    );
    assert_eq!(last(&cloud).error.unwrap().code, "EntityTooLarge");
    assert_eq!((files(&blobs(&cloud)), rows(&cloud)), (0, (0, 0)));
}

#[test]
fn a_body_without_end_is_refused_once_it_is_too_large() {
    let cloud = cloud();
    let body = text(usize::try_from(rig::BYTES_MAX).unwrap() + 1);
    let said = Ask::put("a", body.clone()).stream(&cloud, 65_536);
    assert_eq!((said.status, said.code().as_str()), (400, "EntityTooLarge"));
    assert_eq!(files(&blobs(&cloud)), 0);
    let fits = &body[..body.len() - 1];
    put(&cloud, "a", fits);
    assert!(get(&cloud, "a").body == fits);
}

/// The operation had been admitted, so the trail tells of it; nothing else is left.
#[test]
fn a_client_that_breaks_off_leaves_a_record_and_nothing_else() {
    let cloud = cloud();
    put(&cloud, "a", &text(LARGE));
    for (interrupted, code) in [
        (Interrupted::Broken, "IncompleteBody"),
        (Interrupted::TooSlow, "RequestTimeout"),
    ] {
        for after in [0, 1, 120] {
            let (said, _) = Ask::put("a", text(LARGE)).pieces(&cloud, 10_000, Some((after, interrupted)));
            assert_eq!((said.status, said.code().as_str()), (400, code));
            let record = last(&cloud);
            assert_eq!(
                (record.operation.as_str(), record.error.unwrap().code.as_str()),
                ("PutObject", code)
            );
            assert!(!record.judgements.is_empty(), "it was admitted");
        }
    }
    assert_eq!((files(&blobs(&cloud)), rows(&cloud)), (1, (1, 0)));
    assert!(
        get(&cloud, "a").body == text(LARGE),
        "the object before is untouched"
    );
}

#[test]
fn a_body_that_is_shorter_or_longer_than_said_is_refused() {
    let cloud = cloud();
    for said in [LARGE - 1, LARGE + 1] {
        let said = Ask::put("a", text(LARGE))
            .with("content-length", said.to_string())
            .stream(&cloud, 10_000);
        assert_eq!((said.status, said.code().as_str()), (400, "IncompleteBody"));
    }
    assert_eq!(files(&blobs(&cloud)), 0);
}

#[test]
fn another_payload_than_the_signed_one_is_refused_before_it_counts() {
    let cloud = cloud();
    let mut ask = Ask::put("a", text(LARGE));
    let other = text(LARGE - 1);
    ask.signed = Signed::As(&other);
    let said = ask.stream(&cloud, 10_000);
    assert_eq!(
        (said.status, said.code().as_str()),
        (400, "XAmzContentSHA256Mismatch")
    );
    assert_eq!(files(&blobs(&cloud)), 0);
    let mut ask = Ask::put("a", text(LARGE));
    ask.signed = Signed::Said("UNSIGNED-PAYLOAD");
    assert_eq!(ask.stream(&cloud, 10_000).status, 200);
}

/// The operation changed its mind after the body came: its file goes, though it was durable.
#[test]
fn what_is_not_kept_goes() {
    let cloud = cloud();
    for size in [100, LARGE] {
        let said = Ask::put("a", text(size))
            .with("x-amz-website-redirect-location", "SHY")
            .stream(&cloud, 10_000);
        assert_eq!((said.status, said.code().as_str()), (400, "InvalidRequest"));
    }
    // The file is deleted beside the call.
    cloud.settle();
    assert_eq!((files(&blobs(&cloud)), rows(&cloud)), (0, (0, 0)));
}

#[test]
fn copies_are_sealed_anew() {
    let cloud = cloud();
    for size in [100, LARGE] {
        put(&cloud, "a", &text(size));
        let copy = Ask::new(Method::PUT, "b").with("x-amz-copy-source", "bucket/a");
        assert_eq!(copy.whole(&cloud).status, 200);
        let (from, to) = (stored(&cloud, "a").unwrap(), stored(&cloud, "b").unwrap());
        assert!(from.segments[0].id() != to.segments[0].id() && from.keys != to.keys);
        assert_eq!(Ask::new(Method::DELETE, "a").whole(&cloud).status, 204);
        assert!(get(&cloud, "b").body == text(size));
    }
    assert_eq!((files(&blobs(&cloud)), rows(&cloud)), (1, (1, 0)));
}

#[test]
fn shared_contents_go_with_the_last_that_names_them() {
    for (size, kept) in [(100, (0, 1)), (LARGE, (1, 0))] {
        let cloud = cloud();
        put(&cloud, "a", &text(size));
        rig::share(&cloud, "a", &["b", "c"]);
        let delete = |key| {
            assert_eq!(Ask::new(Method::DELETE, key).whole(&cloud).status, 204);
            cloud.settle();
        };
        for key in ["b", "a"] {
            delete(key);
            assert_eq!((files(&blobs(&cloud)), rows(&cloud)), (kept.0, kept));
            assert!(get(&cloud, "c").body == text(size));
        }
        delete("c");
        assert_eq!((files(&blobs(&cloud)), rows(&cloud)), (0, (0, 0)));
    }
}

#[test]
fn an_answer_outlives_the_object() {
    let cloud = cloud();
    put(&cloud, "a", &text(LARGE));
    let answer = cloud.serve(Ask::new(Method::GET, "a").request());
    assert_eq!(Ask::new(Method::DELETE, "a").whole(&cloud).status, 204);
    assert_eq!(
        (files(&blobs(&cloud)), rows(&cloud)),
        (1, (0, 0)),
        "it is being read"
    );
    assert!(rig::said(&cloud, answer).body == text(LARGE));
    cloud.settle();
    assert_eq!(files(&blobs(&cloud)), 0);
    assert_eq!(get(&cloud, "a").code(), "NoSuchKey");
}

/// Damage at the beginning is a fault; damage behind it breaks the connection off, so that nobody takes the part for the whole.
#[test]
fn damage_is_found_wherever_it_is() {
    for (at, broken) in [(10, false), (70_000, true), (LARGE, true)] {
        let dir = tempfile::tempdir().unwrap();
        let cloud = over(Store::open(dir.path(), rig::chain()).unwrap());
        put(&cloud, "a", &text(LARGE));
        let id = stored(&cloud, "a").unwrap().segments[0].id().text();
        let path = dir.path().join(format!("blobs/{}/{id}", id.get(30..).unwrap()));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let said = get(&cloud, "a");
        assert_eq!(
            (said.status, said.broken),
            (if broken { 200 } else { 500 }, broken),
            "{at}"
        );
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(get(&cloud, "a").status, 500, "a byte is missing");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(get(&cloud, "a").status, 500, "all of it is missing");
    }
}

#[test]
fn no_byte_rests_in_clear() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = over(Store::open(dir.path(), rig::chain()).unwrap());
    let (small, large) = (
        b"a word that nobody else says".repeat(20),
        b"another such word, told often".repeat(20_000),
    );
    put(&cloud, "small", &small);
    put(&cloud, "large", &large);
    drop(cloud);
    let mut files = vec![dir.path().to_owned()];
    let mut seen = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        seen += bytes.len();
        for word in [&small[..28], &large[..29]] {
            assert!(
                !bytes.windows(word.len()).any(|window| window == word),
                "{}",
                path.display()
            );
        }
    }
    assert!(seen > large.len());
}

#[test]
fn a_saved_state_brings_its_contents() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud();
    put(&cloud, "small", &text(100));
    put(&cloud, "large", &text(LARGE));
    std::fs::create_dir(dir.path().join("saved")).unwrap();
    let saved = dir.path().join("saved");
    cloud.gateway.save(&saved.join(store::FILE), &saved).unwrap();
    let again = over(Store::open(&saved, rig::chain()).unwrap());
    assert_eq!(again.gateway.sweep().unwrap(), 0);
    assert!(get(&again, "small").body == text(100) && get(&again, "large").body == text(LARGE));
    let memory = over(Store::memory(rig::chain()));
    memory.gateway.store().load(&saved.join(store::FILE)).unwrap();
    memory.gateway.store().blobs().load(&saved).unwrap();
    assert!(get(&memory, "large").body == text(LARGE));
}
