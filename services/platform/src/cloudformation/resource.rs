//! Resources of stacks: the record of each, and the operations that show it.
//!
//! Invariant: a row with a physical id stands for something that was made; it goes when that goes, or is let go of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::cloudformation as model;
use model::ResourceStatus;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::Table;

use super::fault::{absent, invalid};
use super::hidden::Hidden;
use super::page;
use super::stack::{self, Stack, StackTarget, moment, resolve_described};

/// Resources of a stack (CloudFormation User Guide, "Understand CloudFormation quotas").
pub(crate) const RESOURCES_MAX: usize = 500;

/// A resource.
#[derive(Clone, Serialize, Deserialize)]
pub struct StackResource {
    pub logical_id: String,
    pub physical_id: Option<String>,
    /// `AWS::SSM::Parameter`
    pub kind: String,
    /// `CREATE_COMPLETE`
    pub status: String,
    pub reason: Option<String>,
    /// Milliseconds since the epoch.
    pub at: i64,
    /// `Delete`, `Retain`, `RetainExceptOnCreate`; for replacements too.
    pub deletion_policy: Option<String>,
    pub update_replace_policy: Option<String>,
    /// JSON.
    pub metadata: Option<String>,
    /// Logical ids of what it needs.
    pub needs: BTreeSet<String>,
    /// `Contents`, sealed.
    pub(crate) hidden: Hidden,
}

/// What a resource was made of, and what it tells.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// Dynamic references in them are not opened.
    pub properties: Map<String, Value>,
    pub attributes: BTreeMap<String, Value>,
    pub tags: BTreeMap<String, String>,
    /// The attributes are not to be shown.
    #[serde(default)]
    pub no_echo: bool,
}

store::record!(StackResource, 1);

/// By account, region, the stack's id, and logical id.
pub static RESOURCES: Table<(String, String, String, String), StackResource> =
    Table::new(0x0624, "cloudformation.resources");
/// The stack of a physical id: by account, region, physical id, and the stack's id.
pub static BY_PHYSICAL_ID: Table<(String, String, String, String), stack::Id> =
    Table::new(0x0625, "cloudformation.physical_ids");

impl StackResource {
    pub(crate) fn contents(&self, look: &Look<'_>, stack: &Stack) -> Result<Contents> {
        self.hidden.open(look, stack.bond())
    }

    /// Whether its removal leaves the thing itself alone. `making` says that a creation is taken back.
    pub(crate) fn is_retained(&self, making: bool) -> bool {
        match self.deletion_policy.as_deref() {
            Some("Retain") => true,
            Some("RetainExceptOnCreate") => !making,
            _ => false,
        }
    }
}

/// A resource of a stack.
pub(crate) fn find(
    look: &mut Look<'_>,
    stack: &Stack,
    logical_id: &str,
) -> Result<Option<Arc<StackResource>>> {
    let (account, region, uuid) = stack.bond();
    look.get(&RESOURCES, &(account, region, uuid, logical_id))
}

/// All resources of a stack, by their logical ids.
pub(crate) fn all(look: &mut Look<'_>, stack: &Stack) -> Result<BTreeMap<String, Arc<StackResource>>> {
    let prefix = stack.bond();
    let (mut all, mut after) = (BTreeMap::new(), None);
    loop {
        let rows = look.range(&RESOURCES, &prefix, after.as_ref(), RESOURCES_MAX)?;
        let more = rows.len() == RESOURCES_MAX;
        after = rows.last().map(|(place, _)| place.clone());
        all.extend(rows.into_iter().map(|((.., id), row)| (id, row)));
        if !more {
            return Ok(all);
        }
    }
}

/// Writes a resource's row, and what leads to it.
pub(crate) fn keep(call: &mut Call<'_>, stack: &Stack, resource: StackResource) -> Result<()> {
    let (account, region, uuid) = stack.place();
    if let Some(physical) = &resource.physical_id {
        let place = (account.clone(), region.clone(), physical.clone(), uuid.clone());
        call.put(&BY_PHYSICAL_ID, &place, stack::Id(uuid.clone()))?;
    }
    let place = (account, region, uuid, resource.logical_id.clone());
    call.put(&RESOURCES, &place, resource)
}

/// Writes the row of a resource that is gone, or was let go of.
pub(crate) fn keep_gone(call: &mut Call<'_>, stack: &Stack, resource: StackResource) -> Result<()> {
    let (account, region, uuid) = stack.place();
    let place = (account, region, uuid, resource.logical_id.clone());
    call.put(&RESOURCES, &place, resource)
}

/// Forgets that a physical id is a stack's.
pub(crate) fn unlink(call: &mut Call<'_>, stack: &Stack, physical_id: &str) -> Result<()> {
    let (account, region, uuid) = stack.bond();
    call.delete(&BY_PHYSICAL_ID, &(account, region, physical_id, uuid))
}

/// Forgets a resource's row.
pub(crate) fn forget(call: &mut Call<'_>, stack: &Stack, logical_id: &str) -> Result<()> {
    let (account, region, uuid) = stack.bond();
    call.delete(&RESOURCES, &(account, region, uuid, logical_id))
}

const NOT_CHECKED: model::StackResourceDriftStatus = model::StackResourceDriftStatus::NotChecked;

fn status(row: &StackResource) -> ResourceStatus {
    ResourceStatus::parse(&row.status).unwrap_or_default()
}

/// Describes one resource of a stack.
pub struct DescribeStackResource;

impl Operation for DescribeStackResource {
    type Input = model::DescribeStackResourceInput;
    type Output = model::DescribeStackResourceOutput;
    type Target = StackTarget;
    const ACCESS: Access = Access::read("cloudformation:DescribeStackResource");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<StackTarget>> {
        resolve_described(look, &input.stack_name)
    }

    fn handle(
        call: &mut Call<'_>,
        stack: Authorized<StackTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let row = find(call, &stack, &input.logical_resource_id)?;
        let row = row.ok_or_else(|| {
            invalid(format!(
                "Resource {} does not exist for stack {}",
                input.logical_resource_id, stack.name
            ))
        })?;
        Ok(model::DescribeStackResourceOutput {
            stack_resource_detail: Some(model::StackResourceDetail {
                drift_information: Some(model::StackResourceDriftInformation {
                    stack_resource_drift_status: NOT_CHECKED,
                    ..model::StackResourceDriftInformation::default()
                }),
                last_updated_timestamp: moment(row.at),
                logical_resource_id: row.logical_id.clone(),
                metadata: Some(row.metadata.clone().unwrap_or_else(|| "{}".to_owned())),
                physical_resource_id: row.physical_id.clone(),
                resource_status: status(&row),
                resource_status_reason: row.reason.clone(),
                resource_type: row.kind.clone(),
                stack_id: Some(stack.id()),
                stack_name: Some(stack.name.clone()),
                ..model::StackResourceDetail::default()
            }),
        })
    }
}

/// Describes the resources of a stack, which may be named by the physical id of one of them.
pub struct DescribeStackResources;

impl Operation for DescribeStackResources {
    type Input = model::DescribeStackResourcesInput;
    type Output = model::DescribeStackResourcesOutput;
    type Target = StackTarget;
    const ACCESS: Access = Access::read("cloudformation:DescribeStackResources");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<StackTarget>> {
        match (&input.stack_name, &input.physical_resource_id) {
            (Some(name), None) => resolve_described(look, name),
            (None, Some(physical)) => {
                let (account, region) = (look.account_shared(), look.region().to_owned());
                let prefix = (&*account, region.as_str(), physical.as_str());
                let rows = look.range(&BY_PHYSICAL_ID, &prefix, None, 1)?;
                let place = rows
                    .first()
                    .map(|(_, id)| (&*account, region.as_str(), id.0.as_str()));
                let found = match place {
                    Some(place) => look.get(&stack::STACKS, &place)?,
                    None => None,
                };
                Ok(Found::or_absent(found.map(StackTarget), || {
                    let fault = invalid(format!("Stack for {physical} does not exist"));
                    (stack::denoted(look, "*"), fault)
                }))
            }
            _ => Ok(Found::Absent {
                arn: stack::denoted(look, "*"),
                fault: invalid("Exactly one of StackName and PhysicalResourceId must be specified"),
            }),
        }
    }

    fn handle(
        call: &mut Call<'_>,
        stack: Authorized<StackTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let wanted = |row: &StackResource| {
            let logical = input.logical_resource_id.as_ref();
            let physical = input.physical_resource_id.as_ref();
            logical.is_none_or(|logical| *logical == row.logical_id)
                && (input.logical_resource_id.is_none()
                    || physical.is_none_or(|physical| row.physical_id.as_ref() == Some(physical)))
        };
        let rows = all(call, &stack)?;
        // AWS gives no more than the first hundred here, and has ListStackResources for the others.
        let rows = rows.into_values().filter(|row| wanted(row)).take(page::ITEMS);
        let shown = rows.map(|row| model::StackResource {
            drift_information: Some(model::StackResourceDriftInformation {
                stack_resource_drift_status: NOT_CHECKED,
                ..model::StackResourceDriftInformation::default()
            }),
            logical_resource_id: row.logical_id.clone(),
            physical_resource_id: row.physical_id.clone(),
            resource_status: status(&row),
            resource_status_reason: row.reason.clone(),
            resource_type: row.kind.clone(),
            stack_id: Some(stack.id()),
            stack_name: Some(stack.name.clone()),
            timestamp: moment(row.at),
            ..model::StackResource::default()
        });
        Ok(model::DescribeStackResourcesOutput {
            stack_resources: Some(shown.collect()),
        })
    }
}

/// Lists the resources of a stack.
pub struct ListStackResources;

impl Operation for ListStackResources {
    type Input = model::ListStackResourcesInput;
    type Output = model::ListStackResourcesOutput;
    type Target = StackTarget;
    const ACCESS: Access = Access::list("cloudformation:ListStackResources");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<StackTarget>> {
        stack::resolve(look, &input.stack_name, absent)
    }

    fn handle(
        call: &mut Call<'_>,
        stack: Authorized<StackTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let list = format!("resources {}", stack.uuid);
        let after = page::after(call, &list, input.next_token.as_deref())?;
        let rows = all(call, &stack)?;
        let (rows, next_token) = page::take(call, &list, after, rows.into_iter())?;
        let shown = rows.into_iter().map(|row| model::StackResourceSummary {
            drift_information: Some(model::StackResourceDriftInformationSummary {
                stack_resource_drift_status: NOT_CHECKED,
                ..model::StackResourceDriftInformationSummary::default()
            }),
            last_updated_timestamp: moment(row.at),
            logical_resource_id: row.logical_id.clone(),
            physical_resource_id: row.physical_id.clone(),
            resource_status: status(&row),
            resource_status_reason: row.reason.clone(),
            resource_type: row.kind.clone(),
            ..model::StackResourceSummary::default()
        });
        Ok(model::ListStackResourcesOutput {
            stack_resource_summaries: Some(shown.collect()),
            next_token,
        })
    }
}
