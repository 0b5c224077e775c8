//! Schedules: any text is an expression or is refused, and the moments that one names follow each other.
#![no_main]

use pipeline::schedule::{Expression, MINUTE, Unit};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((from, text)) = bytes.split_first_chunk::<6>() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    // Up to the year 6429, and once before 1970.
    let [high, a, b, c, d, e] = *from;
    let after = i64::from_be_bytes([0, 0, high & 0x7f, a, b, c, d, e]) * if high > 127 { -1 } else { 1 };
    match Expression::parse(text) {
        Ok(Expression::Rate { value, unit }) => {
            assert!(value > 0);
            assert!(matches!(unit, Unit::Minutes | Unit::Hours | Unit::Days));
            assert!(unit.millis().checked_mul(i64::from(value)).is_some());
        }
        Ok(Expression::Cron(cron)) => {
            assert_eq!(Expression::parse(text), Ok(Expression::Cron(cron.clone())));
            assert!(cron.hours().iter().all(|hour| *hour < 24));
            let Some(next) = cron.next_after(after) else {
                return;
            };
            assert!(next > after && next % MINUTE == 0);
            assert_eq!(cron.next_after(next - 1), Some(next), "nothing lies between");
            if let Some(further) = cron.next_after(next) {
                assert!(further > next);
            }
        }
        Err(_) => {}
    }
});
