//! Each constraint of every input, broken once.

use scenarios::said::Shared;
use scenarios::sample::{Broken, Sampler, breaks};
use scenarios::world::{World, built};
use wire::model::{Kind, Operation, Protocol, Service};

/// The store's own bookkeeping and the ledger.
const RECORD_ALONE: [u16; 2] = [0, 1];

/// Services that answer with an error of their own, in one sentence that names no member.
const OWN_ERRORS: [(&str, &str); 1] = [("organizations", "InvalidInputException")];

/// Every constraint of the model is checked before anything is done, and told by the member's name.
#[test]
fn a_broken_constraint_is_a_validation_error_and_changes_nothing() {
    let world = World::furnished();
    let sampler = Sampler {
        existing: &world.existing,
        present: true,
    };
    let mut wrong = Vec::new();
    let mut count = 0;
    for (_, service, operation) in built() {
        let of_objects = service.bare_errors;
        for Broken { member, what, input } in breaks(&sampler, service, operation) {
            for protocol in service.protocols.iter().copied() {
                count += 1;
                world.plan.take_written();
                let said = world.send(
                    protocol,
                    world.signed(&world.root, (service, operation, protocol), &input),
                );
                let own = OWN_ERRORS.iter().find(|(name, _)| *name == service.name);
                let of_ec2 = service.protocols.contains(&Protocol::Ec2Query);
                let (code, status) = match own {
                    // EC2 tells of what is missing by a code of its own, and names parameters as its queries do.
                    None if of_ec2 && what.ends_with("required") => ("MissingParameter", 400),
                    Some((_, code)) => (*code, 400),
                    None => Shared::Invalid.on(protocol),
                };
                // S3 tells operations apart by what else they require, and malformed bodies by one word for all of them.
                let elsewhere = of_objects && what == "required" && is_located(service, operation, member);
                if elsewhere {
                    continue;
                }
                let label = format!(
                    "{}:{} in {protocol:?}, {member} {what}",
                    service.name, operation.name
                );
                let mut letters = member.chars();
                let first = letters.next().unwrap().to_ascii_lowercase();
                let path = format!(" at '{first}{}", letters.as_str());
                let told = said.message.contains(" validation error") && said.message.contains(&path);
                let told = told || (own.is_some() && said.message.starts_with("You "));
                let told = told || (of_objects && matches!(said.code(), "MalformedXML" | "InvalidArgument"));
                let told = told || (of_ec2 && tells(service, operation, member, &said.message));
                let code = if of_objects { said.code() } else { code };
                if said.code() != code || said.status != status || !told {
                    wrong.push(format!(
                        "{label}: {} {} {}",
                        said.status,
                        said.code(),
                        said.message
                    ));
                }
                let written = world.plan.take_written();
                if written.iter().any(|table| !RECORD_ALONE.contains(table)) {
                    wrong.push(format!("{label}: wrote {written:x?}"));
                }
            }
        }
    }
    assert!(count > 500, "only {count} constraints were broken");
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Whether a message names a parameter as EC2's queries spell it.
fn tells(service: &Service, operation: &Operation, member: &str, message: &str) -> bool {
    let shape = operation.input.and_then(|id| service.shape(id));
    let Some(Kind::Structure(structure)) = shape.map(|shape| &shape.kind) else {
        return false;
    };
    let found = structure.members.iter().find(|known| known.name == member);
    let name = found.and_then(|member| member.query_name.or(member.wire_name));
    let name = name.unwrap_or(member);
    let (first, rest) = name.split_at(1);
    let (capital, small) = (
        first.to_ascii_uppercase() + rest,
        first.to_ascii_lowercase() + rest,
    );
    message.starts_with(&format!("The request must contain the parameter {capital}"))
        || message.starts_with("Value (") && message.contains(&format!(") for parameter {small}"))
}

/// Whether a member travels in the query or a header.
fn is_located(service: &Service, operation: &Operation, member: &str) -> bool {
    let shape = operation.input.and_then(|id| service.shape(id));
    let Some(Kind::Structure(structure)) = shape.map(|shape| &shape.kind) else {
        return false;
    };
    let found = structure.members.iter().find(|known| known.name == member);
    found.is_some_and(|member| member.location.is_some())
}
