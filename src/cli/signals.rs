//! Ctrl-C and SIGTERM.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::watch;

/// How long an interrupted command may take to end by itself.
const END_MAX: Duration = Duration::from_secs(1);

/// What asked the process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// Ctrl-C (SIGINT).
    CtrlC,
    /// SIGTERM.
    Terminate,
}

impl Interrupt {
    const fn code(self) -> u8 {
        match self {
            Self::CtrlC => 130,
            Self::Terminate => 143,
        }
    }

    /// The exit code of a command that it ended: 130 or 143.
    pub fn exit_code(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

/// Asks a command to stop, once.
#[derive(Debug, Clone)]
pub struct Stop {
    requested: watch::Receiver<bool>,
    interrupt: watch::Receiver<Option<Interrupt>>,
}

impl Stop {
    /// From now on, the first signal asks to stop and the second ends the process at once.
    ///
    /// # Errors
    /// When the system lets nobody listen for signals.
    pub fn on_signal() -> io::Result<Self> {
        let mut signals = Signals::listen()?;
        let (ask, requested) = watch::channel(false);
        let (tell, interrupt) = watch::channel(None);
        tokio::spawn(async move {
            let first = signals.next().await;
            tell.send_replace(Some(first));
            ask.send_replace(true);
            let second = signals.next().await;
            std::process::exit(second.code().into());
        });
        Ok(Self {
            requested,
            interrupt,
        })
    }

    /// Becomes true when the command is to stop; what [`crate::worker::run`] takes.
    pub fn requested(&self) -> watch::Receiver<bool> {
        self.requested.clone()
    }

    /// What asked to stop, if anything did.
    pub fn interrupt(&self) -> Option<Interrupt> {
        *self.interrupt.borrow()
    }

    /// Waits until asked to stop.
    pub async fn wait(&mut self) -> Interrupt {
        match self.interrupt.wait_for(Option::is_some).await {
            Ok(interrupt) => interrupt.unwrap_or(Interrupt::CtrlC),
            // The listening task never ends before the process does.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Resolves with the first signal; the process then has a second to end before it is made to.
///
/// # Errors
/// When the system lets nobody listen for signals.
pub(super) fn interrupted() -> io::Result<impl Future<Output = Interrupt>> {
    let mut signals = Signals::listen()?;
    let (tell, mut told) = watch::channel(None);
    // A task of its own: the command may be blocked in a system call.
    tokio::spawn(async move {
        let first = signals.next().await;
        tell.send_replace(Some(first));
        tokio::select! {
            _ = signals.next() => {}
            () = tokio::time::sleep(END_MAX) => {}
        }
        std::process::exit(first.code().into());
    });
    Ok(async move {
        match told.wait_for(Option::is_some).await {
            Ok(interrupt) => interrupt.unwrap_or(Interrupt::CtrlC),
            Err(_) => std::future::pending().await,
        }
    })
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Interrupt {
        tokio::select! {
            _ = self.interrupt.recv() => Interrupt::CtrlC,
            _ = self.terminate.recv() => Interrupt::Terminate,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Interrupt {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Interrupt::CtrlC,
            Err(_) => std::future::pending().await,
        }
    }
}
