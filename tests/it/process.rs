//! A process of the program beside a test: what it prints, signals to it, its end. Killed when dropped.

use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::place::{Done, Place};

/// How long anything may take that has to happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits until there is something; fails when there is not in time.
#[track_caller]
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// Waits until there is something; fails when there is not within `limit`.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A process of the program.
pub struct Process {
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

impl Process {
    /// Starts the program with these arguments.
    pub fn start(place: &Place, args: &[&str]) -> Self {
        Self::spawn(place.command(args))
    }

    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdout: Stream::read(child.stdout.take().unwrap()),
            stderr: Stream::read(child.stderr.take().unwrap()),
            child,
        }
    }

    /// A worker that has begun to decide carts.
    pub fn worker(place: &Place, args: &[&str]) -> Self {
        let args: Vec<&str> = ["worker"].iter().chain(args).copied().collect();
        let worker = Self::start(place, &args);
        worker.complains("deciding carts");
        worker
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// Stops it (SIGSTOP), and waits until every thread stands still.
    #[track_caller]
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
        let tasks = format!("/proc/{}/task", self.child.id());
        until("every thread to stand still", || {
            let stands = |task: std::fs::DirEntry| {
                // One that has ended meanwhile does nothing, either.
                std::fs::read_to_string(task.path().join("stat")).map_or(true, |stat| {
                    stat.rsplit(')').next().unwrap().starts_with(" T")
                })
            };
            let mut tasks = std::fs::read_dir(&tasks).unwrap();
            tasks.all(|task| stands(task.unwrap())).then_some(())
        });
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until a line of stdout contains a text; that line.
    #[track_caller]
    pub fn says(&mut self, text: &str) -> String {
        until(text, || {
            let gone = self.child.try_wait().unwrap();
            let line = self.stdout.line_with(text);
            assert!(
                line.is_some() || gone.is_none(),
                "it ended ({gone:?}) without `{text}`: {}",
                self.stderr.text()
            );
            line
        })
    }

    /// Waits until a line of stderr contains a text.
    #[track_caller]
    pub fn complains(&self, text: &str) {
        until(text, || self.stderr.line_with(text));
    }

    /// Waits until it handles SIGINT and SIGTERM: before that, either ends it as the system does.
    #[track_caller]
    pub fn listens_for_signals(&self) {
        let both = (1 << (Signal::SIGINT as u64 - 1)) | (1 << (Signal::SIGTERM as u64 - 1));
        let path = format!("/proc/{}/status", self.child.id());
        until("its handlers of signals", || {
            let status = std::fs::read_to_string(&path).unwrap();
            let caught = status
                .lines()
                .find_map(|line| line.strip_prefix("SigCgt:"))?;
            let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
            (caught & both == both).then_some(())
        });
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(self) -> Done {
        self.ended_within(PATIENCE)
    }

    /// Waits for its end, which has to come within `limit`.
    #[track_caller]
    pub fn ended_within(mut self, limit: Duration) -> Done {
        let status = within(limit, "the end of a process", || {
            self.child.try_wait().unwrap()
        });
        Done {
            code: status.code(),
            stdout: self.stdout.rest(),
            stderr: self.stderr.rest(),
        }
    }

    /// Sends a signal and waits for the end, which has to come within `limit`.
    #[track_caller]
    pub fn stopped_by(self, signal: Signal, limit: Duration) -> Done {
        self.signal(signal);
        self.ended_within(limit)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Mostly it has ended already. A stopped process can be killed, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process writes to one stream, read as it comes, so that it never waits for the test.
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn read(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let shared = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1_024];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                shared.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self {
            bytes,
            reader: Some(reader),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    fn line_with(&self, text: &str) -> Option<String> {
        let all = self.text();
        let (complete, _) = all.rsplit_once('\n')?;
        let line = complete.lines().find(|line| line.contains(text));
        line.map(str::to_owned)
    }

    /// Everything, up to the end.
    fn rest(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.text()
    }
}

/// `oms serve`, listening.
pub struct Serve {
    pub process: Process,
    pub address: String,
    pub line: String,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Value,
}

impl Serve {
    /// Serves on a free port.
    #[track_caller]
    pub fn start(place: &Place, args: &[&str]) -> Self {
        Self::start_at(place, "127.0.0.1:0", args)
    }

    #[track_caller]
    pub fn start_at(place: &Place, address: &str, args: &[&str]) -> Self {
        let args: Vec<&str> = ["serve", "--listen", address]
            .iter()
            .chain(args)
            .copied()
            .collect();
        let mut process = Process::start(place, &args);
        let line = process.says("://");
        let address = line.split("://").nth(1).unwrap_or_default();
        let address = address.split('"').next().unwrap_or_default().to_owned();
        Self {
            process,
            address,
            line,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends JSON on a connection of its own: the status and the body.
    pub fn send(&self, head: &str, body: &str) -> (u16, Value) {
        let Reply { status, body } = self.send_bytes(head, body.as_bytes());
        (status, body)
    }

    /// Sends whatever it is, and says that it is JSON.
    pub fn send_bytes(&self, head: &str, body: &[u8]) -> Reply {
        self.send_with(head, "", body)
    }

    /// As [`Serve::send`], with a bearer token.
    pub fn send_as(&self, token: &str, head: &str, body: &str) -> (u16, Value) {
        let header = format!("authorization: Bearer {token}\r\n");
        let Reply { status, body } = self.send_with(head, &header, body.as_bytes());
        (status, body)
    }

    fn send_with(&self, head: &str, headers: &str, body: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        write!(
            stream,
            "{head} HTTP/1.1\r\nhost: oms\r\nconnection: close\r\ncontent-type: application/json\r\n\
             {headers}content-length: {length}\r\n\r\n"
        )
        .unwrap();
        // Whoever refuses a body need not have read all of it.
        let _ = stream.write_all(body);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Reply {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            body: serde_json::from_str(body).unwrap(),
        }
    }
}
