//! S3's own keys (SSE-S3): a master key of the installation wraps the keys of contents, and every year a new generation takes its place
//! (S21.9). What older generations wrapped stays under them and stays readable; the record of each content names its generation.
//!
//! Generation 0 is the installation's seal itself, under which contents were wrapped before there were generations.
//!
//! Invariant: a generation is never removed, and no master key is kept in clear: each is under the seal, bound to its number.

use std::sync::{Arc, OnceLock};

use crypto::Secret;
use pipeline::jobs::JobKind;
use pipeline::{Call, Look, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::Octets;

/// What the seal binds master keys to, beside their number.
const DOMAIN: &str = "s3.master-keys";
const KEY_BYTES: usize = 32;
/// How long a generation wraps what is new, in milliseconds. AWS promises no number.
const YEAR: i64 = 365 * 24 * 60 * 60 * 1000;
const NAME: &str = "s3.RotateMasterKey";
/// Where the rotation is planned; the installation has one.
const REGION: &str = "us-east-1";
/// The one row.
const ROW: &str = "s3";

/// The yearly rotation. CloudTrail tells nothing of it: the key is S3's own.
pub const JOB: JobKind = JobKind {
    name: NAME,
    service: "s3",
    event: "",
    run: |call, _| rotate(call).map(drop),
};

/// One generation.
#[derive(Clone, Serialize, Deserialize)]
struct Generation {
    number: u32,
    /// Milliseconds since the epoch.
    created: i64,
    /// The key under the installation's seal.
    sealed: Octets,
    #[serde(skip)]
    opened: OnceLock<Secret>,
}

/// All generations, the newest last.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Masters(Vec<Generation>);

store::record!(Masters, 1);

/// The generations of the installation, under one name.
static MASTERS: Table<String, Masters> = Table::new(0x03a8, "s3.master-keys");

/// The generations that there are, for reads; none if nothing was ever wrapped under one.
pub(super) fn present(look: &mut Look<'_>) -> Result<Arc<Masters>> {
    Ok(look.get(&MASTERS, ROW)?.unwrap_or_default())
}

/// The same for writes, which make the first one.
pub(super) fn ready(call: &mut Call<'_>) -> Result<Arc<Masters>> {
    let found = present(call)?;
    if found.0.is_empty() {
        rotate(call)
    } else {
        Ok(found)
    }
}

/// Makes a new generation, and plans the next.
fn rotate(call: &mut Call<'_>) -> Result<Arc<Masters>> {
    let mut masters = (*present(call)?).clone();
    let number = masters.0.last().map_or(0, |newest| newest.number) + 1;
    let key = crypto::random::bytes(call.random(), KEY_BYTES).map_err(Fault::internal)?;
    let sealed = call.seal(DOMAIN, &number.to_be_bytes(), key.expose())?;
    masters.0.push(Generation {
        number,
        created: call.now.0,
        sealed: Octets(sealed),
        opened: OnceLock::new(),
    });
    call.put(&MASTERS, ROW, masters.clone())?;
    let (owner, due) = (
        call.management_account().to_owned(),
        Timestamp(call.now.0.saturating_add(YEAR)),
    );
    call.within(&owner, |call| {
        call.schedule_in(REGION, NAME, due, serde_json::Value::Null)
    })?;
    Ok(Arc::new(masters))
}

impl Masters {
    /// The key under which what is new is wrapped, and its number.
    pub(super) fn newest(&self, look: &Look<'_>) -> Result<(u32, &Secret)> {
        let newest = self
            .0
            .last()
            .ok_or_else(|| Fault::internal("S3 has no master key"))?;
        Ok((newest.number, newest.key(look)?))
    }

    /// The key of a generation.
    pub(super) fn key(&self, look: &Look<'_>, number: u32) -> Result<&Secret> {
        let found = self.0.iter().find(|generation| generation.number == number);
        found
            .ok_or_else(|| Fault::internal("a content is under a master key that is not there"))?
            .key(look)
    }
}

impl Generation {
    fn key(&self, look: &Look<'_>) -> Result<&Secret> {
        if let Some(key) = self.opened.get() {
            return Ok(key);
        }
        let key = look.open(DOMAIN, &self.number.to_be_bytes(), &self.sealed.0)?;
        Ok(self.opened.get_or_init(|| key))
    }
}

#[cfg(test)]
mod tests {
    use identity::IdentityDirectory;
    use pipeline::gateway::Tables;
    use pipeline::testing::{ACCOUNT, Cloud, REGION};
    use serde_json::json;

    use super::*;
    use crate::s3;
    use crate::s3::bucket::BUCKETS;
    use crate::s3::encryption::{Applied, Customer, Opener, Place, Wrapped};
    use crate::s3::object::{Body, OBJECTS, Version};

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn cloud() -> Cloud {
        let tables = Tables {
            operations: vec![s3::OPERATIONS],
            jobs: vec![s3::JOBS],
            ..Tables::default()
        };
        let cloud = Cloud::new(Box::new(IdentityDirectory::default()), &tables);
        cloud
            .gateway
            .system("us-east-1", |call| identity::bootstrap(call, ACCOUNT, None))
            .ok()
            .unwrap();
        let place = json!({"LocationConstraint": REGION});
        let input = json!({"Bucket": "bucket", "CreateBucketConfiguration": place});
        cloud.call(&cloud.root(), "s3", "CreateBucket", input).unwrap();
        cloud
    }

    fn put(cloud: &Cloud, key: &str) -> Arc<Version> {
        let input = json!({"Bucket": "bucket", "Key": key});
        cloud.call(&cloud.root(), "s3", "PutObject", input).unwrap();
        row(cloud, key)
    }

    fn row(cloud: &Cloud, key: &str) -> Arc<Version> {
        let row = ("bucket".to_owned(), key.as_bytes().to_vec());
        let found = cloud.gateway.system(REGION, |call| call.get(&OBJECTS, &row));
        found.ok().flatten().unwrap()
    }

    fn wrapped(version: &Version) -> &Wrapped {
        match &version.body {
            Body::One(piece) => &piece.keys,
            _ => panic!("a put makes one piece"),
        }
    }

    /// The content's keys, as a read opens them.
    fn opened(cloud: &Cloud, key: &str, keys: &Wrapped, label: &str) -> pipeline::Result<Vec<Secret>> {
        cloud.gateway.system(REGION, |call| {
            let bucket = call.get(&BUCKETS, "bucket")?.unwrap();
            let opener = Opener::of(call, &Applied::S3, &bucket, key, &Customer::default())?;
            let place = Place {
                bucket: "bucket",
                key,
                label: label.to_owned(),
            };
            opener.unwrap(call, &place, keys)
        })
    }

    /// S21.9: a year later new objects are under another generation, as their rows say, and both are opened.
    #[test]
    fn every_year_a_new_generation_wraps_what_is_new() {
        let cloud = cloud();
        let first = put(&cloud, "first");
        assert_eq!(wrapped(&first).generation, 1);
        cloud.advance(364 * DAY);
        assert_eq!(wrapped(&put(&cloud, "same")).generation, 1);
        cloud.advance(2 * DAY);
        let second = put(&cloud, "second");
        assert_eq!(wrapped(&second).generation, 2);
        cloud.advance(3 * 365 * DAY);
        let last = put(&cloud, "last");
        assert_eq!(wrapped(&last).generation, 5);
        // Nothing was wrapped anew.
        assert_eq!(wrapped(&row(&cloud, "first")).generation, 1);
        for (key, version) in [("first", &first), ("second", &second), ("last", &last)] {
            let label = version.sequence.to_string();
            let keys = opened(&cloud, key, wrapped(version), &label).ok().unwrap();
            assert_eq!(keys.len(), 1);
            // Another generation's key does not open it.
            let mut other = wrapped(version).clone();
            other.generation = other.generation % 5 + 1;
            assert!(opened(&cloud, key, &other, &label).is_err());
        }
        let json = serde_json::to_value(&*second).unwrap();
        let text = json["b"]["o"]["k"].as_str().unwrap();
        assert!(text.starts_with("2."), "{text}");
    }

    /// S21.4, S21.5, S21.6, S21.7, S21.8: every content has a key of its own, of which the wrapped form alone is kept; it opens under S3's
    /// own key, and at its own place alone.
    #[test]
    fn every_object_has_a_key_of_its_own_which_is_kept_wrapped() {
        let cloud = cloud();
        let made = ["one", "two", "one"].map(|key| (key, put(&cloud, key)));
        let mut seen: Vec<Secret> = Vec::new();
        for (key, version) in &made {
            let label = version.sequence.to_string();
            let [own] = opened(&cloud, key, wrapped(version), &label)
                .ok()
                .unwrap()
                .try_into()
                .ok()
                .unwrap();
            assert!(seen.iter().all(|other| !other.matches(own.expose())), "{key}");
            let row = serde_json::to_string(&**version).unwrap();
            let clear = serde_json::to_value(Octets(own.expose().to_vec())).unwrap();
            assert!(!row.contains(clear.as_str().unwrap()), "{row}");
            // What is wrapped for one place is of no use at another.
            for (other, elsewhere) in [("three", label.clone()), (*key, format!("{label}0"))] {
                assert!(opened(&cloud, other, wrapped(version), &elsewhere).is_err());
            }
            seen.push(own);
        }
    }

    /// S21.16, S21.17: of a customer's key its salted HMAC is kept, under another salt each time, and not the key.
    #[test]
    fn the_proof_of_a_customers_key_is_salted() {
        use crate::s3::encryption::customer::{CustomerKey, Proof};

        let cloud = cloud();
        let key = || CustomerKey {
            key: Secret::copy_of(&[7; 32]),
            md5: "the md5".to_owned(),
        };
        let made = cloud.gateway.system(REGION, |call| {
            Ok([Proof::of(call, &key())?, Proof::of(call, &key())?])
        });
        let [one, two] = made
            .ok()
            .unwrap()
            .map(|proof| serde_json::to_value(proof).unwrap());
        for field in ["s", "h"] {
            assert_ne!(one[field], two[field]);
        }
        let of = |octets: &[u8]| serde_json::to_value(Octets(octets.to_vec())).unwrap();
        for unsalted in [of(&[7; 32]), of(&crypto::digest::sha256(&[7; 32]))] {
            assert!(one["h"] != unsalted && two["h"] != unsalted);
        }
    }

    #[test]
    fn what_was_wrapped_before_there_were_generations_is_opened() {
        let cloud = cloud();
        let version = put(&cloud, "k");
        let label = version.sequence.to_string();
        let keys = opened(&cloud, "k", wrapped(&version), &label).ok().unwrap();
        let bound = format!("bucket\0{label}\0k").into_bytes();
        let sealed = cloud.gateway.system(REGION, |call| {
            call.seal("s3.object-keys", &bound, keys[0].expose())
        });
        let sealed = sealed.ok().unwrap();
        let mut octets = u16::try_from(sealed.len()).unwrap().to_be_bytes().to_vec();
        octets.extend(sealed);
        let old = serde_json::to_value(Octets(octets)).unwrap();
        let old: Wrapped = serde_json::from_value(old).unwrap();
        assert_eq!(old.generation, 0);
        let again = opened(&cloud, "k", &old, &label).ok().unwrap();
        assert!(again[0].matches(keys[0].expose()));
    }

    #[test]
    fn no_master_key_lies_in_clear() {
        let cloud = cloud();
        put(&cloud, "k");
        let masters = cloud.gateway.system(REGION, |call| present(call)).ok().unwrap();
        let mut kept = Vec::new();
        store::Record::encode(&*masters, &mut kept).unwrap();
        let key = cloud
            .gateway
            .system(REGION, |call| masters.newest(call).map(|(_, key)| key.clone()));
        let key = key.ok().unwrap();
        let text = String::from_utf8_lossy(&kept).into_owned();
        let clear = serde_json::to_value(Octets(key.expose().to_vec())).unwrap();
        assert!(!text.contains(clear.as_str().unwrap()), "{text}");
    }
}
