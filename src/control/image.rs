//! `POST /_ringwork/image-scan`: the credentials that were left in an image.
//!
//! The caller is any principal: that it may describe the image is judged and recorded as a call of `DescribeImages`, and that it may
//! launch the image follows from its being described.
//!
//! Invariant: the answer holds no part of a secret, and says of an access key whether it is alive only to its own account and to the
//! management account's root user.

use std::collections::BTreeMap;

use engines::secrets::{DiskReport, scan_disk};
use http::StatusCode;
use identity::iam::access_key;
use network::ec2::image_content;
use pipeline::Incoming;
use pipeline::identity::IdentityType;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use wire::Document;

use super::{Control, Refusal, Result};

/// Scans at a time: each reads a whole disk, and whoever may see an image may ask for one.
static SCANS: Semaphore = Semaphore::const_new(2);

/// Which image.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    /// `ami-…`
    pub(crate) image: String,
    pub(crate) region: String,
}

/// The answer.
#[derive(Serialize, Deserialize)]
pub(crate) struct ImageReport {
    pub(crate) image: String,
    pub(crate) name: String,
    /// The owner's account.
    pub(crate) owner: String,
    /// Files that were looked into, and their bytes.
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// `engines::secrets::Finding`, with `access_key` where a key is known here.
    pub(crate) findings: Vec<Value>,
    /// Files of which something was left out.
    pub(crate) cut: Vec<String>,
    /// There are more findings than are listed.
    pub(crate) more: bool,
}

impl Control {
    pub(super) async fn scan_image(&self, request: &Incoming) -> Result<ImageReport> {
        let identity = self.gateway.authenticate_control(request)?;
        let body = request.body.at_hand();
        let asked: Image = serde_json::from_slice(body).map_err(|error| Refusal::bad(error.to_string()))?;
        let ids = Document::List(vec![Document::String(asked.image.clone())]);
        let input = Document::Structure(vec![("ImageIds", ids)]);
        self.gateway
            .call(&identity, &asked.region, "ec2", "DescribeImages", input)
            .await?;
        let root = identity.kind == IdentityType::Root && *identity.account == *self.posture.account;
        let closed = |_| {
            Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "No image is scanned any more.".to_owned(),
            )
        };
        let _turn = SCANS.acquire().await.map_err(closed)?;
        // Many bytes are read: that must not hold up the calls of others on this thread.
        tokio::task::block_in_place(|| self.look_into(&asked, &identity.account, root))
    }

    fn look_into(&self, asked: &Image, account: &str, root: bool) -> Result<ImageReport> {
        let opened = self.gateway.system(&asked.region, |call| {
            image_content::open(call, account, &asked.image)
        })?;
        let report = match opened.disk {
            None => DiskReport::default(),
            Some(disk) => scan_disk(disk).map_err(|error| {
                let message = format!("The image cannot be read: {error}.");
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message)
            })?,
        };
        let mut standings = BTreeMap::new();
        for id in report
            .findings
            .iter()
            .filter_map(|finding| finding.access_key_id.as_deref())
        {
            if standings.contains_key(id) {
                continue;
            }
            let standing = self
                .gateway
                .system(&asked.region, |call| access_key::standing(call, id))?;
            let standing = standing.filter(|(owner, _)| root || owner == account);
            standings.insert(id, standing);
        }
        let findings = report.findings.iter().map(|finding| {
            let mut shown = serde_json::to_value(finding).unwrap_or_default();
            let standing = finding
                .access_key_id
                .as_deref()
                .and_then(|id| standings.get(id)?.as_ref());
            if let (Some((account, active)), Some(members)) = (standing, shown.as_object_mut()) {
                let status = if *active { "Active" } else { "Inactive" };
                members.insert(
                    "access_key".to_owned(),
                    json!({ "account": account, "status": status }),
                );
            }
            shown
        });
        Ok(ImageReport {
            image: asked.image.clone(),
            name: opened.name,
            owner: opened.owner,
            files: report.files,
            bytes: report.bytes,
            findings: findings.collect(),
            cut: report.cut.clone(),
            more: report.more,
        })
    }
}
