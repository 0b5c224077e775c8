//! Actions: whether they exist, and whether they belong into the policy.

use super::{Check, Issue, ResourceType, SWEEPS_MAX, nearest, place::Text, statement::Statement};
use crate::reference;

/// What a role's trust policy may be about.
const TRUST_ACTIONS: [&str; 6] = [
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:SetContext",
    "sts:SetSourceIdentity",
    "sts:TagSession",
];

impl Check<'_> {
    pub(super) fn check_actions(&mut self, statement: &Statement<'_>, trust: bool) {
        let Some(actions) = &statement.actions else { return };
        for action in &actions.texts {
            if self.is_full() {
                return;
            }
            self.no_variables(action);
            if action.text != "*" && self.exists(action) {
                self.belongs(action, trust);
            }
        }
        self.redundant_actions(actions);
    }

    /// Whether AWS has such an action.
    fn exists(&mut self, action: &Text<'_>) -> bool {
        let text = action.text;
        let Some((prefix, name)) = text.split_once(':') else {
            let details = format!("There is no action {text}: write service:action, or * for all.");
            self.report(Issue::InvalidAction, &[&action.spot], details);
            return false;
        };
        if prefix.contains(['*', '?']) {
            self.report(
                Issue::WildcardInServiceName,
                &[&action.spot],
                "A wildcard in the service's name may match services that are not meant: name the service.",
            );
            self.sweeps += 1;
            if self.sweeps > SWEEPS_MAX {
                return true;
            }
        } else if reference::service(prefix).is_none() {
            let near = nearest(prefix, reference::services());
            let hint = near.map_or_else(String::new, |near| format!(" Did you mean {near}?"));
            let details = format!("There is no service {prefix}, which the action names.{hint}");
            self.report(Issue::InvalidServiceInAction, &[&action.spot], details);
            return false;
        }
        if reference::actions_matching(text).next().is_some() {
            return true;
        }
        let service = reference::service(prefix);
        let names = service.into_iter().flat_map(reference::Service::actions);
        let near = nearest(name, names.map(|action| action.name()));
        let hint = near.map_or_else(String::new, |near| format!(" Did you mean {prefix}:{near}?"));
        let details = format!("The action {text} does not exist.{hint}");
        self.report(Issue::InvalidAction, &[&action.spot], details);
        false
    }

    /// Whether the policy of this resource can be about the action.
    fn belongs(&mut self, action: &Text<'_>, trust: bool) {
        let text = action.text;
        let services: &[&str] = match self.resource_type {
            _ if trust => &["sts"],
            Some(
                ResourceType::S3Bucket | ResourceType::S3AccessPoint | ResourceType::S3MultiRegionAccessPoint,
            ) => &["s3"],
            Some(ResourceType::S3ObjectLambdaAccessPoint) => &["s3", "s3-object-lambda"],
            Some(ResourceType::DynamoDbTable) => &["dynamodb"],
            _ => return,
        };
        let fits = reference::actions_matching(text).any(|found| {
            services.contains(&found.service().prefix())
                && (!trust || TRUST_ACTIONS.contains(&found.full_name().as_str()))
        });
        if !fits {
            let resource = self
                .resource_type
                .unwrap_or(ResourceType::AssumeRolePolicyDocument);
            let details = format!(
                "A policy of {} cannot be about the action {text}.",
                resource.as_str()
            );
            self.report(Issue::UnsupportedActionInPolicy, &[&action.spot], details);
        }
    }
}
