//! When a secret is rotated: the rules of a request, and the windows that they name (Secrets Manager User Guide, "Rotation schedules").
//!
//! Invariant: windows begin on the hour (UTC), do not reach into the next day, and never overlap.

use api::secretsmanager as model;
use api::secretsmanager::fault::invalid_parameter_exception;
use pipeline::Result;
use pipeline::schedule::{Cron, DAY, Expression, HOUR, Unit, Unreadable, midnight};
use serde::{Deserialize, Serialize};

/// The shortest time between rotations, in hours.
const HOURS_LEAST: u32 = 4;
/// The longest rate, in days.
const DAYS_MOST: u32 = 999;

/// The rules as they were given.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// `AutomaticallyAfterDays`
    pub days: Option<i64>,
    /// `ScheduleExpression`
    pub expression: Option<String>,
    /// `Duration`
    pub duration: Option<String>,
}

/// The rules, read.
pub(super) struct Plan {
    every: Every,
    /// Hours that a window lasts, if that was said.
    hours: Option<i64>,
}

enum Every {
    Days(i64),
    Hours(i64),
    Cron(Cron),
}

/// When a rotation may begin, and when its attempts end; milliseconds since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Window {
    pub(super) opens: i64,
    pub(super) closes: i64,
}

impl Window {
    /// The last second of it, which is what `NextRotationDate` tells.
    pub(super) const fn shown(self) -> i64 {
        self.closes - 1000
    }
}

impl Rules {
    /// Reads and checks the rules of a request; `None` if it says nothing.
    pub(super) fn read(given: Option<model::RotationRulesType>) -> Result<Option<Self>> {
        let Some(given) = given else {
            return Ok(None);
        };
        let rules = Self {
            days: given.automatically_after_days,
            expression: given.schedule_expression,
            duration: given.duration,
        };
        match (rules.days, &rules.expression) {
            (Some(_), Some(_)) => Err(invalid_parameter_exception(
                "You can't specify both AutomaticallyAfterDays and ScheduleExpression.",
            )),
            (None, None) if rules.duration.is_none() => Ok(None),
            (None, None) => Err(invalid_parameter_exception(
                "You must specify AutomaticallyAfterDays or ScheduleExpression with Duration.",
            )),
            _ => {
                let told = |wrong: Unreadable| {
                    invalid_parameter_exception(format!("The rotation rules are not valid: {}.", wrong.0))
                };
                rules.plan().and_then(|plan| plan.check()).map_err(told)?;
                Ok(Some(rules))
            }
        }
    }

    pub(super) fn plan(&self) -> std::result::Result<Plan, Unreadable> {
        let every = match (self.days, &self.expression) {
            (Some(days), _) => Every::Days(days),
            (None, Some(expression)) => match Expression::parse(expression)? {
                Expression::Rate {
                    value,
                    unit: Unit::Days,
                } => Every::Days(i64::from(value)),
                Expression::Rate {
                    value,
                    unit: Unit::Hours,
                } => Every::Hours(i64::from(value)),
                Expression::Rate { .. } => return Err(Unreadable("a rate is in hours or days")),
                Expression::Cron(cron) => Every::Cron(cron),
            },
            (None, None) => return Err(Unreadable("they name no time")),
        };
        let hours = self.duration.as_ref().map(|duration| {
            let number = duration.strip_suffix('h').and_then(|number| number.parse().ok());
            number.ok_or(Unreadable("a duration is a number of hours"))
        });
        Ok(Plan {
            every,
            hours: hours.transpose()?,
        })
    }

    /// As answers show them: the days between rotations are said of every schedule.
    pub(super) fn shown(&self) -> model::RotationRulesType {
        let days = self.days.or_else(|| self.plan().ok().map(|plan| plan.days()));
        model::RotationRulesType {
            automatically_after_days: days,
            duration: self.duration.clone(),
            schedule_expression: self.expression.clone(),
        }
    }
}

impl Plan {
    fn check(&self) -> std::result::Result<(), Unreadable> {
        const OFTEN: Unreadable = Unreadable("a secret is rotated every four hours at most");
        // Hours of the day at which windows open, and hours from one to the next.
        let (opens, apart) = match &self.every {
            Every::Days(days) if *days > i64::from(DAYS_MOST) + 1 => {
                return Err(Unreadable("a rate is 999 days at most"));
            }
            Every::Days(_) => (vec![0], 24),
            Every::Hours(hours) if *hours < i64::from(HOURS_LEAST) => return Err(OFTEN),
            Every::Hours(hours) if *hours > i64::from(DAYS_MOST) * 24 => {
                return Err(Unreadable("a rate is 999 days at most"));
            }
            Every::Hours(hours) => (Vec::new(), *hours),
            Every::Cron(cron) => {
                if !cron.on_the_hour() {
                    return Err(Unreadable("the minutes must be 0"));
                }
                if !cron.every_year() {
                    return Err(Unreadable("the year must be *"));
                }
                if cron.next_after(0).is_none() {
                    return Err(Unreadable("the schedule names no moment"));
                }
                let hours = cron.hours();
                let apart = apart(&hours);
                if apart < HOURS_LEAST {
                    return Err(OFTEN);
                }
                (hours, i64::from(apart))
            }
        };
        let Some(hours) = self.hours else {
            return Ok(());
        };
        if hours < 1 {
            return Err(Unreadable("a window lasts an hour at least"));
        }
        if hours > apart {
            return Err(Unreadable("a window must not reach into the next one"));
        }
        if hours > 24 || opens.into_iter().any(|opens| i64::from(opens) + hours > 24) {
            return Err(Unreadable("a window must not reach into the next day"));
        }
        Ok(())
    }

    /// When a window closes that opens now.
    pub(super) fn window_closes(&self, opens: i64) -> i64 {
        self.window(opens).closes
    }

    /// The window behind a rotation; the next one from now on if that has passed.
    pub(super) fn upcoming(&self, last: i64, now: i64) -> Option<Window> {
        let opens = match &self.every {
            Every::Days(days) => midnight(last) + days * DAY,
            Every::Hours(hours) => last - last.rem_euclid(HOUR) + hours * HOUR,
            Every::Cron(cron) => cron.next_after(last.max(now))?,
        };
        let opens = match &self.every {
            Every::Days(_) if opens <= now => midnight(now) + DAY,
            Every::Hours(_) if opens <= now => now - now.rem_euclid(HOUR) + HOUR,
            _ => opens,
        };
        Some(self.window(opens))
    }

    /// The window behind one in which every attempt failed: what is overdue is tried day by day.
    pub(super) fn after_failure(&self, opened: i64, now: i64) -> Option<Window> {
        let opens = match &self.every {
            Every::Days(_) => midnight(opened) + DAY,
            Every::Hours(hours) => opened - opened.rem_euclid(HOUR) + hours * HOUR,
            Every::Cron(cron) => cron.next_after(opened.max(now))?,
        };
        Some(self.window(opens.max(now)))
    }

    fn window(&self, opens: i64) -> Window {
        let often = match &self.every {
            Every::Days(_) => false,
            Every::Hours(_) => true,
            Every::Cron(cron) => cron.hours().len() > 1,
        };
        let closes = match self.hours {
            Some(hours) => opens + hours * HOUR,
            None if often => opens + HOUR,
            None => midnight(opens) + DAY,
        };
        Window { opens, closes }
    }

    /// Days between rotations, rounded up.
    fn days(&self) -> i64 {
        let days = |millis: i64| (millis + DAY - 1).div_euclid(DAY).max(1);
        match &self.every {
            Every::Days(days) => *days,
            Every::Hours(hours) => days(hours * HOUR),
            Every::Cron(cron) => {
                // The longest time between two of the next windows: what compliance asks for.
                let moments: Vec<i64> =
                    std::iter::successors(cron.next_after(0), |moment| cron.next_after(*moment))
                        .take(13)
                        .collect();
                let gaps = moments
                    .iter()
                    .zip(moments.iter().skip(1))
                    .map(|(one, next)| next - one);
                days(gaps.max().unwrap_or(DAY))
            }
        }
    }
}

/// The fewest hours between two hours of the day, across midnight too; 24 for one alone.
fn apart(hours: &[u32]) -> u32 {
    let (Some(first), Some(last)) = (hours.first(), hours.last()) else {
        return 24;
    };
    let within = hours
        .iter()
        .zip(hours.iter().skip(1))
        .map(|(one, next)| next - one);
    within.chain([24 - last + first]).min().unwrap_or(24)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T09:30Z, a Sunday.
    const NOW: i64 = 1_795_305_600_000 + 9 * HOUR + HOUR / 2;
    const TODAY: i64 = 1_795_305_600_000;

    fn rules(expression: &str, duration: Option<&str>) -> std::result::Result<Plan, &'static str> {
        let rules = Rules {
            days: None,
            expression: Some(expression.to_owned()),
            duration: duration.map(str::to_owned),
        };
        let plan = rules.plan().map_err(|wrong| wrong.0)?;
        plan.check().map_err(|wrong| wrong.0)?;
        Ok(plan)
    }

    fn window(expression: &str, duration: Option<&str>) -> (i64, i64) {
        let window = rules(expression, duration).unwrap().upcoming(NOW, NOW).unwrap();
        ((window.opens - TODAY) / HOUR, (window.closes - TODAY) / HOUR)
    }

    #[test]
    fn windows_begin_on_the_hour_and_end_with_the_day() {
        assert_eq!(window("rate(10 days)", None), (240, 264));
        assert_eq!(window("rate(10 days)", Some("3h")), (240, 243));
        assert_eq!(window("rate(4 hours)", None), (13, 14));
        assert_eq!(window("rate(4 hours)", Some("4h")), (13, 17));
        assert_eq!(
            window("cron(0 16 1,15 * ? *)", Some("2h")),
            (9 * 24 + 16, 9 * 24 + 18)
        );
        assert_eq!(window("cron(0 10 * * ? *)", None), (10, 24));
        assert_eq!(window("cron(0 /8 * * ? *)", None), (16, 17));
        assert_eq!(window("cron(0 9 * * ? *)", None), (33, 48));
    }

    #[test]
    fn schedules_keep_to_the_limits() {
        for (expression, duration) in [
            ("rate(3 hours)", None),
            ("rate(30 minutes)", None),
            ("rate(1000 days)", Some("25h")),
            ("rate(4 hours)", Some("5h")),
            ("rate(1 day)", Some("0h")),
            ("rate(1 day)", Some("25h")),
            ("cron(30 8 * * ? *)", None),
            ("cron(0 8 * * ? 2027)", None),
            ("cron(0 /3 * * ? *)", None),
            ("cron(0 1,22 * * ? *)", None),
            ("cron(0 16 * * ? *)", Some("9h")),
            ("cron(0 0,4 * * ? *)", Some("5h")),
            ("cron(0 0 31 2 ? *)", None),
            ("every day", None),
        ] {
            assert!(rules(expression, duration).is_err(), "{expression} {duration:?}");
        }
        for (expression, duration) in [
            ("rate(999 days)", Some("24h")),
            ("cron(0 16 * * ? *)", Some("8h")),
            ("cron(0 0,4 * * ? *)", Some("4h")),
        ] {
            assert!(rules(expression, duration).is_ok(), "{expression} {duration:?}");
        }
    }

    /// A rotation that is overdue is not lost, and one that failed is tried again in the next window.
    #[test]
    fn what_is_overdue_comes_next() {
        let days = rules("rate(10 days)", None).unwrap();
        let next = |window: Option<Window>| (window.unwrap().opens - TODAY) / HOUR;
        assert_eq!(next(days.upcoming(NOW - 100 * DAY, NOW)), 24);
        assert_eq!(next(days.after_failure(TODAY, NOW)), 24);
        let hours = rules("rate(6 hours)", None).unwrap();
        assert_eq!(next(hours.upcoming(NOW - 100 * DAY, NOW)), 10);
        assert_eq!(next(hours.after_failure(TODAY + 9 * HOUR, NOW)), 15);
        let cron = rules("cron(0 9 ? * SUN *)", None).unwrap();
        assert_eq!(next(cron.upcoming(NOW - 100 * DAY, NOW)), 7 * 24 + 9);
    }

    #[test]
    fn days_between_rotations_are_told() {
        for (expression, days) in [
            ("rate(10 days)", 10),
            ("rate(12 hours)", 1),
            ("rate(36 hours)", 2),
            ("cron(0 10 * * ? *)", 1),
            ("cron(0 18 ? * SAT *)", 7),
            ("cron(0 8 1 * ? *)", 31),
        ] {
            assert_eq!(rules(expression, None).unwrap().days(), days, "{expression}");
        }
    }
}
