//! Changes of an analyzer, and its end, with which its findings and rules go.

use api::accessanalyzer as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use store::{Record, Table};
use wire::typed::Empty;

use super::{ANALYZERS, Analyzer, UnusedAccess, named};
use crate::accessanalyzer::archive_rule::RULES;
use crate::accessanalyzer::fault::invalid;
use crate::accessanalyzer::finding::FINDINGS;
use crate::accessanalyzer::preview::PREVIEWS;
use crate::accessanalyzer::recommendation::RECOMMENDATIONS;
use crate::accessanalyzer::resource::RESOURCES;
use crate::accessanalyzer::scan;

/// Rows deleted in one step.
const STRIDE: usize = 500;

/// Changes what an analyzer of unused access goes by.
pub struct UpdateAnalyzer;

impl Operation for UpdateAnalyzer {
    type Input = model::UpdateAnalyzerRequest;
    type Output = model::UpdateAnalyzerResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::write("access-analyzer:UpdateAnalyzer");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        named(look, &input.analyzer_name)
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let mut analyzer = analyzer.into_inner();
        if !analyzer.is_unused() {
            return Err(invalid(
                "This action is not supported for external access analyzers.",
            ));
        }
        if input.configuration.is_some() {
            analyzer.unused = Some(UnusedAccess::read(input.configuration)?);
            scan::hasten(call, &analyzer)?;
            call.put(&ANALYZERS, &analyzer.key(), analyzer.clone())?;
        }
        Ok(model::UpdateAnalyzerResponse {
            configuration: analyzer.unused.as_ref().map(UnusedAccess::shown),
        })
    }
}

/// Ends an analyzer.
pub struct DeleteAnalyzer;

impl Operation for DeleteAnalyzer {
    type Input = model::DeleteAnalyzerRequest;
    type Output = Empty;
    type Target = Analyzer;
    const ACCESS: Access = Access::write("access-analyzer:DeleteAnalyzer");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        named(look, &input.analyzer_name)
    }

    fn handle(call: &mut Call<'_>, analyzer: Authorized<Analyzer>, _input: Self::Input) -> Result<Empty> {
        scan::end(call, &analyzer)?;
        clear(call, &analyzer, &RULES)?;
        clear(call, &analyzer, &FINDINGS)?;
        clear(call, &analyzer, &RESOURCES)?;
        clear(call, &analyzer, &RECOMMENDATIONS)?;
        clear(call, &analyzer, &PREVIEWS)?;
        call.delete(&ANALYZERS, &analyzer.key())?;
        Ok(Empty)
    }
}

/// Deletes all rows of a table that belong to an analyzer.
fn clear<V: Record>(
    call: &mut Call<'_>,
    analyzer: &Analyzer,
    table: &Table<(String, String, String, String), V>,
) -> Result<()> {
    loop {
        let rows = call.range(table, &analyzer.key(), None, STRIDE)?;
        if rows.is_empty() {
            return Ok(());
        }
        for (key, _) in rows {
            call.delete(table, &key)?;
        }
    }
}
