//! How a run is made, as its report says it.

use super::Args;
use super::crowd::Crowd;
use super::figures::ms;
use super::load::Load;
use super::stage::Stage;
use crate::cli::Context;
use crate::domain::format_duration;
use crate::report::{LoadSettings, RunSettings};

/// The settings of a run, as far as they are known before anybody buys: what is measured is 0.
pub(super) fn settings(args: &Args, context: &Context, stage: &Stage) -> RunSettings {
    let drawn = stage.trace.is_none();
    RunSettings {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        store_id: stage.store_id,
        target: args
            .target
            .as_ref()
            .map_or_else(|| "in-process".to_owned(), ToString::to_string),
        payment_url: context.config.payments.value.to_string(),
        worker: args.has_worker(),
        items: stage.items,
        seeded: stage.seeded,
        zipf: drawn.then_some(args.zipf()),
        lines: drawn.then(|| args.lines().to_string()),
        quantity: drawn.then(|| args.quantity().to_string()),
        come_back: args.come_back(),
        ramp_ms: ms(args.load.ramp()),
        load: load(&args.load, &args.crowd),
        speed: (!drawn).then_some(args.speed()),
        hold_ms: ms(*context.config.hold),
        wait_ms: ms(*context.config.wait),
        in_flight: args.load.in_flight,
        in_flight_max: 0,
        shard: args.judging.shard.map(|shard| shard.to_string()),
        arrival_lag_max_ms: 0,
    }
}

fn load(load: &Load, crowd: &Crowd) -> LoadSettings {
    LoadSettings {
        rate: text(load.rate),
        stage: texts(&load.stages),
        arrivals: text(load.gaps()),
        duration: load.duration.map(format_duration),
        warmup: load.warmup.map(format_duration),
        think: text(load.think),
        abandon: text(crowd.abandon),
        click_twice: text(crowd.click_twice),
        retry: text(crowd.retry),
        give_up: text(crowd.give_up),
        return_later: text(crowd.return_later),
        bulk: text(crowd.bulk),
        bots: text(crowd.bots),
        restock: texts(&crowd.restock),
    }
}

fn text(given: Option<impl ToString>) -> Option<String> {
    given.map(|given| given.to_string())
}

fn texts(given: &[impl ToString]) -> Vec<String> {
    given.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, Parser};
    use serde_json::Value;

    use super::*;

    /// The flags, as clap reads them.
    #[derive(Parser)]
    #[command(no_binary_name = true)]
    struct Flags {
        #[command(flatten)]
        args: Args,
    }

    fn read(flags: &[String]) -> LoadSettings {
        let flags = Flags::try_parse_from(flags).unwrap_or_else(|error| panic!("{error}"));
        load(&flags.args.load, &flags.args.crowd)
    }

    /// The flags that a person would give to have the same again.
    fn again(settings: &LoadSettings) -> Vec<String> {
        let flag = |name: &str, value: &Value| {
            format!("--{}={}", name.replace('_', "-"), value.as_str().unwrap())
        };
        let mut flags = Vec::new();
        for (name, value) in settings.given() {
            match &value {
                Value::Array(values) => flags.extend(values.iter().map(|value| flag(&name, value))),
                value => flags.push(flag(&name, value)),
            }
        }
        flags
    }

    #[test]
    fn what_is_written_down_makes_the_same_load_again() {
        let at_a_rate = "--rate=0.5 --stage=30s:1000/s --stage=1500ms:0.25 --arrivals=constant --duration=90s --warmup=0s \
            --abandon=0.07 --click-twice=12.5% --retry=10%:2s --give-up=1:1s..3000ms --return-later=0.3333333333333333:5m \
            --bulk=5%:10..40 --bots=0:3 --restock=3s:top10:30 --restock=0s:a:b:-5";
        let again_and_again = "--duration=1h --think=0s..250ms";
        for flags in [at_a_rate, again_and_again, "--rate=300", ""] {
            let flags: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
            let settings = read(&flags);
            let again = again(&settings);
            assert_eq!(read(&again), settings, "{again:?}");
            assert!(again.len() >= flags.len(), "{again:?}");
        }
    }

    #[test]
    fn it_is_written_as_people_would() {
        let flags = ["--rate=300", "--retry=0.1:2000ms", "--restock=3s:top10:30"];
        let settings = read(&flags.map(str::to_owned));
        assert_eq!(
            serde_json::to_value(&settings).unwrap(),
            serde_json::json!({
                "rate": "300/s", "arrivals": "poisson", "retry": "10%:2s", "restock": ["3s:top10:+30"],
            })
        );
        assert!(read(&[]).given().is_empty());
    }

    #[test]
    fn every_flag_that_makes_the_load_is_written_down() {
        // Beside the load, where reports have always had it; and a bound of the generator, not a part of the plan.
        let elsewhere = ["ramp", "in-flight"];
        let all = "--rate=1 --stage=1s:1 --arrivals=poisson --duration=1s --warmup=1s --abandon=1 --click-twice=1 \
            --retry=1:1s --give-up=1:1s --return-later=1:1s --bulk=1:1 --bots=1:1 --restock=1s:a:1";
        let flags: Vec<String> = all.split_whitespace().map(str::to_owned).collect();
        let mut written: Vec<String> = read(&flags).given().keys().cloned().collect();
        // No rate goes with it.
        written.extend(read(&["--think=1s".to_owned()]).given().keys().cloned());
        let makers = Crowd::augment_args(Load::augment_args(Command::new("load")));
        for flag in makers.get_arguments() {
            let name = flag.get_long().unwrap();
            if !elsewhere.contains(&name) {
                assert!(written.contains(&name.replace('-', "_")), "--{name}");
            }
        }
    }
}
