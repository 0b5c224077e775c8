//! Request ids: unique, of version 7, and found in the ledger by the time in them.

use std::collections::BTreeSet;

use scenarios::client;
use scenarios::world::World;
use serde_json::json;

/// Every answer carries an id of its own, a refusal like a success, and the trail knows it; its event has another.
#[test]
fn request_ids_are_unique_and_of_version_seven() {
    let world = World::bare();
    let service = api::models::service("iam").unwrap();
    let operation = service.operation("ListUsers").unwrap();
    let protocol = service.protocols[0];
    let unsigned = client::request(service, operation, protocol, &wire::Document::empty());
    let mut ids = BTreeSet::new();
    for round in 0..300 {
        let said = match round % 3 {
            0 => world.send(protocol, unsigned.clone()),
            1 => world.ask(&world.root, "iam", "GetUser", &json!({"UserName": "missing"})),
            _ => world.ask(&world.root, "iam", "ListUsers", &json!({})),
        };
        let id = said.request_id;
        let bytes = id.as_bytes();
        assert!(
            bytes.len() == 36 && bytes[14] == b'7' && matches!(bytes[19], b'8'..=b'b'),
            "{id}"
        );
        let drawn = i64::from_str_radix(&[&id[..8], &id[9..13]].concat(), 16).unwrap();
        assert_eq!(drawn / 1000, world.wall_seconds(), "{id} tells another time");
        assert!(ids.insert(id), "an id was given twice");
        world.pass(1);
    }
    let records = world.newest("us-east-1", 1000);
    let recorded: BTreeSet<_> = records.iter().map(|record| record.id.clone()).collect();
    let events: BTreeSet<_> = records.iter().map(|record| record.event.clone()).collect();
    assert_eq!(recorded, ids);
    assert!(events.len() == ids.len() && events.is_disjoint(&ids));
}
