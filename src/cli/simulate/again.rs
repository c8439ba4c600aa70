//! The command that repeats a run.

use crate::config::{Config, redact};
use crate::terminal::quoted;

/// The command line of this process and the environment that it went by, as it can be pasted into a shell, without
/// passwords.
pub(in crate::cli) fn command(config: &Config) -> String {
    let variables = (config.entries().into_iter())
        .filter_map(|entry| {
            let name = entry.variable?;
            Some((name, std::env::var(name).ok()?))
        })
        .collect();
    let arguments = std::env::args_os().skip(1);
    let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    written(variables, arguments)
}

fn written(variables: Vec<(&str, String)>, arguments: impl Iterator<Item = String>) -> String {
    let variables = variables
        .into_iter()
        .map(|(name, value)| format!("{name}={}", quoted(&redact(&value))));
    variables
        .chain(std::iter::once("oms".to_owned()))
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
        let variables = vec![
            (
                "OMS_QUEUE_URL",
                "kafka://h/t?sasl.password=hunter2".to_owned(),
            ),
            ("OMS_HOLD", "30s".to_owned()),
        ];
        assert_eq!(
            written(variables, arguments.into_iter().map(str::to_owned)),
            "OMS_QUEUE_URL='kafka://h/t?sasl.password=***' OMS_HOLD=30s \
             oms simulate '--inventory-url=mysql://oms:***@db/oms' --threshold 'p99<50ms for place_order'"
        );
    }
}
