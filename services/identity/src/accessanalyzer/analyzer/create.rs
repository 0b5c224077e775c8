//! The making of an analyzer, whose first scan follows at once.

use std::collections::BTreeMap;

use api::accessanalyzer as model;
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};
use policy::Context;

use super::{ANALYZERS, Analyzer, SERVICE, UnusedAccess, arn, find};
use crate::accessanalyzer::archive_rule;
use crate::accessanalyzer::fault::{invalid, quota, taken};
use crate::accessanalyzer::{scan, tag, zone};
use crate::iam::role::linked;

/// Analyzers of each type that an account has in a region (AWS General Reference, "IAM Access Analyzer endpoints and quotas").
const ACCOUNT_MAX: usize = 1;
const ORGANIZATION_MAX: usize = 5;

/// Makes an analyzer.
pub struct CreateAnalyzer;

impl Operation for CreateAnalyzer {
    type Input = model::CreateAnalyzerRequest;
    type Output = model::CreateAnalyzerResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::write("access-analyzer:CreateAnalyzer");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];
    const ALSO: &'static [Access] = &[linked::CREATE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let arn = arn(look.region(), look.account(), &input.analyzer_name);
        Ok(Denoted::new(look, arn))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Some(tags) = &input.tags {
            tag::request_conditions(tags, context);
        }
    }

    fn handle(call: &mut Call<'_>, _place: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        let unused = read_type(input.r#type, input.configuration)?;
        expect_zone(call, input.r#type)?;
        if let Some(held) = find(call, &input.analyzer_name)? {
            let same = input.client_token.is_some()
                && held.token == input.client_token
                && held.kind == input.r#type.as_str();
            if same {
                return Ok(model::CreateAnalyzerResponse {
                    arn: Some(held.arn()),
                });
            }
            return Err(taken("Analyzer", &input.analyzer_name));
        }
        let account = call.account().to_owned();
        let held = super::of_account(call, &account)?;
        let alike = held
            .iter()
            .filter(|held| held.region == call.region() && held.kind == input.r#type.as_str());
        let max = if zone::is_organization(input.r#type.as_str()) {
            ORGANIZATION_MAX
        } else {
            ACCOUNT_MAX
        };
        if alike.count() >= max {
            let message = format!(
                "The maximum of {max} analyzers of the type {} in this Region is reached.",
                input.r#type
            );
            return Err(quota(&message, "Analyzer", &input.analyzer_name));
        }
        let mut tags = BTreeMap::new();
        tag::merge(call, &mut tags, input.tags.unwrap_or_default())?;
        let analyzer = Analyzer {
            account,
            region: call.region().to_owned(),
            name: input.analyzer_name,
            id: call.uuid()?,
            kind: input.r#type.as_str().to_owned(),
            created: call.now.0,
            tags,
            unused,
            last: None,
            token: input.client_token,
        };
        for rule in input.archive_rules.into_iter().flatten() {
            archive_rule::add(call, &analyzer, rule.rule_name, rule.filter, None)?;
        }
        linked::ensure(call, SERVICE)?;
        call.put(&ANALYZERS, &analyzer.key(), analyzer.clone())?;
        scan::begin(call, &analyzer)?;
        let arn = analyzer.arn();
        call.mention(&*arn, &analyzer.account, Analyzer::TYPE);
        Ok(model::CreateAnalyzerResponse { arn: Some(arn) })
    }
}

/// Refuses analyzers of an organization to accounts that do not stand for it.
fn expect_zone(call: &mut Call<'_>, kind: model::Type) -> Result<()> {
    let account = call.account().to_owned();
    if !zone::is_organization(kind.as_str()) || zone::administered(call, &account)?.is_some() {
        return Ok(());
    }
    Err(invalid(format!(
        "An analyzer of the type {kind} needs the management account or the delegated administrator of an organization, with trusted \
         access for IAM Access Analyzer."
    )))
}

/// What the type wants of the configuration.
fn read_type(
    kind: model::Type,
    configuration: Option<model::AnalyzerConfiguration>,
) -> Result<Option<UnusedAccess>> {
    match kind {
        model::Type::Account | model::Type::Organization if configuration.is_some() => Err(invalid(
            "An analyzer of external access does not take a configuration.",
        )),
        model::Type::Account | model::Type::Organization => Ok(None),
        model::Type::AccountUnusedAccess | model::Type::OrganizationUnusedAccess => {
            UnusedAccess::read(configuration).map(Some)
        }
        model::Type::AccountInternalAccess | model::Type::OrganizationInternalAccess => Err(invalid(
            format!("Analyzers of the type {kind} are not offered here."),
        )),
    }
}
