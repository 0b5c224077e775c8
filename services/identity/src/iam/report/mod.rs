//! The credential report of an account (S3.11): asked for, made by a job, and fetched.
//!
//! Invariant: one report is kept at a time, and none that is older than four hours is handed out
//! (IAM User Guide, "Generate credential reports for your AWS account").

mod csv;

use api::iam as model;
use api::iam::fault::{
    credential_report_expired_exception, credential_report_not_present_exception,
    credential_report_not_ready_exception,
};
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Timestamp;
use wire::typed::Blob;

/// The job that makes a report.
pub(crate) const JOB: &str = "iam.GenerateCredentialReport";
/// Milliseconds that a report is good for.
const LIFETIME: i64 = 4 * 3_600_000;
/// Milliseconds between the request and the report.
const DELAY: i64 = 2_000;

/// The report of an account, or the wish for one. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
struct Report {
    /// The job is still to come.
    pending: bool,
    /// The last report that was made: when, and its text.
    made: Option<(i64, String)>,
}

store::record!(Report, 1);

/// By account.
static REPORTS: Table<String, Report> = Table::new(0x0124, "iam.credential_reports");

/// Asks for a report; a fresh one that is there already will do.
pub struct GenerateCredentialReport;

impl Operation for GenerateCredentialReport {
    type Input = model::GenerateCredentialReportInput;
    type Output = model::GenerateCredentialReportResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("iam:GenerateCredentialReport");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        use model::ReportStateType::{Complete, Inprogress, Started};
        let account = call.account().to_owned();
        let held = call.get(&REPORTS, &account)?;
        let fresh = held
            .as_ref()
            .is_some_and(|report| report.made.as_ref().is_some_and(|(at, _)| is_fresh(call, *at)));
        let (state, description) = match held.as_deref() {
            Some(report) if report.pending => (Inprogress, None),
            Some(_) if fresh => (Complete, None),
            held => {
                let made = held.and_then(|report| report.made.clone());
                call.schedule(
                    JOB,
                    Timestamp(call.now.0.saturating_add(DELAY)),
                    serde_json::Value::Null,
                )?;
                call.put(&REPORTS, &account, Report { pending: true, made })?;
                let description = "No report exists. Starting a new report generation task";
                (Started, Some(description.to_owned()))
            }
        };
        Ok(model::GenerateCredentialReportResponse {
            description,
            state: Some(state),
        })
    }
}

fn is_fresh(look: &Look<'_>, made: i64) -> bool {
    look.now.0.saturating_sub(made) < LIFETIME
}

/// The job: writes down what is true when it runs.
pub(crate) fn generate(call: &mut Call<'_>, _payload: &serde_json::Value) -> Result<()> {
    let account = call.account().to_owned();
    let text = csv::text(call, &account)?;
    let made = Some((Timestamp::from_seconds(call.now.seconds()).0, text));
    call.put(&REPORTS, &account, Report { pending: false, made })
}

/// Hands the report out.
pub struct GetCredentialReport;

impl Operation for GetCredentialReport {
    type Input = model::GetCredentialReportInput;
    type Output = model::GetCredentialReportResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("iam:GetCredentialReport");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let account = call.account().to_owned();
        let held = call.get(&REPORTS, &account)?;
        let Some(report) = held else {
            return Err(credential_report_not_present_exception("No report exists."));
        };
        if report.pending {
            return Err(credential_report_not_ready_exception(
                "Credential report generation is in progress.",
            ));
        }
        match &report.made {
            Some((at, text)) if is_fresh(call, *at) => Ok(model::GetCredentialReportResponse {
                content: Some(Blob(text.as_bytes().to_vec())),
                generated_time: Some(Timestamp(*at)),
                report_format: Some(model::ReportFormatType::TextCsv),
            }),
            _ => Err(credential_report_expired_exception(
                "The most recent credential report has expired.",
            )),
        }
    }
}
