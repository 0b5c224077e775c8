//! The stack: its record, its states, and how requests name it.
//!
//! A deleted stack stays known by its id, and gives its name free.
//!
//! Invariant: a name leads to one stack at most, and a stack with an operation underway has exactly one row in `work`.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use api::cloudformation as model;
use model::StackStatus;
use pipeline::{Call, Found, Look, Resource, Result};
use policy::{Arn, Context};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::fault::{absent, invalid};
use super::hidden::{Bond, Hidden};
use super::resource::StackResource;
use super::resource_type::Owner;
use super::template::{Setting, Told};

/// Bytes of a stack's name (CloudFormation API Reference, `CreateStack`).
const NAME_MAX: usize = 128;
/// Client request tokens that a stack remembers.
const TOKENS_MAX: usize = 50;

/// A stack.
#[derive(Clone, Serialize, Deserialize)]
pub struct Stack {
    pub account: String,
    pub region: String,
    pub name: String,
    pub uuid: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    /// Milliseconds since the epoch.
    pub updated: Option<i64>,
    /// Milliseconds since the epoch.
    pub deleted: Option<i64>,
    /// `CREATE_COMPLETE`
    pub status: String,
    pub reason: Option<String>,
    pub description: Option<String>,
    pub capabilities: Vec<String>,
    /// The role that was handed to the stack.
    pub role: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub disable_rollback: bool,
    /// `ROLLBACK`, `DELETE` or `DO_NOTHING`, for the stack's creation.
    pub on_failure: String,
    pub timeout_minutes: Option<i32>,
    pub protected: bool,
    pub retain_except_on_create: bool,
    pub policy: Option<String>,
    /// The change set that was executed last.
    pub change_set: Option<String>,
    /// Names of other stacks' exports that this one uses.
    pub imports: Vec<String>,
    /// Names that this one exports.
    pub exports: Vec<String>,
    /// Events so far.
    pub events: u64,
    /// The moment of the last of them, in milliseconds since the epoch.
    #[serde(default)]
    pub last_event: i64,
    /// Client request tokens with the operation that each came with, the oldest first.
    pub tokens: Vec<(String, String)>,
    /// Resources that no template names any more and that were not removed, since their update was left as it failed or their removal
    /// broke: the next operation removes them.
    #[serde(default)]
    pub leftover: Vec<StackResource>,
    /// The ids of the stack that this one is a resource of, and of the outermost one.
    #[serde(default)]
    pub parent: Option<String>,
    #[serde(default)]
    pub root: Option<String>,
    /// `Inner`, sealed.
    pub(crate) hidden: Hidden,
}

/// What of a stack may hold secrets.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Inner {
    pub settings: Vec<KeptSetting>,
    pub outputs: Vec<KeptOutput>,
}

/// A parameter with its value, as rows keep it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KeptSetting {
    key: String,
    value: String,
    resolved: Option<String>,
    no_echo: bool,
    list: bool,
}

/// An output, as rows keep it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptOutput {
    pub key: String,
    pub value: String,
    pub description: Option<String>,
    pub export: Option<String>,
}

impl From<Setting> for KeptSetting {
    fn from(setting: Setting) -> Self {
        Self {
            key: setting.key,
            value: setting.value,
            resolved: setting.resolved,
            no_echo: setting.no_echo,
            list: setting.list,
        }
    }
}

impl From<KeptSetting> for Setting {
    fn from(setting: KeptSetting) -> Self {
        Self {
            key: setting.key,
            value: setting.value,
            resolved: setting.resolved,
            no_echo: setting.no_echo,
            list: setting.list,
        }
    }
}

impl From<Told> for KeptOutput {
    fn from(told: Told) -> Self {
        Self {
            key: told.key,
            value: told.value,
            description: told.description,
            export: told.export,
        }
    }
}

store::record!(Stack, 1);

/// Stacks of an account in a region that are not deleted (CloudFormation User Guide, "Understand CloudFormation quotas").
const STACKS_MAX: usize = 2000;

/// A stack's id, in an index.
#[derive(Clone, Serialize, Deserialize)]
pub struct Id(pub String);

store::record!(Id, 1);

/// A stack's row: account, region and id.
pub type Place = (String, String, String);

/// By account, region and id.
pub static STACKS: Table<Place, Stack> = Table::new(0x0620, "cloudformation.stacks");
/// The ids of stacks that are not deleted, by account, region and name.
pub static NAMES: Table<Place, Id> = Table::new(0x0621, "cloudformation.names");
/// Ids by account, region and moment of creation, for lists, the newest last.
pub static BY_AGE: Table<(String, String, u64, String), Id> =
    Table::new(0x0622, "cloudformation.stacks_by_age");

/// `arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID`
pub(crate) fn arn(account: &str, region: &str, name: &str, uuid: &str) -> String {
    format!("arn:aws:cloudformation:{region}:{account}:stack/{name}/{uuid}")
}

impl Stack {
    /// A stack that has done nothing yet.
    pub(crate) fn new(call: &Call<'_>, name: &str, uuid: String) -> Self {
        Self {
            account: call.account().to_owned(),
            region: call.region().to_owned(),
            name: name.to_owned(),
            uuid,
            created: call.now.0,
            updated: None,
            deleted: None,
            status: StackStatus::ReviewInProgress.as_str().to_owned(),
            reason: None,
            description: None,
            capabilities: Vec::new(),
            role: None,
            tags: BTreeMap::new(),
            disable_rollback: false,
            on_failure: model::OnFailure::Rollback.as_str().to_owned(),
            timeout_minutes: None,
            protected: false,
            retain_except_on_create: false,
            policy: None,
            change_set: None,
            imports: Vec::new(),
            exports: Vec::new(),
            events: 0,
            last_event: 0,
            tokens: Vec::new(),
            leftover: Vec::new(),
            parent: None,
            root: None,
            hidden: Hidden::default(),
        }
    }

    pub(crate) fn place(&self) -> Place {
        (self.account.clone(), self.region.clone(), self.uuid.clone())
    }

    pub(crate) fn bond(&self) -> Bond<'_> {
        (&self.account, &self.region, &self.uuid)
    }

    /// The stack's id on the wire.
    pub fn id(&self) -> String {
        arn(&self.account, &self.region, &self.name, &self.uuid)
    }

    pub(crate) fn owner(&self) -> Owner {
        Owner {
            name: self.name.clone(),
            region: self.region.clone(),
        }
    }

    pub(crate) fn status(&self) -> StackStatus {
        StackStatus::parse(&self.status).unwrap_or_default()
    }

    /// Whether an operation is underway.
    pub(crate) fn busy(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && self.status() != StackStatus::ReviewInProgress
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.is_some()
    }

    pub(crate) fn inner(&self, look: &Look<'_>) -> Result<Inner> {
        self.hidden.open(look, self.bond())
    }

    pub(crate) fn conceal(&mut self, call: &Call<'_>, inner: &Inner) -> Result<()> {
        self.hidden = Hidden::seal(call, self.bond(), inner)?;
        Ok(())
    }

    /// Writes the row; a new stack's with its name and its place among the others.
    pub(crate) fn keep(self, call: &mut Call<'_>) -> Result<()> {
        let place = self.place();
        call.put(&STACKS, &place, self)
    }

    /// Takes the name and the place of a stack that is new.
    pub(crate) fn enter(&self, call: &mut Call<'_>) -> Result<()> {
        let (account, region, uuid) = self.place();
        let name = (account.clone(), region.clone(), self.name.clone());
        call.put(&NAMES, &name, Id(uuid.clone()))?;
        let age = (account, region, self.created.unsigned_abs(), uuid.clone());
        call.put(&BY_AGE, &age, Id(uuid))
    }

    /// Notes a client request token. Whether it came before, with the same operation.
    ///
    /// # Errors
    /// `TokenAlreadyExistsException` for one that came with another operation.
    pub(crate) fn repeated(&self, token: Option<&str>, operation: &str) -> Result<bool> {
        let known = token.and_then(|token| self.tokens.iter().find(|(known, _)| known == token));
        match known {
            None => Ok(false),
            Some((_, of)) if of == operation => Ok(true),
            Some((token, _)) => Err(model::fault::token_already_exists_exception(format!(
                "Token {token} already exists"
            ))),
        }
    }

    pub(crate) fn remember(&mut self, token: Option<&str>, operation: &str) {
        if let Some(token) = token {
            self.tokens.push((token.to_owned(), operation.to_owned()));
            let over = self.tokens.len().saturating_sub(TOKENS_MAX);
            self.tokens.drain(..over);
        }
    }

    /// The stack's tags, which its resources get, with the system's own if `all` are wanted.
    pub(crate) fn resource_tags(&self, logical_id: &str, all: bool) -> BTreeMap<String, String> {
        let mut tags = self.tags.clone();
        if !all {
            return tags;
        }
        let own = |name: &str| format!("aws:cloudformation:{name}");
        tags.insert(own("stack-name"), self.name.clone());
        tags.insert(own("stack-id"), self.id());
        tags.insert(own("logical-id"), logical_id.to_owned());
        tags
    }
}

/// A stack as a request named it.
#[derive(Clone)]
pub struct StackTarget(pub(crate) Arc<Stack>);

impl Deref for StackTarget {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        &self.0
    }
}

impl Resource for StackTarget {
    const TYPE: &'static str = "AWS::CloudFormation::Stack";

    fn arn(&self) -> String {
        self.0.id()
    }

    fn account(&self) -> &str {
        &self.0.account
    }

    fn conditions(&self, context: &mut Context) {
        for (key, value) in &self.0.tags {
            context.insert(format!("aws:ResourceTag/{key}"), value.clone());
        }
    }
}

/// A stack, or the name of one that there is not, which is judged by the ARN that it denotes. The record of a call tells of it if `TOLD`;
/// where the call makes the stack, the handler does.
pub enum Perhaps<const TOLD: bool> {
    Stack(StackTarget),
    Denoted { arn: String, account: String },
}

impl<const TOLD: bool> Resource for Perhaps<TOLD> {
    const TYPE: &'static str = if TOLD { StackTarget::TYPE } else { "" };

    fn arn(&self) -> String {
        match self {
            Self::Stack(stack) => Resource::arn(stack),
            Self::Denoted { arn, .. } => arn.clone(),
        }
    }

    fn account(&self) -> &str {
        match self {
            Self::Stack(stack) => Resource::account(stack),
            Self::Denoted { account, .. } => account,
        }
    }

    fn conditions(&self, context: &mut Context) {
        if let Self::Stack(stack) = self {
            stack.conditions(context);
        }
    }
}

/// Refuses one more stack than an account can have in a region.
///
/// # Errors
/// `LimitExceededException`.
pub(crate) fn expect_room(look: &mut Look<'_>) -> Result<()> {
    let (account, region) = (look.account_shared(), look.region().to_owned());
    let named = look.range(&NAMES, &(&*account, region.as_str()), None, STACKS_MAX)?;
    if named.len() >= STACKS_MAX {
        let message = "Limit for stack has been exceeded";
        return Err(model::fault::limit_exceeded_exception(message));
    }
    Ok(())
}

/// The stack of a name that is not deleted.
pub(crate) fn living(look: &mut Look<'_>, name: &str) -> Result<Option<Arc<Stack>>> {
    let (account, region) = (look.account_shared(), look.region().to_owned());
    let Some(uuid) = look.get(&NAMES, &(&*account, region.as_str(), name))? else {
        return Ok(None);
    };
    look.get(&STACKS, &(&*account, region.as_str(), uuid.0.as_str()))
}

/// The stack that a request names: a living one by its name, any by its ARN.
pub(crate) fn find(look: &mut Look<'_>, named: &str) -> Result<Option<Arc<Stack>>> {
    if !named.starts_with("arn:") {
        return living(look, named);
    }
    let (account, region) = (look.account_shared(), look.region().to_owned());
    let Some(arn) = Arn::parse(named) else {
        return Ok(None);
    };
    let mut parts = arn.resource().split('/');
    let (Some("stack"), Some(name), Some(uuid), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Ok(None);
    };
    if arn.service() != "cloudformation" || *arn.account() != *account || arn.region() != region {
        return Ok(None);
    }
    let found = look.get(&STACKS, &(&*account, region.as_str(), uuid))?;
    Ok(found.filter(|stack| stack.name == name))
}

/// The ARN that a request's name denotes where nothing bears it.
pub(crate) fn denoted(look: &Look<'_>, named: &str) -> String {
    if named.starts_with("arn:") {
        return named.to_owned();
    }
    arn(look.account(), look.region(), named, "*")
}

/// Finds a stack, deleted ones by their ids too.
pub(crate) fn resolve(
    look: &mut Look<'_>,
    named: &str,
    fault: fn(&str) -> Fault,
) -> Result<Found<StackTarget>> {
    let found = find(look, named)?.map(StackTarget);
    Ok(Found::or_absent(found, || (denoted(look, named), fault(named))))
}

/// Finds a stack that is not deleted.
pub(crate) fn resolve_living(
    look: &mut Look<'_>,
    named: &str,
    fault: fn(&str) -> Fault,
) -> Result<Found<StackTarget>> {
    let found = find(look, named)?.filter(|stack| !stack.is_deleted());
    let found = found.map(StackTarget);
    Ok(Found::or_absent(found, || (denoted(look, named), fault(named))))
}

/// Checks the name of a stack to come.
pub(crate) fn expect_name(name: &str) -> Result<()> {
    let mut letters = name.chars();
    let first = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic());
    let rest = letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    if !(first && rest) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )));
    }
    if name.len() > NAME_MAX {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must have length less \
             than or equal to {NAME_MAX}"
        )));
    }
    Ok(())
}

/// Refuses an operation on a stack whose state does not let it begin.
pub(crate) fn refuse(stack: &Stack) -> Fault {
    invalid(format!(
        "Stack:{} is in {} state and can not be updated.",
        stack.id(),
        stack.status
    ))
}

/// A moment of a row.
pub(crate) const fn moment(millis: i64) -> Timestamp {
    Timestamp(millis)
}

/// A stack that a description must find.
pub(crate) fn resolve_described(look: &mut Look<'_>, named: &str) -> Result<Found<StackTarget>> {
    resolve(look, named, absent)
}
