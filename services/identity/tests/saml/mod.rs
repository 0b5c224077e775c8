//! SAML providers and the sessions that their word gives, through the pipeline.

mod attacks;
mod idp;
mod providers;
mod vouched;
mod wanting;

use pipeline::testing::Failure;
use serde_json::{Value, json};

use crate::scene::{Scene, document};
use crate::sessions::sts;
use idp::{Idp, PROVIDER, encoded, role_arn};

/// A cloud with a provider, and a role `Staff` that trusts it.
struct Federated {
    scene: Scene,
    idp: Idp,
}

/// What the role trusts the provider for, under a condition.
fn trust_policy(actions: &Value, condition: &Value) -> String {
    document(&json!({
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": actions,
        "Condition": condition,
    }))
}

impl Federated {
    fn new() -> Self {
        Self::of(Idp::rsa())
    }

    fn of(idp: Idp) -> Self {
        let scene = Scene::new();
        let made = scene.root(
            "CreateSAMLProvider",
            json!({"Name": "Corp.AD", "SAMLMetadataDocument": idp.metadata()}),
        );
        assert_eq!(made["SAMLProviderArn"], PROVIDER);
        let trusted = trust_policy(
            &json!([
                "sts:AssumeRoleWithSAML",
                "sts:TagSession",
                "sts:SetSourceIdentity"
            ]),
            &json!({"StringEquals": {"saml:aud": "https://signin.aws.amazon.com/saml"}}),
        );
        crate::sessions::role(&scene, "Staff", &trusted);
        Self { scene, idp }
    }

    fn trust(&self, text: &str) {
        self.scene.root(
            "UpdateAssumeRolePolicy",
            json!({"RoleName": "Staff", "PolicyDocument": text}),
        );
    }

    /// Redeems a response for the role, with further members of the request.
    fn redeem_with(&self, response: &str, more: &Value) -> Result<Value, Failure> {
        let mut input = json!({
            "RoleArn": role_arn(),
            "PrincipalArn": PROVIDER,
            "SAMLAssertion": encoded(response),
        });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        sts(&self.scene, &self.scene.root, "AssumeRoleWithSAML", input)
    }

    fn redeem(&self, response: &str) -> Result<Value, Failure> {
        self.redeem_with(response, &json!({}))
    }

    /// The code and message of a refusal.
    fn refused(&self, response: &str) -> (String, String) {
        match self.redeem(response) {
            Ok(answer) => panic!("{} got in by {response}", answer["Subject"]),
            Err(failure) => (failure.code, failure.message),
        }
    }
}
