//! `ringwork logs`: what a function wrote.

use http::Method;

use super::client::Client;
use crate::arguments::Logs;
use crate::control::{LogReport, Whose};
use crate::error::Error;

pub(crate) async fn run(options: &Logs) -> Result<(), Error> {
    let whose = Whose {
        function: options.function.clone(),
        account: options.account.clone(),
        region: options.region.clone(),
    };
    let body = serde_json::to_vec(&whose).map_err(|error| Error::Pipeline(error.to_string()))?;
    let client = Client::of(&options.server)?;
    let mut report: LogReport = client.call(Method::POST, "/_ringwork/logs", "", body).await?;
    if let Some(most) = options.limit {
        let over = report.lines.len().saturating_sub(most);
        report.lines.drain(..over);
    }
    if options.json {
        return super::print_json(&report);
    }
    if report.lines.is_empty() {
        println!("{} has written nothing that is kept.", report.function);
    }
    for line in &report.lines {
        println!("{}  {}  {}", line.at, line.stream, printable(&line.text));
    }
    Ok(())
}

/// What a function wrote must not steer the terminal that shows it.
fn printable(text: &str) -> String {
    let shown = |letter: char| {
        if letter.is_control() && letter != '\t' {
            char::REPLACEMENT_CHARACTER
        } else {
            letter
        }
    };
    text.trim_end_matches(['\n', '\r']).chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_log_steers_no_terminal() {
        assert_eq!(super::printable("a\tb\n"), "a\tb");
        assert!(!super::printable("\u{1b}[2J").contains('\u{1b}'));
    }
}
