//! Identity tokens of AWS's own making: who the caller is, for services outside that verify it by the issuer of the account.
//!
//! Source: STS API Reference, "GetWebIdentityToken"; IAM User Guide, "Understanding token claims".

use api::sts as model;
use api::sts::fault::{
    outbound_web_identity_federation_disabled_exception, session_duration_escalation_exception,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use policy::{Context, Principal};
use serde_json::{Map, Value, json};
use wire::{Fault, Timestamp};

use crate::iam::outbound::{self, EC_ID, RSA_ID};
use crate::iam::tag;

const SECONDS_DEFAULT: i64 = 300;
const TAG_TOKEN: Access = Access::tagging("sts:TagGetWebIdentityToken");

/// Issues a token that says who the caller is.
pub struct GetWebIdentityToken;

impl Operation for GetWebIdentityToken {
    type Input = model::GetWebIdentityTokenRequest;
    type Output = model::GetWebIdentityTokenResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("sts:GetWebIdentityToken");
    const CONDITIONS: &'static [&'static str] = &[
        "aws:RequestTag/${TagKey}",
        "aws:TagKeys",
        "sts:DurationSeconds",
        "sts:IdentityTokenAudience",
        "sts:SigningAlgorithm",
    ];
    const ALSO: &'static [Access] = &[TAG_TOKEN];

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("sts:IdentityTokenAudience", input.audience.clone());
        context.insert("sts:SigningAlgorithm", input.signing_algorithm.clone());
        context.insert("sts:DurationSeconds", seconds(input).to_string());
        let tags = input.tags.iter().flatten();
        tag::request_conditions(tags.map(|tag| (tag.key.as_str(), tag.value.as_str())), context);
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let account = call.account().to_owned();
        if input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            let mut context = Context::new();
            Self::conditions(&input, &mut context);
            call.also(TAG_TOKEN, "*", &account, context)?;
        }
        let issuer = outbound::enabled(call, &account)?.ok_or_else(|| {
            outbound_web_identity_federation_disabled_exception(
                "Outbound web identity federation is not enabled for this account.",
            )
        })?;
        let seconds = seconds(&input);
        let ends = call.now.0.saturating_add(seconds.saturating_mul(1000));
        let session = call.identity.session.as_ref();
        if session.is_some_and(|session| ends > session.expires) {
            return Err(session_duration_escalation_exception(
                "The requested token duration exceeds the remaining time of the session.",
            ));
        }
        let (key, header) = match input.signing_algorithm.as_str() {
            "RS256" => (
                issuer.rs256(call)?,
                json!({"alg": "RS256", "kid": RSA_ID, "typ": "JWT"}),
            ),
            "ES384" => (
                issuer.es384(call)?,
                json!({"alg": "ES384", "kid": EC_ID, "typ": "JWT"}),
            ),
            _ => return Err(Fault::validation("SigningAlgorithm must be RS256 or ES384.")),
        };
        // Others verify it, by the wall's time.
        let issued = call.wall().seconds();
        let expires = issued.saturating_add(seconds);
        let claims = claims(call, &issuer.issuer, input, (issued, expires))?;
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = key.sign(signed.as_bytes()).map_err(Fault::internal)?;
        Ok(model::GetWebIdentityTokenResponse {
            expiration: Some(Timestamp::from_seconds(expires)),
            web_identity_token: Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))),
        })
    }
}

fn seconds(input: &model::GetWebIdentityTokenRequest) -> i64 {
    input.duration_seconds.map_or(SECONDS_DEFAULT, i64::from)
}

fn claims(
    call: &Call<'_>,
    issuer: &str,
    input: model::GetWebIdentityTokenRequest,
    (issued, expires): (i64, i64),
) -> Result<Value> {
    let identity = call.identity;
    let subject = match &identity.principal {
        Principal::AssumedRole { role_arn, .. } => role_arn.as_str(),
        _ => &identity.arn,
    };
    let mut own = Map::new();
    own.insert("aws_account".to_owned(), call.account().into());
    own.insert("source_region".to_owned(), call.region().into());
    let object = |pairs: Vec<(String, String)>| -> Map<String, Value> {
        pairs
            .into_iter()
            .map(|(key, value)| (key, value.into()))
            .collect()
    };
    if !identity.tags.is_empty() {
        own.insert("principal_tags".to_owned(), object(identity.tags.to_vec()).into());
    }
    let tags = input.tags.into_iter().flatten();
    let tags: Vec<_> = tags.map(|tag| (tag.key, tag.value)).collect();
    if !tags.is_empty() {
        own.insert("request_tags".to_owned(), object(tags).into());
    }
    let audience = match input.audience.as_slice() {
        [one] => Value::from(one.as_str()),
        several => Value::from(several.to_vec()),
    };
    Ok(json!({
        "iss": issuer, "aud": audience, "sub": subject, "iat": issued, "exp": expires, "jti": call.uuid()?,
        "https://sts.amazonaws.com/": own,
    }))
}
