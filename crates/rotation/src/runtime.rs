//! Lambda's Runtime API: the function asks for the next event, answers it, and asks again (Lambda Developer Guide, "Using the Lambda
//! runtime API for custom runtimes").

use bytes::Bytes;
use http::{HeaderMap, Method};
use planes::client::{request, request_unhurried};
use serde_json::{Value, json};

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::handler::Handler;

const API: &str = "/2018-06-01/runtime";
const RUNTIME: &str = "the Runtime API";

/// Serves events until the Runtime API is gone.
///
/// # Errors
/// When the function cannot be started, which the Runtime API is told, or when the Runtime API does not answer any more.
pub async fn serve(environment: Environment) -> Result<()> {
    let api = format!("http://{}", environment.runtime_api);
    let handler = match Handler::of(environment) {
        Ok(handler) => handler,
        Err(error) => {
            post(&api, &format!("{API}/init/error"), &told(&error)).await?;
            return Err(error);
        }
    };
    loop {
        let path = format!("{API}/invocation/next");
        let next = request_unhurried(&api, None, Method::GET, &path, HeaderMap::new(), Bytes::new()).await;
        let (_, headers, event) = next.map_err(|source| Error::Exchange { to: RUNTIME, source })?;
        let id = headers
            .get("lambda-runtime-aws-request-id")
            .and_then(|id| id.to_str().ok())
            .ok_or(Error::Answer(RUNTIME))?
            .to_owned();
        let event: Value = serde_json::from_slice(&event).unwrap_or_default();
        match handler.handle(&event).await {
            Ok(()) => post(&api, &format!("{API}/invocation/{id}/response"), &Value::Null).await?,
            Err(error) => {
                eprintln!("[ERROR] {error}");
                post(&api, &format!("{API}/invocation/{id}/error"), &told(&error)).await?;
            }
        }
    }
}

fn told(error: &Error) -> Value {
    json!({ "errorMessage": error.to_string(), "errorType": error.class(), "stackTrace": [] })
}

async fn post(api: &str, path: &str, body: &Value) -> Result<()> {
    let body = Bytes::from(body.to_string());
    let sent = request(api, None, Method::POST, path, HeaderMap::new(), body).await;
    sent.map(drop)
        .map_err(|source| Error::Exchange { to: RUNTIME, source })
}
