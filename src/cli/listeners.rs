//! Where `oms serve` listens, and who may come: addresses, tokens, certificates, limits.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::Usage;
use crate::config::{Config, DRAIN_DELAY};
use crate::domain::{format_duration, parse_duration};
use crate::http::{self, Auth, Limits, Listener, RateLimits, Side, Tokens};
use crate::terminal::talk;

/// The arguments of `oms serve` about its listeners.
#[derive(Debug, clap::Args)]
pub struct ListenerArgs {
    /// Address and port to listen on; port 0 takes any free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Separate address for stock changes, batch endpoints, /metrics and /readyz
    #[arg(long, value_name = "ADDRESS:PORT")]
    internal_listen: Option<SocketAddr>,
    /// File with one `TOKEN SCOPE[,SCOPE...]` per line, reloaded when it changes
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// Listen beyond loopback without tokens: anyone who reaches the port can do everything
    #[arg(long)]
    insecure_no_auth: bool,
    /// Certificate chain (PEM) for HTTPS on all listeners, reloaded when it changes
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Requests per customer and per address: 20/s, 600/m or customer=5/s,address=100/s [default: none]
    #[arg(long, value_name = "N/s")]
    rate_limit: Option<RateLimits>,
    /// Keep serving, but not ready, for this long after SIGTERM [default: 0s]
    #[arg(long, value_name = "DURATION", value_parser = drain_delay)]
    drain_delay: Option<Duration>,
}

fn drain_delay(text: &str) -> Result<Duration, String> {
    let delay = parse_duration(text).map_err(|error| error.to_string())?;
    if DRAIN_DELAY.contains(&delay) {
        return Ok(delay);
    }
    let most = format_duration(*DRAIN_DELAY.end());
    Err(format!("at most {most} is accepted"))
}

/// What the arguments and the configuration come to.
#[derive(Debug)]
pub(super) struct ListenerSettings {
    listen: SocketAddr,
    internal_listen: Option<SocketAddr>,
    tokens: Option<PathBuf>,
    insecure_no_auth: bool,
    tls: Option<(PathBuf, PathBuf)>,
    rates: RateLimits,
    pub(super) drain_delay: Duration,
}

impl ListenerArgs {
    /// Adds what the configuration says.
    ///
    /// # Errors
    /// When others could reach the service without a token, or what is said contradicts itself.
    pub(super) fn settings(self, config: &Config) -> Result<ListenerSettings, Usage> {
        let certificate = self.tls_cert.or_else(|| config.tls_cert.value.clone());
        let key = self.tls_key.or_else(|| config.tls_key.value.clone());
        let tls = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(Usage::new("--tls-cert needs --tls-key")),
            (None, Some(_)) => return Err(Usage::new("--tls-key needs --tls-cert")),
        };
        let settings = ListenerSettings {
            listen: self.listen.unwrap_or(*config.listen),
            internal_listen: self.internal_listen.or(*config.internal_listen),
            tokens: self.tokens.or_else(|| config.tokens.value.clone()),
            insecure_no_auth: self.insecure_no_auth,
            tls,
            rates: self.rate_limit.unwrap_or(*config.rate_limit),
            drain_delay: self.drain_delay.unwrap_or(*config.drain_delay),
        };
        settings.check()?;
        Ok(settings)
    }
}

impl ListenerSettings {
    fn check(&self) -> Result<(), Usage> {
        if let (Some(tokens), true) = (&self.tokens, self.insecure_no_auth) {
            return Err(Usage::new(format!(
                "--insecure-no-auth contradicts the tokens in {}; leave one of them out",
                tokens.display()
            )));
        }
        if self.tokens.is_some() || self.insecure_no_auth {
            return Ok(());
        }
        match self.exposed().next() {
            Some(address) => Err(Usage::new(format!(
                "cannot listen on {address} without tokens, since anyone who reaches it could order and change stock; \
                 give --tokens FILE (`oms token new --scope orders` prints a line for it), listen on 127.0.0.1, or \
                 accept the risk with --insecure-no-auth"
            ))),
            None => Ok(()),
        }
    }

    /// The addresses that others can reach.
    fn exposed(&self) -> impl Iterator<Item = SocketAddr> {
        let addresses = [Some(self.listen), self.internal_listen];
        let addresses = addresses.into_iter().flatten();
        addresses.filter(|address| !address.ip().to_canonical().is_loopback())
    }

    /// Reads tokens and certificates, and takes the addresses.
    ///
    /// # Errors
    /// When a file cannot be used, or an address cannot be had.
    pub(super) async fn open(&self) -> anyhow::Result<OpenListeners> {
        let auth = match &self.tokens {
            Some(path) => {
                Auth::tokens(Tokens::open(path.clone()).map_err(|error| unusable(&error))?)
            }
            None => Auth::open(),
        };
        let certificate = match &self.tls {
            Some((certificate, key)) => {
                let opened = http::certificate(certificate.clone(), key.clone());
                Some(Arc::new(opened.map_err(|error| unusable(&error))?))
            }
            None => None,
        };
        for address in self.exposed() {
            if self.tokens.is_none() {
                // Also with --quiet.
                talk(format_args!(
                    "warning: INSECURE: {address} needs no token (--insecure-no-auth): anyone who reaches it can place \
                     orders and change stock"
                ));
            }
        }
        let (public, url) = listen(self.listen, "--listen", certificate.is_some()).await?;
        let mut listeners = vec![Listener {
            tcp: public,
            side: Side::Both,
            certificate: certificate.clone(),
        }];
        let mut internal_url = None;
        if let Some(address) = self.internal_listen {
            let flag = "--internal-listen";
            let (tcp, url) = listen(address, flag, certificate.is_some()).await?;
            internal_url = Some(url);
            for listener in &mut listeners {
                listener.side = Side::Public;
            }
            listeners.push(Listener {
                tcp,
                side: Side::Internal,
                certificate,
            });
        }
        Ok(OpenListeners {
            listeners,
            auth,
            url,
            internal_url,
        })
    }

    /// What this process takes on, given how many files it may have open.
    pub(super) fn limits(&self, files: u64) -> Limits {
        let limits = Limits {
            rates: self.rates,
            ..Limits::default()
        };
        limits.for_open_files(files)
    }
}

/// Sockets that listen, and what requests need.
#[derive(Debug)]
pub(super) struct OpenListeners {
    pub(super) listeners: Vec<Listener>,
    pub(super) auth: Auth,
    /// Where the first one can be reached.
    pub(super) url: String,
    /// Where the internal one can be reached, if there is one.
    pub(super) internal_url: Option<String>,
}

async fn listen(
    address: SocketAddr,
    flag: &str,
    is_secure: bool,
) -> anyhow::Result<(TcpListener, String)> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; choose another address with {flag}")
    })?;
    let address = listener
        .local_addr()
        .context("cannot tell the address that is listened on")?;
    let scheme = if is_secure { "https" } else { "http" };
    Ok((listener, format!("{scheme}://{address}")))
}

fn unusable(error: &http::ReloadError) -> Usage {
    Usage::new(super::run::chain(error))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::config::{Flags, System};

    fn settings(args: &[&str], variables: &[(&str, &str)]) -> Result<ListenerSettings, String> {
        let args = ["oms", "serve"].iter().chain(args);
        let cli = Cli::try_parse_from(args).map_err(|error| error.to_string())?;
        let Command::Serve(args) = cli.command else {
            return Err("another command".to_owned());
        };
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).into())
        };
        let system = System {
            variable: &variable,
            folder: Path::new("/nonexistent"),
        };
        let config = Config::load_from(&Flags::default(), &system).unwrap();
        args.listeners
            .settings(&config)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn others_need_tokens_or_somebody_who_takes_the_risk() {
        for args in [
            &[][..],
            &["--listen", "127.0.0.5:80"],
            &["--listen", "[::1]:80"],
            &["--listen", "[::ffff:127.0.0.1]:80"],
            &["--listen", "0.0.0.0:80", "--tokens", "t"],
            &["--listen", "0.0.0.0:80", "--insecure-no-auth"],
        ] {
            settings(args, &[]).unwrap();
        }
        for args in [
            &["--listen", "0.0.0.0:80"][..],
            &["--listen", "[::]:80"],
            &["--listen", "10.0.0.1:80"],
            &["--internal-listen", "10.0.0.1:80"],
        ] {
            let error = settings(args, &[]).unwrap_err();
            assert!(error.contains("without tokens"), "{error}");
            assert!(error.contains("--insecure-no-auth"), "{error}");
        }
        assert!(settings(&[], &[("OMS_LISTEN", "0.0.0.0:80")]).is_err());
        let variables = [("OMS_LISTEN", "0.0.0.0:80"), ("OMS_TOKENS_FILE", "t")];
        assert!(settings(&[], &variables).is_ok());
        let error = settings(&["--insecure-no-auth"], &variables).unwrap_err();
        assert!(error.contains("contradicts"), "{error}");
    }

    #[test]
    fn a_certificate_and_its_key_come_together() {
        assert!(settings(&["--tls-cert", "c", "--tls-key", "k"], &[]).is_ok());
        assert!(settings(&["--tls-cert", "c"], &[("OMS_TLS_KEY", "k")]).is_ok());
        for args in [["--tls-cert", "c"], ["--tls-key", "k"]] {
            assert!(settings(&args, &[]).unwrap_err().contains("needs"));
        }
    }
}
