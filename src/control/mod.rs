//! Ringwork's own calls under `/_ringwork/`: signed like AWS's (service `ringwork`) and admitted only to the management
//! account's root user, but for the scan of an image, which is as free as the image is.

mod clock;
mod image;
mod keys;
mod ledger;
mod logs;
mod policy;
mod reach;
mod reset;
mod snapshot;
mod status;
mod why;

pub(crate) use clock::{Change, ClockReport, restore};
pub(crate) use image::{Image, ImageReport};
pub(crate) use keys::{KeyReport, KeysReport, Which};
pub(crate) use logs::{LogReport, Whose};
pub(crate) use policy::{Did, Made};
pub(crate) use reach::{What, Who};
pub(crate) use status::StatusReport;
pub(crate) use why::Question;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use pipeline::identity::IdentityType;
use pipeline::{Answer, Gateway, Incoming};
use serde::Serialize;

/// How this server was started; part of what it may do follows from it.
pub(crate) struct Posture {
    pub(crate) memory: bool,
    pub(crate) clock_control: bool,
    pub(crate) account: String,
    pub(crate) data: PathBuf,
    pub(crate) seal: &'static str,
    /// No page of the process is ever swapped out.
    pub(crate) memory_locked: bool,
    pub(crate) endpoints: Vec<String>,
    /// Where the console is, unless it is left out.
    pub(crate) console: Option<String>,
    /// Root's credentials as they were at the start, which a reset gives back.
    pub(crate) root: (String, crypto::Secret),
}

pub(crate) struct Control {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) posture: Posture,
    /// Held while the clock is changed.
    pub(crate) clock_turn: tokio::sync::Mutex<()>,
}

/// A refusal of the control plane.
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }
}

impl From<wire::Fault> for Refusal {
    fn from(fault: wire::Fault) -> Self {
        use wire::fault::{Code, Common};
        let status = match fault.code {
            Code::Common(Common::Validation) => StatusCode::NOT_FOUND,
            Code::Common(Common::Internal | Common::Unavailable) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::FORBIDDEN,
        };
        if let Some(source) = &fault.source {
            eprintln!("ringwork: control: {source}");
        }
        Self::new(status, fault.message)
    }
}

type Result<T> = std::result::Result<T, Refusal>;

impl Control {
    /// Answers a request to one of Ringwork's own paths.
    pub(crate) async fn serve(&self, request: Incoming) -> Answer {
        match self.answer(&request).await {
            Ok(body) => json(StatusCode::OK, body),
            Err(refusal) => {
                let body = serde_json::json!({ "message": refusal.message }).to_string();
                json(refusal.status, body.into_bytes())
            }
        }
    }

    async fn answer(&self, request: &Incoming) -> Result<Vec<u8>> {
        // Open to every principal, whose own permissions decide.
        if (request.method.as_str(), request.path.as_str()) == ("POST", "/_ringwork/image-scan") {
            return written(&self.scan_image(request).await?);
        }
        self.admit(request)?;
        let query = Query(&request.query);
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/_ringwork/why") => written(&self.why(query.required("id")?)?),
            ("POST", "/_ringwork/why") => written(&self.why_described(request.body.at_hand())?),
            ("POST", "/_ringwork/who-can") => written(&self.who_can(request.body.at_hand())?),
            ("POST", "/_ringwork/what-can") => written(&self.what_can(request.body.at_hand())?),
            ("POST", "/_ringwork/policy") => written(&self.policy(request.body.at_hand())?),
            ("POST", "/_ringwork/keys") => written(&self.keys(request.body.at_hand())?),
            ("POST", "/_ringwork/logs") => written(&self.logs(request.body.at_hand())?),
            ("POST", "/_ringwork/ledger") => written(&self.verify_ledger(request.body.at_hand()).await?),
            ("GET", "/_ringwork/status") => written(&self.status()?),
            ("GET", "/_ringwork/clock") => written(&self.clock()),
            ("POST", "/_ringwork/clock") => written(&self.change_clock(request.body.at_hand()).await?),
            ("POST", "/_ringwork/reset") => written(&self.reset(query.get("account")?.as_deref())?),
            ("POST", "/_ringwork/snapshot") => written(&self.save_snapshot(request.body.at_hand())?),
            _ => Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "There is no such control path.",
            )),
        }
    }

    fn admit(&self, request: &Incoming) -> Result<()> {
        let identity = self.gateway.authenticate_control(request)?;
        if identity.kind == IdentityType::Root && *identity.account == *self.posture.account {
            return Ok(());
        }
        let message = "Only the management account's root user may do this.";
        Err(Refusal::new(StatusCode::FORBIDDEN, message))
    }
}

/// A query string of plain `name=value` pairs.
struct Query<'a>(&'a str);

impl Query<'_> {
    fn get(&self, name: &str) -> Result<Option<String>> {
        let pairs = self.0.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .next();
        Ok(value.map(|value| wire::sigv4::percent_decode(value).into_owned()))
    }

    fn required(&self, name: &str) -> Result<String> {
        self.get(name)?
            .ok_or_else(|| Refusal::bad(format!("{name} is missing")))
    }
}

fn written(body: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(body)
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

fn json(status: StatusCode, body: Vec<u8>) -> Answer {
    let mut headers = HeaderMap::with_capacity(1);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Answer {
        status: status.as_u16(),
        headers,
        body: Bytes::from(body).into(),
    }
}
