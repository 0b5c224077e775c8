//! Reading and naming keys: `DescribeKey`, `ListKeys`, `UpdateKeyDescription`.

use api::kms as model;
use crypto::kms::MaterialSpec;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::{KEYS, Key, KeyTarget, Ring, State};
use crate::kms::grant;
use crate::kms::naming::{Reach, resolve};
use crate::kms::page::Page;

impl State {
    pub(crate) const fn shown(self) -> model::KeyState {
        match self {
            Self::Enabled => model::KeyState::Enabled,
            Self::Disabled => model::KeyState::Disabled,
            Self::PendingDeletion => model::KeyState::PendingDeletion,
            Self::PendingImport => model::KeyState::PendingImport,
            Self::PendingReplicaDeletion => model::KeyState::PendingReplicaDeletion,
        }
    }
}

/// The algorithms that a key has for what it is for; of the four lists one at most is there.
#[derive(Default)]
pub(crate) struct Abilities {
    pub(crate) encrypt: Option<Vec<model::EncryptionAlgorithmSpec>>,
    pub(crate) sign: Option<Vec<model::SigningAlgorithmSpec>>,
    pub(crate) agree: Option<Vec<model::KeyAgreementAlgorithmSpec>>,
    pub(crate) encapsulate: Option<Vec<model::EncapsulationAlgorithmSpec>>,
}

impl Abilities {
    pub(crate) fn of(key: &Key) -> Self {
        let mut able = Self::default();
        match (key.usage(), key.spec) {
            (model::KeyUsageType::EncryptDecrypt, MaterialSpec::Pair(pair)) => {
                let names = pair.encryption_algorithms().iter().map(|own| own.name());
                able.encrypt = Some(names.filter_map(model::EncryptionAlgorithmSpec::parse).collect());
            }
            (model::KeyUsageType::EncryptDecrypt, _) => {
                able.encrypt = Some(vec![model::EncryptionAlgorithmSpec::SymmetricDefault]);
            }
            (model::KeyUsageType::SignVerify, MaterialSpec::Pair(pair)) => {
                let names = pair.signing_algorithms().iter().map(|own| own.name());
                able.sign = Some(names.filter_map(model::SigningAlgorithmSpec::parse).collect());
            }
            (model::KeyUsageType::KeyAgreement, _) => {
                able.agree = Some(vec![model::KeyAgreementAlgorithmSpec::Ecdh]);
            }
            (model::KeyUsageType::EncapsulateDecapsulate, _) => {
                able.encapsulate = Some(vec![model::EncapsulationAlgorithmSpec::MlKem]);
            }
            _ => {}
        }
        able
    }
}

/// All that AWS shows of a key.
pub(crate) fn metadata(key: &Key) -> model::KeyMetadata {
    let present = || key.imported.iter().filter(|held| held.present);
    let expires = present()
        .filter_map(|held| held.expires.as_ref().map(|(at, _)| *at))
        .min();
    let model = expires.map_or("KEY_MATERIAL_DOES_NOT_EXPIRE", |_| "KEY_MATERIAL_EXPIRES");
    let symmetric = key.spec == MaterialSpec::Symmetric;
    let mac = key.spec.mac_algorithm().and_then(model::MacAlgorithmSpec::parse);
    let able = Abilities::of(key);
    model::KeyMetadata {
        aws_account_id: Some(key.account.clone()),
        arn: Some(key.arn()),
        creation_date: Some(Timestamp(key.created)),
        current_key_material_id: (symmetric && !key.material.is_empty()).then(|| key.material.clone()),
        customer_master_key_spec: model::CustomerMasterKeySpec::parse(key.spec.name()),
        deletion_date: key.deletion.as_ref().map(|deletion| Timestamp(deletion.date)),
        description: Some(key.description.clone()),
        enabled: Some(key.state == State::Enabled),
        encapsulation_algorithms: able.encapsulate,
        encryption_algorithms: able.encrypt,
        key_agreement_algorithms: able.agree,
        key_id: key.id.clone(),
        key_manager: Some(match key.service {
            Some(_) => model::KeyManagerType::Aws,
            None => model::KeyManagerType::Customer,
        }),
        key_spec: model::KeySpec::parse(key.spec.name()),
        key_state: Some(key.state.shown()),
        key_usage: Some(key.usage()),
        mac_algorithms: mac.map(|algorithm| vec![algorithm]),
        expiration_model: present()
            .next()
            .and_then(|_| model::ExpirationModelType::parse(model)),
        multi_region: Some(key.set.is_some()),
        multi_region_configuration: key.configuration(),
        origin: model::OriginType::parse(key.origin.as_str()),
        pending_deletion_window_in_days: key.window_days,
        valid_to: expires.map(Timestamp),
        signing_algorithms: able.sign,
        ..model::KeyMetadata::default()
    }
}

/// Shows a key's metadata, whatever its state.
pub struct DescribeKey;

impl Operation for DescribeKey {
    type Input = model::DescribeKeyRequest;
    type Output = model::DescribeKeyResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::read("kms:DescribeKey");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        grant::check_tokens(look, input.grant_tokens.as_deref())?;
        resolve(look, &input.key_id, Self::ACCESS, Reach::Use)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, _input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        Ok(model::DescribeKeyResponse {
            key_metadata: Some(metadata(&key)),
        })
    }
}

/// Lists the keys of the account in the region (S8.1).
pub struct ListKeys;

impl Operation for ListKeys {
    type Input = model::ListKeysRequest;
    type Output = model::ListKeysResponse;
    type Target = Ring;
    const ACCESS: Access = Access::list("kms:ListKeys");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Ring>> {
        Ok(Ring::of(look))
    }

    fn handle(call: &mut Call<'_>, _ring: Authorized<Ring>, input: Self::Input) -> Result<Self::Output> {
        let owners = input.resource_owners.unwrap_or_default();
        let own = owners.is_empty() || owners.contains(&model::ResourceOwnerType::SelfValue);
        let list = if own {
            "ListKeys"
        } else {
            "ListKeys OTHER_ACCOUNTS_VIA_RAM"
        };
        let page = Page::read(call, list, input.marker.as_deref(), input.limit, (100, 1000))?;
        if !own {
            // There is no Resource Access Manager here, through which other accounts could share keys.
            return Ok(model::ListKeysResponse {
                keys: Some(Vec::new()),
                truncated: Some(false),
                next_marker: None,
            });
        }
        let (account, region) = (call.account().to_owned(), call.region().to_owned());
        let after = page.after.clone().map(|id| (account.clone(), region.clone(), id));
        let rows = call.range(
            &KEYS,
            &(account.as_str(), region.as_str()),
            after.as_ref(),
            page.limit + 1,
        )?;
        let paged = page.close(call, rows.into_iter().map(|((_, _, id), key)| (id, key)))?;
        let keys = paged.items.iter().map(|key| model::KeyListEntry {
            key_arn: Some(key.arn()),
            key_id: Some(key.id.clone()),
        });
        Ok(model::ListKeysResponse {
            keys: Some(keys.collect()),
            truncated: Some(paged.next.is_some()),
            next_marker: paged.next,
        })
    }
}

/// Says anew what a key is for.
pub struct UpdateKeyDescription;

impl Operation for UpdateKeyDescription {
    type Input = model::UpdateKeyDescriptionRequest;
    type Output = wire::typed::Empty;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:UpdateKeyDescription");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        key.expect_staying()?;
        let mut key = super::to_change(&key);
        key.description = input.description;
        key.keep(call)?;
        Ok(wire::typed::Empty)
    }
}
