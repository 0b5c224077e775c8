//! Key pairs: public keys that instances are launched with.
//!
//! Source: Amazon EC2 User Guide, "Amazon EC2 key pairs and Amazon EC2 instances"; Amazon EC2 API Reference, `CreateKeyPair`,
//! `ImportKeyPair`.
//!
//! Invariant: the private half of a pair is told to whoever makes it, once, and is kept nowhere.

use std::sync::Arc;

use api::ec2 as model;
use crypto::{SshImported, SshKind, SshPair};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::fault::{self, expect_none, invalid, missing, no_key_pair};
use super::filter;
use super::naming;
use super::page::Listing;
use super::place::RegionScope;
use super::tag::{self, Tags};

const NAME_CHARACTERS_MAX: usize = 255;
/// Key pairs of an account and region (Service Quotas, "Key pairs").
const PAIRS_MAX: usize = 5000;

/// A key pair, of which only the public half is here.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeyPair {
    pub account: String,
    pub region: String,
    pub name: String,
    /// `key-…`
    pub id: String,
    /// `rsa` or `ed25519`.
    pub kind: String,
    pub fingerprint: String,
    /// The line of `authorized_keys`, without a comment.
    pub public: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    pub tags: Tags,
}

store::record!(KeyPair, 1);

/// By account, region and name.
pub static KEY_PAIRS: Table<(String, String, String), KeyPair> = Table::new(0x0406, "ec2.key_pairs");

impl KeyPair {
    fn key(&self) -> (String, String, String) {
        (self.account.clone(), self.region.clone(), self.name.clone())
    }

    /// Writes the row.
    pub(super) fn keep(self, call: &mut Call<'_>) -> Result<()> {
        let key = self.key();
        call.put(&KEY_PAIRS, &key, self)
    }

    /// The public key with its name, as instances find it.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.public, self.name)
    }
}

impl Resource for KeyPair {
    const TYPE: &'static str = "AWS::EC2::KeyPair";

    fn arn(&self) -> String {
        naming::arn(&self.region, &self.account, "key-pair", &self.name)
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        context.insert("ec2:Region", self.region.clone());
        context.insert("ec2:KeyPairName", self.name.clone());
        context.insert("ec2:KeyPairType", self.kind.clone());
        tag::resource_conditions(&self.tags, context);
    }
}

/// A key pair that is about to be made.
pub struct NewPair {
    account: String,
    region: String,
    name: String,
    kind: Option<String>,
    tags: Tags,
}

impl Resource for NewPair {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        naming::arn(&self.region, &self.account, "key-pair", &self.name)
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        context.insert("ec2:Region", self.region.clone());
        if let Some(kind) = &self.kind {
            context.insert("ec2:KeyPairType", kind.clone());
        }
        tag::given_conditions(&self.tags, context);
    }
}

impl NewPair {
    fn of(
        look: &Look<'_>,
        name: &str,
        kind: Option<String>,
        given: Option<&Vec<model::TagSpecification>>,
    ) -> Result<Found<Self>> {
        if name.is_empty() {
            return Err(missing("KeyName"));
        }
        if name.len() > NAME_CHARACTERS_MAX || !name.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(fault::invalid_value(
                name,
                "KeyName",
                "A name has up to 255 ASCII characters.",
            ));
        }
        Ok(Found::Here(Self {
            account: look.account().to_owned(),
            region: look.region().to_owned(),
            name: name.to_owned(),
            kind,
            tags: tag::specified(look, given, model::ResourceType::KeyPair, false)?,
        }))
    }

    /// Asks for its tags, and refuses a name that is taken.
    fn expect_free(&self, call: &mut Call<'_>, action: &'static str) -> Result<()> {
        tag::at_creation(call, action, self, &self.tags)?;
        if find(call, &self.name)?.is_some() {
            return Err(Fault::plain(
                "InvalidKeyPair.Duplicate",
                400,
                "The keypair already exists",
            ));
        }
        if all(call)?.len() >= PAIRS_MAX {
            return Err(Fault::plain(
                "KeyPairLimitExceeded",
                400,
                format!("Maximum of {PAIRS_MAX} keypairs reached."),
            ));
        }
        Ok(())
    }

    fn made(self, call: &Call<'_>, kind: SshKind, public: String, fingerprint: String) -> Result<KeyPair> {
        Ok(KeyPair {
            account: self.account,
            region: self.region,
            name: self.name,
            id: naming::draw(call, "key")?,
            kind: spelled(kind).as_str().to_owned(),
            fingerprint,
            public,
            created: call.now.0,
            tags: self.tags,
        })
    }
}

const fn spelled(kind: SshKind) -> model::KeyType {
    match kind {
        SshKind::Rsa => model::KeyType::Rsa,
        SshKind::Ed25519 => model::KeyType::Ed25519,
    }
}

fn find(look: &mut Look<'_>, name: &str) -> Result<Option<Arc<KeyPair>>> {
    let key = (
        look.account().to_owned(),
        look.region().to_owned(),
        name.to_owned(),
    );
    look.get(&KEY_PAIRS, &key)
}

/// The key pair of a name, for a launch.
pub(super) fn expect(look: &mut Look<'_>, name: &str) -> Result<KeyPair> {
    let found = find(look, name)?.map(|pair| (*pair).clone());
    found.ok_or_else(|| no_key_pair(name))
}

/// The key pairs of the account and region.
pub(super) fn all(look: &mut Look<'_>) -> Result<Vec<Arc<KeyPair>>> {
    let prefix = (look.account().to_owned(), look.region().to_owned());
    let rows = look.range(
        &KEY_PAIRS,
        &(prefix.0.as_str(), prefix.1.as_str()),
        None,
        usize::MAX,
    )?;
    Ok(rows.into_iter().map(|(_, pair)| pair).collect())
}

/// The key pair of an id.
pub(super) fn by_id(look: &mut Look<'_>, id: &str) -> Result<Option<Arc<KeyPair>>> {
    Ok(all(look)?.into_iter().find(|pair| pair.id == id))
}

/// Makes a key pair.
pub struct CreateKeyPair;

impl Operation for CreateKeyPair {
    type Input = model::CreateKeyPairRequest;
    type Output = model::KeyPair;
    type Target = NewPair;
    const ACCESS: Access = Access::write("ec2:CreateKeyPair");
    const ALSO: &'static [Access] = &[tag::CREATE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<NewPair>> {
        let kind = input.key_type.unwrap_or(model::KeyType::Rsa).as_str().to_owned();
        NewPair::of(
            look,
            &input.key_name,
            Some(kind),
            input.tag_specifications.as_ref(),
        )
    }

    fn handle(call: &mut Call<'_>, target: Authorized<NewPair>, input: Self::Input) -> Result<Self::Output> {
        let new = target.into_inner();
        expect_none("KeyFormat=ppk", input.key_format == Some(model::KeyFormat::Ppk))?;
        new.expect_free(call, "CreateKeyPair")?;
        fault::dry_run(input.dry_run)?;
        let kind = match input.key_type {
            Some(model::KeyType::Ed25519) => SshKind::Ed25519,
            _ => SshKind::Rsa,
        };
        let made = SshPair::make(kind, call.random()).map_err(Fault::internal)?;
        let material = made.private.expose_text().map_err(Fault::internal)?.to_owned();
        let pair = new.made(call, kind, made.public, made.fingerprint)?;
        let answer = model::KeyPair {
            key_fingerprint: Some(pair.fingerprint.clone()),
            key_material: Some(material),
            key_name: Some(pair.name.clone()),
            key_pair_id: Some(pair.id.clone()),
            tags: tag::shown(&pair.tags),
        };
        pair.keep(call)?;
        Ok(answer)
    }
}

/// Takes a public key that the caller has.
pub struct ImportKeyPair;

impl Operation for ImportKeyPair {
    type Input = model::ImportKeyPairRequest;
    type Output = model::ImportKeyPairResult;
    type Target = NewPair;
    const ACCESS: Access = Access::write("ec2:ImportKeyPair");
    const ALSO: &'static [Access] = &[tag::CREATE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<NewPair>> {
        NewPair::of(look, &input.key_name, None, input.tag_specifications.as_ref())
    }

    fn handle(call: &mut Call<'_>, target: Authorized<NewPair>, input: Self::Input) -> Result<Self::Output> {
        let new = target.into_inner();
        let text = std::str::from_utf8(&input.public_key_material.0).unwrap_or_default();
        let read = SshImported::read(text).map_err(|_| {
            Fault::plain(
                "InvalidKey.Format",
                400,
                "Key is not in valid OpenSSH public key format",
            )
        })?;
        new.expect_free(call, "ImportKeyPair")?;
        fault::dry_run(input.dry_run)?;
        let pair = new.made(call, read.kind, read.public, read.fingerprint)?;
        let answer = model::ImportKeyPairResult {
            key_fingerprint: Some(pair.fingerprint.clone()),
            key_name: Some(pair.name.clone()),
            key_pair_id: Some(pair.id.clone()),
            tags: tag::shown(&pair.tags),
        };
        pair.keep(call)?;
        Ok(answer)
    }
}

/// A key pair, or the name of none: deleting what is not there is no error.
pub struct NamedPair {
    arn: String,
    account: Arc<str>,
    region: String,
    pair: Option<Arc<KeyPair>>,
}

impl Resource for NamedPair {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        self.arn.clone()
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        context.insert("ec2:Region", self.region.clone());
        if let Some(pair) = &self.pair {
            pair.conditions(context);
        }
    }
}

/// Removes a key pair; instances that were launched with it keep its public key.
pub struct DeleteKeyPair;

impl Operation for DeleteKeyPair {
    type Input = model::DeleteKeyPairRequest;
    type Output = model::DeleteKeyPairResult;
    type Target = NamedPair;
    const ACCESS: Access = Access::write("ec2:DeleteKeyPair");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<NamedPair>> {
        let (named, pair) = match (&input.key_name, &input.key_pair_id) {
            (Some(name), None) => (name.clone(), find(look, name)?),
            (None, Some(id)) => {
                let found = by_id(look, id)?;
                (found.as_ref().map_or("*", |pair| &pair.name).to_owned(), found)
            }
            (Some(_), Some(_)) => {
                return Err(invalid("KeyName and KeyPairId cannot be given together"));
            }
            (None, None) => return Err(missing("KeyName")),
        };
        let region = look.region().to_owned();
        Ok(Found::Here(NamedPair {
            arn: naming::arn(&region, look.account(), "key-pair", &named),
            account: look.account_shared(),
            region,
            pair,
        }))
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<NamedPair>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        fault::dry_run(input.dry_run)?;
        let id = target.pair.as_ref().map(|pair| pair.id.clone());
        if let Some(pair) = &target.pair {
            call.delete(&KEY_PAIRS, &pair.key())?;
        }
        Ok(model::DeleteKeyPairResult {
            key_pair_id: id,
            r#return: Some(true),
        })
    }
}

/// Lists key pairs.
pub struct DescribeKeyPairs;

impl Operation for DescribeKeyPairs {
    type Input = model::DescribeKeyPairsRequest;
    type Output = model::DescribeKeyPairsResult;
    type Target = RegionScope;
    const ACCESS: Access = Access::list("ec2:DescribeKeyPairs");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<RegionScope>> {
        Ok(RegionScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _target: Authorized<RegionScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let filters = Listing::whole(input.dry_run, input.filters)?;
        let names = input.key_names.unwrap_or_default();
        let ids = input.key_pair_ids.unwrap_or_default();
        let all = all(call)?;
        if let Some(missing) = names
            .iter()
            .find(|name| !all.iter().any(|pair| pair.name == **name))
        {
            return Err(no_key_pair(missing));
        }
        if let Some(missing) = ids.iter().find(|id| !all.iter().any(|pair| pair.id == **id)) {
            return Err(Fault::plain(
                "InvalidKeyPair.NotFound",
                400,
                format!("The key pair ID '{missing}' does not exist"),
            ));
        }
        let mut key_pairs = Vec::new();
        for pair in all {
            let named =
                names.is_empty() && ids.is_empty() || names.contains(&pair.name) || ids.contains(&pair.id);
            let passes = filters.pass(|name| match name {
                "fingerprint" => Some(vec![pair.fingerprint.clone()]),
                "key-name" => Some(vec![pair.name.clone()]),
                "key-pair-id" => Some(vec![pair.id.clone()]),
                other => filter::of_tags(other, &pair.tags),
            })?;
            if named && passes {
                key_pairs.push(model::KeyPairInfo {
                    create_time: Some(Timestamp(pair.created)),
                    key_fingerprint: Some(pair.fingerprint.clone()),
                    key_name: Some(pair.name.clone()),
                    key_pair_id: Some(pair.id.clone()),
                    key_type: model::KeyType::parse(&pair.kind),
                    public_key: (input.include_public_key == Some(true)).then(|| pair.line()),
                    tags: tag::shown(&pair.tags),
                });
            }
        }
        Ok(model::DescribeKeyPairsResult {
            key_pairs: Some(key_pairs),
        })
    }
}
