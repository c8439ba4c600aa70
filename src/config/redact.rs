//! URLs without their passwords.

use url::form_urlencoded;

/// Schemes whose URLs name files: an `@` in them is part of a path.
const OF_FILES: [&str; 2] = ["sqlite:", "simulated:"];

/// What stands where a password stood.
const HIDDEN: &str = "***";

/// Parts of a query key that mark its value as a secret.
const SECRET_KEYS: [&str; 7] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "credential",
    "auth",
];

/// A URL as it may be shown: without the password in its user part and without the values of query keys that sound
/// like secrets.
///
/// Works on any text, since a URL that cannot be read is shown, too. In doubt it hides more: a password may contain
/// `/`, `?` or `@` that should have been encoded.
pub fn redact(url: &str) -> String {
    let url = hide_user(url);
    let Some((head, query)) = url.split_once('?') else {
        return url;
    };
    let pairs: Vec<String> = query.split('&').map(hide_pair).collect();
    format!("{head}?{}", pairs.join("&"))
}

/// A line of text with every URL in it redacted. What is wrong with a command line is told with what stood there.
pub fn redact_line(line: &str) -> String {
    let words: Vec<String> = line
        .split(' ')
        .map(|word| {
            if word.contains("://") {
                redact(word)
            } else {
                word.to_owned()
            }
        })
        .collect();
    words.join(" ")
}

fn hide_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return hide_user_of_nonsense(url);
    };
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let end = match rest[..authority].rfind('@') {
        Some(end) => Some(end),
        // A `/` or `?` in a password that nobody encoded.
        None => rest.rfind('@'),
    };
    let Some(end) = end else {
        return url.to_owned();
    };
    match rest[..end].find(':') {
        Some(colon) => format!("{scheme}://{}:{HIDDEN}{}", &rest[..colon], &rest[end..]),
        None => url.to_owned(),
    }
}

/// A URL whose `://` was misspelt has its password all the same.
fn hide_user_of_nonsense(text: &str) -> String {
    if OF_FILES.iter().any(|scheme| text.starts_with(scheme)) {
        return text.to_owned();
    }
    match text.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:{HIDDEN}@{host}"),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    }
}

fn hide_pair(pair: &str) -> String {
    let Some((key, _)) = pair.split_once('=') else {
        return pair.to_owned();
    };
    let decoded: String = form_urlencoded::parse(key.as_bytes())
        .map(|(key, _)| key.to_lowercase())
        .collect();
    if SECRET_KEYS.iter().any(|secret| decoded.contains(secret)) {
        format!("{key}={HIDDEN}")
    } else {
        pair.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_ever_shown() {
        for url in [
            "mysql://root:hunter2@db:3306/oms",
            "mysql://root:hunter2@db:3306/oms?ssl-mode=required",
            "redis://:hunter2@cache/0",
            "mysql://root:hun/hunter2@db/oms",
            "mysql://root:hun?hunter2@db/oms",
            "mysql://root:hun@hunter2@db/oms",
            "kafka://a:9092,b:9092/carts?sasl.password=hunter2&linger.ms=0",
            "kafka://a/carts?sasl%2Epassword=hunter2",
            "kafka://a/carts?ssl.key.password=hunter2",
            "http://pay/?token=hunter2",
            "nonsense://x:hunter2@",
            "mysql//root:hunter2@db/oms",
            "mysql:/root:hunter2@db/oms",
            "root:hunter2@db",
        ] {
            let shown = redact(url);
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains(HIDDEN), "{shown}");
        }
    }

    #[test]
    fn a_line_is_told_without_the_passwords_of_its_urls() {
        assert_eq!(
            redact_line(
                "error: what is 'mysql://u:hunter2@db/oms', or kafka://a/b?sasl.password=hunter2 here"
            ),
            "error: what is 'mysql://u:***@db/oms', or kafka://a/b?sasl.password=*** here"
        );
        let line = "cannot reach http://***@127.0.0.1:1: `oms doctor` looks closer";
        assert_eq!(redact_line(line), line);
    }

    #[test]
    fn what_is_no_password_stays() {
        for url in [
            "sqlite:/var/lib/oms/oms.db?max_page_count=100",
            "simulated:?success=0.95&latency=20ms..200ms",
            "sqlite:/home/me@work:1/oms.db",
            "redis://cache:6379/0",
            "kafka://a:9092,b:9092/carts?linger.ms=0",
        ] {
            assert_eq!(redact(url), url);
        }
        assert_eq!(
            redact("mysql://root:x@db:3306/oms?a=b"),
            "mysql://root:***@db:3306/oms?a=b"
        );
    }
}
