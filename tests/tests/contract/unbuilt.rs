//! Operations of AWS that are not built: known, refused as such, and only to callers who proved who they are.

use pipeline::testing::REGION;
use scenarios::client;
use scenarios::sample::Sampler;
use scenarios::sign::sign;
use scenarios::world::World;

use crate::exceptions::{Exceptions, Excuse};

/// Operations whose requests cannot be told from another's.
const TWINS: &[Excuse] = &[
    ("s3:GetBucketLifecycle", OLDER),
    ("s3:GetBucketNotification", OLDER),
    ("s3:PutBucketLifecycle", OLDER),
    ("s3:PutBucketNotification", OLDER),
    (
        "s3:ListDirectoryBuckets",
        "shares everything but its host with ListBuckets",
    ),
];
const OLDER: &str = "an older form, whose requests are those of the newer operation";

/// Every operation of every model, in every protocol of its service: 501 with a valid signature, a refusal without one.
#[test]
fn what_is_not_built_says_so_after_authentication_and_not_before() {
    let world = World::bare();
    let sampler = Sampler {
        existing: &world.existing,
        present: false,
    };
    let excused = Exceptions::of(TWINS);
    let (mut wrong, mut count) = (Vec::new(), 0);
    for name in api::models::names() {
        let service = api::models::service(name).unwrap();
        for operation in &service.operations {
            if world.gateway.endpoint(name, operation.name).is_some() {
                continue;
            }
            let input = sampler.input(service, operation);
            for protocol in service.protocols.iter().copied() {
                count += 1;
                let label = format!("{name}:{}", operation.name);
                let unsigned = client::request(service, operation, protocol, &input);
                let mut signed = unsigned.clone();
                sign(
                    &mut signed,
                    &world.root,
                    REGION,
                    service.signing_name,
                    world.wall_seconds(),
                );
                let said = world.send(protocol, signed);
                let told = said.message.contains(&format!("{} of ", operation.name));
                let as_such = said.status == 501 && said.code() == "NotImplemented" && told;
                if !as_such && !excused.excuse(&label) {
                    wrong.push(format!(
                        "{label} in {protocol:?}: {} {} {}",
                        said.status,
                        said.code(),
                        said.message
                    ));
                }
                let said = world.send(protocol, unsigned);
                let refused = matches!(said.status, 400 | 401 | 403) || excused.excuse(&label);
                if !refused || said.message.contains(operation.name) {
                    wrong.push(format!(
                        "{label} in {protocol:?}, unsigned: {} {}",
                        said.status, said.message
                    ));
                }
            }
        }
    }
    assert!(count > 3000, "only {count} operations were asked for");
    excused.settle(&wrong);
}
