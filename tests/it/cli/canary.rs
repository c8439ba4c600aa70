//! A password that must not come out anywhere: looked for in everything that every command prints and writes.

use std::fmt::Write as _;
use std::path::Path;

use clap::Parser as _;
use nix::sys::signal::Signal;
use oms::cli::Cli;
use oms::config::{Config, Flags, System};

use super::every::{BESIDE_STORES, WITH_STORES, WITHOUT_STORES, a_few_at_a_time};
use crate::place::{Done, Place, nowhere};
use crate::process::{PATIENCE, Process, Serve};

/// What is looked for: it survives decoding, and no library takes it apart.
const CANARY: &str = "kanarie7";

/// How a password is written with it: characters that have a meaning in URLs are encoded.
const WRITTEN: &str = "p%40%2Fkanarie7";

/// A URL setting, and a URL with a password in it.
#[derive(Clone)]
struct Secret {
    name: &'static str,
    url: String,
}

/// The ways to say it.
#[derive(Debug, Clone, Copy)]
enum Way {
    Flag,
    Variable,
    UrlFile,
    File,
}

const WAYS: [Way; 4] = [Way::Flag, Way::Variable, Way::UrlFile, Way::File];

/// How much a command is to say.
const TALK: [&[&str]; 5] = [
    &[],
    &["--json"],
    &["-v", "-v"],
    &["-v", "-v", "-v"],
    &["-q"],
];

/// A place whose files hold the secrets for those ways that go by files.
struct Told {
    place: Place,
    secrets: Vec<Secret>,
}

impl Told {
    fn new(secrets: &[Secret]) -> Self {
        let place = Place::new();
        place.ok(&["inventory", "list"]);
        std::fs::create_dir(place.path("secret")).unwrap();
        let mut file = String::new();
        for Secret { name, url } in secrets {
            place.write(&format!("secret/{name}"), url);
            writeln!(file, "{name} = '{url}'").unwrap();
        }
        place.write("secret/oms.toml", file);
        Self {
            place,
            secrets: secrets.to_vec(),
        }
    }

    /// Runs a command that ends by itself, or is killed: only what it says counts.
    fn run(&self, way: Way, args: &[&str]) -> Done {
        let mut command = self.place.command(args);
        for Secret { name, url } in &self.secrets {
            let variable = format!("OMS_{}", name.to_uppercase().replace('-', "_"));
            match way {
                Way::Flag => {
                    command.arg(format!("--{name}")).arg(url);
                }
                Way::Variable => {
                    command.env(variable, url);
                }
                Way::UrlFile => {
                    command.env(format!("{variable}_FILE"), format!("secret/{name}"));
                }
                Way::File => {}
            }
        }
        if matches!(way, Way::File) {
            command.args(["--config", "secret/oms.toml", "--data-dir", "oms-data"]);
        }
        Process::spawn(command).ended_within(PATIENCE)
    }

    /// Looks for it in whatever the commands have left behind.
    #[track_caller]
    fn leaves_nothing(&self) {
        let mut folders = vec![self.place.path("")];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    if !path.ends_with("secret") {
                        folders.push(path);
                    }
                } else {
                    files += 1;
                    let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
                    hidden(&text, &path.display());
                }
            }
        }
        assert!(files > 1, "there is nothing to look at");
    }
}

#[track_caller]
fn hidden(text: &str, what: &dyn std::fmt::Display) {
    assert!(!text.contains(CANARY), "{what} shows it: {text}");
}

/// Everything a command can be asked, with these secrets: nothing may show them.
fn nothing_shows(secrets: &[Secret]) {
    nothing_shows_in(secrets, |_| true);
}

/// The same of some commands.
fn nothing_shows_in(secrets: &[Secret], asked: impl Fn(&str) -> bool) {
    let told = Told::new(secrets);
    let all: Vec<(usize, &[&str])> = (WITH_STORES.into_iter())
        .chain(BESIDE_STORES)
        .chain(WITHOUT_STORES)
        .filter(|command| asked(&command.join(" ")))
        .enumerate()
        .collect();
    a_few_at_a_time(&all, |&(index, command)| {
        // Not every way with every command, but with every kind of command.
        let way = WAYS[index % WAYS.len()];
        let talk = TALK[index % TALK.len()];
        let args: Vec<&str> = command.iter().chain(talk).copied().collect();
        let done = told.run(way, &args);
        hidden(&done.stdout, &format!("stdout of {args:?} by {way:?}"));
        hidden(&done.stderr, &format!("stderr of {args:?} by {way:?}"));
    });
    for way in WAYS {
        for args in [
            &["doctor"][..],
            &["doctor", "--json"],
            &["config"],
            &["config", "--json"],
        ] {
            // Once is enough of those that wait.
            if args[0] == "doctor" && !matches!(way, Way::UrlFile) {
                continue;
            }
            let done = told.run(way, args);
            hidden(&done.stdout, &format!("stdout of {args:?} by {way:?}"));
            hidden(&done.stderr, &format!("stderr of {args:?} by {way:?}"));
        }
    }
    told.leaves_nothing();
}

fn secret(name: &'static str, url: String) -> Secret {
    Secret { name, url }
}

#[test]
fn no_command_shows_the_password_of_mysql() {
    let url = format!("mysql://oms:{WRITTEN}@{}/oms", nowhere());
    nothing_shows(&[secret("inventory-url", url)]);
}

#[test]
fn no_command_shows_the_password_of_kafka() {
    let url = format!(
        "kafka://{}/carts?security.protocol=SASL_PLAINTEXT&sasl.mechanism=PLAIN&sasl.username=oms&sasl.password={WRITTEN}",
        nowhere()
    );
    nothing_shows(&[secret("queue-url", url)]);
}

#[test]
fn no_command_shows_the_password_of_redis() {
    let url = format!("redis://oms:{WRITTEN}@{}", nowhere());
    nothing_shows(&[secret("status-url", url)]);
    let url = format!("redis-cluster://:{WRITTEN}@{}", nowhere());
    nothing_shows(&[secret("status-url", url)]);
}

#[test]
fn no_command_shows_the_password_of_an_inventory_service_or_a_gateway() {
    let url = format!("http://oms:{WRITTEN}@{}", nowhere());
    nothing_shows(&[secret("inventory-url", url.clone())]);
    // A gateway need not be there at the start: these would go on.
    let ends = |command: &str| {
        let goes_on = ["serve", "simulate"].map(|name| command.starts_with(name));
        goes_on == [false; 2] && command != "worker"
    };
    nothing_shows_in(&[secret("payment-url", url)], ends);
    // The same in a file that the URL names.
    let place = Place::new();
    let token = place.write("token", CANARY);
    let url = format!("http://{}?token-file={}", nowhere(), token.display());
    nothing_shows(&[
        secret("inventory-url", url.clone()),
        secret("payment-url", url),
    ]);
}

#[test]
fn a_service_whose_gateway_is_away_shows_no_password() {
    let place = Place::seeded(1, 5);
    let url = format!("http://oms:{WRITTEN}@{}", nowhere());
    let serve = Serve::start(&place, &["-v", "-v", "--payment-url", &url]);
    let cart = r#"{"customer":"c1","lines":[{"sku":"SKU-00001","quantity":1}]}"#;
    let (status, accepted) = serve.send("POST /v1/carts", cart);
    assert_eq!(status, 202, "{accepted}");
    let id = accepted["order_id"].as_str().unwrap();
    for head in [
        &format!("POST /v1/orders/{id}/place?wait=1s"),
        &format!("POST /v1/orders/{id}/cancel"),
        &format!("GET /v1/orders/{id}"),
        &format!("GET /v1/orders/{id}/history"),
        "GET /readyz",
        "GET /openapi.json",
    ] {
        let (_, answer) = serve.send(head, "");
        hidden(&answer.to_string(), &head);
    }
    let done = serve.process.stopped_by(Signal::SIGTERM, PATIENCE);
    assert!(
        done.stderr.contains("the gateway owes a verdict"),
        "{done:?}"
    );
    hidden(&done.stderr, &"the log");
    hidden(&done.stdout, &"stdout");
}

/// URLs that cannot be read, each with a password in it.
const UNREADABLE: [(&str, &str); 16] = [
    ("inventory-url", "mysql://oms:kanarie7@db:x/oms"),
    ("inventory-url", "mysql://oms:kan/kanarie7@db/oms"),
    ("inventory-url", "mysql://oms:kanarie7@db/oms?nonsense=1"),
    ("inventory-url", "mysql://oms:%ffkanarie7@db/oms"),
    ("inventory-url", "mysql//oms:kanarie7@db/oms"),
    ("inventory-url", "http://oms:kanarie7@stock:x"),
    ("inventory-url", "http://oms:kan?kanarie7@stock"),
    ("queue-url", "kafka://oms:kanarie7@a/carts"),
    (
        "queue-url",
        "kafka://a/carts?sasl.password=kanarie7&nonsense=1",
    ),
    (
        "queue-url",
        "kafka://a/carts?sasl.password=kanarie7&sasl.password=kanarie7",
    ),
    ("queue-url", "amqp://oms:kanarie7@a/carts"),
    ("status-url", "redis://oms:kan#kanarie7@a"),
    ("status-url", "redis://:kanarie7@a?nonsense=1"),
    ("status-url", "redis-cluster://:kanarie7@"),
    ("payment-url", "https://oms:kanarie7@"),
    ("payment-url", "oms:kanarie7@pay"),
];

#[test]
fn a_url_that_cannot_be_read_is_told_without_its_password() {
    a_few_at_a_time(&UNREADABLE, |&(name, url)| {
        let told = Told::new(&[secret(name, url.to_owned())]);
        for way in WAYS {
            let done = told.run(way, &["config", "-v", "-v"]);
            assert_eq!(done.code, Some(2), "{url} by {way:?}: {done:?}");
            hidden(&done.stderr, &format!("{url} by {way:?}"));
            hidden(&done.stdout, &format!("{url} by {way:?}"));
        }
    });
}

#[test]
fn a_url_in_the_wrong_place_is_told_without_its_password() {
    let place = Place::new();
    let url = "mysql://oms:kanarie7@db/oms";
    let equals = format!("--inventory-ulr={url}");
    for args in [
        &[url][..],
        &["seed", url],
        &["order", url],
        &["order", "status", url],
        &["--color", url, "config"],
        &["worker", "--batch-max", url],
        &["serve", "--listen", url],
        &["simulate", "--target", url, "--users", "1"],
        &["simulate", "--wait", url],
        &["--inventory-ulr", url, "config"],
        &[&equals, "config"],
    ] {
        let done = place.run(args);
        assert_ne!(done.code, Some(0), "{args:?}: {done:?}");
        hidden(&done.stderr, &format!("stderr of {args:?}"));
        hidden(&done.stdout, &format!("stdout of {args:?}"));
    }
    for line in ["listen", "hold", "backlog-max", "nonsense", "simulate"] {
        place.write("oms.toml", format!("{line} = '{url}'\n"));
        let error = place.fails(2, &["config"]);
        hidden(&error, &line);
    }
}

#[test]
fn help_shows_nothing_of_what_surrounds_it() {
    let place = Place::new();
    let url = "mysql://oms:kanarie7@db/oms";
    let variables = [
        ("OMS_INVENTORY_URL", url),
        ("OMS_QUEUE_URL", "kafka://a/carts?sasl.password=kanarie7"),
        ("OMS_STATUS_URL", "redis://:kanarie7@a"),
        ("OMS_PAYMENT_URL", "http://oms:kanarie7@pay"),
    ];
    a_few_at_a_time(&WITH_STORES, |command| {
        let words = command.iter().take_while(|word| !word.starts_with('-'));
        let args: Vec<&str> = words.copied().chain(["--help"]).collect();
        let done = place.run_with(&args, &variables);
        assert_eq!(done.code, Some(0), "{args:?}: {done:?}");
        hidden(&done.stdout, &format!("{args:?}"));
        hidden(&done.stderr, &format!("{args:?}"));
    });
}

#[test]
fn a_panic_that_prints_what_the_program_was_told_shows_no_password() {
    let urls = [
        ("--inventory-url", "mysql://oms:kanarie7@db/oms"),
        ("--queue-url", "kafka://a/carts?sasl.password=kanarie7"),
        ("--status-url", "rediss://oms:kanarie7@a/1"),
        ("--payment-url", "https://oms:kanarie7@pay/v2"),
    ];
    let args = urls.iter().flat_map(|(flag, url)| [*flag, *url]);
    let cli = Cli::try_parse_from(["oms"].into_iter().chain(args).chain(["config"])).unwrap();
    hidden(&format!("{cli:?}"), &"the command line");
    let [inventory, queue, status, payment] = urls.map(|(_, url)| Some(url.to_owned().into()));
    let flags = Flags {
        inventory_url: inventory,
        queue_url: queue,
        status_url: status,
        payment_url: payment,
        ..Flags::default()
    };
    hidden(&format!("{flags:?}"), &"the flags");
    let system = System {
        variable: &|_| None,
        folder: Path::new("/nonexistent"),
    };
    let config = Config::load_from(&flags, &system).unwrap();
    hidden(&format!("{config:?}"), &"the configuration");
    let shown = format!("{config:?}");
    assert!(shown.contains("***"), "{shown}");
}
