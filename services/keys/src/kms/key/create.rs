//! `CreateKey`: a new key with new material (S8.34), which nobody ever sees.

use std::collections::{BTreeMap, BTreeSet};

use api::kms as model;
use api::kms::fault::unsupported_operation_exception;
use crypto::kms::MaterialSpec;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::Fault;

use super::describe::metadata;
use super::{Kept, Key, KeyTarget, Origin, Ring, State, arn};
use crate::kms::multi_region::Set;
use crate::kms::rotation::Rotation;
use crate::kms::{material, policy as key_policy, tag};

/// Makes a key. Its policy rules alone who may use it (S8.36).
pub struct CreateKey;

/// What a request asks to be made.
struct Wanted {
    spec: MaterialSpec,
    usage: model::KeyUsageType,
    description: String,
    tags: BTreeMap<String, String>,
    origin: Origin,
    multi_region: bool,
}

impl Operation for CreateKey {
    type Input = model::CreateKeyRequest;
    type Output = model::CreateKeyResponse;
    type Target = Ring;
    const ACCESS: Access = Access::write("kms:CreateKey");
    const CONDITIONS: &'static [&'static str] = &[
        "kms:BypassPolicyLockoutSafetyCheck",
        "kms:CustomerMasterKeySpec",
        "kms:CustomerMasterKeyUsage",
        "kms:KeyOrigin",
        "kms:KeySpec",
        "kms:KeyUsage",
        "kms:MultiRegion",
        "aws:RequestTag/${TagKey}",
        "aws:TagKeys",
    ];
    const ALSO: &'static [Access] = &[tag::TAG];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Ring>> {
        tag::expect_few(input.tags.as_deref().unwrap_or_default())?;
        Ok(Ring::of(look))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let spec = spec_name(input);
        let usage = input
            .key_usage
            .map_or("ENCRYPT_DECRYPT", model::KeyUsageType::as_str);
        super::kind(spec, usage, context);
        context.insert(
            "kms:KeyOrigin",
            input.origin.unwrap_or(model::OriginType::AwsKms).as_str(),
        );
        context.insert(
            "kms:MultiRegion",
            if input.multi_region == Some(true) {
                "true"
            } else {
                "false"
            },
        );
        key_policy::bypass(input.bypass_policy_lockout_safety_check, context);
        tag::requested(input.tags.as_deref().unwrap_or_default(), context);
    }

    fn handle(call: &mut Call<'_>, _ring: Authorized<Ring>, input: Self::Input) -> Result<Self::Output> {
        let bypass = input.bypass_policy_lockout_safety_check == Some(true);
        let given = input.policy.clone();
        let wanted = wanted(input)?;
        let (account, region, mut id) = (call.account().to_owned(), call.region().to_owned(), call.uuid()?);
        if wanted.multi_region {
            id = format!("mrk-{}", id.replace('-', ""));
        }
        let arn = arn(&region, &account, &id);
        if !wanted.tags.is_empty() {
            let mut context = Context::default();
            tag::in_request(&wanted.tags, &mut context);
            call.also(tag::TAG, &arn, &account, context)?;
        }
        let policy = match given {
            Some(text) => text,
            None => key_policy::standard(&account),
        };
        let (policy, principals) = key_policy::check(call, &arn, &account, &policy, bypass)?;
        let external = wanted.origin == Origin::External;
        let (material, rotation) = if external {
            (String::new(), Rotation::default())
        } else {
            let made = material::make(call, &account, &region, &id, wanted.spec)?;
            (made.clone(), Rotation::beginning(&made, call.now.0))
        };
        let key = Key {
            created: call.now.0,
            description: wanted.description,
            spec: wanted.spec,
            state: if external {
                State::PendingImport
            } else {
                State::Enabled
            },
            usage: wanted.usage,
            deletion: None,
            policy,
            principals,
            tags: wanted.tags,
            aliases: BTreeSet::new(),
            rotation,
            origin: wanted.origin,
            imported: Vec::new(),
            set: wanted.multi_region.then(|| Set::beginning(&region)),
            window_days: None,
            service: None,
            material,
            grants: 0,
            kept: Kept::default(),
            account,
            region,
            id,
        };
        call.mention(arn, &key.account, KeyTarget::TYPE);
        let shown = metadata(&key);
        key.keep(call)?;
        Ok(model::CreateKeyResponse {
            key_metadata: Some(shown),
        })
    }
}

fn spec_name(input: &model::CreateKeyRequest) -> &'static str {
    let older = input
        .customer_master_key_spec
        .map(model::CustomerMasterKeySpec::as_str);
    input
        .key_spec
        .map(model::KeySpec::as_str)
        .or(older)
        .unwrap_or("SYMMETRIC_DEFAULT")
}

/// Checks what is asked for, and says of what AWS has and this version has not that it is not built.
fn wanted(input: model::CreateKeyRequest) -> Result<Wanted> {
    let name = spec_name(&input);
    let older = input
        .customer_master_key_spec
        .map(model::CustomerMasterKeySpec::as_str);
    if input.key_spec.is_some() && older.is_some_and(|older| older != name) {
        return Err(Fault::validation(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request.",
        ));
    }
    let unbuilt = |what: &str| {
        unsupported_operation_exception(format!("{what} is not implemented by this version of Ringwork."))
    };
    let origin = match input.origin {
        None | Some(model::OriginType::AwsKms) => Origin::AwsKms,
        Some(model::OriginType::External) => Origin::External,
        Some(origin) => return Err(unbuilt(&format!("Origin {origin}"))),
    };
    if input.custom_key_store_id.is_some() || input.xks_key_id.is_some() {
        return Err(unbuilt("A custom key store"));
    }
    if name == model::KeySpec::Sm2.as_str() {
        // AWS has these keys in its Chinese regions only (KMS Developer Guide, "Key spec reference").
        let message = format!("KeySpec {name} is not supported in this region.");
        return Err(unsupported_operation_exception(message));
    }
    let spec = MaterialSpec::from_name(name).ok_or_else(|| unbuilt(&format!("KeySpec {name}")))?;
    if origin == Origin::External && spec.pair().is_some_and(|pair| pair.encapsulates()) {
        return Err(unbuilt(&format!("The import of material for KeySpec {name}")));
    }
    let usage = expect_usage(spec, input.key_usage)?;
    let tags = tag::read(input.tags.unwrap_or_default())?;
    Ok(Wanted {
        spec,
        usage,
        description: input.description.unwrap_or_default(),
        tags,
        origin,
        multi_region: input.multi_region == Some(true),
    })
}

/// A key is for one thing, which only symmetric keys need not say (KMS API Reference, `CreateKey`, `KeyUsage`).
fn expect_usage(spec: MaterialSpec, asked: Option<model::KeyUsageType>) -> Result<model::KeyUsageType> {
    use model::KeyUsageType as U;
    let usage = match (spec, asked) {
        (_, Some(usage)) => usage,
        (MaterialSpec::Symmetric, None) => U::EncryptDecrypt,
        (_, None) => {
            return Err(Fault::validation(
                "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
            ));
        }
    };
    let fits = match spec {
        MaterialSpec::Symmetric => usage == U::EncryptDecrypt,
        MaterialSpec::Pair(pair) => match usage {
            U::EncryptDecrypt => !pair.encryption_algorithms().is_empty(),
            U::SignVerify => !pair.signing_algorithms().is_empty(),
            U::KeyAgreement => pair.agrees(),
            U::EncapsulateDecapsulate => pair.encapsulates(),
            _ => false,
        },
        _ => usage == U::GenerateVerifyMac,
    };
    if fits {
        return Ok(usage);
    }
    let name = spec.name();
    Err(Fault::validation(format!(
        "KeyUsage {usage} is not compatible with KeySpec {name}"
    )))
}
