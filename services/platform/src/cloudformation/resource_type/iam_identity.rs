//! What roles, users and groups have in common: policies of their own, managed policies, and a boundary.
//!
//! Invariant: an update touches the policies that the template names or named, and no other.

use pipeline::Result;
use serde_json::{Map, Value, json};

use super::difference::{added, gone, policies, texts};
use super::{Existing, Services, Wanted};

pub(super) const SERVICE: &str = "iam";

/// A kind of identity: `Role`, `User` or `Group`. IAM's operations and members are named after it.
#[derive(Clone, Copy)]
pub(super) struct Kind(pub &'static str);

pub(super) const ROLE: Kind = Kind("Role");
pub(super) const USER: Kind = Kind("User");
pub(super) const GROUP: Kind = Kind("Group");

impl Kind {
    /// The input of an operation on one of these.
    pub(super) fn of(self, name: &str, rest: Value) -> Value {
        let mut input = Map::new();
        input.insert(format!("{}Name", self.0), name.into());
        if let Value::Object(rest) = rest {
            input.extend(rest);
        }
        Value::Object(input)
    }

    /// Runs `verb` + kind + `noun`: `Put`, `Role`, `Policy`.
    pub(super) fn ask(
        self,
        services: &mut Services<'_, '_>,
        (verb, noun): (&str, &str),
        name: &str,
        rest: Value,
    ) -> Result<Value> {
        let operation = format!("{verb}{}{noun}", self.0);
        services.invoke(SERVICE, &operation, self.of(name, rest))
    }

    /// Brings the policies of an identity from what they were (nothing, if it is new) to what is wanted.
    pub(super) fn settle_policies(
        self,
        services: &mut Services<'_, '_>,
        name: &str,
        before: &Map<String, Value>,
        now: &Map<String, Value>,
    ) -> Result<()> {
        let (held, wanted) = (
            texts(before, "ManagedPolicyArns"),
            texts(now, "ManagedPolicyArns"),
        );
        for arn in added(&wanted, &held) {
            gone(self.ask(services, ("Detach", "Policy"), name, json!({ "PolicyArn": arn })))?;
        }
        for arn in added(&held, &wanted) {
            self.ask(services, ("Attach", "Policy"), name, json!({ "PolicyArn": arn }))?;
        }
        let (held, wanted) = (policies(before)?, policies(now)?);
        for (policy, _) in &held {
            if !wanted.iter().any(|(other, _)| other == policy) {
                gone(self.ask(
                    services,
                    ("Delete", "Policy"),
                    name,
                    json!({ "PolicyName": policy }),
                ))?;
            }
        }
        for (policy, document) in wanted.iter().filter(|wanted| !held.contains(wanted)) {
            let rest = json!({ "PolicyName": policy, "PolicyDocument": document });
            self.ask(services, ("Put", "Policy"), name, rest)?;
        }
        Ok(())
    }

    /// Sets or removes the boundary, if it is wanted otherwise.
    pub(super) fn settle_boundary(
        self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<()> {
        let before = existing
            .properties
            .get("PermissionsBoundary")
            .and_then(Value::as_str);
        let now = wanted.text("PermissionsBoundary");
        let name = existing.physical_id;
        match now {
            Some(arn) if before != Some(arn.as_str()) => {
                let rest = json!({ "PermissionsBoundary": arn });
                self.ask(services, ("Put", "PermissionsBoundary"), name, rest)
                    .map(drop)
            }
            None if before.is_some() => {
                gone(self.ask(services, ("Delete", "PermissionsBoundary"), name, json!({})))
            }
            _ => Ok(()),
        }
    }

    /// Brings the tags of a role or user to what is wanted.
    pub(super) fn settle_tags(
        self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<()> {
        let tags = super::difference::tags(existing, wanted, "Tags");
        let name = existing.physical_id;
        if !tags.gone.is_empty() {
            self.ask(services, ("Untag", ""), name, json!({ "TagKeys": tags.gone }))?;
        }
        if !tags.put.is_empty() {
            self.ask(
                services,
                ("Tag", ""),
                name,
                json!({ "Tags": super::tag_list(&tags.put) }),
            )?;
        }
        Ok(())
    }
}
