//! The values of a metric in a span of time: their count, sum and extremes, and how they are spread.
//!
//! Invariant: up to `VALUES_MAX` distinct values are kept exactly, each with how often it came. When more come, all are rounded to fewer
//! binary digits, of which the sample tells the number: with n digits a value is off by at most one part in 2^(n+1). Count, sum and
//! extremes stay as exact as sums of doubles are.

/// Distinct values of a sample.
const VALUES_MAX: usize = 256;
/// The binary digits behind the first to which values are rounded, one after the other, until few enough are left.
const PRECISIONS: [u8; 7] = [52, 12, 9, 7, 5, 3, 1];

/// Values, added up.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Samples {
    pub count: f64,
    pub sum: f64,
    pub minimum: f64,
    pub maximum: f64,
    /// Values with how often they came, ascending; `None` where only sums are known.
    values: Option<Vec<(f64, f64)>>,
    /// An index of `PRECISIONS`.
    precision: u8,
}

impl Samples {
    /// One value.
    pub fn of(value: f64) -> Self {
        Self::counted(value, 1.0)
    }

    /// A value that came `count` times.
    pub fn counted(value: f64, count: f64) -> Self {
        Self {
            count,
            sum: value * count,
            minimum: value,
            maximum: value,
            values: Some(vec![(value, count)]),
            precision: 0,
        }
    }

    /// Values of which only sums are known. How they are spread is known all the same if they are all one.
    pub fn summed(count: f64, sum: f64, minimum: f64, maximum: f64) -> Self {
        let one = same(minimum, maximum) && same(sum, minimum * count);
        Self {
            count,
            sum,
            minimum,
            maximum,
            values: one.then(|| vec![(minimum, count)]),
            precision: 0,
        }
    }

    /// The values with how often they came, ascending; `None` where that is not known.
    pub fn values(&self) -> Option<&[(f64, f64)]> {
        self.values.as_deref()
    }

    /// Adds others.
    pub fn merge(&mut self, other: &Self) {
        if other.values.as_ref().is_some_and(Vec::is_empty) || other.is_empty() {
            return;
        }
        if self.is_empty() {
            self.clone_from(other);
            return;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.minimum = self.minimum.min(other.minimum);
        self.maximum = self.maximum.max(other.maximum);
        match (&mut self.values, &other.values) {
            (Some(values), Some(others)) => {
                let precision = self.precision.max(other.precision);
                if precision > self.precision {
                    *values = rounded(values, precision);
                    self.precision = precision;
                }
                for (value, count) in others {
                    insert(values, coarse(*value, self.precision), *count);
                }
                while values.len() > VALUES_MAX && usize::from(self.precision) + 1 < PRECISIONS.len() {
                    self.precision += 1;
                    *values = rounded(values, self.precision);
                }
                if values.len() > VALUES_MAX {
                    self.values = None;
                }
            }
            _ => self.values = None,
        }
    }

    const fn is_empty(&self) -> bool {
        self.count == 0.0 && self.values.is_none() && self.sum == 0.0
    }

    /// Appends the stored form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for number in [self.count, self.sum, self.minimum, self.maximum] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.push(self.precision);
        let known = self
            .values
            .as_ref()
            .map_or(u16::MAX, |values| u16::try_from(values.len()).unwrap_or(u16::MAX));
        out.extend_from_slice(&known.to_be_bytes());
        for (value, count) in self.values.iter().flatten() {
            out.extend_from_slice(&value.to_be_bytes());
            out.extend_from_slice(&count.to_be_bytes());
        }
    }

    /// Reads what `encode` wrote from the front of `input`; `None` if it is not that.
    pub fn decode(input: &mut &[u8]) -> Option<Self> {
        let mut number = || take::<8>(input).map(f64::from_be_bytes);
        let (count, sum, minimum, maximum) = (number()?, number()?, number()?, number()?);
        let [precision] = take::<1>(input)?;
        let known = u16::from_be_bytes(take::<2>(input)?);
        let mut values = Vec::new();
        if known != u16::MAX {
            for _ in 0..known {
                let value = f64::from_be_bytes(take::<8>(input)?);
                values.push((value, f64::from_be_bytes(take::<8>(input)?)));
            }
        }
        Some(Self {
            count,
            sum,
            minimum,
            maximum,
            values: (known != u16::MAX).then_some(values),
            precision,
        })
    }
}

fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}

fn same(one: f64, other: f64) -> bool {
    one.total_cmp(&other).is_eq()
}

fn insert(values: &mut Vec<(f64, f64)>, value: f64, count: f64) {
    match values.binary_search_by(|(known, _)| known.total_cmp(&value)) {
        Ok(at) => {
            if let Some((_, known)) = values.get_mut(at) {
                *known += count;
            }
        }
        Err(at) => values.insert(at, (value, count)),
    }
}

fn rounded(values: &[(f64, f64)], precision: u8) -> Vec<(f64, f64)> {
    let mut all: Vec<(f64, f64)> = Vec::with_capacity(values.len());
    for (value, count) in values {
        insert(&mut all, coarse(*value, precision), *count);
    }
    all
}

/// The nearest number with so few binary digits.
fn coarse(value: f64, precision: u8) -> f64 {
    let digits = PRECISIONS.get(usize::from(precision)).copied().unwrap_or(1);
    let dropped = 52 - u32::from(digits);
    if dropped == 0 {
        return value;
    }
    let half = 1_u64 << (dropped - 1);
    f64::from_bits((value.to_bits().saturating_add(half) >> dropped) << dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_kept_exactly() {
        let mut all = Samples::of(3.0);
        all.merge(&Samples::of(1.5));
        all.merge(&Samples::counted(3.0, 2.0));
        assert_eq!(all.values(), Some([(1.5, 1.0), (3.0, 3.0)].as_slice()));
        assert_eq!(
            (all.count, all.sum, all.minimum, all.maximum),
            (4.0, 10.5, 1.5, 3.0)
        );
    }

    #[test]
    fn many_values_are_rounded_within_the_bound() {
        let mut all = Samples::default();
        for number in 1..=20_000 {
            all.merge(&Samples::of(f64::from(number)));
        }
        let values = all.values().unwrap();
        assert!(values.len() <= VALUES_MAX);
        assert_eq!(values.iter().map(|(_, count)| count).sum::<f64>(), 20_000.0);
        assert_eq!(all.sum, 200_010_000.0);
        let digits = PRECISIONS[usize::from(all.precision)];
        assert!(digits >= 3, "{digits}");
        // The median is 10,000.
        let mut below = 0.0;
        let median = values.iter().find(|(_, count)| {
            below += count;
            below >= 10_000.0
        });
        let off = (median.unwrap().0 - 10_000.0).abs() / 10_000.0;
        assert!(off <= 2.0_f64.powi(-i32::from(digits)), "{off}");
    }

    #[test]
    fn sums_hide_how_values_are_spread() {
        let mut all = Samples::summed(2.0, 10.0, 5.0, 5.0);
        assert_eq!(all.values(), Some([(5.0, 2.0)].as_slice()));
        all.merge(&Samples::summed(2.0, 3.0, 1.0, 2.0));
        assert_eq!(all.values(), None);
        assert_eq!(
            (all.count, all.sum, all.minimum, all.maximum),
            (4.0, 13.0, 1.0, 5.0)
        );
    }

    #[test]
    fn the_stored_form_reads_back() {
        for samples in [
            Samples::of(0.1),
            Samples::summed(2.0, 3.0, 1.0, 2.0),
            Samples::default(),
        ] {
            let mut out = Vec::new();
            samples.encode(&mut out);
            let mut input = out.as_slice();
            assert_eq!(Samples::decode(&mut input), Some(samples));
            assert!(input.is_empty());
            assert_eq!(Samples::decode(&mut out.get(..20).unwrap()), None);
        }
    }
}
