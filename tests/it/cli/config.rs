//! Flags, environment, file, defaults.

use super::Place;

/// A setting's value and origin, as `oms config --json` prints them.
fn setting(
    place: &Place,
    args: &[&str],
    variables: &[(&str, &str)],
    name: &str,
) -> (String, String) {
    let args: Vec<&str> = args.iter().copied().chain(["config", "--json"]).collect();
    let done = place.run_with(&args, variables);
    assert_eq!(done.code, Some(0), "{done:?}");
    let all: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let text = |key: &str| all[name][key].as_str().unwrap().to_owned();
    (text("value"), text("origin"))
}

fn pair(value: &str, origin: &str) -> (String, String) {
    (value.to_owned(), origin.to_owned())
}

#[test]
fn a_flag_comes_before_the_environment_before_the_file_before_the_default() {
    let place = Place::new();
    let queue =
        |args: &[&str], variables: &[(&str, &str)]| setting(&place, args, variables, "queue-url");
    assert_eq!(queue(&[], &[]), pair("sqlite:./oms-data/oms.db", "default"));
    place.write("oms.toml", "# ours\n\nqueue-url = \"sqlite:file.db\"\n");
    assert_eq!(queue(&[], &[]), pair("sqlite:file.db", "oms.toml:3"));
    let variables = [("OMS_QUEUE_URL", "sqlite:env.db")];
    assert_eq!(
        queue(&[], &variables),
        pair("sqlite:env.db", "OMS_QUEUE_URL")
    );
    assert_eq!(
        queue(&["--queue-url", "sqlite:flag.db"], &variables),
        pair("sqlite:flag.db", "--queue-url")
    );
}

#[test]
fn every_setting_has_a_variable() {
    let place = Place::new();
    for (name, variable, value) in [
        ("data-dir", "OMS_DATA_DIR", "elsewhere"),
        (
            "inventory-url",
            "OMS_INVENTORY_URL",
            "sqlite:i.db?max_page_count=9",
        ),
        ("status-url", "OMS_STATUS_URL", "sqlite:s.db"),
        (
            "payment-url",
            "OMS_PAYMENT_URL",
            "simulated:?success=0.5&ledger=p.db",
        ),
        ("listen", "OMS_LISTEN", "0.0.0.0:9000"),
        ("internal-listen", "OMS_INTERNAL_LISTEN", "10.0.0.1:9001"),
        ("tokens", "OMS_TOKENS_FILE", "etc/tokens"),
        ("tls-cert", "OMS_TLS_CERT", "cert.pem"),
        ("tls-key", "OMS_TLS_KEY", "key.pem"),
        ("rate-limit", "OMS_RATE_LIMIT", "customer=5/s,address=100/m"),
        ("drain-delay", "OMS_DRAIN_DELAY", "5s"),
        ("hold", "OMS_HOLD", "5m"),
        ("wait", "OMS_WAIT", "30s"),
        ("payment-timeout", "OMS_PAYMENT_TIMEOUT", "250ms"),
        ("backlog-max", "OMS_BACKLOG_MAX", "5000"),
        ("batch-max", "OMS_BATCH_MAX", "50"),
    ] {
        let found = setting(&place, &[], &[(variable, value)], name);
        assert_eq!(found, pair(value, variable));
    }
}

#[test]
fn paths_in_a_file_start_from_the_file() {
    let place = Place::new();
    std::fs::create_dir(place.path("etc")).unwrap();
    let text = "data-dir = \"data\"\nstatus-url = \"sqlite:s.db\"\n";
    place.write("etc/o.toml", text);
    let args = ["--config", "etc/o.toml"];
    assert_eq!(
        setting(&place, &args, &[], "status-url"),
        pair("sqlite:etc/s.db", "etc/o.toml:2")
    );
    assert_eq!(
        setting(&place, &args, &[], "inventory-url"),
        pair("sqlite:etc/data/oms.db", "default")
    );
}

#[test]
fn a_file_can_hold_a_url_and_its_password_is_never_shown() {
    let place = Place::new();
    place.write("secret", "sqlite:hidden.db\n");
    assert_eq!(
        setting(
            &place,
            &[],
            &[("OMS_QUEUE_URL_FILE", "secret")],
            "queue-url"
        ),
        pair("sqlite:hidden.db", "OMS_QUEUE_URL_FILE")
    );
    let both = [
        ("OMS_QUEUE_URL_FILE", "secret"),
        ("OMS_QUEUE_URL", "sqlite:x"),
    ];
    let done = place.run_with(&["config"], &both);
    assert_eq!(done.code, Some(2));
    assert!(done.error().contains("both set"), "{done:?}");
    place.write("secret", "amqp://me:hunter2@broker:9092/carts");
    let done = place.run_with(&["config"], &[("OMS_QUEUE_URL_FILE", "secret")]);
    assert_eq!(done.code, Some(2));
    let error = done.error();
    assert!(error.contains("amqp://me:***@broker:9092/carts"), "{error}");
    assert!(error.contains("kafka://host:9092/topic"), "{error}");
    assert!(!done.stderr.contains("hunter2") && !done.stdout.contains("hunter2"));
    let done = place.run_with(&["config"], &[("OMS_QUEUE_URL_FILE", "missing")]);
    assert_eq!(done.code, Some(2));
    assert!(done.error().contains("cannot read missing"), "{done:?}");
}

#[test]
fn what_is_wrong_in_the_file_is_named_with_its_line() {
    let place = Place::new();
    for (text, error) in [
        (
            "hold = \"5m\"\n\nhodl = \"5m\"\n",
            "oms.toml:3: unknown field `hodl`",
        ),
        ("hold = \"5m\"\nwait = 30\n", "oms.toml:2: invalid type"),
        (
            "hold = \"15mins\"\n",
            "hold from oms.toml:1: `15mins` is not a duration: write 15m",
        ),
        (
            "\n\nbacklog-max = 0\n",
            "backlog-max from oms.toml:3: 0 is out of range",
        ),
        ("backlog-max = -1\n", "oms.toml:1: "),
        ("hold = \"5m\n", "oms.toml:1: "),
        ("a\nb", "oms.toml:1: "),
        (
            "hold = \"0s\"\n",
            "hold from oms.toml:1: 0s is out of range",
        ),
        (
            "\npayment-url = \"redis://x\"\n",
            "payment-url from oms.toml:2: `redis://x`",
        ),
    ] {
        place.write("oms.toml", text);
        let line = place.fails(2, &["config"]);
        assert!(line.starts_with(&format!("error: {error}")), "{line}");
    }
    place.write("oms.toml", b"hold = \"5m\"\n\xff\n");
    let line = place.fails(2, &["config"]);
    assert!(line.contains("oms.toml:2: it is not valid UTF-8"), "{line}");
    let line = place.fails(2, &["config", "--config", "missing.toml"]);
    assert!(line.contains("cannot read missing.toml"), "{line}");
}

#[test]
fn a_payment_never_gets_more_than_half_of_the_hold() {
    let place = Place::new();
    let done = place.run_with(&["config"], &[("OMS_HOLD", "4s")]);
    assert!(done.stderr.contains("a payment gets 2s only"), "{done:?}");
}

#[test]
fn completions_and_manual_pages_work_with_a_broken_configuration() {
    let place = Place::new();
    place.write("oms.toml", "nonsense = 1\n");
    assert!(
        place
            .ok(&["completions", "bash"])
            .contains("complete -F _oms")
    );
    let pages = place.ok(&["man", "man"]);
    for page in ["oms.1", "oms-order-why.1", "oms-dead-letters-replay.1"] {
        assert!(pages.contains(page), "{pages}");
        assert!(
            std::fs::metadata(place.path("man").join(page))
                .unwrap()
                .len()
                > 100
        );
    }
}
