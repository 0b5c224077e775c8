//! IAM: the users, groups, roles and keys of an account, and the policies that say what they may do.
//!
//! Names are unique in their account without regard to case; unique ids (`AIDA…`) are never given twice, and sessions and
//! trust go by them. A principal's policies are read anew for every decision, so a change counts from the next call on.
//!
//! Invariant: a secret access key is shown once, at its creation, and lies sealed from then on.

use pipeline::jobs::JobKind;
use pipeline::{Endpoint, TrailRules, operations};
use wire::redact::TimestampStyle;

use self::role::linked;

pub mod access_key;
pub mod account;
pub mod attachment;
mod bearer;
pub(crate) mod binding;
pub mod bootstrap;
pub mod boundary;
pub(crate) mod count;
pub mod details;
pub mod directory;
pub mod document;
pub mod group;
pub(crate) mod index;
pub mod inline;
pub mod instance_profile;
pub mod last_accessed;
pub mod managed;
pub mod mfa;
pub mod oidc;
pub mod organizations_features;
pub mod outbound;
mod owned;
mod page;
pub mod password;
pub mod policy;
pub mod preference;
pub mod report;
pub mod role;
pub mod saml;
pub mod server_certificate;
pub mod service_credential;
pub mod signing_certificate;
pub mod simulation;
pub mod ssh_key;
pub(crate) mod tag;
pub mod user;

/// How IAM's calls look in the trail. One-time codes are left out though the model calls them no secrets.
pub static TRAIL: TrailRules = TrailRules {
    timestamps: TimestampStyle::Plain,
    drop: &["AuthenticationCode1", "AuthenticationCode2"],
    hides_denied: true,
    ..TrailRules::new("iam")
};

/// IAM's operations.
pub static OPERATIONS: &[Endpoint] = operations!["iam";
    account::{CreateAccountAlias, DeleteAccountAlias, GetAccountSummary, ListAccountAliases},
    user::{CreateUser, DeleteUser, GetUser, ListUserTags, ListUsers, TagUser, UntagUser, UpdateUser},
    group::{
        AddUserToGroup, CreateGroup, DeleteGroup, GetGroup, ListGroups, ListGroupsForUser, RemoveUserFromGroup,
        UpdateGroup,
    },
    access_key::{CreateAccessKey, DeleteAccessKey, GetAccessKeyLastUsed, ListAccessKeys, UpdateAccessKey},
    server_certificate::{
        DeleteServerCertificate, GetServerCertificate, ListServerCertificateTags, ListServerCertificates,
        TagServerCertificate, UntagServerCertificate, UpdateServerCertificate, UploadServerCertificate,
    },
    ssh_key::{DeleteSSHPublicKey, GetSSHPublicKey, ListSSHPublicKeys, UpdateSSHPublicKey, UploadSSHPublicKey},
    signing_certificate::{
        DeleteSigningCertificate, ListSigningCertificates, UpdateSigningCertificate, UploadSigningCertificate,
    },
    service_credential::{
        CreateServiceSpecificCredential, DeleteServiceSpecificCredential, ListServiceSpecificCredentials,
        ResetServiceSpecificCredential, UpdateServiceSpecificCredential,
    },
    preference::{SetSecurityTokenServicePreferences},
    password::{
        ChangePassword, CreateLoginProfile, DeleteAccountPasswordPolicy, DeleteLoginProfile, GetAccountPasswordPolicy,
        GetLoginProfile, UpdateAccountPasswordPolicy, UpdateLoginProfile,
    },
    mfa::{
        CreateVirtualMFADevice, DeactivateMFADevice, DeleteVirtualMFADevice, EnableMFADevice, GetMFADevice,
        ListMFADeviceTags, ListMFADevices, ListVirtualMFADevices, ResyncMFADevice, TagMFADevice, UntagMFADevice,
    },
    oidc::{
        AddClientIDToOpenIDConnectProvider, CreateOpenIDConnectProvider, DeleteOpenIDConnectProvider,
        GetOpenIDConnectProvider, ListOpenIDConnectProviderTags, ListOpenIDConnectProviders,
        RemoveClientIDFromOpenIDConnectProvider, TagOpenIDConnectProvider, UntagOpenIDConnectProvider,
        UpdateOpenIDConnectProviderThumbprint,
    },
    outbound::{
        DisableOutboundWebIdentityFederation, EnableOutboundWebIdentityFederation,
        GetOutboundWebIdentityFederationInfo,
    },
    organizations_features::{
        DisableOrganizationsRootCredentialsManagement, DisableOrganizationsRootSessions,
        EnableOrganizationsRootCredentialsManagement, EnableOrganizationsRootSessions, ListOrganizationsFeatures,
    },
    report::{GenerateCredentialReport, GetCredentialReport},
    details::{GetAccountAuthorizationDetails},
    last_accessed::{
        GenerateOrganizationsAccessReport, GenerateServiceLastAccessedDetails, GetOrganizationsAccessReport,
        GetServiceLastAccessedDetails, GetServiceLastAccessedDetailsWithEntities, ListPoliciesGrantingServiceAccess,
    },
    policy::{
        CreatePolicy, CreatePolicyVersion, DeletePolicy, DeletePolicyVersion, GetPolicy, GetPolicyVersion,
        ListEntitiesForPolicy, ListPolicies, ListPolicyTags, ListPolicyVersions, SetDefaultPolicyVersion, TagPolicy,
        UntagPolicy,
    },
    role::{
        CreateRole, DeleteRole, GetRole, ListRoleTags, ListRoles, TagRole, UntagRole, UpdateAssumeRolePolicy,
        UpdateRole, UpdateRoleDescription,
    },
    linked::{CreateServiceLinkedRole, DeleteServiceLinkedRole, GetServiceLinkedRoleDeletionStatus},
    attachment::{
        AttachGroupPolicy, AttachRolePolicy, AttachUserPolicy, DetachGroupPolicy, DetachRolePolicy, DetachUserPolicy,
        ListAttachedGroupPolicies, ListAttachedRolePolicies, ListAttachedUserPolicies,
    },
    inline::{
        DeleteGroupPolicy, DeleteRolePolicy, DeleteUserPolicy, GetGroupPolicy, GetRolePolicy, GetUserPolicy,
        ListGroupPolicies, ListRolePolicies, ListUserPolicies, PutGroupPolicy, PutRolePolicy, PutUserPolicy,
    },
    boundary::{
        DeleteRolePermissionsBoundary, DeleteUserPermissionsBoundary, PutRolePermissionsBoundary,
        PutUserPermissionsBoundary,
    },
    instance_profile::{
        AddRoleToInstanceProfile, CreateInstanceProfile, DeleteInstanceProfile, GetInstanceProfile,
        ListInstanceProfileTags, ListInstanceProfiles, ListInstanceProfilesForRole, RemoveRoleFromInstanceProfile,
        TagInstanceProfile, UntagInstanceProfile,
    },
    saml::{
        CreateSAMLProvider, DeleteSAMLProvider, GetSAMLProvider, ListSAMLProviderTags, ListSAMLProviders,
        TagSAMLProvider, UntagSAMLProvider, UpdateSAMLProvider,
    },
    simulation::{
        GetContextKeysForCustomPolicy, GetContextKeysForPrincipalPolicy, SimulateCustomPolicy, SimulatePrincipalPolicy,
    },
];

/// What IAM does later.
pub static JOBS: &[JobKind] = &[
    JobKind {
        name: report::JOB,
        service: "iam",
        event: "GenerateCredentialReport",
        run: report::generate,
    },
    JobKind {
        name: linked::DELETION_JOB,
        service: "iam",
        event: "DeleteServiceLinkedRole",
        run: linked::delete,
    },
    JobKind {
        name: last_accessed::JOB,
        service: "iam",
        event: "GenerateServiceLastAccessedDetails",
        run: last_accessed::generate,
    },
    JobKind {
        name: last_accessed::ORGANIZATION_JOB,
        service: "iam",
        event: "GenerateOrganizationsAccessReport",
        run: last_accessed::generate_for_organization,
    },
];
