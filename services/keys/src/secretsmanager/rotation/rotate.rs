//! Turning rotation on and off, and asking for one now.

use api::secretsmanager as model;
use api::secretsmanager::fault::{
    invalid_parameter_exception, invalid_request_exception, resource_not_found_exception,
};
use pipeline::schedule::HOUR;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::{Arn, Context};
use wire::fault::{Code, Common};
use wire::{Document, Fault};

use super::super::create::expect_none;
use super::super::cross_account;
use super::super::naming::resolve;
use super::super::secret::{CURRENT, PENDING, Secret, SecretTarget, to_change};
use super::super::value;
use super::rules::Rules;
use super::run::{self, BY};
use super::{Rotation, begin, plan, stop, unfinished};

/// What it takes to have a function invoked for a secret.
const INVOKE: Access = Access::write("lambda:InvokeFunction");
/// Where an attempt may be made again of a rotation that was asked for, in milliseconds.
const ASKED_WINDOW: i64 = HOUR;

/// Says how a secret is rotated, and rotates it; or, if told to wait for the schedule, tests that it can be.
pub struct RotateSecret;

impl Operation for RotateSecret {
    type Input = model::RotateSecretRequest;
    type Output = model::RotateSecretResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::write("secretsmanager:RotateSecret");
    const ALSO: &'static [Access] = &[INVOKE];
    const CONDITIONS: &'static [&'static str] = &[
        "secretsmanager:ModifyRotationRules",
        "secretsmanager:RotateImmediately",
        "secretsmanager:RotationLambdaARN",
    ];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert(
            "secretsmanager:ModifyRotationRules",
            input.rotation_rules.is_some().to_string(),
        );
        context.insert(
            "secretsmanager:RotateImmediately",
            (input.rotate_immediately != Some(false)).to_string(),
        );
        if let Some(lambda) = &input.rotation_lambda_arn {
            context.insert("secretsmanager:RotationLambdaARN", lambda.clone());
        }
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&secret.account);
        secret.expect_own(call)?;
        cross_account::expect_no_replica(&secret)?;
        expect_none(
            "ExternalSecretRotationMetadata",
            input.external_secret_rotation_metadata.is_some(),
        )?;
        expect_none(
            "ExternalSecretRotationRoleArn",
            input.external_secret_rotation_role_arn.is_some(),
        )?;
        let id = value::expect_token(input.client_request_token)?;
        let rules = Rules::read(input.rotation_rules)?;
        let mut secret = to_change(&secret);
        let answer = model::RotateSecretResponse {
            arn: Some(secret.arn()),
            name: Some(secret.name.clone()),
            version_id: Some(id.clone()),
        };
        if asked_before(&secret, &id, input.rotation_lambda_arn.as_deref(), rules.as_ref()) {
            return Ok(answer);
        }
        if unfinished(&secret).is_some() {
            return Err(invalid_request_exception(
                "A previous rotation isn't complete. That rotation will be reattempted.",
            ));
        }
        if secret.versions.contains_key(&id) {
            return Err(invalid_request_exception(
                "You can't use the ClientRequestToken of a version that exists already to rotate the secret.",
            ));
        }
        configure(call, &mut secret, (input.rotation_lambda_arn, rules), &id)?;
        let now = call.now.0;
        if input.rotate_immediately == Some(false) {
            let last = secret.rotation.as_ref().and_then(|rotation| rotation.last);
            plan(call, &mut secret, last.unwrap_or(now))?;
            test(call, &mut secret, &id)?;
        } else {
            plan(call, &mut secret, now)?;
            begin(call, &mut secret, &id, (now, now + ASKED_WINDOW), false)?;
        }
        secret.changed = now;
        secret.keep(call)?;
        Ok(answer)
    }
}

/// Whether the same request came before, with nothing else to configure: its rotation is underway or has ended.
fn asked_before(secret: &Secret, id: &str, lambda: Option<&str>, rules: Option<&Rules>) -> bool {
    let asked = secret.rotation.as_ref().filter(|rotation| {
        rotation.enabled
            && (rotation.asked.as_deref() == Some(id)
                || rotation
                    .running
                    .as_ref()
                    .is_some_and(|running| running.version == id))
    });
    asked.is_some_and(|rotation| {
        lambda.is_none_or(|lambda| lambda.is_empty() || lambda == rotation.lambda)
            && rules.is_none_or(|rules| rotation.rules.as_ref() == Some(rules))
    })
}

/// Notes how the secret is rotated, once it is sure that the caller and Secrets Manager may invoke the function.
fn configure(
    call: &mut Call<'_>,
    secret: &mut Secret,
    (lambda, rules): (Option<String>, Option<Rules>),
    id: &str,
) -> Result<()> {
    stop(call, secret)?;
    let before = secret.rotation.clone();
    let lambda = lambda.filter(|lambda| !lambda.is_empty());
    let lambda = lambda.or_else(|| before.as_ref().map(|rotation| rotation.lambda.clone()));
    let lambda = lambda.ok_or_else(|| {
        invalid_request_exception("No Lambda rotation function ARN is associated with this secret.")
    })?;
    let arn = Arn::parse(&lambda).filter(|arn| arn.service() == "lambda");
    let arn = arn.ok_or_else(|| {
        invalid_parameter_exception("The RotationLambdaARN is not the ARN of a Lambda function.")
    })?;
    call.also(INVOKE, &lambda, arn.account(), Context::default())?;
    let input = Document::Structure(vec![
        ("FunctionName", Document::String(lambda.clone())),
        ("InvocationType", Document::String("DryRun".to_owned())),
    ]);
    call.invoke_as_service(BY, Some(&secret.arn()), "lambda", "Invoke", input)
        .map_err(cannot_invoke)?;
    secret.rotation = Some(Rotation {
        enabled: true,
        lambda,
        rules: rules.or_else(|| before.as_ref().and_then(|rotation| rotation.rules.clone())),
        last: before.as_ref().and_then(|rotation| rotation.last),
        next: None,
        job: before.and_then(|rotation| rotation.job),
        running: None,
        asked: Some(id.to_owned()),
    });
    Ok(())
}

fn cannot_invoke(fault: Fault) -> Fault {
    match &fault.code {
        Code::Common(Common::AccessDenied) => Fault::access_denied(run::CANNOT_INVOKE),
        Code::Modeled {
            shape: "ResourceNotFoundException",
            ..
        } => resource_not_found_exception("Lambda does not exist or could not be accessed"),
        _ => fault,
    }
}

/// Has the function test the value that is current now, as a version that goes again.
fn test(call: &mut Call<'_>, secret: &mut Secret, id: &str) -> Result<()> {
    if let Some(current) = secret.labelled(CURRENT).map(str::to_owned) {
        let plain = value::read(call, secret, &current)?;
        value::add(call, secret, id, &plain, &[PENDING.to_owned()])?;
    }
    let now = call.now.0;
    begin(call, secret, id, (now, now), true)
}

/// Turns rotation off, and ends the one underway. The version that it was making keeps its label.
pub struct CancelRotateSecret;

impl Operation for CancelRotateSecret {
    type Input = model::CancelRotateSecretRequest;
    type Output = model::CancelRotateSecretResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::write("secretsmanager:CancelRotateSecret");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&secret.account);
        secret.expect_own(call)?;
        cross_account::expect_no_replica(&secret)?;
        let mut secret = to_change(&secret);
        let version_id = unfinished(&secret).map(str::to_owned);
        let answer = model::CancelRotateSecretResponse {
            arn: Some(secret.arn()),
            name: Some(secret.name.clone()),
            version_id,
        };
        if secret.rotation.is_some() {
            stop(call, &mut secret)?;
            if let Some(rotation) = secret.rotation.as_mut() {
                rotation.enabled = false;
            }
            let now = call.now.0;
            plan(call, &mut secret, now)?;
            secret.changed = now;
            secret.keep(call)?;
        }
        Ok(answer)
    }
}
