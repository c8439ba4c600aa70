//! How the lines of an order are packed into its row: JSON, which SQL can unpack.

use crate::domain::{Money, OrderLine, Quantity, Sku};

/// One line as it is packed: SKU, quantity, price, available before, stock version.
type Packed = (Sku, Quantity, Money, i64, u64);

/// Packs lines: `[[sku, quantity, price, available before, stock version], ...]`.
pub(super) fn pack(lines: &[OrderLine]) -> String {
    let packed: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                &line.sku,
                line.quantity,
                line.price,
                line.available_before,
                line.stock_version,
            )
        })
        .collect();
    serde_json::to_string(&packed).expect("strings and numbers always serialise")
}

/// Unpacks what [`pack`] packed.
pub(super) fn unpack(text: &str) -> Result<Vec<OrderLine>, serde_json::Error> {
    let packed: Vec<Packed> = serde_json::from_str(text)?;
    let line = |(sku, quantity, price, available_before, stock_version)| OrderLine {
        sku,
        quantity,
        price,
        available_before,
        stock_version,
    };
    Ok(packed.into_iter().map(line).collect())
}
