//! The same loop over a [`Transaction`].

use core::future::Future;

use crate::driver::first;
use crate::ids::{AttemptId, Epoch};
use crate::pin::{PinError, Pinned};
use crate::time::Instant;
use crate::transaction::{
    Batch, BatchReply, Transaction, TransactionOutcome, TransactionStep, Use,
};

/// What a driver needs of the world, for one transaction.
///
/// Keys and values are the implementor's. What a batch has found stays there too: a later batch
/// names it by the batch and the key's place.
pub trait TransactionEnvironment {
    /// The time now, by a clock that never goes back.
    fn now(&self) -> Instant;

    /// Sends a batch and waits for its reply. Dropped when it is waited for no longer.
    fn send(&self, batch: &Batch) -> impl Future<Output = BatchReply>;

    /// Takes a batch that nobody waits for.
    fn trail(&self, batch: Batch);

    /// The caller's turn, with what the batch `found_by` has found. Answers what it did with each
    /// key, or `None` to change nothing.
    fn work(&self, found_by: AttemptId) -> impl Future<Output = Option<alloc::vec::Vec<Use>>>;

    /// Gets a snapshot past `newer_than` if there is one, and pins the keys by the newest at hand.
    fn refresh(&self, newer_than: Epoch) -> impl Future<Output = Result<Pinned, PinError>>;

    /// The keys pinned by the newest snapshot at hand.
    ///
    /// # Errors
    /// [`PinError`], when they can't be any more.
    fn newest(&self) -> Result<Pinned, PinError>;

    /// Waits until `until`.
    fn sleep(&self, until: Instant) -> impl Future<Output = ()>;
}

/// Drives `transaction` to its end.
pub async fn drive_transaction<E: TransactionEnvironment>(
    transaction: &mut Transaction,
    world: &E,
) -> TransactionOutcome {
    let mut in_flight: Option<Batch> = None;
    loop {
        match transaction.poll() {
            TransactionStep::Send(batch) if batch.blocking => in_flight = Some(batch),
            TransactionStep::Send(batch) => world.trail(batch),
            TransactionStep::Work { found_by } => match world.work(found_by).await {
                Some(uses) => transaction.commit(world.now(), uses),
                None => transaction.roll_back(),
            },
            TransactionStep::Refresh { newer_than } => {
                let TransactionStep::Wait { until } = transaction.poll() else {
                    continue;
                };
                let pinned = first(world.refresh(newer_than), world.sleep(until)).await;
                match pinned {
                    Some(pinned) => transaction.handle_snapshot(world.now(), pinned),
                    None => transaction.handle_timeout(world.now()),
                }
            }
            TransactionStep::Wait { until } => {
                let Some(batch) = in_flight.take() else {
                    world.sleep(until).await;
                    transaction.handle_snapshot(world.now(), world.newest());
                    transaction.handle_timeout(world.now());
                    continue;
                };
                match first(world.send(&batch), world.sleep(until)).await {
                    Some(reply) => {
                        // One that isn't waited for any more changes nothing.
                        let _late = transaction.handle_reply(world.now(), batch.id, reply);
                    }
                    None => transaction.handle_timeout(world.now()),
                }
            }
            TransactionStep::Done(outcome) => return outcome,
        }
    }
}
