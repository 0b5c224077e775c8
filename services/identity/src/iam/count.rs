//! How many identities of each kind an account has, kept beside them so that quotas cost one row and not a scan.
//!
//! Invariant: a count changes in the transaction that adds or removes what it counts.

use api::iam::fault::limit_exceeded_exception;
use pipeline::{Call, Look, Result};
use serde::{Deserialize, Serialize};
use store::Table;

/// The counts of one account.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) users: u32,
    pub(crate) groups: u32,
    pub(crate) roles: u32,
    pub(crate) policies: u32,
    pub(crate) instance_profiles: u32,
    #[serde(default)]
    pub(crate) mfa_devices: u32,
    #[serde(default)]
    pub(crate) mfa_devices_in_use: u32,
    #[serde(default)]
    pub(crate) oidc_providers: u32,
    #[serde(default)]
    pub(crate) saml_providers: u32,
    #[serde(default)]
    pub(crate) server_certificates: u32,
}

store::record!(Counts, 1);

static COUNTS: Table<String, Counts> = Table::new(0x010b, "iam.counts");

/// What is counted, with AWS's default quota (IAM User Guide, "IAM and AWS STS quotas").
#[derive(Clone, Copy)]
pub(crate) enum Counted {
    Users,
    Groups,
    Roles,
    Policies,
    InstanceProfiles,
    MfaDevices,
    /// A device has one owner at most, so that the quota of devices is theirs too.
    MfaDevicesInUse,
    OidcProviders,
    SamlProviders,
    ServerCertificates,
}

impl Counted {
    pub(crate) const fn quota(self) -> u32 {
        match self {
            Self::Users => 5000,
            Self::Groups => 300,
            Self::SamlProviders => 100,
            Self::Roles => 1000,
            Self::Policies => 1500,
            Self::InstanceProfiles => 1000,
            // As many as users.
            Self::MfaDevices | Self::MfaDevicesInUse => 5000,
            Self::OidcProviders => 100,
            Self::ServerCertificates => 20,
        }
    }

    const fn quota_name(self) -> &'static str {
        match self {
            Self::Users => "UsersPerAccount",
            Self::Groups => "GroupsPerAccount",
            Self::Roles => "RolesPerAccount",
            Self::Policies => "PoliciesPerAccount",
            Self::InstanceProfiles => "InstanceProfilesPerAccount",
            Self::SamlProviders => "SAMLProvidersPerAccount",
            Self::MfaDevices | Self::MfaDevicesInUse => "VirtualMfaDevicesPerAccount",
            Self::OidcProviders => "OpenIdConnectProvidersPerAccount",
            Self::ServerCertificates => "ServerCertificatesPerAccount",
        }
    }

    const fn of(self, counts: &mut Counts) -> &mut u32 {
        match self {
            Self::Users => &mut counts.users,
            Self::Groups => &mut counts.groups,
            Self::Roles => &mut counts.roles,
            Self::Policies => &mut counts.policies,
            Self::InstanceProfiles => &mut counts.instance_profiles,
            Self::MfaDevices => &mut counts.mfa_devices,
            Self::SamlProviders => &mut counts.saml_providers,
            Self::MfaDevicesInUse => &mut counts.mfa_devices_in_use,
            Self::OidcProviders => &mut counts.oidc_providers,
            Self::ServerCertificates => &mut counts.server_certificates,
        }
    }
}

/// The counts of the caller's account.
pub(crate) fn counts(look: &mut Look<'_>) -> Result<Counts> {
    let account = look.account().to_owned();
    Ok(look
        .get(&COUNTS, &account)?
        .map_or_else(Counts::default, |counts| *counts))
}

/// Counts one more, or refuses with `LimitExceeded`.
pub(crate) fn add(call: &mut Call<'_>, counted: Counted) -> Result<()> {
    let mut counts = counts(call)?;
    if *counted.of(&mut counts) >= counted.quota() {
        let (name, quota) = (counted.quota_name(), counted.quota());
        return Err(limit_exceeded_exception(format!(
            "Cannot exceed quota for {name}: {quota}"
        )));
    }
    add_beyond(call, counted)
}

/// Counts one more of what may exceed its quota.
pub(crate) fn add_beyond(call: &mut Call<'_>, counted: Counted) -> Result<()> {
    let mut counts = counts(call)?;
    let count = counted.of(&mut counts);
    *count = count.saturating_add(1);
    let account = call.account().to_owned();
    call.put(&COUNTS, &account, counts)
}

/// Counts one less.
pub(crate) fn remove(call: &mut Call<'_>, counted: Counted) -> Result<()> {
    let mut counts = counts(call)?;
    let count = counted.of(&mut counts);
    *count = count.saturating_sub(1);
    let account = call.account().to_owned();
    call.put(&COUNTS, &account, counts)
}
