//! What a finding tells beyond its summary.

use api::accessanalyzer as model;
use wire::Timestamp;

use super::{UnusedService, What, restriction};

impl What {
    /// The details, one for each service of unused permissions.
    pub(super) fn details(&self) -> Vec<model::FindingDetails> {
        let at = |last: &Option<i64>| last.map(Timestamp);
        let none = model::FindingDetails::default;
        match self {
            Self::External {
                principal,
                action,
                condition,
                public,
                controlled,
            } => vec![model::FindingDetails {
                external_access_details: Some(model::ExternalAccessDetails {
                    action: Some(action.clone()),
                    condition: condition.clone(),
                    is_public: Some(*public),
                    principal: Some(principal.clone()),
                    resource_control_policy_restriction: Some(restriction(*controlled)),
                    sources: None,
                }),
                ..none()
            }],
            Self::UnusedRole { last } => vec![model::FindingDetails {
                unused_iam_role_details: Some(model::UnusedIamRoleDetails {
                    last_accessed: at(last),
                }),
                ..none()
            }],
            Self::UnusedKey { id, last } => vec![model::FindingDetails {
                unused_iam_user_access_key_details: Some(model::UnusedIamUserAccessKeyDetails {
                    access_key_id: id.clone(),
                    last_accessed: at(last),
                }),
                ..none()
            }],
            Self::UnusedPassword { last } => vec![model::FindingDetails {
                unused_iam_user_password_details: Some(model::UnusedIamUserPasswordDetails {
                    last_accessed: at(last),
                }),
                ..none()
            }],
            Self::UnusedPermission { services } => services.iter().map(UnusedService::shown).collect(),
        }
    }
}

impl UnusedService {
    fn shown(&self) -> model::FindingDetails {
        let actions = self.actions.iter().map(|(action, last)| model::UnusedAction {
            action: action.clone(),
            last_accessed: last.map(Timestamp),
        });
        model::FindingDetails {
            unused_permission_details: Some(model::UnusedPermissionDetails {
                actions: (!self.actions.is_empty()).then(|| actions.collect()),
                last_accessed: self.last.map(Timestamp),
                service_namespace: self.namespace.clone(),
            }),
            ..model::FindingDetails::default()
        }
    }
}
