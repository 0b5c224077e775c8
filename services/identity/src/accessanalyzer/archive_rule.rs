//! Archive rules: findings that fit one are archived as they come.
//!
//! Invariant: a rule touches findings that are active; it brings none back.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::accessanalyzer as model;
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Timestamp;
use wire::typed::Empty;

use super::analyzer::{self, Analyzer};
use super::fault::{missing, quota, taken};
use super::filter::Filter;
use super::finding::{self, Status};
use super::page;

const KIND: &str = "ArchiveRule";
/// Rules that one analyzer may have.
const RULES_MAX: usize = 100;

/// An archive rule.
#[derive(Clone, Serialize, Deserialize)]
pub struct Rule {
    analyzer: String,
    region: String,
    account: String,
    name: String,
    filter: Filter,
    /// Milliseconds since the epoch.
    created: i64,
    updated: i64,
    token: Option<String>,
}

store::record!(Rule, 1);

/// By account, region, analyzer and name.
pub(super) static RULES: Table<(String, String, String, String), Rule> =
    Table::new(0x0151, "accessanalyzer.archive_rules");

impl Rule {
    fn key(&self) -> (String, String, String, String) {
        let (account, region) = (self.account.clone(), self.region.clone());
        (account, region, self.analyzer.clone(), self.name.clone())
    }

    fn shown(&self) -> model::ArchiveRuleSummary {
        model::ArchiveRuleSummary {
            created_at: Timestamp(self.created),
            filter: self.filter.shown(),
            rule_name: self.name.clone(),
            updated_at: Timestamp(self.updated),
        }
    }
}

impl Resource for Rule {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        arn(&self.region, &self.account, &self.analyzer, &self.name)
    }

    fn account(&self) -> &str {
        &self.account
    }
}

/// `arn:aws:access-analyzer:REGION:ACCOUNT:analyzer/NAME/archive-rule/RULE`
fn arn(region: &str, account: &str, analyzer: &str, rule: &str) -> String {
    format!("{}/archive-rule/{rule}", analyzer::arn(region, account, analyzer))
}

/// All rules of an analyzer.
pub(super) fn of_analyzer(look: &mut Look<'_>, analyzer: &Analyzer) -> Result<Vec<Arc<Rule>>> {
    let rows = look.range(&RULES, &analyzer.key(), None, RULES_MAX)?;
    Ok(rows.into_iter().map(|(_, rule)| rule).collect())
}

/// Whether a rule archives a finding.
pub(super) fn archives(rules: &[Arc<Rule>], finding: &finding::Finding) -> bool {
    rules
        .iter()
        .any(|rule| rule.filter.fits(|key| finding.values(key)))
}

/// Adds a rule to an analyzer.
pub(super) fn add(
    call: &mut Call<'_>,
    analyzer: &Analyzer,
    name: String,
    filter: BTreeMap<String, model::Criterion>,
    token: Option<String>,
) -> Result<()> {
    let rule = Rule {
        analyzer: analyzer.name.clone(),
        region: analyzer.region.clone(),
        account: analyzer.account.clone(),
        name,
        filter: Filter::of_rule(filter)?,
        created: call.now.0,
        updated: call.now.0,
        token,
    };
    if let Some(held) = call.get(&RULES, &rule.key())? {
        if held.token.is_some() && held.token == rule.token && held.filter == rule.filter {
            return Ok(());
        }
        return Err(taken(KIND, &rule.name));
    }
    if of_analyzer(call, analyzer)?.len() >= RULES_MAX {
        let message = format!("The maximum of {RULES_MAX} archive rules of an analyzer is reached.");
        return Err(quota(&message, KIND, &rule.name));
    }
    call.put(&RULES, &rule.key(), rule)
}

/// The rule that a request names, of an analyzer of the caller's.
fn named(look: &mut Look<'_>, analyzer: &str, rule: &str) -> Result<Found<Rule>> {
    let (account, region) = (look.account().to_owned(), look.region().to_owned());
    let arn = arn(&region, &account, analyzer, rule);
    let found = look.get(&RULES, &(account.as_str(), region.as_str(), analyzer, rule))?;
    let found = found.map(|rule| (*rule).clone());
    let fault = if found.is_none() && analyzer::find(look, analyzer)?.is_none() {
        missing("Analyzer", analyzer)
    } else {
        missing(KIND, rule)
    };
    Ok(Found::or_absent(found, || (arn, fault)))
}

/// Adds a rule to an analyzer.
pub struct CreateArchiveRule;

impl Operation for CreateArchiveRule {
    type Input = model::CreateArchiveRuleRequest;
    type Output = Empty;
    type Target = Denoted;
    const ACCESS: Access = Access::write("access-analyzer:CreateArchiveRule");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let arn = arn(
            look.region(),
            look.account(),
            &input.analyzer_name,
            &input.rule_name,
        );
        if analyzer::find(look, &input.analyzer_name)?.is_none() {
            let fault = missing("Analyzer", &input.analyzer_name);
            return Ok(Found::Absent { arn, fault });
        }
        Ok(Denoted::new(look, arn))
    }

    fn handle(call: &mut Call<'_>, _place: Authorized<Denoted>, input: Self::Input) -> Result<Empty> {
        let analyzer = analyzer::find(call, &input.analyzer_name)?;
        let analyzer = analyzer.ok_or_else(|| missing("Analyzer", &input.analyzer_name))?;
        add(call, &analyzer, input.rule_name, input.filter, input.client_token)?;
        Ok(Empty)
    }
}

/// Shows a rule.
pub struct GetArchiveRule;

impl Operation for GetArchiveRule {
    type Input = model::GetArchiveRuleRequest;
    type Output = model::GetArchiveRuleResponse;
    type Target = Rule;
    const ACCESS: Access = Access::read("access-analyzer:GetArchiveRule");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Rule>> {
        named(look, &input.analyzer_name, &input.rule_name)
    }

    fn handle(_call: &mut Call<'_>, rule: Authorized<Rule>, _input: Self::Input) -> Result<Self::Output> {
        Ok(model::GetArchiveRuleResponse {
            archive_rule: rule.shown(),
        })
    }
}

/// Lists the rules of an analyzer.
pub struct ListArchiveRules;

impl Operation for ListArchiveRules {
    type Input = model::ListArchiveRulesRequest;
    type Output = model::ListArchiveRulesResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::list("access-analyzer:ListArchiveRules");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer::named(look, &input.analyzer_name)
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let rules = of_analyzer(call, &analyzer)?;
        let list = format!("ListArchiveRules/{}", analyzer.id);
        let (page, next_token) =
            page::cut(call, &list, rules, input.next_token.as_deref(), input.max_results)?;
        Ok(model::ListArchiveRulesResponse {
            archive_rules: page.iter().map(|rule| rule.shown()).collect(),
            next_token,
        })
    }
}

/// Gives a rule another filter.
pub struct UpdateArchiveRule;

impl Operation for UpdateArchiveRule {
    type Input = model::UpdateArchiveRuleRequest;
    type Output = Empty;
    type Target = Rule;
    const ACCESS: Access = Access::write("access-analyzer:UpdateArchiveRule");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Rule>> {
        named(look, &input.analyzer_name, &input.rule_name)
    }

    fn handle(call: &mut Call<'_>, rule: Authorized<Rule>, input: Self::Input) -> Result<Empty> {
        let mut rule = rule.into_inner();
        rule.filter = Filter::of_rule(input.filter)?;
        rule.updated = call.now.0;
        call.put(&RULES, &rule.key(), rule)?;
        Ok(Empty)
    }
}

/// Takes a rule away. What it archived stays archived.
pub struct DeleteArchiveRule;

impl Operation for DeleteArchiveRule {
    type Input = model::DeleteArchiveRuleRequest;
    type Output = Empty;
    type Target = Rule;
    const ACCESS: Access = Access::write("access-analyzer:DeleteArchiveRule");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Rule>> {
        named(look, &input.analyzer_name, &input.rule_name)
    }

    fn handle(call: &mut Call<'_>, rule: Authorized<Rule>, _input: Self::Input) -> Result<Empty> {
        call.delete(&RULES, &rule.key())?;
        Ok(Empty)
    }
}

/// Applies a rule to the findings that are there already.
pub struct ApplyArchiveRule;

impl Operation for ApplyArchiveRule {
    type Input = model::ApplyArchiveRuleRequest;
    type Output = Empty;
    type Target = Analyzer;
    const ACCESS: Access = Access::write("access-analyzer:ApplyArchiveRule");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer::by_arn(look, &input.analyzer_arn)
    }

    fn handle(call: &mut Call<'_>, analyzer: Authorized<Analyzer>, input: Self::Input) -> Result<Empty> {
        let (account, region, name) = analyzer.key();
        let rule = call.get(&RULES, &(account, region, name, input.rule_name.clone()))?;
        let rule = rule.ok_or_else(|| missing(KIND, &input.rule_name))?;
        for found in finding::of_analyzer(call, &analyzer)? {
            if found.status == Status::Active && rule.filter.fits(|key| found.values(key)) {
                let mut found = (*found).clone();
                found.status = Status::Archived;
                found.updated = call.now.0;
                finding::keep(call, &analyzer, found)?;
            }
        }
        Ok(Empty)
    }
}
