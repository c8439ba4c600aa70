//! The command line, as scripts see it: real processes, each with a data directory of its own.

mod config;
mod dead_letters;
mod help;
mod inventory;
mod order;
mod seed;
mod signals;
mod stores;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// A working directory with a data directory in it.
struct Place {
    folder: TempDir,
}

/// What a command did.
#[derive(Debug)]
struct Done {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    /// A place with `items` synthetic items of `stock` units each.
    fn seeded(items: u32, stock: i64) -> Self {
        let place = Self::new();
        let (items, stock) = (items.to_string(), stock.to_string());
        place.ok(&["seed", "--items", &items, "--stock", &stock]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data_dir(&self) -> PathBuf {
        self.path("oms-data")
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The program, started here and with nothing of the surrounding environment that could change what it does.
    fn command(&self, args: &[&str]) -> Command {
        program(self.folder.path(), args)
    }

    fn run(&self, args: &[&str]) -> Done {
        self.run_with(args, &[])
    }

    fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Done {
        let mut command = self.command(args);
        command.envs(variables.iter().copied());
        let output = assert_cmd::Command::from_std(command).output().unwrap();
        Done {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that must succeed; its stdout.
    fn ok(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, Some(0), "{args:?}: {done:?}");
        done.stdout
    }

    /// Runs a command that must succeed and print one JSON value.
    fn json(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.ok(&args)).unwrap()
    }

    /// Runs a command that must succeed and print JSON lines.
    fn json_lines(&self, args: &[&str]) -> Vec<Value> {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let stdout = self.ok(&args);
        let lines = stdout.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    /// Runs a command that must fail with a code and one line of error; that line.
    #[track_caller]
    fn fails(&self, code: i32, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, Some(code), "{args:?}: {done:?}");
        done.error()
    }
}

impl Done {
    /// The one line of error.
    #[track_caller]
    fn error(&self) -> String {
        let errors: Vec<&str> = (self.stderr.lines())
            .filter(|line| line.starts_with("error: "))
            .collect();
        assert_eq!(errors.len(), 1, "{self:?}");
        assert_eq!(self.stderr.lines().last(), Some(errors[0]), "{self:?}");
        errors[0].to_owned()
    }
}

fn program(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oms"));
    command.args(args).current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OMS_") {
            command.env_remove(name);
        }
    }
    command.env_remove("NO_COLOR");
    command
}
