//! Numbers and things, in words.

use std::fmt::Display;

/// `1 cart`, `2 carts`, `2 batches`.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(number: N, thing: &str) -> String {
    if number == N::from(1) {
        return format!("{number} {thing}");
    }
    format!("{number} {}", plural(thing))
}

/// As [`counted`], with its thousands apart: `12,500 buyers`.
pub fn many(number: u64, thing: &str) -> String {
    if number == 1 {
        return format!("1 {thing}");
    }
    format!("{} {}", grouped(number), plural(thing))
}

/// A number with its thousands apart: `12,500`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn plural(thing: &str) -> String {
    let ending = if thing.ends_with("ch") { "es" } else { "s" };
    format!("{thing}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(0_u64, "cart"), "0 carts");
        assert_eq!(counted(1_u64, "cart"), "1 cart");
        assert_eq!(counted(2_usize, "batch"), "2 batches");
        assert_eq!(many(1, "buyer"), "1 buyer");
        assert_eq!(many(12_500, "buyer"), "12,500 buyers");
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
