//! Bearer tokens: the file that lists them, and the check of each request.
//!
//! The process keeps SHA-256 digests of the tokens only and compares them in constant time. No error, log line or
//! `Debug` output shows a token or its length.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use super::access::{Access, Scope, ScopeError, Scopes};
use super::problem::{Kind, Problem};
use super::reload::{ReloadError, Reloaded};

/// The shortest token, in characters.
pub const TOKEN_CHARS_MIN: usize = 32;

/// The longest token, in characters.
pub const TOKEN_CHARS_MAX: usize = 512;

/// The most tokens in a file: each request is compared with all of them.
pub const TOKENS_MAX: usize = 1_000;

/// The random bytes of a new token.
const RANDOM_BYTES: usize = 32;

/// What new tokens begin with, so that a search for leaked secrets can find them.
const TOKEN_PREFIX: &str = "oms_";

/// The value of `WWW-Authenticate`.
const CHALLENGE: &str = "Bearer realm=\"oms\"";

/// A new token of 256 random bits.
///
/// # Errors
/// When the system has no randomness.
pub fn new_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes)?;
    let text = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    Ok(format!("{TOKEN_PREFIX}{text}"))
}

/// What a token file holds.
pub struct Tokens(Vec<Entry>);

struct Entry {
    digest: [u8; 32],
    scopes: Scopes,
    line: usize,
}

/// What is wrong with a token file. It shows neither a token nor its length.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// A line that is not `TOKEN SCOPE[,SCOPE…]`.
    #[error("{}:{line}: {fault}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        fault: LineFault,
    },
    /// No token at all: nobody could use the service.
    #[error("{} lists no token; `oms token new --scope orders` prints a line for it", .0.display())]
    Empty(PathBuf),
}

/// What is wrong with a line of a token file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// Not UTF-8, or characters that a header cannot carry.
    #[error("a token consists of A-Z a-z 0-9 - . _ ~ + / and = at its end")]
    Characters,
    /// Too easily guessed.
    #[error(
        "the token is too short; at least {TOKEN_CHARS_MIN} characters are needed (`oms token new` makes one)"
    )]
    TooShort,
    /// Longer than any header should be.
    #[error("the token is too long; at most {TOKEN_CHARS_MAX} characters are accepted")]
    TooLong,
    /// Not two words.
    #[error("write TOKEN SCOPE[,SCOPE...], such as `... orders,stock`")]
    Form,
    /// A scope that there is not.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// Two lines that contradict or repeat each other.
    #[error("line {first} has the same token")]
    Repeated {
        /// The first line with it.
        first: usize,
    },
    /// More tokens than a file may have.
    #[error("too many tokens; at most {TOKENS_MAX} are accepted")]
    TooMany,
}

impl Tokens {
    /// Reads and watches a token file.
    ///
    /// # Errors
    /// When it cannot be read, or a line is wrong.
    pub fn open(path: PathBuf) -> Result<Reloaded<Self>, ReloadError> {
        Reloaded::open("tokens", vec![path], |paths, contents| {
            let (Some(path), Some(bytes)) = (paths.first(), contents.first()) else {
                return Err("no token file is named".into());
            };
            Self::parse(path, bytes).map_err(Into::into)
        })
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, TokensError> {
        let mut entries: Vec<Entry> = Vec::new();
        for (index, bytes) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = index + 1;
            let read = entry(bytes, line, &entries).map_err(|fault| TokensError::Line {
                path: path.to_owned(),
                line,
                fault,
            })?;
            entries.extend(read);
        }
        if entries.is_empty() {
            return Err(TokensError::Empty(path.to_owned()));
        }
        Ok(Self(entries))
    }

    /// The scopes of a token; none if it is not in the file. Takes as long for any token of the same length.
    fn scopes(&self, token: &[u8]) -> Option<Scopes> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let (mut found, mut index) = (Choice::from(0), 0_u32);
        for (number, entry) in (0_u32..).zip(&self.0) {
            let equal = entry.digest.ct_eq(&digest);
            index.conditional_assign(&number, equal);
            found |= equal;
        }
        let entry = self.0.get(usize::try_from(index).ok()?)?;
        bool::from(found).then_some(entry.scopes)
    }
}

/// What a line says; nothing for an empty one and a comment.
fn entry(bytes: &[u8], line: usize, before: &[Entry]) -> Result<Option<Entry>, LineFault> {
    let text = str::from_utf8(bytes).map_err(|_| LineFault::Characters)?;
    // No token and no scope has a `#` in it.
    let mut words = text
        .split('#')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let Some(token) = words.next() else {
        return Ok(None);
    };
    if !is_token(token) {
        return Err(LineFault::Characters);
    }
    if token.len() < TOKEN_CHARS_MIN {
        return Err(LineFault::TooShort);
    }
    if token.len() > TOKEN_CHARS_MAX {
        return Err(LineFault::TooLong);
    }
    let (Some(scopes), None) = (words.next(), words.next()) else {
        return Err(LineFault::Form);
    };
    let scopes = scopes.split(',').map(str::parse::<Scope>);
    let scopes = scopes.collect::<Result<Scopes, _>>()?;
    let digest = Sha256::digest(token).into();
    if let Some(entry) = before.iter().find(|entry| entry.digest == digest) {
        return Err(LineFault::Repeated { first: entry.line });
    }
    if before.len() >= TOKENS_MAX {
        return Err(LineFault::TooMany);
    }
    Ok(Some(Entry {
        digest,
        scopes,
        line,
    }))
}

/// Whether a text is what RFC 6750 calls a `b64token`.
fn is_token(text: &str) -> bool {
    let stem = text.trim_end_matches('=');
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !stem.is_empty() && stem.bytes().all(is_allowed)
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

/// Whether requests need tokens, and which ones.
#[derive(Debug, Clone, Default)]
pub struct Auth(Option<Arc<Reloaded<Tokens>>>);

impl Auth {
    /// Lets everyone in: for listeners that nobody else can reach.
    pub const fn open() -> Self {
        Self(None)
    }

    /// Lets in who presents a token of this file.
    pub fn tokens(file: Reloaded<Tokens>) -> Self {
        Self(Some(Arc::new(file)))
    }

    /// Follows changes of the token file; never ends.
    pub(super) async fn follow(&self) {
        match &self.0 {
            Some(file) => file.follow().await,
            None => std::future::pending().await,
        }
    }

    /// Whether a request may use a route; if not, how it is answered: 401 without a known token, 403 with one that
    /// lacks the scope.
    pub(super) fn check(&self, access: Access, headers: &HeaderMap) -> Result<(), Box<Response>> {
        let (Some(file), Access::AnyOf(needed)) = (&self.0, access) else {
            return Ok(());
        };
        let Some(token) = presented(headers) else {
            let detail = "this needs a token: send the header `Authorization: Bearer TOKEN`";
            return Err(refusal(Kind::Unauthorized, detail, "").into());
        };
        let known = is_token(token).then(|| file.value().scopes(token.as_bytes()));
        let Some(scopes) = known.flatten() else {
            let detail = "the token is not known here: it may be misspelt, or no longer be valid";
            let error = ", error=\"invalid_token\"";
            return Err(refusal(Kind::Unauthorized, detail, error).into());
        };
        if scopes.contains_any(needed) {
            return Ok(());
        }
        let names: Vec<&str> = needed.iter().map(|scope| scope.as_str()).collect();
        let detail = format!("this needs a token with the scope {}", names.join(" or "));
        let error = format!(
            ", error=\"insufficient_scope\", scope=\"{}\"",
            names.join(" ")
        );
        Err(refusal(Kind::Forbidden, detail, &error).into())
    }
}

/// The token that a request presents. More than one header is as good as none: a proxy may have read the other one.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_matches(' '))
}

fn refusal(kind: Kind, detail: impl Into<String>, parameters: &str) -> Response {
    let mut response = Problem::new(kind, detail).into_response();
    let challenge = format!("{CHALLENGE}{parameters}");
    let challenge =
        HeaderValue::from_str(&challenge).unwrap_or_else(|_| HeaderValue::from_static(CHALLENGE));
    let headers = response.headers_mut();
    headers.insert(header::WWW_AUTHENTICATE, challenge);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "oms_0123456789abcdefghijklmnopqrstuv";
    const TWO: &str = "kanarie7-0123456789abcdefghijklmnopq==";

    fn parse(text: &str) -> Result<Tokens, TokensError> {
        Tokens::parse(Path::new("tokens"), text.as_bytes())
    }

    #[test]
    fn a_file_lists_tokens_with_their_scopes() {
        let text =
            format!("# Front end\n{ONE} orders # web\n\n  {TWO}\tstock,internal\r\n# the end");
        let tokens = parse(&text).unwrap();
        let of = |scopes: &[Scope]| Some(scopes.iter().copied().collect::<Scopes>());
        assert_eq!(tokens.scopes(ONE.as_bytes()), of(&[Scope::Orders]));
        let two = of(&[Scope::Stock, Scope::Internal]);
        assert_eq!(tokens.scopes(TWO.as_bytes()), two);
        for unknown in ["", "oms_", &ONE[1..], &format!("{ONE}0"), "# Front end"] {
            assert_eq!(tokens.scopes(unknown.as_bytes()), None, "{unknown}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_file_and_line_without_the_token() {
        let long = "kanarie7".repeat(65);
        for (text, line, what) in [
            (format!("\n{} orders", &TWO[..31]), 2, "too short"),
            (format!("{long} orders"), 1, "too long"),
            (TWO.to_owned(), 1, "TOKEN SCOPE"),
            (format!("{TWO} orders stock"), 1, "TOKEN SCOPE"),
            (format!("{TWO} orders, stock"), 1, "TOKEN SCOPE"),
            (format!("{TWO} orders,"), 1, "unknown scope"),
            (format!("{TWO} admin"), 1, "unknown scope"),
            (format!("{TWO} kanarie7"), 1, "unknown scope"),
            (format!("{TWO}! orders"), 1, "A-Z"),
            (
                format!("{ONE} orders\n{TWO} stock\n{TWO} orders"),
                3,
                "line 2",
            ),
        ] {
            let error = parse(&text).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.starts_with(&format!("tokens:{line}: ")), "{shown}");
            assert!(shown.contains(what), "{shown}");
            assert!(!shown.contains("kanarie7"), "{shown}");
        }
        assert!(matches!(parse("# none\n"), Err(TokensError::Empty(_))));
        let many: Vec<String> = (0..=TOKENS_MAX)
            .map(|number| format!("{number:032} orders"))
            .collect();
        let error = parse(&many.join("\n")).unwrap_err().to_string();
        assert!(error.starts_with("tokens:1001: too many"), "{error}");
        let bytes = b"\xffkanarie7 orders";
        let error = Tokens::parse(Path::new("tokens"), bytes).unwrap_err();
        assert!(!error.to_string().contains("kanarie7"), "{error}");
    }

    #[test]
    fn new_tokens_are_long_random_and_fit_for_a_file() {
        let (one, two) = (new_token().unwrap(), new_token().unwrap());
        assert_ne!(one, two);
        assert!(one.starts_with(TOKEN_PREFIX) && one.len() >= 43, "{one}");
        assert!(parse(&format!("{one} orders\n{two} stock,internal")).is_ok());
    }

    #[test]
    fn a_request_presents_one_bearer_token() {
        let presents = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            presented(&headers).map(str::to_owned)
        };
        assert_eq!(presents(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(presents(&["bearer  abc "]).as_deref(), Some("abc"));
        for values in [
            &[][..],
            &["Basic abc"],
            &["Bearer"],
            &["abc"],
            &["Bearer a", "Bearer a"],
        ] {
            assert_eq!(presents(values), None, "{values:?}");
        }
    }
}
