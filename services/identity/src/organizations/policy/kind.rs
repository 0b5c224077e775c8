//! The types of policy that an organization knows: what their documents begin with, and how many there may be.
//!
//! Source: Organizations User Guide, "Quotas and service limits for AWS Organizations".

use api::organizations::{EffectivePolicyType, PolicyType};
use policy::PolicyKind;

/// What is allowed of a policy type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rules {
    /// Characters of a document, white space included.
    pub(super) characters_max: usize,
    /// Policies of the type that one root, unit or account may have attached.
    pub(super) attached_max: usize,
    /// Policies of the type in one organization.
    pub(super) policies_max: usize,
    pub(super) language: Language,
}

/// What a document is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Language {
    /// The policy language: the document takes part in decisions.
    Control(PolicyKind),
    /// Settings under one key, merged down the tree by inheritance operators. Without a name the key is the document's own choice.
    Settings(Option<&'static str>),
}

const fn settings(key: &'static str, characters_max: usize, attached_max: usize) -> Rules {
    Rules {
        characters_max,
        attached_max,
        policies_max: 1000,
        language: Language::Settings(Some(key)),
    }
}

/// The rules of a type.
pub(super) const fn rules(kind: PolicyType) -> Rules {
    match kind {
        PolicyType::ServiceControlPolicy => Rules {
            characters_max: 10_240,
            attached_max: 10,
            policies_max: 10_000,
            language: Language::Control(PolicyKind::ServiceControl),
        },
        PolicyType::ResourceControlPolicy => Rules {
            characters_max: 5120,
            attached_max: 5,
            policies_max: 2000,
            language: Language::Control(PolicyKind::ResourceControl),
        },
        PolicyType::TagPolicy => settings("tags", 10_000, 10),
        PolicyType::BackupPolicy => settings("plans", 10_000, 10),
        PolicyType::AiservicesOptOutPolicy => settings("services", 2500, 5),
        PolicyType::ChatbotPolicy => settings("chatbot", 10_000, 5),
        PolicyType::DeclarativePolicyEc2 => settings("ec2_attributes", 10_000, 10),
        PolicyType::SecurityhubPolicy => settings("securityhub", 10_000, 10),
        PolicyType::InspectorPolicy => settings("inspector", 10_000, 10),
        PolicyType::UpgradeRolloutPolicy => settings("upgrade_rollout", 5120, 10),
        PolicyType::BedrockPolicy => settings("bedrock", 10_000, 10),
        PolicyType::S3Policy => settings("s3_attributes", 10_000, 10),
        PolicyType::NetworkSecurityDirectorPolicy => settings("network_security_director", 10_000, 10),
        PolicyType::GuarddutyPolicy => settings("guardduty", 10_000, 10),
        PolicyType::SecurityhubCspmPolicy => Rules {
            characters_max: 10_000,
            attached_max: 10,
            policies_max: 1000,
            language: Language::Settings(None),
        },
    }
}

/// The type as ARNs spell it: `service_control_policy`.
pub(super) fn path(kind: PolicyType) -> String {
    kind.as_str().to_ascii_lowercase()
}

/// The same type where only types with an effective policy are named.
pub(super) fn of_effective(kind: EffectivePolicyType) -> Option<PolicyType> {
    PolicyType::parse(kind.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_with_an_effective_policy_holds_settings() {
        for effective in EffectivePolicyType::ALL {
            let kind = of_effective(*effective).unwrap();
            assert!(matches!(rules(kind).language, Language::Settings(_)), "{kind}");
        }
        let controls = PolicyType::ALL
            .iter()
            .filter(|kind| matches!(rules(**kind).language, Language::Control(_)));
        assert_eq!(controls.count(), 2);
    }
}
