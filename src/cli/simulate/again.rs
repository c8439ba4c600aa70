//! The command that repeats a run.

use crate::config::redact;
use crate::terminal::quoted;

/// The command line of this process as it can be pasted into a shell, without passwords.
pub(super) fn command() -> String {
    let arguments = std::env::args_os().skip(1);
    written(arguments.map(|argument| argument.to_string_lossy().into_owned()))
}

fn written(arguments: impl Iterator<Item = String>) -> String {
    std::iter::once("oms".to_owned())
        .chain(arguments.map(|argument| quoted(&redact(&argument))))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_be_pasted_and_shows_no_password() {
        let arguments = [
            "simulate",
            "--inventory-url=mysql://oms:hunter2@db/oms",
            "--threshold",
            "p99<50ms for place_order",
        ];
        assert_eq!(
            written(arguments.into_iter().map(str::to_owned)),
            "oms simulate '--inventory-url=mysql://oms:***@db/oms' --threshold 'p99<50ms for place_order'"
        );
    }
}
