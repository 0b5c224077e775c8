//! Change sets: what a template would change, kept until it is executed.
//!
//! Invariant: a change set is executed once, and only while the stack is as it was when the set was made.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::cloudformation as model;
use model::fault::change_set_not_found_exception;
use model::{ChangeSetStatus, ExecutionStatus};
use pipeline::{Call, Found, Look, Result};
use policy::Arn;
use serde::{Deserialize, Serialize};
use store::Table;

use super::fault::{absent_to_change, invalid};
use super::hidden::Hidden;
use super::stack::{self, KeptSetting, STACKS, Stack, StackTarget};
use super::submission::forget_body;

mod create;
mod describe;
mod execute;

pub use create::CreateChangeSet;
pub use describe::{DescribeChangeSet, ListChangeSets};
pub use execute::{DeleteChangeSet, ExecuteChangeSet};

/// Rows read at a time.
const STRETCH: usize = 200;

/// A change set.
#[derive(Clone, Serialize, Deserialize)]
pub struct ChangeSet {
    pub account: String,
    pub region: String,
    pub name: String,
    pub uuid: String,
    /// The stack's id.
    pub stack: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    pub description: Option<String>,
    /// `CREATE_COMPLETE`
    pub status: String,
    pub reason: Option<String>,
    /// `AVAILABLE`
    pub execution: String,
    pub capabilities: Vec<String>,
    pub tags: BTreeMap<String, String>,
    pub role: Option<String>,
    /// `ROLLBACK`, `DELETE` or `DO_NOTHING`.
    pub on_failure: Option<String>,
    pub token: Option<String>,
    /// The changes by the model's shape, as JSON.
    pub changes: String,
    /// `Settings`, sealed.
    pub(crate) hidden: Hidden,
}

/// The parameters' values.
pub(crate) type Settings = Vec<KeptSetting>;

store::record!(ChangeSet, 1);

/// The stack and the name of a change set.
#[derive(Clone, Serialize, Deserialize)]
pub struct Whose {
    pub stack: String,
    pub name: String,
}

store::record!(Whose, 1);

/// By account, region, the stack's id, and name.
pub static CHANGE_SETS: Table<(String, String, String, String), ChangeSet> =
    Table::new(0x062a, "cloudformation.change_sets");
/// By account, region and id.
pub static IDS: Table<(String, String, String), Whose> = Table::new(0x062b, "cloudformation.change_set_ids");

impl ChangeSet {
    /// Its id on the wire.
    pub fn id(&self) -> String {
        let Self {
            account,
            region,
            name,
            uuid,
            ..
        } = self;
        format!("arn:aws:cloudformation:{region}:{account}:changeSet/{name}/{uuid}")
    }

    pub(crate) fn status(&self) -> ChangeSetStatus {
        ChangeSetStatus::parse(&self.status).unwrap_or_default()
    }

    pub(crate) fn execution(&self) -> ExecutionStatus {
        ExecutionStatus::parse(&self.execution).unwrap_or_default()
    }

    pub(crate) fn keep(self, call: &mut Call<'_>) -> Result<()> {
        let place = (
            self.account.clone(),
            self.region.clone(),
            self.stack.clone(),
            self.name.clone(),
        );
        let id = (self.account.clone(), self.region.clone(), self.uuid.clone());
        let whose = Whose {
            stack: self.stack.clone(),
            name: self.name.clone(),
        };
        call.put(&IDS, &id, whose)?;
        call.put(&CHANGE_SETS, &place, self)
    }
}

/// CloudFormation's own model, by whose shapes changes are kept.
fn own_model() -> Result<&'static wire::model::Service> {
    api::models::service(model::SERVICE).ok_or_else(|| wire::Fault::internal("CloudFormation has no model"))
}

fn missing(named: &str) -> wire::Fault {
    change_set_not_found_exception(format!("ChangeSet [{named}] does not exist"))
}

/// The change set that an ARN names.
fn by_arn(look: &mut Look<'_>, named: &str) -> Result<Option<Arc<Whose>>> {
    let Some(arn) = Arn::parse(named) else {
        return Ok(None);
    };
    let uuid = arn
        .resource()
        .strip_prefix("changeSet/")
        .and_then(|rest| rest.rsplit('/').next())
        .unwrap_or_default()
        .to_owned();
    let (account, region) = (look.account_shared(), look.region().to_owned());
    look.get(&IDS, &(&*account, region.as_str(), uuid.as_str()))
}

/// The stack of a change set that a request names, by an ARN or with its stack.
pub(crate) fn target(look: &mut Look<'_>, named: &str, stack: Option<&str>) -> Result<Found<StackTarget>> {
    if let Some(stack) = stack {
        return stack::resolve_living(look, stack, absent_to_change);
    }
    if !named.starts_with("arn:") {
        let fault = invalid("StackName must be specified if ChangeSetName is not specified as an ARN.");
        let arn = stack::denoted(look, "*");
        return Ok(Found::Absent { arn, fault });
    }
    let whose = by_arn(look, named)?;
    let (account, region) = (look.account_shared(), look.region().to_owned());
    let found = match whose {
        Some(whose) => look.get(&STACKS, &(&*account, region.as_str(), whose.stack.as_str()))?,
        None => None,
    };
    let found = found.map(StackTarget);
    Ok(Found::or_absent(found, || {
        (stack::arn(&account, &region, "*", "*"), missing(named))
    }))
}

/// The change set of a stack that a request names.
pub(crate) fn find(look: &mut Look<'_>, stack: &Stack, named: &str) -> Result<Option<Arc<ChangeSet>>> {
    let name = if named.starts_with("arn:") {
        let whose = by_arn(look, named)?.filter(|whose| whose.stack == stack.uuid);
        let Some(whose) = whose else {
            return Ok(None);
        };
        whose.name.clone()
    } else {
        named.to_owned()
    };
    let (account, region, uuid) = stack.bond();
    let found = look.get(&CHANGE_SETS, &(account, region, uuid, name.as_str()))?;
    Ok(found.filter(|set| !named.starts_with("arn:") || set.id() == named))
}

pub(crate) fn expect(look: &mut Look<'_>, stack: &Stack, named: &str) -> Result<Arc<ChangeSet>> {
    find(look, stack, named)?.ok_or_else(|| missing(named))
}

/// All change sets of a stack, by their names.
pub(crate) fn all(look: &mut Look<'_>, stack: &Stack) -> Result<Vec<Arc<ChangeSet>>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let rows = look.range(&CHANGE_SETS, &stack.bond(), after.as_ref(), STRETCH)?;
        let more = rows.len() == STRETCH;
        after = rows.last().map(|(place, _)| place.clone());
        all.extend(rows.into_iter().map(|(_, set)| set));
        if !more {
            return Ok(all);
        }
    }
}

fn forget(call: &mut Call<'_>, stack: &Stack, set: &ChangeSet) -> Result<()> {
    let (account, region, uuid) = stack.bond();
    call.delete(&IDS, &(account, region, set.uuid.as_str()))?;
    forget_body(call, stack, &set.uuid)?;
    call.delete(&CHANGE_SETS, &(account, region, uuid, set.name.as_str()))
}

/// Forgets the change sets of a stack that is deleted.
pub(crate) fn forget_all(call: &mut Call<'_>, stack: &Stack) -> Result<()> {
    for set in all(call, stack)? {
        forget(call, stack, &set)?;
    }
    Ok(())
}

/// The stack changes in another way: what its change sets said no longer holds.
pub(crate) fn outdate(call: &mut Call<'_>, stack: &Stack) -> Result<()> {
    for set in all(call, stack)? {
        if set.execution() == ExecutionStatus::Available {
            let mut set = (*set).clone();
            ExecutionStatus::Obsolete.as_str().clone_into(&mut set.execution);
            set.keep(call)?;
        }
    }
    Ok(())
}
