//! What an expression comes to.
//!
//! Invariant: an operator is applied to series of one period only; points that are made count against the request's `Work`.

use super::function;
use super::parse::{Expression, Operator};
use super::series::{Series, Value};

/// Points that a series costs beside its own.
const SERIES_COST: usize = 16;
/// Bytes of a label that count as one point.
const LABEL_PART: usize = 16;

/// The points that the expressions of one request may make.
pub(in super::super) struct Work(usize);

impl Work {
    pub(in super::super) const fn new() -> Self {
        Self(4_000_000)
    }

    pub(in super::super) fn spend(&mut self, value: &Value) -> Result<(), String> {
        // A series takes room of its own, and so does its label.
        let of = |series: &Series| SERIES_COST + series.points.len() + series.label.len() / LABEL_PART;
        let cost = match value {
            Value::Scalar(_) => 1,
            Value::Series(series) => of(series),
            Value::Array(all) => all.iter().map(of).sum(),
        };
        self.expect(cost)?;
        self.0 -= cost;
        Ok(())
    }

    /// Refuses a label for so many series that there is no room for it.
    pub(in super::super) fn expect_label(&self, series: usize, label: &str) -> Result<(), String> {
        self.expect(series.saturating_mul(label.len() / LABEL_PART))
    }

    /// Refuses what would make more points than may still be made, before any is made.
    pub(super) fn expect(&self, points: usize) -> Result<(), String> {
        if points <= self.0 {
            return Ok(());
        }
        Err("It would take too many datapoints".to_owned())
    }
}

/// What the names of an expression stand for.
pub(in super::super) trait Known {
    /// The result of another query.
    fn result(&self, id: &str) -> Option<&Value>;

    /// The ids of the request's metrics, in order.
    fn metrics(&self) -> &[String];
}

/// The evaluation of one expression.
pub(in super::super) struct Evaluation<'e> {
    pub(in super::super) known: &'e dyn Known,
    pub(in super::super) work: &'e mut Work,
    /// The request's span: its start, its end and the expression's period, in seconds.
    pub(in super::super) span: (i64, i64, i64),
}

impl Evaluation<'_> {
    /// The result, which must be a series or several.
    pub(in super::super) fn result(&mut self, expression: &Expression) -> Result<Value, String> {
        match self.of(expression)? {
            Value::Scalar(_) => {
                Err("The result of the expression must be a time series, and not a single number".to_owned())
            }
            value => Ok(value),
        }
    }

    /// The left side of an operator is walked and not descended, since a sum may have a thousand terms.
    pub(super) fn of(&mut self, expression: &Expression) -> Result<Value, String> {
        let (mut first, mut chain) = (expression, Vec::new());
        while let Expression::Binary(operator, left, right) = first {
            chain.push((*operator, right));
            first = left;
        }
        let mut value = self.operand(first)?;
        self.work.spend(&value)?;
        for (operator, right) in chain.into_iter().rev() {
            let right = self.of(right)?;
            // Each series of an array gets the times of the series that it is joined with.
            if let (Value::Array(all), Value::Series(one)) | (Value::Series(one), Value::Array(all)) =
                (&value, &right)
            {
                self.work.expect(all.len().saturating_mul(one.points.len()))?;
            }
            value = binary(operator, value, right)?;
            self.work.spend(&value)?;
        }
        Ok(value)
    }

    fn operand(&mut self, expression: &Expression) -> Result<Value, String> {
        Ok(match expression {
            Expression::Number(number) => Value::Scalar(*number),
            Expression::Text(_) => return Err("A text stands where a value should".to_owned()),
            Expression::Name(name) => {
                let known = self.known.result(name);
                known
                    .cloned()
                    .ok_or_else(|| format!("Unknown identifier '{name}'"))?
            }
            Expression::List(parts) => Value::Array(self.list(parts)?),
            Expression::Negative(part) => match self.of(part)? {
                Value::Scalar(number) => Value::Scalar(-number),
                Value::Series(series) => Value::Series(series.map(|value| -value)),
                Value::Array(all) => {
                    Value::Array(all.iter().map(|series| series.map(|value| -value)).collect())
                }
            },
            Expression::Binary(..) => self.of(expression)?,
            Expression::Call(name, parts) => function::call(self, name, parts)?,
        })
    }

    fn list(&mut self, parts: &[Expression]) -> Result<Vec<Series>, String> {
        let mut all = Vec::new();
        for part in parts {
            match self.of(part)? {
                Value::Scalar(_) => return Err("An array holds time series alone".to_owned()),
                Value::Series(series) => all.push(series),
                Value::Array(more) => all.extend(more),
            }
        }
        Ok(all)
    }
}

fn binary(operator: Operator, left: Value, right: Value) -> Result<Value, String> {
    let apply = |left: f64, right: f64| operator.apply(left, right);
    Ok(match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => {
            let value = apply(left, right);
            if !value.is_finite() {
                return Err("A number is divided by zero".to_owned());
            }
            Value::Scalar(value)
        }
        (Value::Scalar(left), Value::Series(right)) => Value::Series(right.map(|right| apply(left, right))),
        (Value::Series(left), Value::Scalar(right)) => Value::Series(left.map(|left| apply(left, right))),
        (Value::Series(left), Value::Series(right)) => {
            same_period(&[&left, &right])?;
            Value::Series(left.zip(&right, apply))
        }
        (Value::Scalar(left), Value::Array(right)) => {
            let right = right.iter();
            Value::Array(right.map(|right| right.map(|right| apply(left, right))).collect())
        }
        (Value::Array(left), Value::Scalar(right)) => {
            let left = left.iter();
            Value::Array(left.map(|left| left.map(|left| apply(left, right))).collect())
        }
        (Value::Series(left), Value::Array(right)) => {
            same_period(&right.iter().chain([&left]).collect::<Vec<_>>())?;
            // The labels are those of the array's series.
            let joined = right
                .iter()
                .map(|right| right.zip(&left, |right, left| apply(left, right)));
            Value::Array(joined.collect())
        }
        (Value::Array(left), Value::Series(right)) => {
            same_period(&left.iter().chain([&right]).collect::<Vec<_>>())?;
            Value::Array(left.iter().map(|left| left.zip(&right, apply)).collect())
        }
        (Value::Array(_), Value::Array(_)) => {
            return Err("An operator stands between two arrays of time series".to_owned());
        }
    })
}

/// Series of different periods have no times in common.
pub(super) fn same_period(all: &[&Series]) -> Result<(), String> {
    let mut periods = all
        .iter()
        .map(|series| series.period)
        .filter(|period| *period > 0);
    let first = periods.next();
    if periods.all(|period| Some(period) == first) {
        return Ok(());
    }
    Err("It joins time series of different periods".to_owned())
}

impl Operator {
    fn apply(self, left: f64, right: f64) -> f64 {
        let truth = |holds: bool| if holds { 1.0 } else { 0.0 };
        let holds = |value: f64| value.abs() > 0.0;
        let order = left.partial_cmp(&right);
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Power => left.powf(right),
            Self::Equal => truth(order.is_some_and(std::cmp::Ordering::is_eq)),
            Self::Unequal => truth(order.is_some_and(std::cmp::Ordering::is_ne)),
            Self::AtMost => truth(left <= right),
            Self::AtLeast => truth(left >= right),
            Self::Less => truth(left < right),
            Self::Greater => truth(left > right),
            Self::And => truth(holds(left) && holds(right)),
            Self::Or => truth(holds(left) || holds(right)),
        }
    }
}
