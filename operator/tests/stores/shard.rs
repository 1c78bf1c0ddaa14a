//! A shard to ask: any store, with short ways to say what is meant.

use ringshift::migration::command::{Answer, ChunkId, Command};
use ringshift::{
    Attempt, AttemptId, AttemptKind, Claim, DomainId, Epoch, Fence, GuardRow, InstallRow,
    KeyspaceId, Match, Payload, Reply, Revision, Role, ShardId, Slot, SlotRange, Term, Version,
    hash,
};
use ringshift_operator::store::{
    Change, Chunks, Content, MemoryStore, OperationKey, Response, SqliteStore, Store,
};

use crate::sql::SqlStore;

pub(crate) const K: KeyspaceId = KeyspaceId(0);
pub(crate) const BITS: u8 = 4;
pub(crate) const HOME: DomainId = DomainId(1);
pub(crate) const WAVE: DomainId = DomainId(2);
pub(crate) const TERM: Term = Term(1);
pub(crate) const SHARD: ShardId = ShardId(1);

pub(crate) fn e(epoch: u32) -> Epoch {
    Epoch::new(epoch).unwrap()
}

pub(crate) fn v(epoch: u32, counter: u32) -> Version {
    Version::new(e(epoch), counter)
}

pub(crate) fn op(n: u64) -> OperationKey {
    let mut key = [7; 16];
    key[..8].copy_from_slice(&n.to_le_bytes());
    key
}

pub(crate) fn all_slots() -> Claim {
    Claim::Slots(vec![SlotRange {
        start: 0,
        end: 1 << BITS,
    }])
}

/// The interval of `matches`, in all slots.
pub(crate) fn scope(matches: &Match) -> Claim {
    let whole = SlotRange {
        start: 0,
        end: 1 << BITS,
    };
    Claim::Scope(matches.scope(), vec![whole])
}

pub(crate) fn one(key: &str) -> Claim {
    scope(&Match::Exact(key.as_bytes().to_vec()))
}

/// What takes a claim back.
pub(crate) fn release(claim: Claim) -> Claim {
    let Claim::Scope(scope, slots) = claim else {
        panic!("{claim:?}")
    };
    Claim::Release(scope, slots)
}

pub(crate) fn row(domain: DomainId, epoch: u32, role: Role) -> GuardRow {
    GuardRow {
        domain,
        keyspace: K,
        epoch: e(epoch),
        role,
        closed: false,
        drained: Epoch::ZERO,
        in_wave: domain == WAVE,
        authority_epoch: e(epoch),
    }
}

/// A store, and what makes its numbers.
pub(crate) struct Shard {
    pub(crate) store: Box<dyn Store>,
    pub(crate) chunks: Chunks,
    pub(crate) domain: DomainId,
    pub(crate) epoch: u32,
    pub(crate) term: Term,
    pub(crate) keyspace: KeyspaceId,
    _folder: Option<tempfile::TempDir>,
}

pub(crate) fn memory() -> Shard {
    Shard::new(Box::new(MemoryStore::new()), None)
}

pub(crate) fn sqlite() -> Shard {
    let folder = folder();
    let store = SqliteStore::open(folder.path().join("shard.db")).unwrap();
    Shard::new(Box::new(store), Some(folder))
}

/// A file whose commands the core carries out itself, as it does for other languages.
pub(crate) fn sql() -> Shard {
    let folder = folder();
    let store = SqlStore::open(&folder.path().join("shard.db"));
    Shard::new(Box::new(store), Some(folder))
}

/// In memory where there is such a place: hundreds of cases needn't wait for a disk.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// Makes a test of each function, for each store.
#[macro_export]
macro_rules! on_every_store {
    ($($(#[$doc:meta])* fn $name:ident($shard:ident) $body:block)*) => {
        $(mod $name {
            use super::*;
            $(#[$doc])* fn check($shard: &mut $crate::shard::Shard) $body
            #[test]
            fn in_memory() { check(&mut $crate::shard::memory()); }
            #[test]
            fn in_sqlite() { check(&mut $crate::shard::sqlite()); }
            #[test]
            fn in_sql() { check(&mut $crate::shard::sql()); }
        })*
    };
}

impl Shard {
    pub(crate) fn new(store: Box<dyn Store>, folder: Option<tempfile::TempDir>) -> Self {
        Self {
            store,
            chunks: Chunks::new(),
            domain: HOME,
            epoch: 1,
            term: TERM,
            keyspace: K,
            _folder: folder,
        }
    }

    /// The authority of all slots, outside a wave, at epoch 1.
    pub(crate) fn home(&mut self) -> &mut Self {
        self.install(row(HOME, 1, Role::Authority), vec![all_slots()]);
        self.at(HOME, 1)
    }

    /// From now on requests carry this fence.
    pub(crate) fn at(&mut self, domain: DomainId, epoch: u32) -> &mut Self {
        (self.domain, self.epoch) = (domain, epoch);
        self
    }

    pub(crate) fn fence(&self) -> Fence {
        Fence {
            domain: self.domain,
            epoch: e(self.epoch),
        }
    }

    pub(crate) fn attempt(&self, key: &str, kind: AttemptKind) -> Attempt {
        let hash = hash::xxh3(key.as_bytes(), 0);
        Attempt {
            id: AttemptId(0),
            shard: SHARD,
            keyspace: self.keyspace,
            slot: hash::slot_of(hash, BITS),
            stored_slot: hash::stored_slot(hash),
            fence: self.fence(),
            kind,
            blocking: true,
            unfenced: None,
        }
    }

    pub(crate) fn write(&self, key: &str, change: Change<'_>, n: u64) -> Reply {
        let attempt = self.attempt(key, AttemptKind::Write);
        let content = Content::Own { change, op: op(n) };
        self.store.attempt(&attempt, key.as_bytes(), content).reply
    }

    pub(crate) fn put(&self, key: &str, value: &str, n: u64) -> Reply {
        self.write(key, Change::Put(value.as_bytes()), n)
    }

    pub(crate) fn delete(&self, key: &str, n: u64) -> Reply {
        self.write(key, Change::Delete, n)
    }

    pub(crate) fn put_if(
        &self,
        key: &str,
        expected: Option<Version>,
        value: &str,
        n: u64,
    ) -> Response {
        let attempt = self.attempt(key, AttemptKind::Write);
        let change = Change::PutIf {
            expected,
            value: value.as_bytes(),
        };
        let content = Content::Own { change, op: op(n) };
        self.store.attempt(&attempt, key.as_bytes(), content)
    }

    pub(crate) fn apply(&self, key: &str, version: Version, value: Option<&str>, n: u64) -> Reply {
        let payload = Payload::Own;
        let attempt = self.attempt(key, AttemptKind::Apply { version, payload });
        let value = value.map(str::as_bytes);
        let content = Content::Row { value, op: op(n) };
        self.store.attempt(&attempt, key.as_bytes(), content).reply
    }

    pub(crate) fn confirm(&self, key: &str, n: u64) -> Reply {
        let attempt = self.attempt(key, AttemptKind::Confirm);
        let change = Change::Delete;
        let content = Content::Own { change, op: op(n) };
        self.store.attempt(&attempt, key.as_bytes(), content).reply
    }

    pub(crate) fn read(&self, key: &str) -> Response {
        let attempt = self.attempt(key, AttemptKind::Read);
        self.store.attempt(&attempt, key.as_bytes(), Content::None)
    }

    pub(crate) fn command(&self, command: &Command) -> Answer {
        self.store.command(command, &self.chunks)
    }

    pub(crate) fn install(&self, row: GuardRow, claims: Vec<Claim>) {
        self.install_all(vec![InstallRow { row, claims }]);
    }

    pub(crate) fn install_all(&self, rows: Vec<InstallRow>) {
        let (shard, term) = (SHARD, self.term);
        let answer = self.command(&Command::Install { shard, term, rows });
        assert_eq!(answer, Answer::Done);
    }

    pub(crate) fn close(&self) -> Answer {
        self.command(&Command::Close {
            shard: SHARD,
            term: self.term,
            fence: self.fence(),
        })
    }

    pub(crate) fn revision(&self) -> Revision {
        let (shard, fence) = (SHARD, self.fence());
        match self.command(&Command::Revision { shard, fence }) {
            Answer::Revision(revision) => revision,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn changes(&self, after: u64, limit: u32, chunk: u32) -> Answer {
        self.command(&Command::Changes {
            shard: SHARD,
            fence: self.fence(),
            after: Revision(after),
            limit,
            chunk: ChunkId(chunk),
        })
    }

    pub(crate) fn keys_of_chunk(&self, chunk: u32) -> Vec<String> {
        let rows = self.chunks.get(ChunkId(chunk)).unwrap();
        rows.iter()
            .map(|row| String::from_utf8(row.key.clone()).unwrap())
            .collect()
    }

    pub(crate) fn apply_chunk(&self, chunk: u32) -> Answer {
        self.command(&Command::Apply {
            shard: SHARD,
            term: self.term,
            fence: self.fence(),
            chunk: ChunkId(chunk),
        })
    }

    pub(crate) fn purge(&self, limit: u32) -> Answer {
        self.purge_and(limit, false)
    }

    pub(crate) fn purge_and(&self, limit: u32, release: bool) -> Answer {
        self.command(&Command::Purge {
            release,
            shard: SHARD,
            term: self.term,
            fence: self.fence(),
            limit,
        })
    }

    pub(crate) fn collect(&self, limit: u32) -> Answer {
        self.command(&Command::Collect {
            shard: SHARD,
            term: self.term,
            fence: self.fence(),
            limit,
        })
    }

    pub(crate) fn count(&self) -> Answer {
        let (shard, fence) = (SHARD, self.fence());
        self.command(&Command::Count { shard, fence })
    }

    pub(crate) fn digests(&self) -> Answer {
        let (shard, fence) = (SHARD, self.fence());
        self.command(&Command::Digests { shard, fence })
    }

    pub(crate) fn keys(&self, slots: Vec<Slot>) -> Answer {
        self.command(&Command::Keys {
            shard: SHARD,
            fence: self.fence(),
            keyspace: self.keyspace,
            slots,
        })
    }

    pub(crate) fn sample(&self, slots: Vec<Slot>, seed: u64, limit: u32) -> Answer {
        self.command(&Command::Sample {
            shard: SHARD,
            fence: self.fence(),
            keyspace: self.keyspace,
            slots,
            seed,
            limit,
        })
    }

    pub(crate) fn look_at(&self, slots: Vec<Slot>, keys: Vec<Vec<u8>>) -> Answer {
        self.command(&Command::Look {
            shard: SHARD,
            fence: self.fence(),
            keyspace: self.keyspace,
            slots,
            keys,
        })
    }

    pub(crate) fn slot(&self, key: &str) -> Slot {
        self.attempt(key, AttemptKind::Read).slot
    }
}
