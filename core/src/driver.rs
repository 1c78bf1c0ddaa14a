//! One loop over an [`Operation`], for any runtime: the I/O and the clock are handed in.
//!
//! It decides nothing. It sends what the operation says, waits for what it waits for, keeps what
//! replies have brought, and hands everything back in.

mod transact;

use alloc::vec::Vec;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

use crate::ids::{AttemptId, Epoch};
use crate::op::Operation;
use crate::route::Plan;
use crate::shadow::{Compared, Shadow, ShadowStep};
use crate::step::{Attempt, Outcome, Reply, Step};
use crate::time::Instant;

pub use transact::{TransactionEnvironment, drive_transaction};

/// What a driver needs of the world, for one operation on one key.
///
/// The key, and the caller's own write, are the implementor's: they never come here.
pub trait Environment {
    /// What a reply may bring along: a row's value, in whatever form.
    type Found;

    /// The time now, by a clock that never goes back.
    fn now(&self) -> Instant;

    /// Sends an attempt and waits for its reply. `found` is what the reply that the attempt's
    /// payload names has brought. Dropped when the operation waits for it no longer.
    fn send(
        &self,
        attempt: Attempt,
        found: Option<&Self::Found>,
    ) -> impl Future<Output = (Reply, Option<Self::Found>)>;

    /// Takes an attempt that nobody waits for: send it in the background, or after the answer.
    fn trail(&self, attempt: Attempt);

    /// Gets a snapshot past `newer_than` if there is one, and answers the key's plan by the newest
    /// at hand.
    fn refresh(&self, newer_than: Epoch) -> impl Future<Output = Plan>;

    /// The key's plan by the newest snapshot at hand. Cheap.
    fn newest(&self) -> Plan;

    /// Waits until `until`.
    fn sleep(&self, until: Instant) -> impl Future<Output = ()>;
}

/// How an operation ended, with what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driven<F> {
    /// The outcome.
    pub outcome: Outcome,
    /// For a value, what the reply brought that carried it; for a conflict, what was found.
    pub found: Option<F>,
    /// Attempts that were sent and waited for.
    pub attempts: u32,
    /// Refreshes that were asked for.
    pub refreshes: u32,
}

/// Drives `operation` to its end.
pub async fn drive<E: Environment>(operation: &mut Operation, world: &E) -> Driven<E::Found> {
    let mut found: Vec<(AttemptId, E::Found)> = Vec::new();
    let mut in_flight: Option<Attempt> = None;
    let mut conflict: Option<AttemptId> = None;
    let (mut attempts, mut refreshes) = (0, 0);
    loop {
        match operation.poll() {
            Step::Send(attempt) if attempt.blocking => {
                attempts += 1;
                in_flight = Some(attempt);
            }
            Step::Send(attempt) => world.trail(attempt),
            Step::Refresh { newer_than } => {
                refreshes += 1;
                let Step::Wait { until } = operation.poll() else {
                    continue;
                };
                let plan = first(world.refresh(newer_than), world.sleep(until)).await;
                match plan {
                    Some(plan) => operation.handle_snapshot(world.now(), plan),
                    None => operation.handle_timeout(world.now()),
                }
            }
            Step::Wait { until } => {
                let Some(attempt) = in_flight.take() else {
                    world.sleep(until).await;
                    operation.handle_snapshot(world.now(), world.newest());
                    operation.handle_timeout(world.now());
                    continue;
                };
                let payload = attempt.found_by().and_then(|id| get(&found, id));
                let reply = first(world.send(attempt, payload), world.sleep(until)).await;
                match reply {
                    Some((reply, brought)) => {
                        if let Reply::Conflict { .. } = reply {
                            conflict = Some(attempt.id);
                        }
                        if let Some(brought) = brought {
                            found.push((attempt.id, brought));
                        }
                        // One that isn't waited for any more changes nothing.
                        let _late = operation.handle_reply(world.now(), attempt.id, reply);
                    }
                    None => operation.handle_timeout(world.now()),
                }
            }
            Step::Done(outcome) => {
                let carrier = match outcome {
                    Outcome::Value { from, .. } => Some(from),
                    Outcome::Conflict { .. } => conflict,
                    Outcome::Missing | Outcome::Written { .. } | Outcome::Failed(_) => None,
                };
                let carrier = found.iter().position(|(id, _)| Some(*id) == carrier);
                let found = carrier.map(|at| found.swap_remove(at).1);
                return Driven {
                    outcome,
                    found,
                    attempts,
                    refreshes,
                };
            }
        }
    }
}

/// Drives a comparison to its end; `digest` answers the [`row_digest`](crate::row_digest) of what
/// a read has found.
pub async fn drive_shadow<E: Environment>(
    shadow: &mut Shadow,
    world: &E,
    digest: impl Fn(Reply, &E::Found) -> Option<u64>,
) -> Compared {
    loop {
        match shadow.poll() {
            ShadowStep::Send(attempt) => {
                let ShadowStep::Wait { until } = shadow.poll() else {
                    continue;
                };
                match first(world.send(attempt, None), world.sleep(until)).await {
                    Some((reply, found)) => {
                        let digest = found.and_then(|found| digest(reply, &found));
                        shadow.handle_reply(world.now(), attempt.id, reply, digest);
                    }
                    None => shadow.handle_timeout(world.now()),
                }
            }
            ShadowStep::Wait { until } => {
                world.sleep(until).await;
                shadow.handle_timeout(world.now());
            }
            ShadowStep::Done(compared) => return compared,
        }
    }
}

fn get<F>(found: &[(AttemptId, F)], id: AttemptId) -> Option<&F> {
    found
        .iter()
        .find(|(at, _)| *at == id)
        .map(|(_, found)| found)
}

/// What `work` gives, or `None` when `limit` is over first. Work that is ready wins.
async fn first<T>(work: impl Future<Output = T>, limit: impl Future<Output = ()>) -> Option<T> {
    let mut work = pin!(work);
    let mut limit = pin!(limit);
    poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Some(done));
        }
        limit.as_mut().poll(context).map(|()| None)
    })
    .await
}
