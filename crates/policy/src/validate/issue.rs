//! The issues that a validation tells of, by AWS's codes.
//!
//! Source: IAM User Guide, "IAM policy validation check reference". `docs/policy-validation.md` lists the checks that are not
//! built.

/// How grave an issue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingType {
    /// A part of the policy does not work.
    Error,
    /// The policy allows more than it should.
    SecurityWarning,
    /// Against good practice, without being dangerous.
    Warning,
    /// Could be written better, with the same effect.
    Suggestion,
}

impl FindingType {
    /// As the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::SecurityWarning => "SECURITY_WARNING",
            Self::Warning => "WARNING",
            Self::Suggestion => "SUGGESTION",
        }
    }

    const fn anchor(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::SecurityWarning => "security-warning",
            Self::Warning => "general-warning",
            Self::Suggestion => "suggestion",
        }
    }
}

macro_rules! issues {
    ($($grave:ident { $($name:ident $code:literal,)* })*) => {
        /// One check's subject. The variants are AWS's issue codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each is explained by AWS's page of its code")]
        pub enum Issue { $($($name,)*)* }

        impl Issue {
            /// Every issue that a validation may tell of.
            pub const ALL: &'static [Self] = &[$($(Self::$name,)*)*];

            /// AWS's code.
            pub const fn code(self) -> &'static str {
                match self { $($(Self::$name => $code,)*)* }
            }

            /// How grave it is.
            pub const fn finding_type(self) -> FindingType {
                match self { $($(Self::$name => FindingType::$grave,)*)* }
            }
        }
    };
}

issues! {
    Error {
        ArnAccountNotAllowed "ARN_ACCOUNT_NOT_ALLOWED",
        ArnRegionNotAllowed "ARN_REGION_NOT_ALLOWED",
        DataTypeMismatch "DATA_TYPE_MISMATCH",
        DuplicateKeysWithDifferentCase "DUPLICATE_KEYS_WITH_DIFFERENT_CASE",
        EmptyVariable "EMPTY_VARIABLE",
        FederatedPrincipalNotSupported "FEDERATED_PRINCIPAL_NOT_SUPPORTED",
        InvalidAction "INVALID_ACTION",
        InvalidArnAccount "INVALID_ARN_ACCOUNT",
        InvalidArnPrefix "INVALID_ARN_PREFIX",
        InvalidArnRegion "INVALID_ARN_REGION",
        InvalidArnResource "INVALID_ARN_RESOURCE",
        InvalidArnServiceCase "INVALID_ARN_SERVICE_CASE",
        InvalidConditionDataType "INVALID_CONDITION_DATA_TYPE",
        InvalidConditionKeyFormat "INVALID_CONDITION_KEY_FORMAT",
        InvalidConditionMultipleBoolean "INVALID_CONDITION_MULTIPLE_BOOLEAN",
        InvalidConditionOperator "INVALID_CONDITION_OPERATOR",
        InvalidEffect "INVALID_EFFECT",
        InvalidFederatedPrincipalSyntaxInRoleTrustPolicy "INVALID_FEDERATED_PRINCIPAL_SYNTAX_IN_ROLE_TRUST_POLICY",
        InvalidGlobalConditionKey "INVALID_GLOBAL_CONDITION_KEY",
        InvalidKmsKeyValue "INVALID_KMS_KEY_VALUE",
        InvalidPartition "INVALID_PARTITION",
        InvalidPolicyElement "INVALID_POLICY_ELEMENT",
        InvalidPrincipalFormat "INVALID_PRINCIPAL_FORMAT",
        InvalidPrincipalKey "INVALID_PRINCIPAL_KEY",
        InvalidRegion "INVALID_REGION",
        InvalidService "INVALID_SERVICE",
        InvalidServiceConditionKey "INVALID_SERVICE_CONDITION_KEY",
        InvalidServiceInAction "INVALID_SERVICE_IN_ACTION",
        InvalidServicePrincipalFormat "INVALID_SERVICE_PRINCIPAL_FORMAT",
        InvalidVariableForOperator "INVALID_VARIABLE_FOR_OPERATOR",
        InvalidVersion "INVALID_VERSION",
        InvalidVpcFormat "INVALID_VPC_FORMAT",
        InvalidVpceFormat "INVALID_VPCE_FORMAT",
        JsonSyntaxError "JSON_SYNTAX_ERROR",
        MismatchedActionForPrincipal "MISMATCHED_ACTION_FOR_PRINCIPAL",
        MissingAction "MISSING_ACTION",
        MissingActionForConditionKey "MISSING_ACTION_FOR_CONDITION_KEY",
        MissingActionForRolesAnywhereTrustPolicy "MISSING_ACTION_FOR_ROLES_ANYWHERE_TRUST_POLICY",
        MissingArnAccount "MISSING_ARN_ACCOUNT",
        MissingArnField "MISSING_ARN_FIELD",
        MissingArnRegion "MISSING_ARN_REGION",
        MissingBraceInVariable "MISSING_BRACE_IN_VARIABLE",
        MissingEffect "MISSING_EFFECT",
        MissingPrincipal "MISSING_PRINCIPAL",
        MissingQualifier "MISSING_QUALIFIER",
        MissingQuoteInVariable "MISSING_QUOTE_IN_VARIABLE",
        MissingResource "MISSING_RESOURCE",
        MissingStatement "MISSING_STATEMENT",
        MissingTagKeyInCondition "MISSING_TAG_KEY_IN_CONDITION",
        NullWithIfExists "NULL_WITH_IF_EXISTS",
        PolicySizeExceedsRcpQuota "POLICY_SIZE_EXCEEDS_RCP_QUOTA",
        PolicySizeExceedsScpQuota "POLICY_SIZE_EXCEEDS_SCP_QUOTA",
        PrivateIpAddress "PRIVATE_IP_ADDRESS",
        PrivateNotIpAddress "PRIVATE_NOT_IP_ADDRESS",
        RcpSyntaxErrorAction "RCP_SYNTAX_ERROR_ACTION",
        RcpSyntaxErrorAllow "RCP_SYNTAX_ERROR_ALLOW",
        RcpSyntaxErrorNotaction "RCP_SYNTAX_ERROR_NOTACTION",
        RcpSyntaxErrorPrincipal "RCP_SYNTAX_ERROR_PRINCIPAL",
        RoleTrustPolicySyntaxErrorNotprincipal "ROLE_TRUST_POLICY_SYNTAX_ERROR_NOTPRINCIPAL",
        RoleTrustPolicySyntaxErrorResource "ROLE_TRUST_POLICY_SYNTAX_ERROR_RESOURCE",
        RoleTrustPolicyUnsupportedWildcardInPrincipal "ROLE_TRUST_POLICY_UNSUPPORTED_WILDCARD_IN_PRINCIPAL",
        ScpSyntaxErrorPrincipal "SCP_SYNTAX_ERROR_PRINCIPAL",
        TypeMismatchIpRange "TYPE_MISMATCH_IP_RANGE",
        UniqueSidsRequired "UNIQUE_SIDS_REQUIRED",
        UnsupportedActionForConditionKey "UNSUPPORTED_ACTION_FOR_CONDITION_KEY",
        UnsupportedActionInPolicy "UNSUPPORTED_ACTION_IN_POLICY",
        UnsupportedConditionKeyForServicePrincipal "UNSUPPORTED_CONDITION_KEY_FOR_SERVICE_PRINCIPAL",
        UnsupportedElementCombination "UNSUPPORTED_ELEMENT_COMBINATION",
        UnsupportedGlobalConditionKey "UNSUPPORTED_GLOBAL_CONDITION_KEY",
        UnsupportedPrincipal "UNSUPPORTED_PRINCIPAL",
        UnsupportedResourceArnInPolicy "UNSUPPORTED_RESOURCE_ARN_IN_POLICY",
        UnsupportedSid "UNSUPPORTED_SID",
        UnsupportedSpaceInVariable "UNSUPPORTED_SPACE_IN_VARIABLE",
        UnsupportedWildcardInPrincipal "UNSUPPORTED_WILDCARD_IN_PRINCIPAL",
        VariableUnsupportedInElement "VARIABLE_UNSUPPORTED_IN_ELEMENT",
        VariableUnsupportedInVersion "VARIABLE_UNSUPPORTED_IN_VERSION",
        VariableUsageTooPermissive "VARIABLE_USAGE_TOO_PERMISSIVE",
        WildcardUsageTooPermissive "WILDCARD_USAGE_TOO_PERMISSIVE",
    }
    SecurityWarning {
        AllowWithNotPrincipal "ALLOW_WITH_NOT_PRINCIPAL",
        DenyNotactionWithUnsupportedTagConditionKeyForService "DENY_NOTACTION_WITH_UNSUPPORTED_TAG_CONDITION_KEY_FOR_SERVICE",
        DenyWithUnsupportedTagConditionKeyForService "DENY_WITH_UNSUPPORTED_TAG_CONDITION_KEY_FOR_SERVICE",
        DynamodbAttributesWithoutSelect "DYNAMODB_ATTRIBUTES_WITHOUT_SELECT",
        ForallvaluesWithSingleValuedKey "FORALLVALUES_WITH_SINGLE_VALUED_KEY",
        ForanyvalueWithAudienceClaimType "FORANYVALUE_WITH_AUDIENCE_CLAIM_TYPE",
        MissingConditionKeyForOidcPrincipal "MISSING_CONDITION_KEY_FOR_OIDC_PRINCIPAL",
        MissingGithubRepoConditionKey "MISSING_GITHUB_REPO_CONDITION_KEY",
        MissingPairedConditionKeys "MISSING_PAIRED_CONDITION_KEYS",
        PassRoleWithNotActionAndNotResource "PASS_ROLE_WITH_NOT_ACTION_AND_NOT_RESOURCE",
        PassRoleWithNotResource "PASS_ROLE_WITH_NOT_RESOURCE",
        PassRoleWithStarInActionAndNotResource "PASS_ROLE_WITH_STAR_IN_ACTION_AND_NOT_RESOURCE",
        PassRoleWithStarInActionAndResource "PASS_ROLE_WITH_STAR_IN_ACTION_AND_RESOURCE",
        PassRoleWithStarInResource "PASS_ROLE_WITH_STAR_IN_RESOURCE",
        PassRoleWithStarInResourceAndNotAction "PASS_ROLE_WITH_STAR_IN_RESOURCE_AND_NOT_ACTION",
        RestrictAccessToServicePrincipal "RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL",
        StringLikeOperatorWithArnConditionKeys "STRING_LIKE_OPERATOR_WITH_ARN_CONDITION_KEYS",
        UntrustworthyConditionKey "UNTRUSTWORTHY_CONDITION_KEY",
    }
    Warning {
        CreateSlrWithNotActionAndNotResource "CREATE_SLR_WITH_NOT_ACTION_AND_NOT_RESOURCE",
        CreateSlrWithNotResource "CREATE_SLR_WITH_NOT_RESOURCE",
        CreateSlrWithStarInActionAndNotResource "CREATE_SLR_WITH_STAR_IN_ACTION_AND_NOT_RESOURCE",
        CreateSlrWithStarInActionAndResource "CREATE_SLR_WITH_STAR_IN_ACTION_AND_RESOURCE",
        CreateSlrWithStarInResource "CREATE_SLR_WITH_STAR_IN_RESOURCE",
        CreateSlrWithStarInResourceAndNotAction "CREATE_SLR_WITH_STAR_IN_RESOURCE_AND_NOT_ACTION",
        InvalidDateValue "INVALID_DATE_VALUE",
        InvalidRoleReference "INVALID_ROLE_REFERENCE",
        InvalidUserReference "INVALID_USER_REFERENCE",
        MissingVersion "MISSING_VERSION",
        PolicySizeExceedsIdentityPolicyQuota "POLICY_SIZE_EXCEEDS_IDENTITY_POLICY_QUOTA",
        PolicySizeExceedsResourcePolicyQuota "POLICY_SIZE_EXCEEDS_RESOURCE_POLICY_QUOTA",
        PolicySizeExceedsRoleTrustPolicyQuota "POLICY_SIZE_EXCEEDS_ROLE_TRUST_POLICY_QUOTA",
        RcpMissingRelatedPrincipalConditionKey "RCP_MISSING_RELATED_PRINCIPAL_CONDITION_KEY",
        RcpMissingRelatedServicePrincipalConditionKey "RCP_MISSING_RELATED_SERVICE_PRINCIPAL_CONDITION_KEY",
        RcpMissingServiceConditionKeyNullCheck "RCP_MISSING_SERVICE_CONDITION_KEY_NULL_CHECK",
        SpecificGithubRepoAndBranchRecommended "SPECIFIC_GITHUB_REPO_AND_BRANCH_RECOMMENDED",
        TypeMismatch "TYPE_MISMATCH",
        TypeMismatchBoolean "TYPE_MISMATCH_BOOLEAN",
        TypeMismatchDate "TYPE_MISMATCH_DATE",
        TypeMismatchNumber "TYPE_MISMATCH_NUMBER",
        TypeMismatchString "TYPE_MISMATCH_STRING",
        UniqueSidsRecommended "UNIQUE_SIDS_RECOMMENDED",
        WildcardWithoutLikeOperator "WILDCARD_WITHOUT_LIKE_OPERATOR",
    }
    Suggestion {
        AllowNotactionWithUnsupportedTagConditionKeyForService "ALLOW_NOTACTION_WITH_UNSUPPORTED_TAG_CONDITION_KEY_FOR_SERVICE",
        AllowWithUnsupportedTagConditionKeyForService "ALLOW_WITH_UNSUPPORTED_TAG_CONDITION_KEY_FOR_SERVICE",
        EmptyArrayAction "EMPTY_ARRAY_ACTION",
        EmptyArrayCondition "EMPTY_ARRAY_CONDITION",
        EmptyArrayConditionForallvalues "EMPTY_ARRAY_CONDITION_FORALLVALUES",
        EmptyArrayConditionForanyvalue "EMPTY_ARRAY_CONDITION_FORANYVALUE",
        EmptyArrayConditionIfexists "EMPTY_ARRAY_CONDITION_IFEXISTS",
        EmptyArrayPrincipal "EMPTY_ARRAY_PRINCIPAL",
        EmptyArrayResource "EMPTY_ARRAY_RESOURCE",
        EmptyObjectCondition "EMPTY_OBJECT_CONDITION",
        EmptyObjectPrincipal "EMPTY_OBJECT_PRINCIPAL",
        EmptySidValue "EMPTY_SID_VALUE",
        EquivalentToNullFalse "EQUIVALENT_TO_NULL_FALSE",
        EquivalentToNullTrue "EQUIVALENT_TO_NULL_TRUE",
        ImproveIpRange "IMPROVE_IP_RANGE",
        IrrelevantConditionKeyInPolicy "IRRELEVANT_CONDITION_KEY_IN_POLICY",
        NullWithQualifier "NULL_WITH_QUALIFIER",
        PrivateIpAddressSubset "PRIVATE_IP_ADDRESS_SUBSET",
        PrivateNotIpAddressSubset "PRIVATE_NOT_IP_ADDRESS_SUBSET",
        RecommendedConditionKeyForServicePrincipal "RECOMMENDED_CONDITION_KEY_FOR_SERVICE_PRINCIPAL",
        RedundantAction "REDUNDANT_ACTION",
        RedundantConditionValueNum "REDUNDANT_CONDITION_VALUE_NUM",
        RedundantKeyDueToWildcardInCondition "REDUNDANT_KEY_DUE_TO_WILDCARD_IN_CONDITION",
        RedundantPrincipalInRoleTrustPolicy "REDUNDANT_PRINCIPAL_IN_ROLE_TRUST_POLICY",
        RedundantResource "REDUNDANT_RESOURCE",
        RedundantStatement "REDUNDANT_STATEMENT",
        RedundantStatementDueToWildcardInCondition "REDUNDANT_STATEMENT_DUE_TO_WILDCARD_IN_CONDITION",
        WildcardInServiceName "WILDCARD_IN_SERVICE_NAME",
    }
}

impl Issue {
    /// AWS's page on the check.
    pub fn learn_more_link(self) -> String {
        let slug = self.code().to_ascii_lowercase().replace('_', "-");
        format!(
            "https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html#access-analyzer-reference-policy-checks-{}-{slug}",
            self.finding_type().anchor()
        )
    }
}
