//! `CreateGrant`: who may be given what.
//!
//! Invariant: whoever may create grants by a grant alone passes on no more than that grant gives.

use std::sync::Arc;

use api::kms as model;
use api::kms::fault::{invalid_arn_exception, limit_exceeded_exception};
use crypto::kms::MaterialSpec;
use crypto::{digest, random};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, ResourcePolicies, Result};
use policy::{Arn, Context};
use wire::Fault;

use super::{CREATE, GRANTS, KeyGrant, Present, RETIRABLE, all, check_tokens, is_service, row, token};
use crate::kms::encryption::dry_run;
use crate::kms::key::{Key, KeyTarget, to_change};
use crate::kms::naming::{self, Reach, resolve};
use crate::kms::principal::{self, Names};

/// Grants of one key (KMS Developer Guide, "Resource quotas").
const GRANTS_MAX: u32 = 50_000;

/// Gives a principal leave to use a key (S8.41).
pub struct CreateGrant;

impl Operation for CreateGrant {
    type Input = model::CreateGrantRequest;
    type Output = model::CreateGrantResponse;
    type Target = KeyTarget;
    const ACCESS: Access = CREATE;
    const CONDITIONS: &'static [&'static str] = &[
        "kms:GrantConstraintSourceArn",
        "kms:GrantConstraintType",
        "kms:GrantIsForAWSResource",
        "kms:GrantOperations",
        "kms:GranteePrincipal",
        "kms:GranteeServicePrincipal",
        "kms:RetiringPrincipal",
        "kms:RetiringServicePrincipal",
    ];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        check_tokens(look, input.grant_tokens.as_deref())?;
        resolve(look, &input.key_id, Self::ACCESS, Reach::Arn)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Some(constraints) = &input.constraints {
            let equals = constraints
                .encryption_context_equals
                .as_ref()
                .map(|_| "EncryptionContextEquals");
            let subset = constraints
                .encryption_context_subset
                .as_ref()
                .map(|_| "EncryptionContextSubset");
            context.insert_many("kms:GrantConstraintType", equals.into_iter().chain(subset));
        }
        context.insert("kms:GrantIsForAWSResource", "false");
        context.insert_many(
            "kms:GrantOperations",
            input.operations.iter().map(|operation| operation.as_str()),
        );
        let source = input
            .constraints
            .as_ref()
            .and_then(|constraints| constraints.source_arn.as_ref());
        for (key, value) in [
            ("kms:GranteePrincipal", input.grantee_principal.as_ref()),
            (
                "kms:GranteeServicePrincipal",
                input.grantee_service_principal.as_ref(),
            ),
            ("kms:RetiringPrincipal", input.retiring_principal.as_ref()),
            (
                "kms:RetiringServicePrincipal",
                input.retiring_service_principal.as_ref(),
            ),
            ("kms:GrantConstraintSourceArn", source),
        ] {
            if let Some(value) = value {
                context.insert(key, value.clone());
            }
        }
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        key.expect_enabled()?;
        let dry = input.dry_run;
        let wanted = wanted(call, &key, input)?;
        expect_no_more(call, &key, &wanted)?;
        dry_run(dry)?;
        if wanted.name.is_some() {
            // A named grant that is asked for again is the same grant, so that a retry makes no second one.
            let same = |held: &Arc<KeyGrant>| {
                let like = KeyGrant {
                    id: held.id.clone(),
                    created: held.created,
                    ..wanted.clone()
                };
                **held == like
            };
            if let Some(held) = all(call, &key, None)?.into_iter().find(same) {
                return answer(call, &key, &held.id);
            }
        }
        let mut row_of_key = to_change(&key);
        row_of_key.grants += 1;
        if row_of_key.grants > GRANTS_MAX {
            return Err(limit_exceeded_exception(format!(
                "{} has {GRANTS_MAX} grants already.",
                key.arn()
            )));
        }
        let id = wanted.id.clone();
        if let Some(retiring) = &wanted.retiring {
            let place = (
                key.account.as_str(),
                key.region.as_str(),
                retiring.as_str(),
                key.id.as_str(),
                id.as_str(),
            );
            call.put(&RETIRABLE, &place, Present)?;
        }
        call.put(&GRANTS, &row(&key, &id), wanted)?;
        row_of_key.keep(call)?;
        answer(call, &key, &id)
    }
}

fn answer(look: &Look<'_>, key: &Key, id: &str) -> Result<model::CreateGrantResponse> {
    Ok(model::CreateGrantResponse {
        grant_id: Some(id.to_owned()),
        grant_token: Some(token(look, key, id)?),
    })
}

/// Reads and checks what a request asks for.
fn wanted(call: &mut Call<'_>, key: &Key, input: model::CreateGrantRequest) -> Result<KeyGrant> {
    let by_service = input.grantee_service_principal.is_some();
    let grantee = one_of(
        input.grantee_principal,
        input.grantee_service_principal,
        "Grantee",
    )?;
    let grantee = grantee.ok_or_else(|| Fault::validation("GranteePrincipal is required."))?;
    let retiring = one_of(
        input.retiring_principal,
        input.retiring_service_principal,
        "Retiring",
    )?;
    let mut principals = Names::new();
    let grantee = kept(call, grantee, &mut principals)?;
    let retiring = retiring
        .map(|name| kept(call, name, &mut principals))
        .transpose()?;
    for operation in &input.operations {
        if !fits(*operation, key) {
            let (arn, spec) = (key.arn(), key.spec.name());
            return Err(Fault::validation(format!(
                "Operation {operation} is not valid for {arn} with key spec {spec}."
            )));
        }
    }
    if input.operations.is_empty() {
        return Err(Fault::validation("Operations must not be empty."));
    }
    let mut constraints = input.constraints.unwrap_or_default();
    // An empty map is none (Access Analyzer API Reference, "KmsGrantConstraints").
    for context in [
        &mut constraints.encryption_context_equals,
        &mut constraints.encryption_context_subset,
    ] {
        context.take_if(|pairs| pairs.is_empty());
    }
    check_constraints(&constraints, key)?;
    if by_service && (constraints.source_arn.is_none() || retiring.is_none()) {
        return Err(Fault::validation(
            "GranteeServicePrincipal requires a SourceArn constraint and a RetiringPrincipal or RetiringServicePrincipal.",
        ));
    }
    let id = random::array::<32>(call.random()).map_err(Fault::internal)?;
    // An operation that is named again gives nothing more; kept, it would burden every decision about the key.
    let mut operations: Vec<String> = Vec::new();
    for operation in &input.operations {
        if !operations.iter().any(|known| known == operation.as_str()) {
            operations.push(operation.as_str().to_owned());
        }
    }
    Ok(KeyGrant {
        id: digest::hex(&id),
        name: input.name,
        created: call.now.0,
        grantee,
        retiring,
        issuer: format!("arn:aws:iam::{}:root", call.account()),
        operations,
        context_equals: constraints.encryption_context_equals,
        context_subset: constraints.encryption_context_subset,
        source_arn: constraints.source_arn,
        principals,
    })
}

/// Pairs of a context that a grant can be bound to, and characters of a value in it.
const CONTEXT_MAX: (usize, usize) = (8, 384);

/// Refuses constraints that no grant on the key can have (KMS Developer Guide, "Using grant constraints").
fn check_constraints(constraints: &model::GrantConstraints, key: &Key) -> Result<()> {
    let (equals, subset) = (
        &constraints.encryption_context_equals,
        &constraints.encryption_context_subset,
    );
    if equals.is_some() && subset.is_some() {
        return Err(Fault::validation(
            "A grant can have either an EncryptionContextEquals or an EncryptionContextSubset constraint, but not both.",
        ));
    }
    let Some(context) = equals.as_ref().or(subset.as_ref()) else {
        return Ok(());
    };
    if key.spec != MaterialSpec::Symmetric {
        return Err(Fault::validation(
            "Encryption context constraints are valid only for symmetric encryption keys.",
        ));
    }
    let (pairs, characters) = CONTEXT_MAX;
    if context.len() > pairs {
        return Err(Fault::validation(format!(
            "An encryption context constraint can have at most {pairs} pairs."
        )));
    }
    if context.values().any(|value| value.chars().count() > characters) {
        return Err(Fault::validation(format!(
            "A value in an encryption context constraint can have at most {characters} characters."
        )));
    }
    Ok(())
}

fn one_of(principal: Option<String>, service: Option<String>, which: &str) -> Result<Option<String>> {
    if principal.is_some() && service.is_some() {
        return Err(Fault::validation(format!(
            "Specify either {which}Principal or {which}ServicePrincipal."
        )));
    }
    Ok(principal.or(service))
}

/// How a principal is kept: accounts, users, roles, sessions and services; no groups (S8.61).
fn kept(look: &mut Look<'_>, name: String, names: &mut Names) -> Result<String> {
    if is_service(Some(&name)) {
        return Ok(name);
    }
    let account = name.len() == 12 && name.bytes().all(|digit| digit.is_ascii_digit());
    let named = Arn::parse(&name).is_some_and(|arn| {
        let resource = arn.resource();
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| resource.starts_with(prefix));
        match arn.service() {
            "iam" => resource == "root" || starts(&["user/", "role/"]),
            "sts" => starts(&["assumed-role/", "federated-user/"]),
            _ => false,
        }
    });
    if (account || named)
        && let Some(kept) = principal::keep(look, &name, names)?
    {
        return Ok(kept);
    }
    Err(invalid_arn_exception(format!(
        "{name} is not a principal that a grant can name."
    )))
}

/// Which operations a grant on a key can give (KMS Developer Guide, "Grant operations").
fn fits(operation: model::GrantOperation, key: &Key) -> bool {
    use model::GrantOperation as G;
    use model::KeyUsageType as U;
    let symmetric = key.spec == MaterialSpec::Symmetric;
    let usage = key.usage();
    match operation {
        G::CreateGrant | G::RetireGrant | G::DescribeKey => true,
        G::Decrypt | G::Encrypt | G::ReEncryptFrom | G::ReEncryptTo => usage == U::EncryptDecrypt,
        G::GenerateDataKey
        | G::GenerateDataKeyWithoutPlaintext
        | G::GenerateDataKeyPair
        | G::GenerateDataKeyPairWithoutPlaintext => symmetric,
        G::GenerateMac | G::VerifyMac => usage == U::GenerateVerifyMac,
        G::Sign | G::Verify => usage == U::SignVerify,
        G::DeriveSharedSecret => usage == U::KeyAgreement,
        G::Encapsulate | G::Decapsulate => usage == U::EncapsulateDecapsulate,
        G::GetPublicKey => key.spec.pair().is_some(),
    }
}

/// A caller whom only a grant lets create grants may pass on no other operations than those of that grant, under constraints that are
/// at least as tight (KMS Developer Guide, "Best practices for grants").
fn expect_no_more(call: &mut Call<'_>, key: &KeyTarget, wanted: &KeyGrant) -> Result<()> {
    let (arn, account) = (key.arn(), key.account.clone());
    let mut allow =
        |policy, grants| call.would_allow(CREATE, &arn, &account, ResourcePolicies::Key { policy, grants });
    let mut parents = Vec::new();
    for grant in key.granted_for("CreateGrant") {
        if allow(naming::nobody()?, Arc::from([grant.clone()]))? {
            parents.push(grant);
        }
    }
    if parents.is_empty() || allow(key.attached()?, Arc::default())? {
        return Ok(());
    }
    let covers = |parent: &&policy::Grant| {
        let operations = wanted
            .operations
            .iter()
            .all(|operation| parent.operations.contains(operation));
        let equals = parent.context_equals.is_none() || wanted.context_equals == parent.context_equals;
        let subset = parent.context_subset.iter().flatten().all(|(name, value)| {
            let held = wanted.context_equals.as_ref().or(wanted.context_subset.as_ref());
            held.and_then(|held| held.get(name)) == Some(value)
        });
        let source = parent.source_arn.is_none() || wanted.source_arn == parent.source_arn;
        operations && equals && subset && source
    };
    if parents.iter().any(covers) {
        return Ok(());
    }
    Err(Fault::access_denied(format!(
        "User: {} is not authorized to perform: kms:CreateGrant on resource: {arn} because the grant that allows it does not give \
         what the new grant would give",
        call.identity.arn
    )))
}
