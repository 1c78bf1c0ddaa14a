//! A client that does one thing after the other, whose messages may be lost or late; and what its
//! keys may hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ringshift::record::Record;
use ringshift::store::{Change, Content, MemoryShard};
use ringshift::{
    Attempt, AttemptId, AttemptKind, Failure, Instant, Operation, OperationError, Outcome, Payload,
    Plan, Policy, Reply, Router, ShardId, Snapshot, Step,
};

use super::super::input::Input;

const KEYS: [&[u8]; 4] = [b"a", b"t:1", b"p:1", b"zz"];

type Shards = BTreeMap<ShardId, MemoryShard>;
/// What a key holds: the number of the write, or nothing.
type Value = Option<u16>;
/// A value, and the write that made it.
type Row = (Value, [u8; 16]);

/// What a key may hold.
#[derive(Default)]
struct Known {
    /// What was acknowledged or read last.
    settled: Value,
    /// Writes whose outcome nobody knows, and that nobody has seen yet.
    pending: BTreeSet<Value>,
}

struct Work {
    key: usize,
    /// What is written; `None` for a read.
    writes: Option<Value>,
    name: u16,
    operation: Operation,
    found: Vec<(AttemptId, Row)>,
}

#[derive(Clone)]
struct Letter {
    attempt: Attempt,
    key: usize,
    row: Row,
}

pub(crate) struct Client {
    /// The map that it has, which is nobody's business to keep fresh.
    map: Arc<Router>,
    work: Option<Work>,
    late: Vec<Letter>,
    known: [Known; KEYS.len()],
    names: u16,
}

fn name(name: u16) -> [u8; 16] {
    let mut op = [0; 16];
    op[..2].copy_from_slice(&name.to_be_bytes());
    op
}

impl Client {
    pub(crate) fn new(snapshot: &Arc<Snapshot>) -> Self {
        Self {
            map: Arc::new(Router::new(Arc::clone(snapshot))),
            work: None,
            late: Vec::new(),
            known: Default::default(),
            names: 0,
        }
    }

    fn plan(&self, key: usize) -> Plan {
        let routing = self.map.keyspace("k").unwrap();
        routing.plan(KEYS[key]).unwrap()
    }

    pub(crate) fn happens(
        &mut self,
        kind: u8,
        now: Instant,
        shards: &mut Shards,
        record: &Record,
        input: &mut Input<'_>,
    ) {
        match kind {
            0 if self.work.is_none() => {
                let key = input.below(KEYS.len());
                let writes = match input.below(4) {
                    0 => None,
                    1 => Some(None),
                    _ => Some(Some(self.names + 1)),
                };
                self.begin(key, writes, now);
            }
            0 | 1 => self.step(now, shards, record, Fate::Arrives),
            2 => self.step(
                now,
                shards,
                record,
                [Fate::Lost, Fate::Unheard][input.below(2)],
            ),
            3 => self.step(now, shards, record, Fate::Late),
            _ if self.late.is_empty() => self.step(now, shards, record, Fate::Arrives),
            _ => {
                let at = input.below(self.late.len());
                let letter = self.late.swap_remove(at);
                deliver(&letter, now, shards);
            }
        }
    }

    fn begin(&mut self, key: usize, writes: Option<Value>, now: Instant) {
        self.names += 1;
        let policy = Policy {
            deadline_ms: 2_000,
            attempt_ms: 100,
            ..Policy::default()
        };
        let plan = self.plan(key);
        let operation = match writes {
            None => Operation::read(plan, policy, now),
            Some(_) => Operation::write(plan, policy, now),
        };
        self.work = Some(Work {
            key,
            writes,
            name: self.names,
            operation,
            found: Vec::new(),
        });
    }

    /// What the operation wants next; `fate` is what becomes of a letter.
    fn step(&mut self, now: Instant, shards: &mut Shards, record: &Record, fate: Fate) {
        let Some(mut work) = self.work.take() else {
            return;
        };
        match work.operation.poll() {
            Step::Send(attempt) => {
                let letter = work.letter(attempt);
                let (mut reply, mut row) = (Reply::Failed(Failure::MaybeApplied), None);
                match fate {
                    Fate::Arrives => (reply, row) = deliver(&letter, now, shards),
                    Fate::Unheard => drop(deliver(&letter, now, shards)),
                    Fate::Lost => {}
                    Fate::Late => self.late.push(letter),
                }
                if attempt.blocking {
                    work.found.extend(row.map(|row| (attempt.id, row)));
                    work.operation.handle_reply(now, attempt.id, reply).unwrap();
                }
            }
            Step::Refresh { .. } => {
                let newer = self.map.successor(Arc::clone(&record.snapshot)).unwrap();
                if let Some(newer) = newer {
                    self.map = Arc::new(newer);
                }
                work.operation.handle_snapshot(now, self.plan(work.key));
            }
            Step::Wait { until } if until <= now => work.operation.handle_timeout(now),
            Step::Wait { .. } => {}
            Step::Done(outcome) => return self.known[work.key].learns(&work, outcome),
        }
        self.work = Some(work);
    }

    /// Ends what was begun, with nothing lost.
    pub(crate) fn finish(&mut self, now: &mut Instant, shards: &mut Shards, record: &Record) {
        for _ in 0..10_000 {
            if self.work.is_none() {
                return;
            }
            self.step(*now, shards, record, Fate::Arrives);
            *now = now.after(1);
        }
        panic!("an operation without an end");
    }

    /// Late letters are still on their way; then every key is looked at.
    pub(crate) fn read_all(&mut self, now: &mut Instant, shards: &mut Shards, record: &Record) {
        for letter in std::mem::take(&mut self.late) {
            deliver(&letter, *now, shards);
        }
        for key in 0..KEYS.len() {
            self.begin(key, None, *now);
            self.finish(now, shards, record);
        }
    }
}

#[derive(Clone, Copy)]
enum Fate {
    Arrives,
    /// It arrives; its reply doesn't.
    Unheard,
    Lost,
    /// It arrives when nobody waits for it any more.
    Late,
}

fn deliver(letter: &Letter, now: Instant, shards: &mut Shards) -> (Reply, Option<Row>) {
    let (value, op) = letter.row;
    let bytes = value.map(u16::to_be_bytes);
    let bytes = bytes.as_ref().map(|bytes| &bytes[..]);
    let content = match letter.attempt.kind {
        AttemptKind::Read => Content::None,
        AttemptKind::Apply {
            payload: Payload::FoundBy(_),
            ..
        } => Content::Row { value: bytes, op },
        _ => Content::Own {
            change: bytes.map_or(Change::Delete, Change::Put),
            op,
        },
    };
    let shard = shards.get_mut(&letter.attempt.shard).unwrap();
    shard.handle_time(now.as_millis());
    let response = shard.attempt(&letter.attempt, KEYS[letter.key], content);
    let row = response.found.map(|found| {
        let value = found.value.map(|bytes| {
            let [high, low] = bytes[..] else {
                panic!("nobody wrote {bytes:?}");
            };
            u16::from_be_bytes([high, low])
        });
        (value, found.op)
    });
    (response.reply, row)
}

impl Work {
    fn letter(&self, attempt: Attempt) -> Letter {
        let own = (self.writes.unwrap_or_default(), name(self.name));
        let found = |id| self.found.iter().find(|(found, _)| *found == id);
        let row = attempt
            .found_by()
            .map_or(own, |id| found(id).map(|(_, row)| *row).unwrap());
        Letter {
            attempt,
            key: self.key,
            row,
        }
    }
}

impl Known {
    fn learns(&mut self, work: &Work, outcome: Outcome) {
        match (outcome, work.writes) {
            (Outcome::Value { from, .. }, None) => {
                let row = work.found.iter().find(|(id, _)| *id == from);
                self.saw(row.unwrap().1.0);
            }
            (Outcome::Missing, None) => self.saw(None),
            (Outcome::Written { .. }, Some(value)) => self.settled = value,
            (Outcome::Failed(OperationError::Indeterminate { .. }), Some(value)) => {
                self.pending.insert(value);
            }
            // Nothing was changed.
            (Outcome::Failed(_), _) => {}
            (outcome, _) => panic!("{outcome:?} of {:?}", work.writes),
        }
    }

    fn saw(&mut self, value: Value) {
        if value == self.settled {
            return;
        }
        let was_pending = self.pending.contains(&value);
        assert!(
            was_pending,
            "read {value:?}; it holds {:?}, or one of {:?}",
            self.settled, self.pending
        );
        // Deletes look alike, so another may still come.
        if value.is_some() {
            self.pending.remove(&value);
        }
        self.settled = value;
    }
}
