//! Pages against a naive filter over all records, and finding by id.

use proptest::prelude::*;

use super::*;
use crate::call::Call;
use crate::gateway::Tables;
use crate::identity::{Credential, Directory, Identity, IdentityType, PrincipalPolicies, Refusal};
use crate::ledger::chain;
use crate::ledger::record::{Caller, EventKind, ResourceFacts};
use crate::ledger::summary;
use crate::recorder;
use crate::testing::{ACCOUNT, BEGINNING, Cloud, REGION};

/// Nobody is known: these tests write the ledger without calls.
pub(crate) struct Nobody;

impl Directory for Nobody {
    fn credential(
        &self,
        _: &mut Look<'_>,
        _: &str,
        _: Option<&str>,
    ) -> std::result::Result<Credential, Refusal> {
        Err(Refusal::Unknown)
    }

    fn policies(&self, _: &mut Look<'_>, _: &Identity, _: Option<&str>) -> Result<PrincipalPolicies> {
        Ok(PrincipalPolicies::default())
    }

    fn resource_control(&self, _: &mut Look<'_>, _: &str, _: &str, _: &str) -> Result<Vec<policy::Attached>> {
        Ok(Vec::new())
    }

    fn used(&self, _: &mut Call<'_>) -> Result<()> {
        Ok(())
    }

    fn account_exists(&self, _: &mut Look<'_>, _: &str) -> Result<bool> {
        Ok(true)
    }
}

fn cloud() -> Cloud {
    Cloud::new(Box::new(Nobody), &Tables::default())
}

/// A cloud whose ledger sums up a stretch after so many records.
fn cloud_summing(records: usize) -> Cloud {
    let chain = chain::LedgerChain::summing_every(records);
    Cloud::over(
        store::Store::memory(Box::new(chain)),
        Box::new(Nobody),
        &Tables::default(),
    )
}

/// A UUID of version 7, unique by `number`.
fn id(wall: i64, number: u64) -> String {
    format!("{:08x}-{:04x}-7000-8000-{number:012x}", wall >> 16, wall & 0xffff)
}

pub(crate) fn record(number: u64, wall: i64, time: i64) -> Record {
    let mut caller = Caller::unknown("");
    caller.kind = IdentityType::IamUser;
    caller.account = ACCOUNT.to_owned();
    Record {
        id: id(wall, number * 2),
        event: id(wall, number * 2 + 1),
        time,
        wall,
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        service: "iam".to_owned(),
        source: "iam.amazonaws.com".to_owned(),
        operation: "GetUser".to_owned(),
        event_name: None,
        data: false,
        read_only: true,
        kind: EventKind::AwsApiCall,
        caller,
        source_ip: "192.0.2.1".to_owned(),
        user_agent: None,
        tls: None,
        request: None,
        response: None,
        error: None,
        resources: Vec::new(),
        names_resources: false,
        additional: serde_json::Map::new(),
        judgements: Vec::new(),
        shared: None,
    }
}

/// Writes the records as one batch.
fn write(cloud: &Cloud, records: &[Record]) {
    let store = cloud.gateway.store();
    let appends = records.iter().map(recorder::append).collect();
    store.commit(store.begin(), appends).wait().unwrap();
}

fn look<T>(cloud: &Cloud, mut read: impl FnMut(&mut Look<'_>) -> Result<T>) -> T {
    let read = cloud.gateway.system(REGION, |call| read(&mut call.look));
    read.unwrap_or_else(|fault| panic!("{:?}", fault.source))
}

fn query(attribute: Option<(Attribute, &str)>, limit: usize) -> Query<'_> {
    Query {
        account: ACCOUNT,
        region: REGION,
        from: i64::MIN,
        to: i64::MAX,
        attribute,
        before: None,
        limit,
    }
}

fn events(page: &Page) -> Vec<String> {
    page.records.iter().map(|record| record.event.clone()).collect()
}

#[test]
fn ids_tell_when_they_were_drawn() {
    assert_eq!(
        drawn_at("0199aabb-ccdd-7000-8000-000000000000"),
        Some(0x0199_aabb_ccdd)
    );
    assert_eq!(drawn_at("0199aabb-ccdd-4000-8000-000000000000"), None);
    assert_eq!(drawn_at(""), None);
    assert_eq!(drawn_at("0199aabbé-cdd-7000-8000-00000000000"), None);
}

#[test]
fn short_names_are_the_last_part_of_an_arn() {
    assert_eq!(
        short_name("arn:aws:iam::123456789012:user/team/alice"),
        Some("alice")
    );
    assert_eq!(short_name("alice"), None);
}

/// What a record of the random tests is made of.
type Seed = (usize, bool, usize, usize, i64);

fn seeded(number: u64, wall: i64, (operation, reads, user, resource, time): Seed) -> Record {
    let mut record = record(number, wall, time);
    record.operation = ["GetUser", "CreateUser", "Decrypt"][operation].to_owned();
    record.read_only = reads;
    record.caller.user_name = Some(["alice", "bob", "carol"][user].to_owned());
    record.caller.access_key_id = format!("AKIA{user}");
    record.source = ["iam.amazonaws.com", "kms.amazonaws.com"][operation / 2].to_owned();
    if resource < 3 {
        let kind = ["AWS::IAM::User", "AWS::KMS::Key", "AWS::IAM::User"][resource];
        let arn = format!("arn:aws:iam::{ACCOUNT}:user/name{resource}");
        record.resources.push(ResourceFacts::new(arn, ACCOUNT, kind));
    }
    record
}

fn seed() -> impl Strategy<Value = Seed> {
    (0..3_usize, any::<bool>(), 0..3_usize, 0..4_usize, 0..50_i64)
}

fn asked() -> impl Strategy<Value = Option<(Attribute, String)>> {
    let values = |attribute: Attribute, values: &'static [&'static str]| {
        proptest::sample::select(values).prop_map(move |value| Some((attribute, value.to_owned())))
    };
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/name1");
    prop_oneof![
        Just(None),
        Just(Some((Attribute::ResourceName, arn))),
        values(
            Attribute::EventName,
            &["GetUser", "CreateUser", "Decrypt", "Nothing"]
        ),
        values(Attribute::ReadOnly, &["true", "false"]),
        values(Attribute::Username, &["alice", "bob", "dave"]),
        values(Attribute::ResourceType, &["AWS::IAM::User", "AWS::KMS::Key"]),
        values(Attribute::ResourceName, &["name0", "name2", "alice"]),
        values(
            Attribute::EventSource,
            &["iam.amazonaws.com", "kms.amazonaws.com"]
        ),
        values(Attribute::AccessKeyId, &["AKIA0", "AKIA9"]),
    ]
}

/// The second, naive judge: every record looked at.
fn naive(record: &Record, asked: Option<&(Attribute, String)>, from: i64, to: i64) -> bool {
    let names = |arn: &str, wanted: &str| arn == wanted || arn.ends_with(&format!("/{wanted}"));
    let bears = asked.is_none_or(|(attribute, wanted)| match attribute {
        Attribute::RequestId => record.id == *wanted,
        Attribute::EventId => record.event == *wanted,
        Attribute::EventName => record.operation == *wanted,
        Attribute::ReadOnly => record.read_only.to_string() == *wanted,
        Attribute::Username => record.caller.user_name.as_ref() == Some(wanted),
        Attribute::ResourceType => record.resources.iter().any(|resource| resource.kind == *wanted),
        Attribute::ResourceName => record
            .resources
            .iter()
            .any(|resource| names(&resource.arn, wanted)),
        Attribute::EventSource => record.source == *wanted,
        Attribute::AccessKeyId => record.caller.access_key_id == *wanted,
    });
    bears && record.time >= from && record.time <= to
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// S12.32: a lookup finds what it asks for and nothing else, newest first; pages neither lose nor repeat a record, even
    /// if calls are recorded between two pages.
    #[test]
    fn pages_are_the_naive_filter_cut_into_pieces(
        batches in prop::collection::vec(prop::collection::vec(seed(), 1..9), 0..24),
        stretch in 1..30_usize,
        asked in asked(),
        (from, to) in (-5..55_i64, -5..55_i64),
        limit in 1..7_usize,
        late in seed(),
    ) {
        let cloud = cloud_summing(stretch);
        let mut written = Vec::new();
        for batch in &batches {
            let first = written.len() as u64;
            let records: Vec<_> = batch.iter().zip(first..).map(|(seed, number)| seeded(number, 0, *seed)).collect();
            write(&cloud, &records);
            written.extend(records);
        }
        let fits = written.iter().rev().filter(|record| naive(record, asked.as_ref(), from, to));
        let expected: Vec<_> = fits.map(|record| record.event.clone()).collect();
        let attribute = asked.as_ref().map(|(attribute, value)| (*attribute, value.as_str()));
        let mut query = Query { from, to, ..query(attribute, limit) };
        let mut found = Vec::new();
        loop {
            let page = look(&cloud, |look| page(look, &query));
            prop_assert!(page.records.len() <= limit);
            found.extend(events(&page));
            write(&cloud, &[seeded(1_000_000, 0, late)]);
            let Some(next) = page.next else { break };
            query.before = Some(next);
        }
        prop_assert_eq!(found, expected);
    }

    /// `by_id` finds each record among batches whose times run on, and nothing for an id that was never drawn.
    #[test]
    fn every_record_is_found_by_its_ids(gaps in prop::collection::vec((0..900_000_i64, 1..4_u64), 1..60)) {
        let cloud = cloud();
        let (mut wall, mut number) = (BEGINNING, 0);
        let mut written = Vec::new();
        for (gap, count) in gaps {
            wall += gap;
            let records: Vec<_> = (number..number + count).map(|number| record(number, wall, wall)).collect();
            number += count;
            write(&cloud, &records);
            written.extend(records);
        }
        for record in &written {
            let find = |attribute, id: &str| {
                look(&cloud, |look| by_id(look, ACCOUNT, REGION, attribute, id)).map(|found| found.event)
            };
            prop_assert_eq!(find(Attribute::EventId, &record.event), Some(record.event.clone()));
            prop_assert_eq!(find(Attribute::RequestId, &record.id), Some(record.event.clone()));
            prop_assert_eq!(find(Attribute::EventId, &record.id), None);
        }
        let absent = id(wall, 999_999);
        prop_assert!(look(&cloud, |look| by_id(look, ACCOUNT, REGION, Attribute::EventId, &absent)).is_none());
    }
}

/// Many records by one caller, with one call of another's far back. Tells the rare call's event id.
fn long_history(cloud: &Cloud, records: u64, batch: u64) -> String {
    let mut rare = String::new();
    for first in (0..records).step_by(usize::try_from(batch).unwrap()) {
        let made = (first..first + batch).map(|number| {
            let mut made = record(number, BEGINNING, BEGINNING + i64::try_from(number).unwrap());
            if number == 100 {
                made.operation = "CreateUser".to_owned();
                rare = made.event.clone();
            }
            made
        });
        write(cloud, &made.collect::<Vec<_>>());
    }
    rare
}

/// S12.32: what is not looked at costs next to nothing, since stretches without the attribute or outside the time are not
/// read. Measured by batches.
#[test]
fn a_rare_attribute_is_found_without_reading_the_whole_history() {
    let cloud = cloud();
    let records = 12 * summary::RECORDS as u64;
    let rare = long_history(&cloud, records, 64);
    let batches = usize::try_from(records / 64).unwrap();
    let stretch = summary::RECORDS / 64;

    let found = look(&cloud, |look| {
        page(look, &query(Some((Attribute::EventName, "CreateUser")), 50))
    });
    assert_eq!(events(&found), [rare.as_str()]);
    assert!(found.next.is_none());
    // The open stretch, the one that holds it, and one batch for each of the others.
    assert!(
        found.looked <= 2 * stretch + 16,
        "{} of {batches} batches",
        found.looked
    );

    let early = Query {
        to: BEGINNING + 200,
        ..query(None, 50)
    };
    let found = look(&cloud, |look| page(look, &early));
    assert_eq!(found.records.len(), 50);
    assert_eq!(found.records[0].time, BEGINNING + 200);
    assert!(
        found.looked <= 2 * stretch + 16,
        "{} of {batches} batches",
        found.looked
    );

    let newest = look(&cloud, |look| page(look, &query(None, 50)));
    assert_eq!(newest.looked, 1);
}

/// A summary belongs to one history: after the store's streams are replaced none of the old one is believed.
#[test]
fn a_chain_that_goes_on_from_another_history_begins_its_summary_anew() {
    use store::Chain;
    let encoded = |number| record(number, BEGINNING, BEGINNING).encode().unwrap();
    let stretch: Vec<_> = (0..summary::RECORDS as u64).map(encoded).collect();
    let mut chain = chain::LedgerChain::default();
    let one = chain.batch(b"s", 1, None, &stretch);
    let next = 1 + summary::RECORDS as u64;
    let summed = chain.batch(b"s", next, Some(&chain.link(&one)), &[encoded(1)]);
    assert_eq!(Batch::parse(&summed).unwrap().summary().unwrap().from, 1);

    let mut chain = chain::LedgerChain::default();
    chain.batch(b"s", 1, None, &stretch);
    let other = chain.batch(b"s", next, Some(&[7; 32]), &[encoded(1)]);
    assert!(Batch::parse(&other).unwrap().summary().is_none());
    let mut chain = chain::LedgerChain::default();
    let one = chain.batch(b"s", 1, None, &stretch);
    let other = chain.batch(b"s", next + 1, Some(&chain.link(&one)), &[encoded(1)]);
    assert!(Batch::parse(&other).unwrap().summary().is_none());
}

#[test]
fn a_limit_of_nothing_and_an_empty_span_read_nothing() {
    let cloud = cloud();
    write(&cloud, &[record(1, BEGINNING, BEGINNING)]);
    for query in [
        query(None, 0),
        Query {
            from: 2,
            to: 1,
            ..query(None, 5)
        },
    ] {
        let page = look(&cloud, |look| page(look, &query));
        assert!(page.records.is_empty() && page.next.is_none());
        assert_eq!(page.looked, 0);
    }
}
