//! An order's story in sentences.

use crate::cli::Table;
use crate::domain::{Order, OrderState, Reason, Status, format_duration};
use crate::flow::OrderStory;

use super::view::was_blocked;

/// A reason in words.
pub(super) const fn explain(reason: Reason) -> &'static str {
    match reason {
        Reason::SoldOut => "not enough was left, and nothing was held by others",
        Reason::Held => "all that was left was held by other buyers",
        Reason::UnknownSku => "the catalogue does not have the item",
        Reason::Limit => "the cart is worth more than an amount can say",
        Reason::Declined => "the payment was declined",
        Reason::Expired => "the hold ran out before a payment succeeded",
        Reason::GaveUp => "nobody decided it in time; is a worker running?",
        Reason::Cancelled => "the buyer cancelled it",
        Reason::NegativeInventory => {
            "a correction had taken the stock away under the blocked items"
        }
        Reason::MissingOrder => "a payment was captured for an order the database did not know",
        Reason::AmountMismatch => "the gateway captured another amount than the order's",
        Reason::IdConflict => "its id had been used with another cart",
        Reason::Poison => "its message could not be processed; see `oms dead-letters list`",
    }
}

/// The whole story, a sentence per line.
pub(super) fn story(story: &OrderStory) -> Vec<String> {
    let mut told = vec![];
    let view = &story.view;
    if let Some(order) = &view.order {
        told.push(accepted(order));
        told.push(decided(order, story));
        if let Some(outcome) = blocked_or_refused(order) {
            told.push(outcome);
        }
    } else {
        let accepted = (story.history.iter())
            .find(|change| change.status == Status::Init)
            .map_or_else(String::new, |change| format!(" at {}", change.at));
        told.push(format!("Order {} was accepted{accepted}.", view.order_id));
        told.push(format!(
            "It is {} and the database has not decided it: a worker does that (`oms worker`).",
            view.status
        ));
    }
    told.extend(payments(story));
    if let Some(order) = &view.order {
        told.push(ending(order));
    }
    told.extend(refund(story));
    told
}

fn accepted(order: &Order) -> String {
    let customer = match &order.customer {
        Some(customer) => format!(" of {customer}"),
        None => String::new(),
    };
    let lines: Vec<String> = order
        .lines
        .iter()
        .map(|line| format!("{} × {}", line.quantity, line.sku))
        .collect();
    let what = match lines.as_slice() {
        [] => String::new(),
        shown if shown.len() <= 10 => format!(": {}", lines.join(", ")),
        _ => format!(
            ": {} and {} more lines",
            lines[..10].join(", "),
            lines.len() - 10
        ),
    };
    format!(
        "Order {}{customer} was accepted at {}{what}.",
        order.order_id, order.accepted_at
    )
}

fn decided(order: &Order, story: &OrderStory) -> String {
    let after = format_duration(order.decided_at.since(order.accepted_at));
    let Some(batch) = order.batch else {
        return format!(
            "No worker decided it; it was written off at {}, after {after}.",
            order.decided_at
        );
    };
    let of = (story.story.as_ref().and_then(|story| story.batch.as_ref()))
        .map_or_else(String::new, |row| {
            format!(" of {} ({} of them blocked)", row.orders, row.blocked)
        });
    format!(
        "The worker decided it {after} later, at {}, in batch {} as cart {}{of}.",
        order.decided_at,
        batch.id,
        batch.position + 1
    )
}

fn blocked_or_refused(order: &Order) -> Option<String> {
    if was_blocked(order) {
        return Some(format!(
            "All its items were there and were blocked until {}, for {}.",
            order.hold_until, order.amount
        ));
    }
    let reason = order.reason?;
    let short = order
        .lines
        .iter()
        .find(|line| line.available_before < line.quantity.units());
    let numbers = match short {
        Some(line) if order.batch.is_some() => format!(
            " ({} of {} were asked for, {} were available)",
            line.quantity, line.sku, line.available_before
        ),
        _ => String::new(),
    };
    Some(format!(
        "It failed as {reason}: {}{numbers}.",
        explain(reason)
    ))
}

fn payments(story: &OrderStory) -> Vec<String> {
    let blocked = story.view.order.as_ref().is_some_and(was_blocked);
    if story.attempts.is_empty() && blocked {
        return vec!["The gateway tells of no attempt to pay.".to_owned()];
    }
    story
        .attempts
        .iter()
        .map(|attempt| format!("Gateway, {}: {}.", attempt.at, attempt.outcome))
        .collect()
}

fn ending(order: &Order) -> String {
    let Some(at) = order.settled_at else {
        return match order.state {
            OrderState::Blocked => "It is not settled yet: its items are held for it.".to_owned(),
            OrderState::Failed => "Nothing is blocked or owed for it.".to_owned(),
            OrderState::Placed => "It is placed.".to_owned(),
        };
    };
    match (order.state, order.reason) {
        (OrderState::Placed, _) => format!("It was placed at {at}: sold for {}.", order.amount),
        (_, Some(reason)) => format!(
            "It failed at {at} as {reason}: {}; its items went back.",
            explain(reason)
        ),
        _ => format!("It ended at {at}."),
    }
}

fn refund(story: &OrderStory) -> Option<String> {
    let refund = story.story.as_ref()?.refund.as_ref()?;
    Some(match refund.executed_at {
        Some(at) => format!(
            "{} were refunded at {at}, as {}; recorded at {}.",
            refund.amount, refund.reason, refund.recorded_at
        ),
        None => format!(
            "{} are owed back, as {}: recorded at {}, not executed yet; a worker does that.",
            refund.amount, refund.reason, refund.recorded_at
        ),
    })
}

/// The stock of each line before and after the decision.
pub(super) fn stock_table(order: &Order) -> Table {
    let mut table = Table::new(&[
        "sku",
        ">quantity",
        ">price",
        ">before",
        ">after",
        ">stock version",
    ]);
    let taken = was_blocked(order);
    for line in &order.lines {
        let before = line.available_before;
        let after = if taken {
            before - line.quantity.units()
        } else {
            before
        };
        table.row([
            line.sku.to_string(),
            line.quantity.to_string(),
            line.price.to_string(),
            before.to_string(),
            after.to_string(),
            line.stock_version.to_string(),
        ]);
    }
    table
}
