//! Text of SQL: literals, lists, and statements that stay within the limits.
//!
//! Batches go as text: a prepared statement takes at most 65,535 values and is prepared anew for every size of batch.
//! Every literal is a number or hexadecimal, so that nothing in it can be taken for SQL, whatever mode and character
//! set the server is in.

use std::fmt::Write as _;

/// Longer IN lists make MySQL scan, and lock, the whole index.
pub(super) const LIST_MAX: usize = 900;

/// A statement is closed when it has grown to this.
const STATEMENT_BYTES: usize = 4 << 20;

/// `X'6162'`: bytes, or text of a column that is text.
pub(super) fn bytes(sql: &mut String, value: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    sql.reserve(value.len() * 2 + 3);
    sql.push_str("X'");
    for byte in value {
        sql.push(char::from(DIGITS[usize::from(byte >> 4)]));
        sql.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    sql.push('\'');
}

/// The same, or `NULL`.
pub(super) fn maybe_bytes(sql: &mut String, value: Option<impl AsRef<[u8]>>) {
    match value {
        Some(value) => bytes(sql, value.as_ref()),
        None => sql.push_str("NULL"),
    }
}

/// A number.
pub(super) fn number(sql: &mut String, value: impl Into<i128>) {
    // Writing to a string cannot fail.
    let _ = write!(sql, "{}", value.into());
}

/// A number or `NULL`.
pub(super) fn maybe_number(sql: &mut String, value: Option<impl Into<i128>>) {
    match value {
        Some(value) => number(sql, value),
        None => sql.push_str("NULL"),
    }
}

/// `X'61',X'62'`, in the order given: the inside of an IN list.
pub(super) fn list<T: AsRef<[u8]>>(values: &[T]) -> String {
    let mut sql = String::new();
    for (position, value) in values.iter().enumerate() {
        if position > 0 {
            sql.push(',');
        }
        bytes(&mut sql, value.as_ref());
    }
    sql
}

/// `head (row),(row) tail`, as few statements as the limit allows. `row` writes what stands between the parentheses.
pub(super) fn inserts<T>(
    head: &str,
    rows: &[T],
    tail: &str,
    row: impl Fn(&mut String, &T),
) -> Vec<String> {
    let mut statements = Vec::new();
    let mut sql = String::new();
    for value in rows {
        sql.push_str(if sql.is_empty() { head } else { "," });
        sql.push('(');
        row(&mut sql, value);
        sql.push(')');
        if sql.len() >= STATEMENT_BYTES {
            sql.push_str(tail);
            statements.push(std::mem::take(&mut sql));
        }
    }
    if !sql.is_empty() {
        sql.push_str(tail);
        statements.push(sql);
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_hold_nothing_that_could_be_sql() {
        let mut sql = String::new();
        bytes(&mut sql, b"a'\\\xff");
        maybe_bytes(&mut sql, None::<&[u8]>);
        maybe_number(&mut sql, Some(-7_i64));
        bytes(&mut sql, b"");
        assert_eq!(sql, "X'61275cff'NULL-7X''");
        assert_eq!(list(&["a", "b"]), "X'61',X'62'");
    }

    #[test]
    fn statements_are_split_at_the_limit_and_lose_no_row() {
        let rows = vec![vec![7_u8; 1 << 20]; 5];
        let statements = inserts("INSERT INTO t VALUES ", &rows, " END", |sql, row| {
            bytes(sql, row);
        });
        assert_eq!(statements.len(), 3);
        for statement in &statements {
            assert!(statement.starts_with("INSERT INTO t VALUES (X'07"));
            assert!(statement.ends_with("') END"));
        }
        assert!(inserts("INSERT", &[(); 0], "", |_, ()| {}).is_empty());
    }
}
