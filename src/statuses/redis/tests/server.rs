//! A Redis server of a test's own, on a free port of the loopback.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::super::{RedisStatuses, RedisUrl};
use crate::sqlite::testing::ManualClock;

/// A server that ends with the test.
pub(super) struct Server {
    pub(super) port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    process: Child,
}

impl Server {
    /// Starts one, or says why not: then the test is skipped.
    pub(super) fn start(arguments: &[&str]) -> Option<Self> {
        let found = Command::new("redis-server").arg("--version").output();
        if found.is_err() {
            eprintln!("SKIPPED: there is no redis-server on the path");
            return None;
        }
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let process = spawn(port, folder.path(), &arguments);
        let server = Self {
            port,
            folder,
            arguments,
            process,
        };
        server.listening();
        Some(server)
    }

    pub(super) fn url(&self) -> RedisUrl {
        self.url_with("")
    }

    /// The URL with a user and password, such as `oms:secret@`.
    pub(super) fn url_with(&self, login: &str) -> RedisUrl {
        let port = self.port;
        format!("redis://{login}127.0.0.1:{port}").parse().unwrap()
    }

    /// A process of its own on the server.
    pub(super) async fn open(&self, clock: &ManualClock) -> RedisStatuses<ManualClock> {
        RedisStatuses::connect(&self.url(), clock.clone())
            .await
            .unwrap()
    }

    /// Puts bytes under a key; `false` if the key belongs to another node of the cluster.
    pub(super) fn plant(&self, key: &str, value: &[u8]) -> bool {
        let client = redis::Client::open(("127.0.0.1", self.port)).unwrap();
        let mut connection = client.get_connection().unwrap();
        let planted: redis::RedisResult<()> =
            redis::cmd("SET").arg(key).arg(value).query(&mut connection);
        planted.is_ok()
    }

    /// Does something as an administrator.
    pub(super) fn admin<T: redis::FromRedisValue>(&self, words: &str) -> T {
        let client = redis::Client::open(("127.0.0.1", self.port)).unwrap();
        let mut connection = client.get_connection().unwrap();
        let mut words = words.split_whitespace();
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command.query(&mut connection).unwrap()
    }

    pub(super) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id()).unwrap();
        kill(Pid::from_raw(id), signal).unwrap();
    }

    pub(super) fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again on the same port.
    pub(super) fn restart(&mut self) {
        self.process = spawn(self.port, self.folder.path(), &self.arguments);
        self.listening();
    }

    fn listening(&self) {
        for _ in 0..1_000 {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server does not listen");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been stopped before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn spawn(port: u16, folder: &Path, arguments: &[String]) -> Child {
    let port = port.to_string();
    let tls = arguments.iter().any(|argument| argument == "--tls-port");
    let plain = if tls { "0" } else { &port };
    let mut command = Command::new("redis-server");
    command
        .args(["--port", plain, "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(folder)
        .args(arguments.iter().map(|one| one.replace("PORT", &port)))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.spawn().unwrap()
}
