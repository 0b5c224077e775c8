//! When something is due again and again: AWS's `rate(…)` and `cron(…)` expressions, in UTC.
//!
//! Pure: a schedule says which moments it names; whoever keeps it plans a job for the next one. Services narrow what they take
//! (Secrets Manager rotates on the hour, at most every four hours).
//!
//! Invariant: what an expression names does not depend on when it was read.
//!
//! Source: EventBridge User Guide, "Setting a schedule pattern for scheduled rules"; Secrets Manager User Guide, "Rotation
//! schedules".

mod cron;
mod day;

pub use cron::Cron;
pub use day::{DAY, HOUR, MINUTE, midnight};

/// What is wrong with an expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreadable(pub &'static str);

/// The unit of a rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    Minutes,
    Hours,
    Days,
}

/// A schedule expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expression {
    /// `rate(10 days)`
    Rate { value: u32, unit: Unit },
    /// `cron(0 8 ? * MON-FRI *)`
    Cron(Cron),
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What part of it is none.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        let inside = |name: &str| {
            let rest = text.trim().strip_prefix(name)?;
            rest.strip_prefix('(')?.strip_suffix(')')
        };
        if let Some(fields) = inside("cron") {
            return Cron::parse(fields).map(Self::Cron);
        }
        let rate = inside("rate").ok_or(Unreadable("it is neither a rate nor a cron expression"))?;
        let mut words = rate.split_ascii_whitespace();
        let (Some(value), Some(unit), None) = (words.next(), words.next(), words.next()) else {
            return Err(Unreadable("a rate is a number and a unit"));
        };
        let value: u32 = value
            .parse()
            .ok()
            .filter(|value| *value > 0 && !text.contains('+'))
            .ok_or(Unreadable("the value of a rate is a positive number"))?;
        let unit = match unit {
            "minute" | "minutes" => Unit::Minutes,
            "hour" | "hours" => Unit::Hours,
            "day" | "days" => Unit::Days,
            _ => return Err(Unreadable("the unit of a rate is minutes, hours or days")),
        };
        Ok(Self::Rate { value, unit })
    }
}

impl Unit {
    /// Milliseconds of one.
    pub const fn millis(self) -> i64 {
        match self {
            Self::Minutes => MINUTE,
            Self::Hours => HOUR,
            Self::Days => DAY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_a_number_and_a_unit() {
        let rate = |value, unit| Ok(Expression::Rate { value, unit });
        assert_eq!(Expression::parse("rate(1 day)"), rate(1, Unit::Days));
        assert_eq!(Expression::parse("rate(999 days)"), rate(999, Unit::Days));
        assert_eq!(Expression::parse("rate(4 hours)"), rate(4, Unit::Hours));
        assert_eq!(Expression::parse("rate(5  minutes)"), rate(5, Unit::Minutes));
        for wrong in [
            "",
            "rate()",
            "rate(0 days)",
            "rate(+1 days)",
            "rate(-1 days)",
            "rate(1.5 days)",
            "rate(1 week)",
            "rate(1 day",
            "Rate(1 day)",
            "rate(1 day 2)",
            "cron",
            "every day",
        ] {
            assert!(Expression::parse(wrong).is_err(), "{wrong}");
        }
    }
}
