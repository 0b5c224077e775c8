//! Reads change nothing but the ledger, and every call is in it.

use pipeline::operation::Level;
use scenarios::sample::Sampler;
use scenarios::world::{World, built};

use crate::exceptions::{Exceptions, Excuse};

/// The ledger, the note that an action was tried, and the texts of policies that took part in decisions.
const RECORD_ALONE: [u16; 4] = [0, 1, 0x0178, 0x0f02];

/// Reads that write.
const READS_THAT_WRITE: &[Excuse] = &[
    (
        "iam:GenerateCredentialReport",
        "AWS gives it the level of a read, though it plans the making of a report",
    ),
    (
        "iam:GenerateOrganizationsAccessReport",
        "AWS gives it the level of a read, though it plans the making of a report",
    ),
    (
        "iam:GenerateServiceLastAccessedDetails",
        "AWS gives it the level of a read, though it plans the making of a report",
    ),
    (
        "secretsmanager:BatchGetSecretValue",
        "each secret keeps the day of its last read, written once a day",
    ),
    (
        "secretsmanager:GetSecretValue",
        "the secret keeps the day of its last read, written once a day",
    ),
];

/// Operations whose error has a code of its own, which is not the name of its shape.
const OTHER_CODES: &[Excuse] = &[(
    "iam:GetCredentialReport",
    "the model spells CredentialReportNotPresentException as ReportNotPresent",
)];

/// Modeled errors are recorded by their shapes, which the query protocols' codes leave the last word off.
fn stem(code: &str) -> &str {
    code.strip_suffix("Exception").unwrap_or(code)
}

/// S12.1, S8.10: every call is in the trail of its account, with who called, what came of it, and the id of its answer;
/// a read leaves nothing else behind.
#[test]
fn every_call_is_recorded_and_a_read_changes_nothing_else() {
    let excused = Exceptions::of(READS_THAT_WRITE);
    let renamed = Exceptions::of(OTHER_CODES);
    let (mut wrong, mut idle, mut count, mut changes) = (Vec::new(), Vec::new(), 0, 0);
    for (endpoint, service, operation) in built() {
        let world = World::furnished();
        let caller = world.user(
            "caller",
            Some(r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#),
        );
        // Notes that the key is used, so that no call after it within the minute does.
        world.ask(
            &caller,
            "sts",
            "GetAccessKeyInfo",
            &serde_json::json!({"AccessKeyId": caller.id}),
        );
        count += 1;
        idle.push(format!("{}:{}", service.name, operation.name));
        for present in [false, true] {
            world.plan.take_written();
            let input = Sampler {
                existing: &world.existing,
                present,
            }
            .input(service, operation);
            let protocol = service.protocols[0];
            let said = world.send(
                protocol,
                world.signed(&caller, (service, operation, protocol), &input),
            );
            let label = format!("{}:{}", service.name, operation.name);
            if said.status < 300 {
                idle.retain(|never| *never != label);
            }
            if said.status >= 500 {
                wrong.push(format!("{label}: {said:?}"));
            }
            let reads = matches!(endpoint.access.level, Level::Read | Level::List);
            let written = world.plan.take_written();
            let wrote = written.iter().any(|table| !RECORD_ALONE.contains(table));
            changes += usize::from(wrote);
            if wrote && (reads || said.status >= 300) && !excused.excuse(&label) {
                wrong.push(format!(
                    "{label}, {} {}: wrote {written:x?}",
                    said.status,
                    said.code()
                ));
            }
            let newest = world.newest(World::trail(service), 1);
            let Some(record) = newest.first().filter(|record| record.id == said.request_id) else {
                wrong.push(format!("{label}: is not in the trail"));
                continue;
            };
            let error = record.error.as_ref().map(|error| error.code.as_str());
            if error.map(stem) != said.code.as_deref().map(stem) && !renamed.excuse(&label) {
                wrong.push(format!("{label}: answered {:?}, recorded {error:?}", said.code));
            }
            let named = (
                record.service.as_str(),
                record.operation.as_str(),
                record.read_only,
            );
            if named != (service.name, operation.name, endpoint.read_only) {
                wrong.push(format!("{label}: recorded as {named:?}"));
            }
            let of_caller = record.caller.user_name.as_deref() == Some("caller")
                && record.caller.access_key_id == caller.id;
            // Who signs a call whose input proves the caller has no say in it.
            if of_caller == endpoint.is_bearer() {
                wrong.push(format!("{label}: recorded of {}", record.caller.arn));
            }
        }
    }
    // Some things cannot be made from shapes alone: what is not attached cannot be detached.
    assert!(
        idle.len() * 4 < count,
        "{} of {count} operations never succeeded: {idle:?}",
        idle.len()
    );
    assert!(changes > count / 4, "only {changes} calls changed anything");
    excused.settle(&wrong);
    renamed.settle(&[]);
}
