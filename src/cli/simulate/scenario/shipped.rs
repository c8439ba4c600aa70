//! The scenarios that are built in, by name.

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../scenarios/", $name, ".toml")))),+]
    };
}

/// Names and texts, in order.
pub(super) const SHIPPED: &[(&str, &str)] = shipped![
    "bots",
    "everyday",
    "flash-sale",
    "hot-cart",
    "last-unit",
    "payment-outage",
    "restock",
    "returning-buyers",
];
