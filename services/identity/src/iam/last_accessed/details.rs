//! The reports shown: services with their last use, and who used one of them.

use api::iam as model;
use api::iam::fault::no_such_entity_exception;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use crate::iam::page::Page;

use super::report::{self, Entity, Last, Report, Use};
use super::services;

fn named(call: &mut Call<'_>, job: &str) -> Result<Report> {
    let found = report::find(call, job)?;
    found.ok_or_else(|| no_such_entity_exception(format!("The job with id {job} cannot be found.")))
}

impl Report {
    fn status(&self) -> model::JobStatusType {
        match (&self.error, self.completed) {
            (Some(_), _) => model::JobStatusType::Failed,
            (None, Some(_)) => model::JobStatusType::Completed,
            (None, None) => model::JobStatusType::InProgress,
        }
    }

    fn error(&self) -> Option<model::ErrorDetails> {
        let (code, message) = self.error.clone()?;
        Some(model::ErrorDetails { code, message })
    }
}

/// Minutes, as AWS tells them.
pub(super) const fn minute(at: i64) -> Timestamp {
    Timestamp(at - at.rem_euclid(60_000))
}

fn shown(namespace: &str, used: &Use, by_action: bool) -> model::ServiceLastAccessed {
    let last = used.last.as_ref();
    let actions = used.actions.iter().map(|(action, last)| {
        let last: Option<&Last> = last.as_ref();
        model::TrackedActionLastAccessed {
            action_name: Some(action.clone()),
            last_accessed_entity: last.map(|last| last.entity.clone()),
            last_accessed_region: last.map(|last| last.region.clone()),
            last_accessed_time: last.map(|last| minute(last.at)),
        }
    });
    model::ServiceLastAccessed {
        last_authenticated: last.map(|last| minute(last.at)),
        last_authenticated_entity: last.map(|last| last.entity.clone()),
        last_authenticated_region: last.map(|last| last.region.clone()),
        service_name: services::named(namespace)
            .map_or(namespace, |service| service.name)
            .to_owned(),
        service_namespace: namespace.to_owned(),
        total_authenticated_entities: Some(used.entities),
        tracked_actions_last_accessed: (by_action && !used.actions.is_empty()).then(|| actions.collect()),
    }
}

/// Shows a report by service.
pub struct GetServiceLastAccessedDetails;

impl Operation for GetServiceLastAccessedDetails {
    type Input = model::GetServiceLastAccessedDetailsRequest;
    type Output = model::GetServiceLastAccessedDetailsResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("iam:GetServiceLastAccessedDetails");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let report = named(call, &input.job_id)?;
        let list = format!("GetServiceLastAccessedDetails/{}", input.job_id);
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let by_action = report.by_action;
        // What is not complete is not shown.
        let done = report.completed.is_some() && report.error.is_none();
        let services = report.services.iter().filter(|_| done);
        let services =
            services.map(|(namespace, used)| (namespace.clone(), shown(namespace, used, by_action)));
        let paged = page.of_sorted(call, services)?;
        Ok(model::GetServiceLastAccessedDetailsResponse {
            error: report.error(),
            is_truncated: paged.truncated(),
            job_completion_date: report.completed.map(Timestamp),
            job_creation_date: Timestamp(report.created),
            job_status: report.status(),
            job_type: Some(if by_action {
                model::AccessAdvisorUsageGranularityType::ActionLevel
            } else {
                model::AccessAdvisorUsageGranularityType::ServiceLevel
            }),
            marker: paged.marker,
            services_last_accessed: paged.items,
        })
    }
}

/// Shows who could have used a service by the report's policies, the latest attempt first.
pub struct GetServiceLastAccessedDetailsWithEntities;

impl Operation for GetServiceLastAccessedDetailsWithEntities {
    type Input = model::GetServiceLastAccessedDetailsWithEntitiesRequest;
    type Output = model::GetServiceLastAccessedDetailsWithEntitiesResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("iam:GetServiceLastAccessedDetailsWithEntities");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let report = named(call, &input.job_id)?;
        let namespace = &input.service_namespace;
        let list = format!(
            "GetServiceLastAccessedDetailsWithEntities/{}/{namespace}",
            input.job_id
        );
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let mut entities = Vec::new();
        let done = report.completed.is_some() && report.error.is_none();
        if done && report.services.contains_key(namespace) {
            entities = report::entities(call, &input.job_id)?;
        }
        let mut sorted: Vec<_> = entities
            .into_iter()
            .map(|entity| {
                let at = entity.services.get(namespace).copied();
                // Markers go by this text: the latest first, then by id.
                let place = format!("{:020}/{}", i64::MAX - at.unwrap_or(0), entity.id);
                (place, detail(entity, at))
            })
            .collect();
        sorted.sort_by(|one, other| one.0.cmp(&other.0));
        let paged = page.of_sorted(call, sorted)?;
        Ok(model::GetServiceLastAccessedDetailsWithEntitiesResponse {
            error: report.error(),
            is_truncated: paged.truncated(),
            job_completion_date: report.completed.map(Timestamp),
            job_creation_date: Timestamp(report.created),
            job_status: report.status(),
            marker: paged.marker,
            entity_details_list: paged.items,
        })
    }
}

fn detail(entity: Entity, at: Option<i64>) -> model::EntityDetails {
    model::EntityDetails {
        entity_info: model::EntityInfo {
            arn: entity.arn,
            id: entity.id,
            name: entity.name,
            path: Some(entity.path),
            r#type: if entity.role {
                model::PolicyOwnerEntityType::Role
            } else {
                model::PolicyOwnerEntityType::User
            },
        },
        last_authenticated: at.map(minute),
    }
}
