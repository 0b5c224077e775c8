//! Analyzers as they are shown.

use api::accessanalyzer as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};

use super::{Analyzer, named, of_account};
use crate::accessanalyzer::page;

/// Shows an analyzer.
pub struct GetAnalyzer;

impl Operation for GetAnalyzer {
    type Input = model::GetAnalyzerRequest;
    type Output = model::GetAnalyzerResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::read("access-analyzer:GetAnalyzer");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        named(look, &input.analyzer_name)
    }

    fn handle(
        _call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        Ok(model::GetAnalyzerResponse {
            analyzer: analyzer.shown(),
        })
    }
}

/// Lists the analyzers of the account in the region.
pub struct ListAnalyzers;

impl Operation for ListAnalyzers {
    type Input = model::ListAnalyzersRequest;
    type Output = model::ListAnalyzersResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("access-analyzer:ListAnalyzers");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let account = call.account().to_owned();
        let mut analyzers = of_account(call, &account)?;
        analyzers.retain(|analyzer| {
            analyzer.region == call.region() && input.r#type.is_none_or(|kind| kind.as_str() == analyzer.kind)
        });
        let list = format!("ListAnalyzers/{:?}", input.r#type);
        let (page, next_token) = page::cut(
            call,
            &list,
            analyzers,
            input.next_token.as_deref(),
            input.max_results,
        )?;
        Ok(model::ListAnalyzersResponse {
            analyzers: page.iter().map(|analyzer| analyzer.shown()).collect(),
            next_token,
        })
    }
}
