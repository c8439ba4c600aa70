//! Corrections of stock in the middle of a storm, as people write them: `3s:SKU-00001:+50`, or `3s:top10:-5`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::domain::{Sku, format_duration, parse_duration};

/// The most wanted items that one correction can mean.
pub const TOP_MAX: usize = 1_000;

/// A correction to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restock {
    /// When, from the beginning of the run.
    pub at: Duration,
    /// Of which items.
    pub which: Which,
    /// By how many units each, up or down; never 0.
    pub by: i64,
}

/// Which items are corrected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// This one.
    One(Sku),
    /// So many of the most wanted.
    Top(usize),
}

impl fmt::Display for Restock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", format_duration(self.at))?;
        match &self.which {
            Which::One(sku) => write!(f, "{sku}")?,
            Which::Top(most) => write!(f, "top{most}")?,
        }
        write!(f, ":{:+}", self.by)
    }
}

impl FromStr for Restock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once(':').and_then(|(at, rest)| {
            // A SKU may have a colon in it.
            rest.rsplit_once(':').map(|(which, by)| (at, which, by))
        });
        let Some((at, which, by)) = parts else {
            return Err(format!(
                "`{text}` is not a correction: write when, what and how much, such as 3s:SKU-00001:+50 or 3s:top10:-5"
            ));
        };
        let by = match by.parse() {
            Ok(0) | Err(_) => {
                return Err(format!(
                    "`{by}` is not a number of units, up or down; write +50 or -5"
                ));
            }
            Ok(by) => crate::catalogue::check_stock(i64::saturating_abs(by)).map(|_| by)?,
        };
        Ok(Self {
            at: parse_duration(at).map_err(|error| error.to_string())?,
            which: which.parse()?,
            by,
        })
    }
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(most) = text.strip_prefix("top")
            && let Ok(most) = most.parse::<usize>()
        {
            return if (1..=TOP_MAX).contains(&most) {
                Ok(Self::Top(most))
            } else {
                Err(format!("top1 to top{TOP_MAX} are allowed"))
            };
        }
        Sku::new(text)
            .map(Self::One)
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_says_when_what_and_how_much() {
        for text in ["3s:SKU-00001:+50", "500ms:top10:-5", "0s:a:b:+1"] {
            assert_eq!(text.parse::<Restock>().unwrap().to_string(), text);
        }
        assert_eq!("3s:top2:7".parse::<Restock>().unwrap().by, 7);
        for text in [
            "3s",
            "3s:A",
            "A:+5",
            "3:A:5",
            "3s::5",
            "3s:A:0",
            "3s:A:x",
            "3s:top0:5",
            "3s:top5000:5",
            "3s:A:99999999999999999",
        ] {
            assert!(text.parse::<Restock>().is_err(), "{text}");
        }
    }
}
