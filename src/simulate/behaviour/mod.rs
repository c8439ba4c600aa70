//! How buyers differ: shares of them do what a well-behaved one does not.

mod share;
mod traits;

pub use share::{Share, ShareOf, ShareOfError};
pub use traits::{Behaviour, Traits};
