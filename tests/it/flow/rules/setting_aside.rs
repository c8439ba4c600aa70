//! Rule 13 at unlucky moments: what cannot be decided is set aside in three steps, and each of them can fail.

use std::time::Duration;

use oms::domain::Reason;
use oms::flow::Placement;
use oms::queue::Queue;

use crate::faults::{Fault, Op};
use crate::flow::world::{BLOCKED, World, failed, until};
use crate::make::id;

#[tokio::test(start_paused = true)]
async fn rule_13_the_offset_moves_on_only_after_the_offender_is_set_aside() {
    for op in [Op::Settle, Op::DeadLetter, Op::Record] {
        for fault in [Fault::Unavailable, Fault::LostBefore, Fault::LostAfter] {
            let world = World::selling([("A", 9)]);
            let shop = world.process();
            for number in 1..=3 {
                shop.accept(number, [("A", 1)]).await;
            }
            let worker = {
                let mut worker = world.process();
                worker.faults.poison(id(2));
                worker.faults.always([op], &fault);
                worker.start_working();
                worker
            };
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert_eq!(
                world.queue.backlog().await.unwrap(),
                3,
                "the offset has moved on without {op:?} ({fault:?})"
            );
            worker.faults.always([op], &Fault::None);
            until("the next messages", || {
                world.inventory.state().letters.len() == 1
            })
            .await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(world.queue.backlog().await.unwrap(), 0);
            assert_eq!(world.state(2), failed(Reason::Poison), "{op:?} {fault:?}");
            assert_eq!((world.state(1), world.state(3)), (BLOCKED, BLOCKED));
            assert!(!world.queue.dead_letters().is_empty());
            assert_eq!(
                shop.place(2).await.unwrap(),
                Placement::Failed(Reason::Poison)
            );
            drop(worker);
            world.check_invariants().await;
        }
    }
}
