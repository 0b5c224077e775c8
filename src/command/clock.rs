//! `ringwork clock`: shows or moves the cloud's time.

use http::Method;

use super::client::{CLOCK, Client};
use crate::arguments::{Clock, ClockChange};
use crate::control::{Change, ClockReport};
use crate::error::Error;

pub(crate) async fn run(options: &Clock) -> Result<(), Error> {
    let client = Client::of(&options.server)?;
    let report: ClockReport = match &options.change {
        None => client.call(Method::GET, CLOCK, "", Vec::new()).await?,
        Some(change) => {
            let body =
                serde_json::to_vec(&wanted(change)?).map_err(|error| Error::Usage(error.to_string()))?;
            client.call(Method::POST, CLOCK, "", body).await?
        }
    };
    let clock = if report.follows {
        "follows the wall's clock".to_owned()
    } else {
        format!("rate {}", report.rate)
    };
    println!("{}  ({clock})", report.now);
    if report.jobs_run > 0 {
        println!("{} jobs fell due and ran", report.jobs_run);
    }
    Ok(())
}

fn wanted(change: &ClockChange) -> Result<Change, Error> {
    Ok(match change {
        ClockChange::Advance { duration } => Change::Advance(milliseconds(duration)?),
        ClockChange::Set { time } => {
            let compact: String = time
                .chars()
                .filter(|letter| !matches!(letter, '-' | ':'))
                .collect();
            let seconds = wire::sigv4::parse_basic_time(&compact);
            let seconds = seconds
                .ok_or_else(|| Error::Usage(format!("{time} is not a time like 2027-01-01T00:00:00Z")))?;
            Change::Set(seconds.saturating_mul(1000))
        }
        ClockChange::Freeze => Change::Scale(0.0),
        ClockChange::Scale { rate } => Change::Scale(*rate),
        ClockChange::Follow => Change::Follow,
    })
}

/// `90s`, `15m`, `12h` or `365d` in milliseconds.
fn milliseconds(text: &str) -> Result<i64, Error> {
    let wrong = || Error::Usage(format!("{text} is not a duration like 90s, 15m, 12h or 365d"));
    let unit = match text.chars().last() {
        Some('s') => 1_000,
        Some('m') => 60_000,
        Some('h') => 3_600_000,
        Some('d') => 86_400_000,
        _ => return Err(wrong()),
    };
    let number = text
        .get(..text.len() - 1)
        .and_then(|number| number.parse::<u32>().ok())
        .ok_or_else(wrong)?;
    i64::from(number).checked_mul(unit).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(milliseconds("365d").ok(), Some(365 * 86_400_000));
        assert_eq!(milliseconds("90s").ok(), Some(90_000));
        for wrong in ["", "d", "5", "-1d", "1y", "1é", "99999999999d"] {
            assert!(milliseconds(wrong).is_err(), "{wrong}");
        }
    }
}
