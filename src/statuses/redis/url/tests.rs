//! What is a URL of Redis, and what is not.

use super::*;

fn parse(text: &str) -> Result<RedisUrl, RedisUrlError> {
    text.parse()
}

#[test]
fn what_is_left_out_has_a_default() {
    let url = parse("redis://cache").unwrap();
    assert_eq!(url.endpoints(), [("cache".to_owned(), 6379)]);
    assert_eq!((url.db(), url.prefix()), (0, "oms:"));
    assert_eq!((url.user(), url.password()), (None, None));
    assert!(!url.is_tls() && !url.is_cluster());
}

#[test]
fn every_part_is_read_and_decoded() {
    let url =
        parse("rediss://o%6Ds:p%40s%2Fs%25@[::1]:7000/3?prefix=shop-1:&tls-ca=/etc/c%20a+1.pem");
    let url = url.unwrap();
    assert_eq!(url.endpoints(), [("::1".to_owned(), 7000)]);
    assert_eq!((url.user(), url.password()), (Some("oms"), Some("p@s/s%")));
    assert_eq!((url.db(), url.prefix()), (3, "shop-1:"));
    assert_eq!(url.tls_ca(), Some(Path::new("/etc/c a+1.pem")));
    assert!(url.is_tls());
}

#[test]
fn a_cluster_has_many_hosts() {
    let url = parse("redis-cluster://:secret@a:7001,b,[::1]:7003/0").unwrap();
    assert!(url.is_cluster());
    assert_eq!(url.hosts(), "a:7001,b:6379,[::1]:7003");
    assert_eq!((url.user(), url.password()), (None, Some("secret")));
}

#[test]
fn a_shown_url_reads_back_but_for_its_password() {
    for text in [
        "redis://cache:6379",
        "redis://oms:***@cache:6379/2?prefix=a:",
        "rediss-cluster://:***@a:1,b:2?prefix=x&tls-ca=/ca.pem",
    ] {
        let url = parse(text).unwrap();
        assert_eq!(url.to_string(), text);
        assert_eq!(format!("{url:?}"), format!("RedisUrl({text})"));
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (text, expected) in [
        ("mysql://cache", RedisUrlError::Scheme),
        ("redis:cache", RedisUrlError::Scheme),
        ("redis://", RedisUrlError::NoHost),
        ("redis-cluster://a,,b", RedisUrlError::NoHost),
        ("redis://oms@cache", RedisUrlError::UserWithoutPassword),
        ("redis://oms:@cache", RedisUrlError::UserWithoutPassword),
        ("redis://a:%ff@cache", RedisUrlError::NotUtf8("password")),
        ("redis://a,b", RedisUrlError::ManyHosts),
        ("redis://cache/one", RedisUrlError::Database),
        ("redis-cluster://a/1", RedisUrlError::DatabaseOfCluster),
        ("redis://cache?prefix={a}", RedisUrlError::Prefix),
        ("redis://cache?prefix=", RedisUrlError::Prefix),
        (
            "redis://cache?prefix=a&prefix=b",
            RedisUrlError::Twice("prefix"),
        ),
        ("redis://cache?tls-ca=/ca.pem", RedisUrlError::CaWithoutTls),
        (
            "redis://cache?timeout=1",
            RedisUrlError::UnknownParameter("timeout".to_owned()),
        ),
    ] {
        assert_eq!(parse(text), Err(expected), "{text}");
    }
}

#[test]
fn no_error_repeats_a_password() {
    for text in [
        "redis://oms:hunter2",
        "redis://oms:hunter2/0",
        "redis://oms:hunter2/x@cache",
        "redis://oms:hun?hunter2@cache",
        "redis://oms:hun#hunter2@cache",
        "redis://oms:hunter2@cache:port",
        "redis://oms:hunter2@",
        "redis://oms:hunter2@cache?oops=1",
        "http://oms:hunter2@cache",
    ] {
        let error = parse(text).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2"), "{text}: {shown}");
    }
}
