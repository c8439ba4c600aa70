//! One row: what it says, or why it is no order line.

use std::borrow::Cow;
use std::num::IntErrorKind;

use csv::ByteRecord;
use jiff::civil::{Date, DateTime, Time};

use super::{SkipReason, Skipped};
use crate::domain::{Customer, Money, MoneyError, Quantity, Sku};

/// A row that can be ordered.
pub(super) struct Row<'a> {
    pub(super) invoice: &'a str,
    pub(super) sku: Sku,
    pub(super) description: Cow<'a, str>,
    pub(super) quantity: Quantity,
    pub(super) at: DateTime,
    pub(super) price: Money,
    /// None where the file names none.
    pub(super) customer: Option<Customer>,
}

impl<'a> Row<'a> {
    /// Reads a row; the reasons are tried in the order of [`SkipReason`].
    pub(super) fn read(record: &'a ByteRecord, columns: [usize; 8]) -> Result<Self, Skipped<'a>> {
        if record.len() != columns.len() {
            return Err(Skipped {
                reason: SkipReason::Malformed,
                invoice: None,
            });
        }
        let field = |column: usize| &record[columns[column]];
        let invoice = text(field(0)).filter(|invoice| !invoice.is_empty());
        let skipped = |reason| Skipped { reason, invoice };
        let read = || {
            Some((
                invoice?,
                text(field(1))?,
                units(text(field(3))?)?,
                moment(text(field(4))?)?,
                price(text(field(5))?)?,
                text(field(6))?,
            ))
        };
        let (number, code, units, at, price, customer) =
            read().ok_or_else(|| skipped(SkipReason::Malformed))?;
        if number.starts_with(['C', 'c']) {
            return Err(skipped(SkipReason::Cancellation));
        }
        if !is_stock_code(code) {
            return Err(skipped(SkipReason::NotAProduct));
        }
        if price == Price::Nothing {
            return Err(skipped(SkipReason::PriceZero));
        }
        if units <= 0 {
            return Err(skipped(SkipReason::QuantityNotPositive));
        }
        let within = || {
            let Price::Of(price) = price else { return None };
            Some((
                Sku::new(code).ok()?,
                Quantity::new(units).ok()?,
                price,
                buyer(customer)?,
            ))
        };
        let (sku, quantity, price, customer) =
            within().ok_or_else(|| skipped(SkipReason::OutOfRange))?;
        Ok(Self {
            invoice: number,
            sku,
            description: String::from_utf8_lossy(field(2)),
            quantity,
            at,
            price,
            customer,
        })
    }

    pub(super) fn skipped(&self, reason: SkipReason) -> Skipped<'a> {
        Skipped {
            reason,
            invoice: Some(self.invoice),
        }
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok().map(str::trim)
}

/// Five digits, then letters only; or DCGS, then digits and letters. Everything else is postage, a fee, a discount.
fn is_stock_code(code: &str) -> bool {
    let bytes = code.as_bytes();
    let numbered = bytes.len() >= 5
        && bytes[..5].iter().all(u8::is_ascii_digit)
        && bytes[5..].iter().all(u8::is_ascii_alphabetic);
    let gift = code.strip_prefix("DCGS").is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    numbered || gift
}

/// A whole number; one too long to hold stays on its side of zero.
fn units(text: &str) -> Option<i64> {
    text.parse().map_or_else(
        |error: std::num::ParseIntError| match error.kind() {
            IntErrorKind::PosOverflow => Some(i64::MAX),
            IntErrorKind::NegOverflow => Some(i64::MIN),
            _ => None,
        },
        Some,
    )
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Price {
    /// Zero, below zero, or less than half a minor unit.
    Nothing,
    Of(Money),
    TooLarge,
}

fn price(text: &str) -> Option<Price> {
    let (negative, amount) = match text.strip_prefix('-') {
        Some(amount) => (true, amount),
        None => (false, text),
    };
    match Money::from_decimal(amount) {
        Ok(money) if negative || money == Money::ZERO => Some(Price::Nothing),
        Ok(money) => Some(Price::Of(money)),
        Err(MoneyError::OutOfRange { .. }) => Some(Price::TooLarge),
        Err(MoneyError::NotANumber(_)) => None,
    }
}

/// `Some(None)` for a guest; none for a customer that is too long.
#[expect(clippy::option_option, reason = "absent and unusable are two things")]
fn buyer(id: &str) -> Option<Option<Customer>> {
    let id = id.strip_suffix(".0").unwrap_or(id);
    if id.is_empty() {
        return Some(None);
    }
    Customer::new(id).ok().map(Some)
}

/// `2010-12-01 08:26:00`, or `12/1/2010 8:26` as the original file has it; seconds may be left out.
fn moment(text: &str) -> Option<DateTime> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let (year, month, day) = if date.contains('/') {
        let [month, day, year] = numbers(date, '/')?;
        (year, month, day)
    } else {
        let [year, month, day] = numbers(date, '-')?;
        (year, month, day)
    };
    let [hour, minute, second] = match time.matches(':').count() {
        1 => {
            let [hour, minute] = numbers(time, ':')?;
            [hour, minute, 0]
        }
        _ => numbers(time, ':')?,
    };
    let small = |number: i16| i8::try_from(number).ok();
    let date = Date::new(year, small(month)?, small(day)?).ok()?;
    let time = Time::new(small(hour)?, small(minute)?, small(second)?, 0).ok()?;
    Some(date.to_datetime(time))
}

/// Exactly `N` unsigned numbers.
fn numbers<const N: usize>(text: &str, separator: char) -> Option<[i16; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(separator);
    for number in &mut numbers {
        let part = parts.next()?;
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        *number = digits.then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}
