//! A rotation's four steps, as far as all functions share them (Secrets Manager User Guide, "Four steps in a rotation function").
//!
//! Invariant: every step may be taken again and ends as if it had been taken once.

use serde_json::Value;

use crate::credential::Credential;
use crate::database::{Engine, Session};
use crate::error::{Error, Result};
use crate::secrets::Secrets;

pub(crate) const CURRENT: &str = "AWSCURRENT";
pub(crate) const PENDING: &str = "AWSPENDING";
pub(crate) const PREVIOUS: &str = "AWSPREVIOUS";

/// One rotation of one secret.
pub(crate) struct Rotation<'a> {
    pub(crate) secrets: &'a Secrets,
    pub(crate) engine: Engine,
    pub(crate) arn: String,
    /// The version that it makes.
    pub(crate) version: String,
    /// `RotationToken`
    pub(crate) token: Option<String>,
}

/// Where the version stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    Pending,
    /// The rotation has come to its end already.
    Current,
}

impl Rotation<'_> {
    /// Checks that the secret is being rotated to this version.
    pub(crate) async fn expect_staged(&self) -> Result<Stage> {
        let described = self.secrets.describe(&self.arn).await?;
        let refuse = |what: String| Err(Error::Refused(what));
        let (arn, version) = (&self.arn, &self.version);
        if described.get("RotationEnabled").and_then(Value::as_bool) == Some(false) {
            return refuse(format!("Secret {arn} is not enabled for rotation"));
        }
        let stages = described
            .get("VersionIdsToStages")
            .and_then(|stages| stages.get(version));
        let Some(Value::Array(stages)) = stages else {
            return refuse(format!(
                "Secret version {version} has no stage for rotation of secret {arn}."
            ));
        };
        let bears = |stage: &str| stages.iter().any(|known| known == stage);
        if bears(CURRENT) {
            say(&format!(
                "Secret version {version} already set as AWSCURRENT for secret {arn}."
            ));
            return Ok(Stage::Current);
        }
        if !bears(PENDING) {
            return refuse(format!(
                "Secret version {version} not set as AWSPENDING for rotation of secret {arn}."
            ));
        }
        Ok(Stage::Pending)
    }

    pub(crate) async fn credential(&self, stage: &str) -> Result<Credential> {
        let version = (stage == PENDING).then_some(self.version.as_str());
        let text = self.secrets.value(&self.arn, stage, version).await?;
        Credential::parse(&text, self.engine)
    }

    /// Makes the new value, unless it is there: for the user that `next` says follows the current one.
    pub(crate) async fn create_secret(&self, next: impl Fn(&str) -> String) -> Result<()> {
        let current = self.credential(CURRENT).await?;
        match self.secrets.value(&self.arn, PENDING, Some(&self.version)).await {
            Ok(_) => say(&format!(
                "createSecret: Successfully retrieved secret for {}.",
                self.arn
            )),
            Err(error) if error.is_absent() => {
                let password = self
                    .secrets
                    .random_password(self.engine.excluded_characters())
                    .await?;
                let value = current.with(&next(&current.username), &password);
                let token = self.token.as_deref();
                self.secrets.put(&self.arn, &self.version, token, &value).await?;
                say(&format!(
                    "createSecret: Successfully put secret for ARN {} and version {}.",
                    self.arn, self.version
                ));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Logs in with the new value and asks the server for the time.
    pub(crate) async fn test_secret(&self) -> Result<()> {
        let pending = self.credential(PENDING).await?;
        let Some(mut session) = Session::open(self.engine, &pending).await? else {
            return Err(Error::Refused(format!(
                "Unable to log into database with pending secret of secret ARN {}",
                self.arn
            )));
        };
        session.run("the test", "SELECT NOW()").await?;
        session.close().await;
        say(&format!(
            "testSecret: Successfully signed into the database with AWSPENDING secret in {}.",
            self.arn
        ));
        Ok(())
    }

    /// Makes the new value current.
    pub(crate) async fn finish_secret(&self) -> Result<()> {
        let described = self.secrets.describe(&self.arn).await?;
        let stages = described.get("VersionIdsToStages").and_then(Value::as_object);
        let bears = |stages: &Value| {
            let stages = stages.as_array();
            stages.is_some_and(|stages| stages.iter().any(|stage| stage == CURRENT))
        };
        let current = stages.and_then(|stages| stages.iter().find(|(_, stages)| bears(stages)));
        let current = current.map(|(version, _)| version.as_str());
        if current != Some(&self.version) {
            self.secrets
                .make_current(&self.arn, &self.version, current)
                .await?;
        }
        say(&format!(
            "finishSecret: Successfully set AWSCURRENT stage to version {} for secret {}.",
            self.version, self.arn
        ));
        Ok(())
    }
}

/// Writes a line of the function's log.
pub(crate) fn say(line: &str) {
    eprintln!("[INFO] {line}");
}
