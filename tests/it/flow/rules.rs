//! One test or more per protocol rule; each fails when its rule is taken out. Rule 4 needs real processes.
//!
//! `settling` (1, 2, 11, 15), `knowing` (3, 8, 14, 16) and `deciding` (5 to 7, 9, 10, 12, 13) have what each rule says. The clauses
//! that only an unlucky moment shows are in files of their own: `money` (1, 2, 15), `sweeping` (1), `waiting` (3, 8, 16), `stock`
//! (5, 6, 7) and `setting_aside` (13).

mod deciding;
mod knowing;
mod money;
mod recovering;
mod setting_aside;
mod settling;
mod stock;
mod sweeping;
mod waiting;
