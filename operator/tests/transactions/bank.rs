//! A bank whose money neither comes nor goes: what shows half a transaction.

use ringshift::{PinError, TransactionError};
use ringshift_operator::client::{ClientKeyspace, Committed, TransactFailure, Tx};

pub(crate) const ACCOUNTS: usize = 5;
pub(crate) const TOTAL: u64 = 1_000;

/// The accounts of one bank, and the number of its transfers: keys with one routing part.
pub(crate) struct Bank {
    keys: Vec<Vec<u8>>,
}

pub(crate) type Outcome<T> = Result<Committed<T>, TransactFailure<PinError>>;

fn number(tx: &mut Tx<'_>, key: &[u8]) -> Result<u64, PinError> {
    let value = tx.get(key)?;
    Ok(value.map_or(0, |value| u64::from_le_bytes(value.try_into().unwrap())))
}

impl Bank {
    pub(crate) fn new(name: usize) -> Self {
        let key = |part| format!("{{bank{name}}}/{part}").into_bytes();
        let mut keys: Vec<Vec<u8>> = (0..ACCOUNTS).map(key).collect();
        keys.push(key(99));
        Self { keys }
    }

    pub(crate) fn keys(&self) -> Vec<&[u8]> {
        self.keys.iter().map(Vec::as_slice).collect()
    }

    pub(crate) fn open(&self, keyspace: &ClientKeyspace<'_>) {
        let opened: Outcome<()> = keyspace.transaction(&self.keys(), |tx| {
            tx.put(&self.keys[0], TOTAL.to_le_bytes())
        });
        opened.unwrap();
    }

    /// Moves a little from one account to another. An account that is empty has no row.
    pub(crate) fn transfer(&self, keyspace: &ClientKeyspace<'_>, n: u64) -> Outcome<()> {
        let place = |n: u64| usize::try_from(n).unwrap() % ACCOUNTS;
        let (from, to) = (place(n), place(n / 7 + n + 1));
        let keys = [&self.keys[from], &self.keys[to], &self.keys[ACCOUNTS]];
        if from == to {
            return keyspace.transaction(&[keys[2]], |tx| {
                let count = number(tx, keys[2])?;
                tx.put(keys[2], (count + 1).to_le_bytes())
            });
        }
        keyspace.transaction(&keys.map(Vec::as_slice), |tx| {
            let (have, there) = (number(tx, keys[0])?, number(tx, keys[1])?);
            let amount = (n % 50).min(have);
            if have == amount {
                tx.delete(keys[0])?;
            } else {
                tx.put(keys[0], (have - amount).to_le_bytes())?;
            }
            if there + amount > 0 {
                tx.put(keys[1], (there + amount).to_le_bytes())?;
            }
            let count = number(tx, keys[2])?;
            tx.put(keys[2], (count + 1).to_le_bytes())
        })
    }

    /// All the money, and the number of transfers, as one transaction sees them.
    pub(crate) fn audit(&self, keyspace: &ClientKeyspace<'_>) -> Outcome<(u64, u64)> {
        keyspace.transaction(&self.keys(), |tx| {
            let mut sum = 0;
            for key in &self.keys[..ACCOUNTS] {
                sum += number(tx, key)?;
            }
            Ok((sum, number(tx, &self.keys[ACCOUNTS])?))
        })
    }
}

/// What is known of a transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) done: u64,
    pub(crate) unknown: u64,
    pub(crate) refused: u64,
}

impl Tally {
    pub(crate) fn add<T: std::fmt::Debug>(&mut self, outcome: &Outcome<T>) {
        match outcome {
            Ok(_) => self.done += 1,
            Err(TransactFailure::Failed(TransactionError::Operation(error)))
                if error.code().as_str() == "indeterminate" =>
            {
                self.unknown += 1;
            }
            Err(TransactFailure::Failed(
                TransactionError::Conflict { .. }
                | TransactionError::Retryable { .. }
                | TransactionError::Operation(_),
            )) => self.refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
}
