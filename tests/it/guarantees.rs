//! Every promise of the README has a test: docs/guarantees.md names it, and stays true.

use std::fs;
use std::path::Path;

/// The sections of the README that promise something.
const SECTIONS: [&str; 2] = ["What may be lost", "What is checked"];

/// A promise and the tests named for it.
struct Promise {
    text: String,
    tests: Vec<String>,
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The words of a text, so that line breaks make no difference.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands under a heading, whatever its level, up to the next one.
fn section(text: &str, heading: &str) -> String {
    let is_heading = |line: &str| line.trim_start_matches('#').trim() == heading;
    let lines = text
        .lines()
        .skip_while(|line| !(line.starts_with('#') && is_heading(line)));
    let body: Vec<&str> = lines
        .skip(1)
        .take_while(|line| !line.starts_with('#'))
        .collect();
    assert!(!body.is_empty(), "no section `{heading}`");
    body.join("\n")
}

/// The rows of the table in a section.
fn promises(section: &str) -> Vec<Promise> {
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [text, tests] = cells[..] else {
            panic!("two columns: {row}");
        };
        let tests = tests.split(',').map(|test| {
            let name = test.trim().strip_prefix('`');
            let name = name.and_then(|name| name.strip_suffix('`'));
            name.unwrap_or_else(|| panic!("in backticks: {test}"))
                .to_owned()
        });
        Promise {
            text: words(text),
            tests: tests.collect(),
        }
    })
    .collect()
}

/// Why a test is not there; none if it is.
fn missing(test: &str) -> Option<String> {
    let (path, name) = test.split_once("::").unwrap_or((test, ""));
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join(path).is_file() {
        return Some(format!("there is no file {path}"));
    }
    let source = read(path);
    let is_there = if name.is_empty() {
        true
    } else if Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "rs")
    {
        is_test(&source, name)
    } else {
        // A fault: offered in the usage, and done when none is named.
        let mut lines = source.lines();
        let in_usage = |line: &str| line.split_whitespace().next() == Some(name);
        lines.any(in_usage) && source.contains(&format!("{}() {{", name.replace('-', "_")))
    };
    (!is_there).then(|| format!("there is no test {name} in {path}"))
}

/// Whether a function is a test: marked as one, or a case of a contract suite, which is public.
fn is_test(source: &str, name: &str) -> bool {
    let mut marked = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let Some((before, after)) = line.split_once("fn ") {
            if after
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['(', '<']))
            {
                return marked || before.starts_with("pub ");
            }
            marked = false;
        }
    }
    false
}

#[test]
fn every_promise_of_the_readme_names_its_tests() {
    let (readme, guarantees) = (read("README.md"), read("docs/guarantees.md"));
    for heading in SECTIONS {
        let promises = promises(&section(&guarantees, heading));
        let told: Vec<&str> = promises
            .iter()
            .map(|promise| promise.text.as_str())
            .collect();
        assert_eq!(
            told.join(" "),
            words(&section(&readme, heading)),
            "`{heading}`: the README and docs/guarantees.md differ"
        );
        for promise in &promises {
            assert!(!promise.tests.is_empty(), "no test: {}", promise.text);
        }
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let guarantees = read("docs/guarantees.md");
    let promises = SECTIONS.map(|heading| promises(&section(&guarantees, heading)));
    let missing: Vec<String> = promises
        .iter()
        .flatten()
        .flat_map(|promise| &promise.tests)
        .filter_map(|test| missing(test))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
    // And one that does not exist would be noticed.
    for test in [
        "tests/it/guarantees.rs::read",
        "tests/it/guarantees.rs::no_such_test",
        "tests/stack/faults::no-such-fault",
        "tests/it/nowhere.rs::read",
    ] {
        assert!(super::guarantees::missing(test).is_some(), "{test}");
    }
}
