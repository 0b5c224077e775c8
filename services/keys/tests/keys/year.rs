//! A year of the clock: whatever keys, materials, parameters and secrets have planned comes in order, at its time, exactly once, in
//! one step or in many.

use std::collections::BTreeMap;

use pipeline::ledger::record::EventKind;
use pipeline::testing::{ACCOUNT, BEGINNING, REGION};
use serde_json::{Value, json};
use wire::Timestamp;

use crate::cloud::{Here, arn};
use crate::kms::import::{external, request};

const DAY: i64 = 86_400_000;
const YEAR: i64 = 366 * DAY;

/// What happened: milliseconds since the beginning, the event, and the thing by the name that the test gave it.
type History = Vec<(i64, String, String)>;

struct Year {
    here: Here,
    names: BTreeMap<String, String>,
    /// Milliseconds since the beginning.
    now: i64,
    expected: History,
}

impl Year {
    /// One of everything that time changes, each made a little after the other, so that no two fall due together.
    fn begin() -> Self {
        let mut year = Self {
            here: Here::new(),
            names: BTreeMap::new(),
            now: 0,
            expected: Vec::new(),
        };
        for days in [90, 97, 120, 365] {
            year.rotating(days);
        }
        year.disabled_for_a_while();
        year.expiring(45);
        year.doomed(7);
        year.doomed(30);
        year.parameter("/short", 200);
        year.parameter("/long", 364);
        year.secret("s7", 7);
        year.secret("s30", 30);
        year.expected.sort();
        year
    }

    fn tick(&mut self) {
        self.here.cloud.advance(1_234_567);
        self.now += 1_234_567;
    }

    fn expect(&mut self, days: i64, event: &str, name: &str) {
        self.expected
            .push((self.now + days * DAY, event.to_owned(), name.to_owned()));
    }

    fn key(&mut self, name: &str) -> String {
        self.tick();
        let key = self.here.key();
        self.names.insert(key.clone(), name.to_owned());
        key
    }

    fn rotating(&mut self, days: i64) {
        let name = format!("every {days} days");
        let key = self.key(&name);
        self.here.ok(
            "EnableKeyRotation",
            json!({ "KeyId": key, "RotationPeriodInDays": days }),
        );
        let mut at = days;
        while self.now + at * DAY < YEAR {
            self.expect(at, "RotateKey", &name);
            at += days;
        }
    }

    /// S8.51: a disabled key does not rotate.
    fn disabled_for_a_while(&mut self) {
        let key = self.key("disabled");
        self.here.ok(
            "EnableKeyRotation",
            json!({ "KeyId": key, "RotationPeriodInDays": 100 }),
        );
        self.here.ok("DisableKey", json!({ "KeyId": key }));
    }

    fn expiring(&mut self, days: i64) {
        self.tick();
        let key = external(&self.here, json!({}));
        self.names.insert(key.clone(), "imported".to_owned());
        let at = (BEGINNING + self.now + days * DAY) / 1000;
        let more = json!({ "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": at as f64 });
        self.here.ok(
            "ImportKeyMaterial",
            request(&self.here, REGION, &key, &[7; 32], more),
        );
        let due = at * 1000 - BEGINNING;
        self.expected
            .push((due, "DeleteExpiredKeyMaterial".to_owned(), "imported".to_owned()));
    }

    fn doomed(&mut self, days: i64) {
        let name = format!("doomed {days}");
        let key = self.key(&name);
        self.here.ok(
            "ScheduleKeyDeletion",
            json!({ "KeyId": key, "PendingWindowInDays": days }),
        );
        self.expect(days, "DeleteKey", &name);
    }

    fn parameter(&mut self, name: &str, days: i64) {
        self.tick();
        // Policies count in seconds.
        let at = (BEGINNING + self.now + days * DAY) / 1000 * 1000;
        let policies = json!([
            { "Type": "Expiration", "Version": "1.0", "Attributes": { "Timestamp": Timestamp(at).iso8601() } },
            { "Type": "ExpirationNotification", "Version": "1.0", "Attributes": { "Before": "15", "Unit": "Days" } },
            { "Type": "NoChangeNotification", "Version": "1.0", "Attributes": { "After": "60", "Unit": "Days" } },
        ]);
        let input = json!({ "Name": name, "Value": "v", "Type": "SecureString", "Tier": "Advanced", "Policies": policies.to_string(),
            "KeyId": self.here.key() });
        self.here
            .cloud
            .call(&self.here.root(), "ssm", "PutParameter", input)
            .unwrap();
        self.names.insert(
            format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}"),
            name.to_owned(),
        );
        self.expect(60, "NoChangeNotification", name);
        for (before, event) in [(15, "ExpirationNotification"), (0, "Expiration")] {
            let due = at - BEGINNING - before * DAY;
            self.expected.push((due, event.to_owned(), name.to_owned()));
        }
    }

    fn secret(&mut self, name: &str, days: i64) {
        self.tick();
        let key = self.here.key();
        let input = json!({ "Name": name, "SecretString": "v", "KmsKeyId": key, "ClientRequestToken": format!("{name:0>32}") });
        let call = |operation: &str, input: Value| {
            let root = self.here.root();
            self.here
                .cloud
                .call(&root, "secretsmanager", operation, input)
                .unwrap()
        };
        let made = call("CreateSecret", input)["ARN"].as_str().unwrap().to_owned();
        call(
            "DeleteSecret",
            json!({ "SecretId": name, "RecoveryWindowInDays": days }),
        );
        self.names.insert(made, name.to_owned());
        self.expect(days, "EndSecretVersionDelete", name);
    }

    /// What services did by themselves, as the ledger has it, oldest first.
    fn history(&self) -> History {
        let records = self.here.cloud.records(ACCOUNT, REGION);
        let of_services = records
            .iter()
            .filter(|record| record.kind != EventKind::AwsApiCall);
        of_services
            .map(|record| {
                let name = record
                    .resources
                    .iter()
                    .find_map(|resource| self.names.get(&resource.arn));
                let name = name
                    .cloned()
                    .unwrap_or_else(|| format!("{:?}", record.resources.first().map(|r| &r.arn)));
                (record.time - BEGINNING, record.operation.clone(), name)
            })
            .collect()
    }

    /// Lets the clock run to the end of the year by these steps in turn.
    fn run(mut self, steps: &[i64]) -> (History, Self) {
        for step in steps.iter().cycle() {
            let step = (*step).min(YEAR - self.now);
            self.here.cloud.advance(step);
            self.now += step;
            if self.now == YEAR {
                break;
            }
        }
        (self.history(), self)
    }
}

/// S8.47, S8.51, S8.65, S10.7: a year in one step, day by day, and in odd steps.
#[test]
fn a_year_has_one_history_however_it_passes() {
    for steps in [
        &[YEAR][..],
        &[DAY],
        &[1, 7 * DAY + 13, 3_600_001, 31 * DAY],
        &[11 * DAY - 7],
    ] {
        let year = Year::begin();
        let expected = year.expected.clone();
        let (history, year) = year.run(steps);
        assert!(
            history.is_sorted_by_key(|(at, ..)| *at),
            "out of order in steps of {steps:?}"
        );
        let mut sorted = history.clone();
        sorted.sort();
        assert_eq!(sorted, expected, "in steps of {steps:?}");
        // Nothing is left of what is over, and nothing happens twice.
        year.here.cloud.advance(0);
        assert_eq!(year.history().len(), expected.len());
    }
}

/// S8.51: the rotation that a disabled key missed comes when it is enabled, once.
#[test]
fn what_a_disabled_key_missed_comes_once() {
    let here = Here::new();
    let key = arn(&here.ok("CreateKey", json!({})));
    here.ok(
        "EnableKeyRotation",
        json!({ "KeyId": key, "RotationPeriodInDays": 90 }),
    );
    here.ok("DisableKey", json!({ "KeyId": key }));
    here.cloud.advance(400 * DAY);
    let rotations = |here: &Here| {
        let listed = here.ok("ListKeyRotations", json!({ "KeyId": key }));
        listed["Rotations"].as_array().unwrap().len()
    };
    assert_eq!(rotations(&here), 0);
    here.ok("EnableKey", json!({ "KeyId": key }));
    here.cloud.advance(0);
    assert_eq!(rotations(&here), 1);
    here.cloud.advance(90 * DAY - 1);
    assert_eq!(rotations(&here), 1);
    here.cloud.advance(1);
    assert_eq!(rotations(&here), 2);
}
