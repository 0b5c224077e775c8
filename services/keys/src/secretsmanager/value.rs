//! Values: putting one as a new version, and reading one (S11.7).
//!
//! Invariant: a version's value never changes; a token that comes again with another value is refused.

use std::sync::Arc;

use api::secretsmanager as model;
use api::secretsmanager::fault::{
    invalid_parameter_exception, invalid_request_exception, resource_exists_exception,
    resource_not_found_exception,
};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use store::Table;
use wire::typed::Blob;
use wire::{Fault, Timestamp};

use super::cross_account;
use super::envelope::{self, Ask, Sealed};
use super::naming::resolve;
use super::rotation;
use super::secret::{CURRENT, DAY, Secret, SecretTarget, Version, to_change};
use super::version;

/// What it takes to read a value.
pub(crate) const GET: Access = Access::read("secretsmanager:GetSecretValue");
/// The most bytes of a value (Secrets Manager User Guide, "AWS Secrets Manager quotas"; S11.10).
const BYTES_MAX: usize = 65_536;

/// A value in clear, and whether it came as text.
pub(crate) struct Plain {
    pub(crate) text: bool,
    pub(crate) bytes: crypto::Secret,
}

/// The encrypted value of a version.
#[derive(Clone)]
pub struct Value {
    text: bool,
    sealed: Sealed,
}

impl store::Record for Value {
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) -> store::Result<()> {
        let length = u16::try_from(self.sealed.data_key.len()).map_err(|error| store::Error::Encode {
            table: VALUES_NAME,
            source: Arc::new(error),
        })?;
        out.push(u8::from(self.text));
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&self.sealed.data_key);
        out.extend_from_slice(&self.sealed.value);
        Ok(())
    }

    fn decode(_version: u8, bytes: &[u8]) -> store::Result<Self> {
        let parts = || {
            let (&text, rest) = bytes.split_first()?;
            let (length, rest) = rest.split_first_chunk::<2>()?;
            let (data_key, value) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            Some(Self {
                text: text == 1,
                sealed: Sealed {
                    data_key: data_key.to_vec(),
                    value: value.to_vec(),
                },
            })
        };
        parts().ok_or_else(|| store::Error::Decode {
            table: VALUES_NAME,
            source: Arc::new(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)),
        })
    }
}

const VALUES_NAME: &str = "secretsmanager.values";

/// By account, region, name of the secret, and version id.
pub static VALUES: Table<(String, String, String, String), Value> = Table::new(0x0261, VALUES_NAME);

/// The data key of a version, encrypted; `None` if the version has no value.
pub(crate) fn data_key(look: &mut Look<'_>, secret: &Secret, id: &str) -> Result<Option<Vec<u8>>> {
    let held = look.get(&VALUES, &row(secret, id))?;
    Ok(held.map(|held| held.sealed.data_key.clone()))
}

/// The value of a request, if it gives one.
pub(crate) fn given(text: Option<String>, binary: Option<Blob>) -> Result<Option<Plain>> {
    let plain = match (text, binary) {
        (Some(_), Some(_)) => {
            return Err(invalid_parameter_exception(
                "You can't specify both a binary secret value and a string secret value in the same secret.",
            ));
        }
        (Some(text), None) => Plain {
            text: true,
            bytes: crypto::Secret::new(text.into_bytes()),
        },
        (None, Some(binary)) => Plain {
            text: false,
            bytes: crypto::Secret::new(binary.0),
        },
        (None, None) => return Ok(None),
    };
    if plain.bytes.len() > BYTES_MAX {
        return Err(Fault::validation(format!(
            "1 validation error detected: Value at 'secretString' failed to satisfy constraint: Member must have length less than or \
             equal to {BYTES_MAX}"
        )));
    }
    Ok(Some(plain))
}

/// The version id that a request gives its value.
pub(crate) fn expect_token(token: Option<String>) -> Result<String> {
    token.ok_or_else(|| {
        invalid_request_exception(
            "You must provide a ClientRequestToken value. We recommend a UUID-type value.",
        )
    })
}

/// Adds a version with labels, unless it is there already with the same value. Says whether it was added.
pub(crate) fn add(
    call: &mut Call<'_>,
    secret: &mut Secret,
    id: &str,
    plain: &Plain,
    stages: &[String],
) -> Result<bool> {
    let announced = secret.versions.get(id).is_some_and(|version| version.empty);
    if secret.versions.contains_key(id) && !announced {
        let there = read(call, secret, id)?;
        let same = there.text == plain.text && there.bytes.matches(plain.bytes.expose());
        return if same { Ok(false) } else { Err(exists()) };
    }
    write(call, secret, id, plain)?;
    let version = Version {
        created: call.now.0,
        accessed: None,
        stages: secret
            .versions
            .get(id)
            .map(|version| version.stages.clone())
            .unwrap_or_default(),
        kms_key: secret.kms_key.clone(),
        empty: false,
    };
    secret.versions.insert(id.to_owned(), version);
    for stage in stages {
        version::label(secret, stage, id)?;
    }
    if stages.iter().any(|stage| stage == CURRENT) {
        rotation::value_given(call, secret, id)?;
    }
    version::make_room(call, secret)?;
    secret.changed = call.now.0;
    Ok(true)
}

fn exists() -> Fault {
    resource_exists_exception("A resource with the ID you requested already exists.")
}

/// Encrypts the value of a version under the secret's key and keeps it.
pub(crate) fn write(call: &mut Call<'_>, secret: &Secret, id: &str, plain: &Plain) -> Result<()> {
    let value = sealed(call, secret, id, plain)?;
    keep(call, secret, id, value)
}

/// The value of a version, encrypted under the secret's key.
pub(crate) fn sealed(call: &mut Call<'_>, secret: &Secret, id: &str, plain: &Plain) -> Result<Value> {
    Ok(Value {
        text: plain.text,
        sealed: envelope::seal(call, secret, id, plain.bytes.expose())?,
    })
}

/// The value of a version as that of another secret, encrypted under that secret's key.
pub(crate) fn carried(
    call: &mut Call<'_>,
    ask: Ask<'_>,
    (from, to): (&Secret, &Secret),
    id: &str,
) -> Result<Value> {
    let held = call.get(&VALUES, &row(from, id))?;
    let held = held.ok_or_else(|| Fault::internal("a version without a value"))?;
    Ok(Value {
        text: held.text,
        sealed: envelope::carry(call, ask, (from, to), id, &held.sealed)?,
    })
}

/// Keeps the encrypted value of a version.
pub(crate) fn keep(call: &mut Call<'_>, secret: &Secret, id: &str, value: Value) -> Result<()> {
    call.put(&VALUES, &row(secret, id), value)
}

/// Decrypts the value of a version.
pub(crate) fn read(call: &mut Call<'_>, secret: &Secret, id: &str) -> Result<Plain> {
    let value = call
        .get(&VALUES, &row(secret, id))?
        .ok_or_else(|| Fault::internal("a version without a value"))?;
    let bytes = envelope::open(call, secret, id, &value.sealed)?;
    Ok(Plain {
        text: value.text,
        bytes,
    })
}

/// Forgets the value of a version.
pub(crate) fn forget(call: &mut Call<'_>, secret: &Secret, id: &str) -> Result<()> {
    call.delete(&VALUES, &row(secret, id))
}

fn row(secret: &Secret, id: &str) -> (String, String, String, String) {
    let Secret {
        account,
        region,
        name,
        ..
    } = secret;
    (account.clone(), region.clone(), name.clone(), id.to_owned())
}

/// Gives a secret a new version.
pub struct PutSecretValue;

impl Operation for PutSecretValue {
    type Input = model::PutSecretValueRequest;
    type Output = model::PutSecretValueResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::write("secretsmanager:PutSecretValue");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&secret.account);
        secret.expect_own(call)?;
        cross_account::expect_no_replica(&secret)?;
        let plain = given(input.secret_string, input.secret_binary)?.ok_or_else(|| {
            invalid_request_exception("You must provide either SecretString or SecretBinary.")
        })?;
        let id = expect_token(input.client_request_token)?;
        if let Some(token) = &input.rotation_token {
            rotation::expect_rotation_token(&secret, &id, token)?;
        }
        let mut stages = input.version_stages.unwrap_or_else(|| vec![CURRENT.to_owned()]);
        let mut secret = to_change(&secret);
        if secret.labelled(CURRENT).is_none() && !stages.iter().any(|stage| stage == CURRENT) {
            // The first version is current, whatever else it is.
            stages.push(CURRENT.to_owned());
        }
        let added = add(call, &mut secret, &id, &plain, &stages)?;
        let answer = model::PutSecretValueResponse {
            arn: Some(secret.arn()),
            name: Some(secret.name.clone()),
            version_stages: secret
                .versions
                .get(&id)
                .map(|version| version.stages.iter().cloned().collect()),
            version_id: Some(id),
        };
        if added {
            secret.keep(call)?;
        }
        Ok(answer)
    }
}

/// Shows a value in clear.
pub struct GetSecretValue;

impl Operation for GetSecretValue {
    type Input = model::GetSecretValueRequest;
    type Output = model::GetSecretValueResponse;
    type Target = SecretTarget;
    const ACCESS: Access = GET;
    const CONDITIONS: &'static [&'static str] = &["secretsmanager:VersionId", "secretsmanager:VersionStage"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Some(id) = &input.version_id {
            context.insert("secretsmanager:VersionId", id.clone());
        }
        // A request that asks for neither asks for the current version.
        let stage = input.version_stage.as_deref();
        let stage = stage.or(input.version_id.is_none().then_some(CURRENT));
        if let Some(stage) = stage {
            context.insert("secretsmanager:VersionStage", stage.to_owned());
        }
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let shown = show(
            call,
            &secret,
            input.version_id.as_deref(),
            input.version_stage.as_deref(),
        )?;
        Ok(model::GetSecretValueResponse {
            arn: shown.arn,
            created_date: shown.created_date,
            name: shown.name,
            secret_binary: shown.secret_binary,
            secret_string: shown.secret_string,
            version_id: shown.version_id,
            version_stages: shown.version_stages,
        })
    }
}

/// Reads the version that an id, a label or both name, and notes the day.
pub(crate) fn show(
    call: &mut Call<'_>,
    secret: &Authorized<SecretTarget>,
    id: Option<&str>,
    stage: Option<&str>,
) -> Result<model::SecretValueEntry> {
    call.share_with(&secret.account);
    secret.expect_staying()?;
    let (id, version) = choose(secret, id, stage)?;
    envelope::expect_own_account(call, secret, version.kms_key.as_deref())?;
    let plain = read(call, secret, id)?;
    let (secret_string, secret_binary) = if plain.text {
        let text = plain.bytes.expose_text().map_err(Fault::internal)?;
        (Some(text.to_owned()), None)
    } else {
        (None, Some(Blob(plain.bytes.expose().to_vec())))
    };
    note_read(call, secret, id)?;
    Ok(model::SecretValueEntry {
        arn: Some(secret.arn()),
        created_date: Some(Timestamp(version.created)),
        name: Some(secret.name.clone()),
        secret_binary,
        secret_string,
        version_id: Some(id.to_owned()),
        version_stages: Some(version.stages.iter().cloned().collect())
            .filter(|stages: &Vec<_>| !stages.is_empty()),
    })
}

fn choose<'a>(secret: &'a Secret, id: Option<&str>, stage: Option<&str>) -> Result<(&'a str, &'a Version)> {
    let missing = |what: String| {
        resource_not_found_exception(format!(
            "Secrets Manager can't find the specified secret value for {what}"
        ))
    };
    let Some(id) = id else {
        let stage = stage.unwrap_or(CURRENT);
        let found = secret
            .versions
            .iter()
            .find(|(_, version)| version.stages.contains(stage) && !version.empty);
        let (id, version) = found.ok_or_else(|| missing(format!("staging label: {stage}")))?;
        return Ok((id, version));
    };
    let found = secret.versions.get_key_value(id);
    let found = found.filter(|(_, version)| !version.empty);
    let (id, version) = found.ok_or_else(|| missing(format!("VersionId: {id}")))?;
    if stage.is_some_and(|stage| !version.stages.contains(stage)) {
        return Err(invalid_request_exception(
            "You provided a VersionStage that is not associated to the provided VersionId.",
        ));
    }
    Ok((id, version))
}

/// Notes the day of a read; writes once a day at most.
fn note_read(call: &mut Call<'_>, secret: &Authorized<SecretTarget>, id: &str) -> Result<()> {
    let today = call.now.0 - call.now.0.rem_euclid(DAY);
    let known = |accessed: Option<i64>| accessed == Some(today);
    let version = secret.versions.get(id);
    if known(secret.accessed) && version.is_some_and(|version| known(version.accessed)) {
        return Ok(());
    }
    let mut secret = to_change(secret);
    secret.accessed = Some(today);
    if let Some(version) = secret.versions.get_mut(id) {
        version.accessed = Some(today);
    }
    secret.keep_here(call)
}

/// Encrypts labelled versions under the secret's present key (UpdateSecret with another key), as far as the caller may.
pub(crate) fn encrypt_again(call: &mut Call<'_>, secret: &mut Secret) -> Result<()> {
    let ids: Vec<String> = [CURRENT, super::secret::PREVIOUS, super::secret::PENDING]
        .into_iter()
        .filter_map(|stage| secret.labelled(stage).map(str::to_owned))
        .collect();
    for id in ids {
        if secret.versions.get(&id).is_none_or(|version| version.empty) {
            continue;
        }
        let held = call.get(&VALUES, &row(secret, &id))?;
        let held = held.ok_or_else(|| Fault::internal("a version without a value"))?;
        let Some(sealed) = envelope::seal_again(call, secret, &id, &held.sealed)? else {
            continue;
        };
        let text = held.text;
        keep(call, secret, &id, Value { text, sealed })?;
        if let Some(version) = secret.versions.get_mut(&id) {
            version.kms_key.clone_from(&secret.kms_key);
        }
    }
    Ok(())
}
