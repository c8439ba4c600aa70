//! A catalogue made up from a seed.

use crate::domain::{Money, Sku};
use crate::inventory::NewItem;
use crate::rng::Rng;

/// The random stream of prices and names, so that other draws from the same seed do not move them.
const STREAM: u64 = 0x0063_6174_616c_6f67;

/// The cheapest and the dearest item, in minor units.
const PRICE_MINOR: (u64, u64) = (199, 19_999);

const FINISHES: [&str; 12] = [
    "Oak", "Copper", "Linen", "Slate", "Amber", "Ivory", "Cobalt", "Walnut", "Marble", "Olive",
    "Scarlet", "Silver",
];

const THINGS: [&str; 16] = [
    "Lantern", "Teapot", "Notebook", "Blanket", "Lamp", "Basket", "Candle", "Frame", "Mug",
    "Cushion", "Clock", "Vase", "Tray", "Stool", "Mirror", "Planter",
];

/// Items `SKU-00001` to `SKU-<items>` with `stock` units each. The same seed gives the same names and prices, and more
/// items never change the ones before.
pub fn synthetic(items: u32, stock: i64, seed: u64) -> Vec<NewItem> {
    let mut rng = Rng::stream(seed, STREAM);
    (1..=items)
        .map(|number| NewItem {
            sku: Sku::synthetic(number),
            name: name(&mut rng, number),
            price: price(&mut rng),
            stock,
        })
        .collect()
}

fn name(rng: &mut Rng, number: u32) -> String {
    let mut pick = |words: &[&'static str]| {
        let last = words.len() as u64 - 1;
        words[usize::try_from(rng.between(0, last)).unwrap_or(0)]
    };
    format!("{} {} No. {number}", pick(&FINISHES), pick(&THINGS))
}

fn price(rng: &mut Rng) -> Money {
    let minor = rng.between(PRICE_MINOR.0, PRICE_MINOR.1);
    i64::try_from(minor)
        .ok()
        .and_then(|minor| Money::new(minor).ok())
        .unwrap_or(Money::ZERO)
}
