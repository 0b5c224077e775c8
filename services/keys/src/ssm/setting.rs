//! Parameter Store's service settings: the default tier and the throughput of a region (Systems Manager API Reference,
//! `GetServiceSetting`).
//!
//! Invariant: a setting without a row has AWS's default.

use std::sync::Arc;

use api::ssm as model;
use api::ssm::ParameterTier;
use api::ssm::fault::service_setting_not_found;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

const DEFAULT_TIER: &str = "/ssm/parameter-store/default-parameter-tier";
/// Every setting with its values; the first is the default.
const SETTINGS: [(&str, &[&str]); 2] = [
    (DEFAULT_TIER, &["Standard", "Advanced", "Intelligent-Tiering"]),
    ("/ssm/parameter-store/high-throughput-enabled", &["false", "true"]),
];

/// A setting that somebody made.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Setting {
    value: String,
    /// Milliseconds since the epoch.
    modified: i64,
    /// The ARN of who made it.
    by: String,
}

store::record!(Setting, 1);

/// By account, region and id.
static MADE: Table<(String, String, String), Setting> = Table::new(0x0243, "ssm.settings");

/// A setting of the account in the region.
pub struct Named {
    account: Arc<str>,
    arn: String,
    id: &'static str,
    values: &'static [&'static str],
}

impl Resource for Named {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        self.arn.clone()
    }

    fn account(&self) -> &str {
        &self.account
    }
}

/// The setting with an id or an ARN.
fn find(look: &Look<'_>, text: &str) -> Found<Named> {
    let prefix = format!("arn:aws:ssm:{}:{}:servicesetting", look.region(), look.account());
    let id = text.strip_prefix(&prefix).unwrap_or(text);
    let slash = if id.starts_with('/') { "" } else { "/" };
    let arn = format!("{prefix}{slash}{id}");
    match SETTINGS.iter().find(|(known, _)| *known == id) {
        Some((id, values)) => Found::Here(Named {
            account: look.account_shared(),
            arn,
            id,
            values,
        }),
        None => Found::Absent {
            arn,
            fault: service_setting_not_found("The specified service setting wasn't found."),
        },
    }
}

impl Named {
    fn row(&self, look: &Look<'_>) -> (String, String, String) {
        (
            self.account.to_string(),
            look.region().to_owned(),
            self.id.to_owned(),
        )
    }

    fn shown(&self, look: &mut Look<'_>) -> Result<model::ServiceSetting> {
        let row = self.row(look);
        let made = look.get(&MADE, &row)?;
        let usual = self.values.first().copied().unwrap_or_default();
        let (value, modified, by) = match &made {
            Some(made) => (made.value.as_str(), Some(made.modified), made.by.as_str()),
            None => (usual, None, "System"),
        };
        Ok(model::ServiceSetting {
            setting_id: Some(self.id.to_owned()),
            setting_value: Some(value.to_owned()),
            last_modified_date: modified.map(Timestamp),
            last_modified_user: Some(by.to_owned()),
            arn: Some(self.arn.clone()),
            status: Some(if made.is_some() { "Customized" } else { "Default" }.to_owned()),
        })
    }
}

/// The tier of parameters whose requests name none.
pub(crate) fn default_tier(look: &mut Look<'_>) -> Result<ParameterTier> {
    let row = (
        look.account().to_owned(),
        look.region().to_owned(),
        DEFAULT_TIER.to_owned(),
    );
    let made = look.get(&MADE, &row)?;
    Ok(made
        .and_then(|made| ParameterTier::parse(&made.value))
        .unwrap_or_default())
}

/// Shows a setting.
pub struct GetServiceSetting;

impl Operation for GetServiceSetting {
    type Input = model::GetServiceSettingRequest;
    type Output = model::GetServiceSettingResult;
    type Target = Named;
    const ACCESS: Access = Access::read("ssm:GetServiceSetting");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        Ok(find(look, &input.setting_id))
    }

    fn handle(call: &mut Call<'_>, setting: Authorized<Named>, _input: Self::Input) -> Result<Self::Output> {
        Ok(model::GetServiceSettingResult {
            service_setting: Some(setting.shown(call)?),
        })
    }
}

/// Makes a setting.
pub struct UpdateServiceSetting;

impl Operation for UpdateServiceSetting {
    type Input = model::UpdateServiceSettingRequest;
    type Output = model::UpdateServiceSettingResult;
    type Target = Named;
    const ACCESS: Access = Access::write("ssm:UpdateServiceSetting");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        Ok(find(look, &input.setting_id))
    }

    fn handle(call: &mut Call<'_>, setting: Authorized<Named>, input: Self::Input) -> Result<Self::Output> {
        if !setting.values.contains(&input.setting_value.as_str()) {
            return Err(Fault::validation(format!(
                "{} is not a value of {}. Valid values include: [{}].",
                input.setting_value,
                setting.id,
                setting.values.join(", ")
            )));
        }
        let row = setting.row(call);
        let made = Setting {
            value: input.setting_value,
            modified: call.now.0,
            by: call.identity.arn.to_string(),
        };
        call.put(&MADE, &row, made)?;
        Ok(model::UpdateServiceSettingResult::default())
    }
}

/// Gives a setting its default back.
pub struct ResetServiceSetting;

impl Operation for ResetServiceSetting {
    type Input = model::ResetServiceSettingRequest;
    type Output = model::ResetServiceSettingResult;
    type Target = Named;
    const ACCESS: Access = Access::write("ssm:ResetServiceSetting");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        Ok(find(look, &input.setting_id))
    }

    fn handle(call: &mut Call<'_>, setting: Authorized<Named>, _input: Self::Input) -> Result<Self::Output> {
        let row = setting.row(call);
        call.delete(&MADE, &row)?;
        Ok(model::ResetServiceSettingResult {
            service_setting: Some(setting.shown(call)?),
        })
    }
}
