//! Random operations on a bucket, held against a naive model of it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::client::Here;

#[derive(Clone, Debug)]
enum Step {
    Put(String, u8),
    Delete(String),
    /// Removes the version at this place of the key's history, if there is one.
    DeleteVersion(String, usize),
    Copy(String, String),
}

/// A key's history, newest first; `None` is a delete marker.
type History = Vec<(String, Option<Vec<u8>>)>;

#[derive(Default)]
struct Model(BTreeMap<String, History>);

impl Model {
    fn current(&self, key: &str) -> Option<&Vec<u8>> {
        self.0.get(key)?.first()?.1.as_ref()
    }

    fn write(&mut self, key: &str, id: String, bytes: Option<Vec<u8>>) {
        self.0.entry(key.to_owned()).or_default().insert(0, (id, bytes));
    }
}

fn key() -> impl Strategy<Value = String> {
    "[abc](/[ab])?"
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (key(), any::<u8>()).prop_map(|(key, seed)| Step::Put(key, seed)),
        2 => key().prop_map(Step::Delete),
        2 => (key(), 0..4_usize).prop_map(|(key, at)| Step::DeleteVersion(key, at)),
        1 => (key(), key()).prop_map(|(from, to)| Step::Copy(from, to)),
    ]
}

fn apply(here: &Here, model: &mut Model, step: &Step) {
    let id = |reply: &crate::client::Reply| reply.header("x-amz-version-id").unwrap_or_default().to_owned();
    match step {
        Step::Put(key, seed) => {
            let bytes = vec![*seed; usize::from(*seed)];
            let put = here.put(&format!("/bucket/{key}"), "", &bytes).expect(200);
            model.write(key, id(&put), Some(bytes));
        }
        Step::Delete(key) => {
            let gone = here.delete(&format!("/bucket/{key}"), "").expect(204);
            model.write(key, id(&gone), None);
        }
        Step::DeleteVersion(key, at) => {
            let Some(history) = model.0.get_mut(key).filter(|history| history.len() > *at) else {
                return;
            };
            let (id, _) = history.remove(*at);
            here.delete(&format!("/bucket/{key}"), &format!("versionId={id}"))
                .expect(204);
        }
        Step::Copy(from, to) => {
            let source = format!("bucket/{from}");
            let headers = [
                ("x-amz-copy-source", source.as_str()),
                ("x-amz-metadata-directive", "REPLACE"),
            ];
            let copy = here.send("PUT", &format!("/bucket/{to}"), "", &headers, b"");
            match model.current(from).cloned() {
                None => assert_eq!(copy.status, 404),
                Some(bytes) => {
                    assert_eq!(copy.status, 200, "{}", copy.text());
                    model.write(to, id(&copy), Some(bytes));
                }
            }
        }
    }
}

fn agree(here: &Here, model: &Model) {
    let expected: Vec<String> = model
        .0
        .keys()
        .filter(|key| model.current(key).is_some())
        .cloned()
        .collect();
    assert_eq!(
        here.get("/bucket", "list-type=2").expect(200).all("Key"),
        expected
    );
    let all: Vec<String> = model.0.values().flatten().map(|(id, _)| id.clone()).collect();
    let mut listed = here.get("/bucket", "versions").expect(200).all("VersionId");
    let mut sorted = all;
    listed.sort();
    sorted.sort();
    assert_eq!(listed, sorted);
    for (key, history) in &model.0 {
        let got = here.get(&format!("/bucket/{key}"), "");
        match model.current(key) {
            Some(bytes) => assert!(got.expect(200).bytes() == bytes),
            None => assert_eq!(got.status, 404),
        }
        for (id, bytes) in history {
            let got = here.get(&format!("/bucket/{key}"), &format!("versionId={id}"));
            match bytes {
                Some(bytes) => assert!(got.expect(200).bytes() == bytes),
                None => assert_eq!(got.status, 405),
            }
        }
    }
}

/// Puts, copies and deletions of objects and versions, in any order, leave what a plain list of each key's history would.
#[test]
fn random_operations_agree_with_a_naive_model() {
    let config = Config {
        cases: 12,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    runner
        .run(&prop::collection::vec(step(), 1..25), |steps| {
            let (here, mut model) = (Here::versioned(), Model::default());
            for step in &steps {
                apply(&here, &mut model, step);
            }
            agree(&here, &model);
            Ok(())
        })
        .unwrap();
}
