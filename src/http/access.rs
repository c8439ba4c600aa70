//! Who may use a route: the scopes of tokens, and the listeners that serve the route.

use std::fmt;
use std::str::FromStr;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Carts and orders: what a shop's front end needs.
    Orders,
    /// Catalogue, stock corrections, audit and metrics.
    Stock,
    /// The inventory service's reservations and batch endpoints, which decide orders without a payment.
    Internal,
}

impl Scope {
    /// Every scope, as help and errors list them.
    pub const ALL: [Self; 3] = [Self::Orders, Self::Stock, Self::Internal];

    /// Its name in token files, help and OpenAPI.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Stock => "stock",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that no scope has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope; known are orders, stock and internal")]
pub struct ScopeError;

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let scope = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        scope.ok_or(ScopeError)
    }
}

/// A set of scopes. No scope implies another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether the set has a scope.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// Whether the set has any of these scopes.
    pub fn contains_any(self, scopes: &[Scope]) -> bool {
        scopes.iter().any(|scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(
            scopes
                .into_iter()
                .fold(0, |set, scope| set | 1 << scope as u8),
        )
    }
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, on every listener.
    Public,
    /// Anyone who can reach the internal listener, if there is one: probes of an orchestrator cannot keep a secret.
    Probe,
    /// Whoever presents a token with at least one of these scopes.
    AnyOf(&'static [Scope]),
}

impl Access {
    /// Carts and orders.
    pub(super) const ORDERS: Self = Self::AnyOf(&[Scope::Orders]);
    /// Catalogue, corrections, metrics.
    pub(super) const STOCK: Self = Self::AnyOf(&[Scope::Stock]);
    /// Reading stock levels: a front end shows them, too.
    pub(super) const STOCK_LEVELS: Self = Self::AnyOf(&[Scope::Orders, Scope::Stock]);
    /// What changes stock or decides orders without a payment.
    pub(super) const INTERNAL: Self = Self::AnyOf(&[Scope::Internal]);

    /// The scopes of which a token needs one; empty if no token is needed.
    pub const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Public | Self::Probe => &[],
            Self::AnyOf(scopes) => scopes,
        }
    }

    /// Whether a listener has the route.
    pub fn is_served_by(self, side: Side) -> bool {
        match (side, self) {
            (Side::Both, _) | (_, Self::Public) | (Side::Internal, Self::Probe) => true,
            (Side::Public, Self::Probe) => false,
            (Side::Public, Self::AnyOf(scopes)) => scopes.contains(&Scope::Orders),
            (Side::Internal, Self::AnyOf(scopes)) => {
                scopes.iter().any(|scope| *scope != Scope::Orders)
            }
        }
    }
}

/// Which routes a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// All of them: there is one listener.
    Both,
    /// Those for clients of the order service: [`Access::Public`] and scope [`Scope::Orders`].
    Public,
    /// Those for operators and other oms processes: everything but carts and orders.
    Internal,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scope_implies_another_one() {
        for scope in Scope::ALL {
            let only: Scopes = [scope].into_iter().collect();
            let held: Vec<Scope> = Scope::ALL
                .into_iter()
                .filter(|other| only.contains(*other))
                .collect();
            assert_eq!(held, [scope]);
            assert_eq!(scope.as_str().parse(), Ok(scope));
        }
        assert!(!Scopes::default().contains_any(&Scope::ALL));
        for text in ["", "Orders", "orders ", "all"] {
            assert_eq!(text.parse::<Scope>(), Err(ScopeError), "{text}");
        }
    }

    #[test]
    fn each_listener_serves_its_side_only() {
        for (access, public, internal) in [
            (Access::Public, true, true),
            (Access::Probe, false, true),
            (Access::ORDERS, true, false),
            (Access::STOCK, false, true),
            (Access::STOCK_LEVELS, true, true),
            (Access::INTERNAL, false, true),
        ] {
            let served = [Side::Public, Side::Internal].map(|side| access.is_served_by(side));
            assert_eq!(served, [public, internal], "{access:?}");
            assert!(access.is_served_by(Side::Both));
        }
    }
}
