//! What to do about a store that cannot be used.

use std::error::Error as StdError;

/// What helps against an error of a store.
pub(super) fn advice(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let text = super::run::chain(error).to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    Some(if says(&["newer oms"]) {
        "use the newer program that wrote it, or another --data-dir"
    } else if says(&["another program", "not a database"]) {
        "choose another --data-dir or URL"
    } else if says(&[
        "readonly",
        "read-only",
        "permission",
        "cannot be written to",
    ]) {
        "make file and folder writable for this user"
    } else if says(&["full", "no space"]) {
        "free disk space, or raise max_page_count in the URL; writes go on by themselves"
    } else if says(&["oms migrate"]) {
        "run `oms migrate`"
    } else if says(&[
        "refused",
        "timed out",
        "no answer",
        "unreachable",
        "resolve",
        "transport",
    ]) {
        "start the server, or correct its URL"
    } else if says(&["access denied", "wrongpass", "noauth", "authentication"]) {
        "correct user and password in its URL"
    } else if says(&["lock", "busy"]) {
        "find the process that holds it; a stopped one must be resumed or killed"
    } else {
        return None;
    })
}
