//! `ringwork env`: export lines that point AWS clients of a shell at the server, as root, and name the console for its people.

use serde_json::{Map, Value};

use super::client::Client;
use crate::arguments::Env;
use crate::error::Error;
use crate::folder::{self, Folder};

pub(crate) fn run(options: &Env) -> Result<(), Error> {
    let client = Client::of(&options.server)?;
    let mut endpoint = client.endpoint;
    let data = Folder::at(&options.server.data);
    let console = folder::read(&data.console())?.unwrap_or_default();
    let mut console = String::from_utf8_lossy(&console).trim().to_owned();
    let mut lines = Vec::new();
    if options.tls {
        endpoint = endpoint.replacen("http://", "https://", 1);
        console = console.replacen("http://", "https://", 1);
        let authority = data.authority();
        let absolute = std::path::absolute(&authority);
        let absolute = absolute.map_err(|source| Error::File {
            doing: "find",
            path: authority,
            source,
        })?;
        lines.push(("AWS_CA_BUNDLE", absolute.display().to_string()));
    }
    lines.insert(0, ("AWS_ENDPOINT_URL", endpoint));
    lines.push(("AWS_ACCESS_KEY_ID", client.credentials.access_key_id));
    lines.push(("AWS_SECRET_ACCESS_KEY", client.credentials.secret_access_key));
    lines.push(("AWS_REGION", "us-east-1".to_owned()));
    lines.push(("AWS_DEFAULT_REGION", "us-east-1".to_owned()));
    let unset = if console.is_empty() {
        " RINGWORK_CONSOLE_URL"
    } else {
        lines.push(("RINGWORK_CONSOLE_URL", console));
        ""
    };
    if options.json {
        let object: Map<String, Value> = lines
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        return super::print_json(&object);
    }
    for (name, value) in lines {
        println!("export {name}={}", quoted(&value));
    }
    // A profile or session of another cloud would win over the lines above.
    println!("unset AWS_SESSION_TOKEN AWS_PROFILE{unset}");
    Ok(())
}

/// The value as one shell word.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "'\\''"))
}
