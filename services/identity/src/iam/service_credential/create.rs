//! A credential comes to be.

use api::iam as model;
use api::iam::fault::{limit_exceeded_exception, service_not_supported_exception};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::Secret;
use crypto::random::IdPrefix;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::{Fault, Timestamp};

use super::{SEALED_IN, SERVICE_CREDENTIALS, SERVICE_NAME, ServiceCredential, service};
use crate::iam::owned;
use crate::iam::user::{Holder, holder};

/// Credentials of one service that a user may have (IAM API Reference, `CreateServiceSpecificCredential`).
const PER_SERVICE_MAX: usize = 2;
const AGE_DAYS: &str = "iam:ServiceSpecificCredentialAgeDays";
const DAY: i64 = 86_400;

/// Makes a credential of a service for a user; the answer is the only one that shows its secret.
pub struct CreateServiceSpecificCredential;

impl Operation for CreateServiceSpecificCredential {
    type Input = model::CreateServiceSpecificCredentialRequest;
    type Output = model::CreateServiceSpecificCredentialResponse;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:CreateServiceSpecificCredential");
    const CONDITIONS: &'static [&'static str] = &[AGE_DAYS, SERVICE_NAME];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, Some(&input.user_name))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert(SERVICE_NAME, input.service_name.clone());
        if let Some(days) = input.credential_age_days {
            context.insert(AGE_DAYS, days.to_string());
        }
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Self::Output> {
        let name = input.service_name;
        if !service::is_known(&name) {
            let message = format!("No service-specific credentials are supported for the service {name}.");
            return Err(service_not_supported_exception(message));
        }
        if input.credential_age_days.is_some() && !service::has_api_keys(&name) {
            let message = format!("CredentialAgeDays is not supported for the service {name}.");
            return Err(Fault::validation(message));
        }
        let account = call.account().to_owned();
        let held = owned::of_holder(call, &SERVICE_CREDENTIALS, &account, &holder.lower())?;
        let same: Vec<_> = held
            .iter()
            .filter(|(_, credential)| credential.service == name)
            .collect();
        if same.len() >= PER_SERVICE_MAX {
            let message =
                format!("Cannot exceed quota for ServiceSpecificCredentialsPerUser: {PER_SERVICE_MAX}");
            return Err(limit_exceeded_exception(message));
        }
        // The first has the plain name, the next one is told from it by a number.
        let names = [String::new(), "+1".to_owned(), "+2".to_owned()]
            .map(|number| format!("{}{number}-at-{account}", holder.name()));
        let free = |alias: &String| same.iter().all(|(_, credential)| credential.alias != *alias);
        let alias = names
            .into_iter()
            .find(free)
            .ok_or_else(|| Fault::internal("two credentials take three names"))?;
        let secret = service::draw(call.random(), &name, &alias)?;
        let created = call.now.seconds();
        let expires = input
            .credential_age_days
            .map(|days| Timestamp::from_seconds(created.saturating_add(i64::from(days) * DAY)).0);
        let mut credential = ServiceCredential {
            id: call.unique_id(IdPrefix::ContextSpecificCredential)?,
            user_name: holder.name().to_owned(),
            service: name,
            alias,
            secret: String::new(),
            active: true,
            created: Timestamp::from_seconds(created).0,
            expires,
        };
        keep(call, &mut credential, &secret)?;
        let shown = credential.shown(call.now, secret.expose_text().map_err(Fault::internal)?);
        call.put(
            &SERVICE_CREDENTIALS,
            &owned::place(&holder, &credential.id),
            credential,
        )?;
        Ok(model::CreateServiceSpecificCredentialResponse {
            service_specific_credential: Some(shown),
        })
    }
}

/// Seals a secret into its credential.
pub(super) fn keep(call: &Call<'_>, credential: &mut ServiceCredential, secret: &Secret) -> Result<()> {
    let sealed = call.seal(SEALED_IN, credential.id.as_bytes(), secret.expose())?;
    credential.secret = STANDARD.encode(sealed);
    Ok(())
}
