//! Numbers of things, in words.

use std::fmt::Display;

/// `1 cart`, `2 carts`, `2 batches`.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(number: N, thing: &str) -> String {
    if number == N::from(1) {
        return format!("{number} {thing}");
    }
    let plural = if thing.ends_with("ch") { "es" } else { "s" };
    format!("{number} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(0_u64, "cart"), "0 carts");
        assert_eq!(counted(1_u64, "cart"), "1 cart");
        assert_eq!(counted(2_usize, "batch"), "2 batches");
    }
}
