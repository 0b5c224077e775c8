//! The reports on an organization, shown.

use api::iam as model;
use api::iam::fault::no_such_entity_exception;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use crate::iam::page::Page;

use super::details::minute;
use super::organization::{self, OrganizationReport, Tried};
use super::services;

/// Shows a report by service.
pub struct GetOrganizationsAccessReport;

impl Operation for GetOrganizationsAccessReport {
    type Input = model::GetOrganizationsAccessReportRequest;
    type Output = model::GetOrganizationsAccessReportResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("iam:GetOrganizationsAccessReport");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let job = &input.job_id;
        let report = organization::find(call, job)?
            .ok_or_else(|| no_such_entity_exception(format!("The job with id {job} cannot be found.")))?;
        let sort = input
            .sort_key
            .unwrap_or(model::SortKeyType::ServiceNamespaceAscending);
        let list = format!("GetOrganizationsAccessReport/{job}/{}", sort.as_str());
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        // What is not complete is not shown.
        let done = report.completed.is_some() && report.error.is_none();
        let number = |count: usize| done.then(|| i32::try_from(count).unwrap_or(i32::MAX));
        let untried = report.services.values().filter(|tried| tried.last.is_none());
        let untried = number(untried.count());
        // Markers go by the place in the list, which is the same each time: the report does not change any more.
        let sorted = sorted(&report, sort).into_iter().filter(|_| done).enumerate();
        let shown =
            sorted.map(|(place, (namespace, tried))| (format!("{place:05}"), shown(namespace, tried)));
        let paged = page.of_sorted(call, shown)?;
        Ok(model::GetOrganizationsAccessReportResponse {
            is_truncated: paged.truncated(),
            access_details: done.then_some(paged.items),
            error_details: report
                .error
                .clone()
                .map(|(code, message)| model::ErrorDetails { code, message }),
            job_completion_date: report.completed.map(Timestamp),
            job_creation_date: Timestamp(report.created),
            job_status: match (&report.error, report.completed) {
                (Some(_), _) => model::JobStatusType::Failed,
                (None, Some(_)) => model::JobStatusType::Completed,
                (None, None) => model::JobStatusType::InProgress,
            },
            marker: paged.marker,
            number_of_services_accessible: number(report.services.len()),
            number_of_services_not_accessed: untried,
        })
    }
}

/// The services as a request wants them sorted; those of the same time by namespace.
fn sorted(report: &OrganizationReport, sort: model::SortKeyType) -> Vec<(&String, &Tried)> {
    let mut services: Vec<_> = report.services.iter().collect();
    let at = |tried: &Tried| tried.last.as_ref().map(|last| last.at);
    match sort {
        model::SortKeyType::ServiceNamespaceAscending => {}
        model::SortKeyType::ServiceNamespaceDescending => services.reverse(),
        model::SortKeyType::LastAuthenticatedTimeAscending => services.sort_by_key(|(_, tried)| at(tried)),
        model::SortKeyType::LastAuthenticatedTimeDescending => {
            services.sort_by_key(|(_, tried)| std::cmp::Reverse(at(tried)));
        }
    }
    services
}

fn shown(namespace: &str, tried: &Tried) -> model::AccessDetail {
    let last = tried.last.as_ref();
    model::AccessDetail {
        entity_path: last.map(|last| last.path.clone()),
        last_authenticated_time: last.map(|last| minute(last.at)),
        region: last.map(|last| last.region.clone()),
        service_name: services::named(namespace)
            .map_or(namespace, |service| service.name)
            .to_owned(),
        service_namespace: namespace.to_owned(),
        total_authenticated_entities: Some(tried.accounts),
    }
}
