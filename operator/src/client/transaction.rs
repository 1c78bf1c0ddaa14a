//! Several keys of one shard, changed together.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant as Clock;

use parking_lot::Mutex;
use ringshift::driver::{TransactionEnvironment, drive_transaction};
use ringshift::{
    AttemptId, AttemptKind, Batch, BatchReply, Epoch, Failure, Instant, PinError, Pinned, Policy,
    Reply, Transaction, TransactionError, TransactionOutcome, Use, Version,
};

use crate::client::keyspace::{ClientKeyspace, block_on};
use crate::client::{is_silent, sleep_until};
use crate::runner::micros;
use crate::store::{Change, Content, Found, OperationKey};

/// A transaction that is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed<T> {
    /// What the caller's work gave, the last time.
    pub value: T,
    /// The version that each key was given, in the order of the keys; `None` for one that wasn't
    /// written.
    pub versions: Vec<Option<Version>>,
    /// Whether a mirror hadn't confirmed it by then; catch-up will carry it.
    pub lagging: bool,
    /// How often the work was done.
    pub runs: u32,
}

/// Why a transaction isn't committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactFailure<E> {
    /// The work said no: nothing was changed.
    Work(E),
    /// It failed.
    Failed(TransactionError),
}

impl<E: fmt::Display> fmt::Display for TransactFailure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Work(error) => error.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for TransactFailure<E> {}

/// The keys of a transaction, as its work sees them: what was read, with its own changes.
#[derive(Debug)]
pub struct Tx<'w> {
    places: &'w BTreeMap<&'w [u8], usize>,
    rows: Vec<Row>,
}

#[derive(Clone, Debug, Default)]
struct Row {
    found: Option<Found>,
    version: Option<Version>,
    used: Use,
    own: Own,
}

/// What is to become of a row.
#[derive(Clone, Debug, Default)]
enum Own {
    #[default]
    Keep,
    Put(Vec<u8>),
    Delete,
}

impl Tx<'_> {
    /// The value of a key, `None` when there is no row; a change of one's own is seen.
    ///
    /// # Errors
    /// [`PinError::NotNamed`] for a key that the transaction wasn't begun with.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<&[u8]>, PinError> {
        let row = self.row(key)?;
        match &row.own {
            Own::Put(value) => Ok(Some(value)),
            Own::Delete => Ok(None),
            Own::Keep => {
                row.used.read = true;
                Ok(row.found.as_ref().and_then(|found| found.value.as_deref()))
            }
        }
    }

    /// The version of the row that was read, `None` when there is none.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn version(&mut self, key: &[u8]) -> Result<Option<Version>, PinError> {
        let row = self.row(key)?;
        row.used.read = true;
        Ok(row.version)
    }

    /// Puts a value.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn put(&mut self, key: &[u8], value: impl Into<Vec<u8>>) -> Result<(), PinError> {
        self.write(key, Own::Put(value.into()))
    }

    /// Deletes the row.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn delete(&mut self, key: &[u8]) -> Result<(), PinError> {
        self.write(key, Own::Delete)
    }

    fn write(&mut self, key: &[u8], own: Own) -> Result<(), PinError> {
        let row = self.row(key)?;
        row.used.write = true;
        row.own = own;
        Ok(())
    }

    fn row(&mut self, key: &[u8]) -> Result<&mut Row, PinError> {
        let place = self.places.get(key).copied();
        let row = place.and_then(|place| self.rows.get_mut(place));
        row.ok_or(PinError::NotNamed)
    }
}

impl ClientKeyspace<'_> {
    /// Reads and changes several keys of one shard together: all of it, or nothing.
    ///
    /// `work` sees all keys as they were at one moment, and may be called again, with new reads,
    /// when a key was changed or rerouted before the commit. An error of its own changes nothing.
    ///
    /// # Errors
    /// [`TransactFailure`].
    pub fn transaction<T, E>(
        &self,
        keys: &[&[u8]],
        work: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<Committed<T>, TransactFailure<E>> {
        let client = self.client;
        let began = Clock::now();
        let (number, op) = client.next_operation();
        let policy = Policy {
            seed: client.name ^ number,
            ..client.policy
        };
        let world = World {
            keyspace: self,
            keys,
            places: keys.iter().copied().zip(0..).collect(),
            op,
            rows: Mutex::default(),
            work: Mutex::new(work),
            worked: Mutex::new((0, None)),
        };
        let pinned = world
            .pin()
            .map_err(|error| TransactFailure::Failed(error.into()))?;
        let mut transaction = Transaction::new(pinned, policy, true, client.now());
        let outcome = block_on(drive_transaction(&mut transaction, &world));
        // Somebody else's change is an answer, as it is for a put-if.
        let failed = match &outcome {
            TransactionOutcome::Failed(TransactionError::Conflict { .. })
            | TransactionOutcome::Done { .. }
            | TransactionOutcome::RolledBack => false,
            TransactionOutcome::Failed(_) => true,
        };
        let took = micros(began.elapsed());
        let mut pulse = client.pulse.lock();
        pulse.handle_operation(client.now(), took, failed);
        drop(pulse);
        let (runs, worked) = world.worked.into_inner();
        match (outcome, worked) {
            (TransactionOutcome::Failed(error), _) => Err(TransactFailure::Failed(error)),
            (_, Some(Err(error))) => Err(TransactFailure::Work(error)),
            (TransactionOutcome::Done { versions, lagging }, Some(Ok(value))) => Ok(Committed {
                value,
                versions,
                lagging,
                runs,
            }),
            // Nothing ends so before the work was done.
            _ => Err(TransactFailure::Failed(TransactionError::Retryable {
                last: None,
            })),
        }
    }
}

struct World<'w, W, T, E> {
    keyspace: &'w ClientKeyspace<'w>,
    keys: &'w [&'w [u8]],
    places: BTreeMap<&'w [u8], usize>,
    op: OperationKey,
    /// What was read, and is to be written.
    rows: Mutex<Vec<Row>>,
    work: Mutex<W>,
    worked: Mutex<(u32, Option<Result<T, E>>)>,
}

impl<W, T, E> World<'_, W, T, E> {
    fn deliver(&self, batch: &Batch) -> BatchReply {
        let client = self.keyspace.client;
        let store = client.stores.read().get(&batch.shard).cloned();
        let Some(store) = store else {
            return BatchReply::Failed(Failure::NotSent);
        };
        let mut rows = self.rows.lock();
        let requests = batch.parts.iter().map(|part| {
            let key = self.keys.get(part.key).copied().unwrap_or_default();
            let content = match (part.attempt.kind, rows.get(part.key)) {
                (AttemptKind::Read, _) | (_, None) => Content::None,
                (_, Some(row)) => row.content(part.attempt.found_by().is_some(), self.op),
            };
            (key, content)
        });
        let requests: Vec<_> = requests.collect();
        let began = Clock::now();
        let response = store.batch(batch, &requests);
        let took = micros(began.elapsed());
        let failed = matches!(response.reply, BatchReply::Failed(failure) if is_silent(failure));
        let mut pulse = client.pulse.lock();
        pulse.handle_request(client.now(), batch.shard, took, failed);
        drop(pulse);
        if let (BatchReply::Done(replies), true) = (&response.reply, batch.begins()) {
            let read = replies.iter().zip(response.found);
            *rows = read
                .map(|(reply, found)| Row::read(*reply, found))
                .collect();
        }
        response.reply
    }
}

impl Row {
    fn read(reply: Reply, found: Option<Found>) -> Self {
        let version = match reply {
            Reply::Found { version } => Some(version),
            _ => None,
        };
        Self {
            found,
            version,
            ..Self::default()
        }
    }

    /// What goes with a request: the row as it was read, or what is to become of it.
    fn content(&self, as_read: bool, op: OperationKey) -> Content<'_> {
        match (&self.found, &self.own) {
            (Some(found), _) if as_read => Content::Row {
                value: found.value.as_deref(),
                op: found.op,
            },
            (_, Own::Put(value)) => Content::Own {
                change: Change::Put(value),
                op,
            },
            (_, Own::Delete) => Content::Own {
                change: Change::Delete,
                op,
            },
            (_, Own::Keep) => Content::None,
        }
    }
}

impl<W, T, E> TransactionEnvironment for World<'_, W, T, E>
where
    W: FnMut(&mut Tx<'_>) -> Result<T, E>,
{
    fn now(&self) -> Instant {
        self.keyspace.client.now()
    }

    async fn send(&self, batch: &Batch) -> BatchReply {
        self.deliver(batch)
    }

    fn trail(&self, batch: Batch) {
        // Nobody waits for it; catch-up carries what it can't.
        self.deliver(&batch);
    }

    async fn work(&self, _found_by: AttemptId) -> Option<Vec<Use>> {
        let mut tx = Tx {
            places: &self.places,
            rows: self.rows.lock().clone(),
        };
        let result = (self.work.lock())(&mut tx);
        let mut worked = self.worked.lock();
        let uses = result
            .is_ok()
            .then(|| tx.rows.iter().map(|row| row.used).collect());
        *worked = (worked.0 + 1, Some(result));
        *self.rows.lock() = tx.rows;
        uses
    }

    async fn refresh(&self, newer_than: Epoch) -> Result<Pinned, PinError> {
        self.keyspace.client.refresh(newer_than);
        self.newest()
    }

    fn newest(&self) -> Result<Pinned, PinError> {
        self.pin()
    }

    async fn sleep(&self, until: Instant) {
        sleep_until(self.keyspace.client, until);
    }
}

impl<W, T, E> World<'_, W, T, E> {
    fn pin(&self) -> Result<Pinned, PinError> {
        let router = self.keyspace.client.router();
        match router.keyspace_at(self.keyspace.id) {
            Some(keyspace) => keyspace.transaction(self.keys),
            // Keyspaces are never taken away; the number came from a router of this cluster.
            None => Err(PinError::Empty),
        }
    }
}
