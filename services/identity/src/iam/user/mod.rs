//! Users: a person or an application with a name, tags, groups, policies and keys (S1.5).
//!
//! Invariant: a name is taken once in an account, compared without case (S1.6); the unique id is never given twice, so a user
//! made anew under an old name is another principal.

mod delete;
mod holder;
mod tags;
mod update;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::iam as model;
use api::iam::fault::{entity_already_exists_exception, no_such_entity_exception};
use crypto::random::IdPrefix;
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use crate::iam::count::{self, Counted};
use crate::iam::document::StoredPolicy;
use crate::iam::page::{Page, path_fits};
use crate::iam::tag::{self, Tags};
use crate::iam::{binding, boundary};

pub use delete::DeleteUser;
pub use holder::Holder;
pub(crate) use holder::{holder, shown_root};
pub use tags::{ListUserTags, TagUser, UntagUser};
pub use update::UpdateUser;

/// Bytes of all inline policies of a user, whitespace not counted.
pub(crate) const INLINE_BYTES_MAX: usize = 2048;

/// A user.
#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    pub account: String,
    pub name: String,
    /// `/` or `/…/`
    pub path: String,
    /// `AIDA…`
    pub id: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    pub tags: Tags,
    /// The ARN of the managed policy that bounds the user's permissions.
    pub boundary: Option<String>,
    /// Names of groups, in lower case.
    pub groups: Vec<String>,
    /// ARNs of managed policies, in the order of attachment.
    pub attached: Vec<String>,
    pub inline: BTreeMap<String, StoredPolicy>,
    /// Milliseconds since the epoch.
    pub password_last_used: Option<i64>,
}

store::record!(User, 1);

/// By account and lower-case name.
pub static USERS: Table<(String, String), User> = Table::new(0x0102, "iam.users");

impl User {
    /// The name as rows are found by it.
    pub fn lower(&self) -> String {
        self.name.to_lowercase()
    }

    /// The key of its row.
    pub fn key(&self) -> (String, String) {
        (self.account.clone(), self.lower())
    }

    /// As the API shows it. Lists leave the tags and the boundary out, as on AWS.
    pub(crate) fn shown(&self) -> model::User {
        model::User {
            arn: self.arn(),
            create_date: Timestamp(self.created),
            password_last_used: self.password_last_used.map(Timestamp),
            path: self.path.clone(),
            permissions_boundary: None,
            tags: None,
            user_id: self.id.clone(),
            user_name: self.name.clone(),
        }
    }

    /// As `GetUser` and `CreateUser` show it.
    pub(crate) fn shown_whole(&self) -> model::User {
        let boundary = boundary::shown(self.boundary.as_ref());
        model::User {
            permissions_boundary: boundary,
            tags: tag::shown(&self.tags),
            ..self.shown()
        }
    }
}

impl Resource for User {
    const TYPE: &'static str = "AWS::IAM::User";

    fn arn(&self) -> String {
        arn(&self.account, &self.path, &self.name)
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        tag::resource_conditions(&self.tags, context);
        // A request that sets the boundary is judged by the one it sets.
        if let Some(boundary) = &self.boundary
            && context.get("iam:PermissionsBoundary").is_none()
        {
            context.insert("iam:PermissionsBoundary", boundary.clone());
        }
    }
}

/// `arn:aws:iam::ACCOUNT:user/PATH/NAME`
pub(crate) fn arn(account: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:user{path}{name}")
}

/// What AWS says of a name that no user bears.
pub(crate) fn missing(name: &str) -> Fault {
    no_such_entity_exception(format!("The user with name {name} cannot be found."))
}

/// The user of a name in the caller's account, if there is one.
pub(crate) fn find(look: &mut Look<'_>, name: &str) -> Result<Option<Arc<User>>> {
    let key = (look.account().to_owned(), name.to_lowercase());
    look.get(&USERS, &key)
}

/// The user that a request names.
pub(crate) fn named(look: &mut Look<'_>, name: &str) -> Result<Found<User>> {
    let found = find(look, name)?.map(|user| (*user).clone());
    let account = look.account();
    Ok(Found::or_absent(found, || {
        (arn(account, "/", name), missing(name))
    }))
}

/// Makes a user (S1.5).
pub struct CreateUser;

const TAG_USER: Access = Access::tagging("iam:TagUser");

impl Operation for CreateUser {
    type Input = model::CreateUserRequest;
    type Output = model::CreateUserResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::write("iam:CreateUser");
    const CONDITIONS: &'static [&'static str] = &[
        "iam:PermissionsBoundary",
        "aws:RequestTag/${TagKey}",
        "aws:TagKeys",
    ];
    const ALSO: &'static [Access] = &[TAG_USER];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let arn = arn(
            look.account(),
            input.path.as_deref().unwrap_or("/"),
            &input.user_name,
        );
        Ok(Denoted::new(look, arn))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::tag_conditions(input.tags.as_ref(), context);
        if let Some(boundary) = &input.permissions_boundary {
            context.insert("iam:PermissionsBoundary", boundary.clone());
        }
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        if input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            let mut context = Context::new();
            Self::conditions(&input, &mut context);
            call.also(TAG_USER, &target.arn(), target.account(), context)?;
        }
        let mut tags = Tags::new();
        tag::merge(&mut tags, tag::read(input.tags)?, "TagsPerUser")?;
        let name = input.user_name;
        if find(call, &name)?.is_some() {
            return Err(entity_already_exists_exception(format!(
                "User with name {name} already exists."
            )));
        }
        count::add(call, Counted::Users)?;
        let user = User {
            account: call.account().to_owned(),
            path: input.path.unwrap_or_else(|| "/".to_owned()),
            id: call.unique_id(IdPrefix::User)?,
            created: Timestamp::from_seconds(call.now.seconds()).0,
            tags,
            boundary: input.permissions_boundary,
            groups: Vec::new(),
            attached: Vec::new(),
            inline: BTreeMap::new(),
            password_last_used: None,
            name,
        };
        if let Some(policy) = &user.boundary {
            binding::bind(call, policy, "user-boundary", &user.name, &user.id)?;
        }
        let (key, shown) = (user.key(), user.shown_whole());
        call.mention(user.arn(), &user.account, User::TYPE);
        call.put(&USERS, &key, user)?;
        Ok(model::CreateUserResponse { user: Some(shown) })
    }
}

/// Shows a user, or the caller.
pub struct GetUser;

impl Operation for GetUser {
    type Input = model::GetUserRequest;
    type Output = model::GetUserResponse;
    type Target = Holder;
    const ACCESS: Access = Access::read("iam:GetUser");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, _input: Self::Input) -> Result<Self::Output> {
        let user = match &*holder {
            Holder::User(user) => user.shown_whole(),
            Holder::Root { account } => shown_root(call, account)?,
        };
        Ok(model::GetUserResponse { user })
    }
}

/// Lists the users below a path.
pub struct ListUsers;

impl Operation for ListUsers {
    type Input = model::ListUsersRequest;
    type Output = model::ListUsersResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::list("iam:ListUsers");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        // AWS judges the listing on the path that it lists.
        let path = input.path_prefix.as_deref().unwrap_or("/");
        let arn = format!("arn:{}:iam::{}:user{path}", look.partition(), look.account());
        Ok(Denoted::new(look, arn))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        let page = Page::read(call, "ListUsers", input.marker.as_deref(), input.max_items)?;
        let prefix = input.path_prefix.as_deref();
        let paged = page.of_table(call, &USERS, |user: &User| path_fits(&user.path, prefix))?;
        Ok(model::ListUsersResponse {
            is_truncated: paged.truncated(),
            users: paged.items.iter().map(|user| user.shown()).collect(),
            marker: paged.marker,
        })
    }
}
