//! The managed policies that an account can see. Inline policies are not among them (S1.23).

use std::collections::BTreeMap;

use api::iam as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};

use super::{POLICIES, shown_entry};
use crate::iam::binding::{USAGE, Usage};
use crate::iam::managed::catalogue;
use crate::iam::page::{Page, path_fits};

/// Lists the account's own policies and AWS's (S1.16).
pub struct ListPolicies;

impl Operation for ListPolicies {
    type Input = model::ListPoliciesRequest;
    type Output = model::ListPoliciesResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("iam:ListPolicies");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let page = Page::read(call, "ListPolicies", input.marker.as_deref(), input.max_items)?;
        let used = usages(call)?;
        let usage = |arn: &str| used.get(arn).copied().unwrap_or_default();
        let fits =
            |path: &str, usage: Usage| path_fits(path, input.path_prefix.as_deref()) && wanted(usage, &input);
        let scope = input.scope.unwrap_or(model::PolicyScopeType::All);
        let mut own = Vec::new();
        if scope != model::PolicyScopeType::Aws {
            own = own_policies(call, |policy| {
                let usage = usage(&policy.arn);
                fits(&policy.path, usage).then(|| policy.shown(usage))
            })?;
        }
        let aws = catalogue::all()
            .take_while(|_| scope != model::PolicyScopeType::Local)
            .filter_map(|entry| {
                let usage = if used.is_empty() {
                    Usage::default()
                } else {
                    usage(&entry.arn())
                };
                // The account's own come first, and so do their marks.
                fits(entry.path, usage).then(|| (format!("1/{}", entry.name), shown_entry(&entry, usage)))
            });
        let paged = page.of_sorted(call, own.into_iter().chain(aws))?;
        Ok(model::ListPoliciesResponse {
            is_truncated: paged.truncated(),
            policies: Some(paged.items),
            marker: paged.marker,
        })
    }
}

/// Whether the filters of use let a policy through.
fn wanted(usage: Usage, input: &model::ListPoliciesRequest) -> bool {
    let any = usage.attached + usage.boundaries > 0;
    let by_kind = match input.policy_usage_filter {
        None => true,
        Some(model::PolicyUsageType::PermissionsPolicy) => usage.attached > 0,
        Some(model::PolicyUsageType::PermissionsBoundary) => usage.boundaries > 0,
    };
    by_kind && (any || input.only_attached != Some(true))
}

/// How often the account uses each policy that it uses at all.
fn usages(call: &mut Call<'_>) -> Result<BTreeMap<String, Usage>> {
    let account = call.account().to_owned();
    let rows = call.every(&USAGE, &(account.as_str(),))?;
    Ok(rows.into_iter().map(|((_, arn), usage)| (arn, *usage)).collect())
}

/// The account's own policies that `show` shows, with the mark that a page may end at.
fn own_policies(
    call: &mut Call<'_>,
    show: impl Fn(&super::ManagedPolicy) -> Option<model::Policy>,
) -> Result<Vec<(String, model::Policy)>> {
    let account = call.account().to_owned();
    let rows = call.every(&POLICIES, &(account.as_str(),))?;
    let shown = rows
        .into_iter()
        .filter_map(|((_, name), policy)| show(&policy).map(|shown| (format!("0/{name}"), shown)));
    Ok(shown.collect())
}
