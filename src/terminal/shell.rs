//! Commands that can be pasted into a shell.

/// An argument as a shell reads it back.
pub fn quoted(argument: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_read_otherwise_is_quoted() {
        for (argument, shown) in [
            ("--users=5", "--users=5"),
            ("p99<50ms for place_order", "'p99<50ms for place_order'"),
            ("simulated:?success=0.9", "'simulated:?success=0.9'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("$(rm)", "'$(rm)'"),
        ] {
            assert_eq!(quoted(argument), shown);
        }
    }
}
