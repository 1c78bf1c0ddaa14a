//! Transactions that meet a change of their keys' route. What decides at the shard is the core's
//! `decide_batch`, over the rows of these races.

use std::sync::Arc;

use ringshift::migration::{Move, Stage};
use ringshift::store::{BatchPart, decide_batch};
use ringshift::{
    AttemptKind, Batch, BatchReply, ErrorCode, Instant, Phase, PinError, Pinned, Policy, Refusal,
    Reply, Router, ShardId, Snapshot, Transaction, TransactionError, TransactionOutcome,
    TransactionStep, Use,
};

use super::super::KIND;
use super::shard::{Content, Key, NOTHING, Value};
use super::world::{FROM, MOVES, MOVES_TOO, STAYS, THERE, TO, UNFENCED, World, settings, slot_of};

const NOW: Instant = Instant::ZERO;

fn pin(map: &Arc<Snapshot>, keys: &[Key]) -> Result<Pinned, PinError> {
    let router = Router::new(map.clone());
    let keys: Vec<[u8; 1]> = keys.iter().map(|&key| [key]).collect();
    let keyspace = router.keyspace("k").unwrap();
    keyspace.transaction(&keys)
}

/// A transaction that has read its keys.
struct Teller {
    keys: Vec<Key>,
    machine: Transaction,
    seen: Vec<Content>,
    op: u8,
    value: Value,
}

impl Teller {
    /// Reads what it will write, by the snapshot in force.
    fn begin(world: &mut World, keys: &[Key], value: Value) -> Self {
        world.op += 1;
        let pinned = pin(&world.snapshot, keys).unwrap();
        let mut teller = Self {
            keys: keys.to_vec(),
            machine: Transaction::new(pinned, Policy::default(), false, NOW),
            seen: Vec::new(),
            op: world.op,
            value,
        };
        let batch = teller.sends();
        teller.post(world, &batch);
        assert!(matches!(
            teller.machine.poll(),
            TransactionStep::Work { .. }
        ));
        teller
    }

    fn commit(&mut self, used: Use) {
        self.machine.commit(NOW, vec![used; self.keys.len()]);
    }

    #[track_caller]
    fn sends(&mut self) -> Batch {
        match self.machine.poll() {
            TransactionStep::Send(batch) => batch,
            other => panic!("nothing to send: {other:?}"),
        }
    }

    #[track_caller]
    fn ended(&mut self) -> TransactionOutcome {
        match self.machine.poll() {
            TransactionStep::Done(outcome) => outcome,
            other => panic!("not at its end: {other:?}"),
        }
    }

    fn post(&mut self, world: &mut World, batch: &Batch) -> BatchReply {
        let (reply, found) = self.deliver(world, batch);
        if batch.begins() {
            self.seen = found;
        }
        let heard = self.machine.handle_reply(NOW, batch.id, reply.clone());
        assert_eq!(heard, Ok(()));
        reply
    }

    /// The batch arrives; nobody hears the answer.
    fn deliver(&self, world: &mut World, batch: &Batch) -> (BatchReply, Vec<Content>) {
        let shard = world.shards.get_mut(&batch.shard).unwrap();
        let contents: Vec<Content> = batch
            .parts
            .iter()
            .map(|part| match part.attempt.found_by() {
                Some(_) => self.seen[part.key],
                None => Content {
                    value: self.value,
                    op: self.op,
                },
            })
            .collect();
        let looked = batch.parts.iter().zip(&contents).map(|(part, content)| {
            let (key, attempt) = (self.keys[part.key], &part.attempt);
            let look = shard.look(attempt.fence.domain, attempt.keyspace, slot_of(key), key);
            let content = content.given(AttemptKind::Write);
            BatchPart {
                part,
                look,
                content,
            }
        });
        let decisions = match decide_batch(&looked.collect::<Vec<_>>()) {
            Ok(decisions) => decisions,
            Err(reply) => return (reply, Vec::new()),
        };
        let mut found = Vec::new();
        for ((decision, part), content) in decisions.iter().zip(&batch.parts).zip(contents) {
            let key = self.keys[part.key];
            let row = shard.rows.get(&key);
            found.push(row.map_or(Content::default(), |row| Content {
                value: row.value,
                op: row.op,
            }));
            shard.carry(key, decision, content);
        }
        let replies = decisions.iter().map(|decision| decision.reply).collect();
        (BatchReply::Done(replies), found)
    }
}

const BOTH: Use = Use {
    read: true,
    write: true,
};
const READ: Use = Use {
    read: true,
    write: false,
};
const KEYS: [Key; 2] = [MOVES, MOVES_TOO];

fn held(w: &World, shard: ShardId) -> [Option<Value>; 2] {
    KEYS.map(|key| w.held(shard, key))
}

fn before() -> World {
    let mut w = World::new(settings());
    w.put(MOVES, 1);
    w.put(MOVES_TOO, 2);
    w
}

/// The fence check inside the commit: begun at e, committed at e + 1, refused, and nothing changed.
#[test]
fn race_10_a_transaction_that_outlives_its_epoch_is_refused_whole() {
    let mut w = before();
    let mut teller = Teller::begin(&mut w, &KEYS, 7);
    w.begin();
    w.run_past(Move::Mirror, Stage::InstallOther);
    assert_eq!(w.phase(), Phase::DoubleWrite);
    teller.commit(BOTH);
    let batch = teller.sends();
    let reply = teller.post(&mut w, &batch);
    assert!(
        matches!(reply, BatchReply::Refused(Refusal::StaleEpoch { current, .. }) if current == w.snapshot.epoch()),
        "{reply:?}"
    );
    assert_eq!(teller.ended().code(), Some(ErrorCode::Retryable));
    assert_eq!(held(&w, FROM), [Some(1), Some(2)]);
}

/// The same after the switch: the old authority takes no transaction of its old epoch.
#[test]
fn race_10_the_old_authority_commits_nothing_after_the_switch() {
    let mut w = before();
    w.begin();
    w.run_to(Move::Switch, Stage::Log);
    let mut teller = Teller::begin(&mut w, &KEYS, 7);
    w.run_past(Move::Switch, Stage::InstallFirst);
    // Only `to` has heard of the switch; `from` is closed, and waits.
    teller.commit(BOTH);
    let batch = teller.sends();
    let reply = teller.post(&mut w, &batch);
    assert!(
        matches!(reply, BatchReply::Refused(Refusal::NotReady { .. })),
        "{reply:?}"
    );
    w.run_past(Move::Switch, Stage::InstallOther);
    teller.machine.handle_snapshot(NOW, pin(&w.snapshot, &KEYS));
    // Where one of the keys has stayed behind, nothing that is tried again would help.
    let both_moved = KIND.moves(MOVES_TOO);
    let code = if both_moved {
        ErrorCode::Retryable
    } else {
        ErrorCode::CrossShard
    };
    assert_eq!(teller.ended().code(), Some(code));
    assert_eq!(held(&w, FROM), [Some(1), Some(2)]);
    let copied = [Some(1), both_moved.then_some(2)];
    assert_eq!(held(&w, TO), copied);
}

/// Of the keys of one transaction only one has moved: none is written.
#[test]
fn race_10_one_fence_of_several_that_has_moved_refuses_them_all() {
    let mut w = before();
    w.put(STAYS, 3);
    let keys = [STAYS, MOVES];
    w.begin();
    w.run_to(Move::Ramp(0), Stage::Log);
    let mut teller = Teller::begin(&mut w, &keys, 7);
    assert_eq!(teller.machine.pinned().fences().len(), 2, "home and wave");
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    teller.commit(BOTH);
    let batch = teller.sends();
    assert!(matches!(
        teller.post(&mut w, &batch),
        BatchReply::Refused(_)
    ));
    assert_eq!(teller.ended().code(), Some(ErrorCode::Retryable));
    assert_eq!(w.held(FROM, STAYS), Some(3));
}

/// A closed authority may have a successor that has taken newer writes: it shows a transaction
/// nothing, though it goes on showing plain reads what they were shown.
#[test]
fn race_10_a_closed_authority_shows_a_transaction_nothing() {
    let mut w = before();
    w.begin();
    w.run_to(Move::Switch, Stage::Log);
    let old = w.snapshot.clone();
    w.run_past(Move::Switch, Stage::InstallFirst);
    w.put(MOVES, 5);
    assert_eq!(w.held(TO, MOVES), Some(5));
    let pinned = pin(&old, &KEYS).unwrap();
    let mut late = Teller {
        keys: KEYS.to_vec(),
        machine: Transaction::new(pinned, Policy::default(), false, NOW),
        seen: Vec::new(),
        op: 200,
        value: 7,
    };
    let batch = late.sends();
    assert_eq!(batch.shard, FROM);
    let reply = late.post(&mut w, &batch);
    assert!(
        matches!(reply, BatchReply::Refused(Refusal::NotReady { .. })),
        "{reply:?}"
    );
}

/// What a transaction has shown in read-new is on `to` before it is answered, so that the next plain
/// read doesn't see less.
#[test]
fn race_10_what_a_transaction_has_shown_is_seen_by_the_next_read() {
    let mut w = before();
    w.begin();
    w.run_past(Move::Ramp(0), Stage::InstallOther);
    assert_eq!(w.phase(), Phase::ReadNew);
    // A write that the authority has, and its mirror doesn't yet.
    let mut client = w.write(MOVES, 5);
    w.advance(&mut client);
    assert_eq!(w.held(TO, MOVES), Some(1));
    let mut teller = Teller::begin(&mut w, &KEYS, NOTHING);
    assert_eq!(teller.seen[0].value, 5);
    teller.commit(READ);
    let batch = teller.sends();
    assert_eq!(batch.shard, TO);
    teller.post(&mut w, &batch);
    assert_eq!(teller.ended().code(), None);
    assert_eq!(w.get(MOVES), 5);
}

/// Nobody commits on what somebody else has changed.
#[test]
fn race_10_a_row_that_changed_since_it_was_read_refuses_the_commit() {
    let mut w = before();
    let mut teller = Teller::begin(&mut w, &KEYS, 7);
    w.put(MOVES_TOO, 9);
    teller.commit(BOTH);
    let batch = teller.sends();
    teller.post(&mut w, &batch);
    let TransactionOutcome::Failed(TransactionError::Conflict { key, .. }) = teller.ended() else {
        panic!("no conflict");
    };
    assert_eq!(key, 1);
    assert_eq!(held(&w, FROM), [Some(1), Some(9)]);
}

/// Where a shard checks no fence of the keys, no transaction is begun: in a home of such a shard, and
/// in each carved phase of a wave that it is part of.
#[test]
fn race_10_without_a_fence_no_transaction_is_begun() {
    for unfenced in UNFENCED {
        let mut w = World::with_unfenced(settings(), unfenced);
        w.put(MOVES, 1);
        w.begin();
        let at = |w: &World| {
            let waves = &w.snapshot.content().keyspaces[0].waves;
            let carved = waves.iter().any(|wave| wave.phase.is_carved());
            let keyspace = Router::new(w.snapshot.clone());
            let plan = keyspace.keyspace("k").unwrap().plan(&[MOVES]).unwrap();
            carved || unfenced.contains(&plan.authority)
        };
        let mut seen = [false; 2];
        loop {
            let refused = pin(&w.snapshot, &[MOVES]) == Err(PinError::Unfenced { at: 0 });
            assert_eq!(refused, at(&w), "{unfenced:?}");
            seen[usize::from(refused)] = true;
            if w.next().is_err() {
                break;
            }
            w.step();
        }
        assert_eq!(seen, [unfenced.len() == 1, true]);
    }
}

/// One that was begun where its fence is checked, and is to be committed when its key is in a wave with
/// a shard that checks none: refused by the shard that does, and not begun again.
#[test]
fn race_10_a_transaction_that_loses_its_fence_commits_nothing() {
    let mut w = World::with_unfenced(settings(), &[TO]);
    w.put(MOVES, 1);
    let mut teller = Teller::begin(&mut w, &[MOVES], 7);
    w.begin();
    w.run_past(Move::Mirror, Stage::InstallOther);
    teller.commit(BOTH);
    let batch = teller.sends();
    let reply = teller.post(&mut w, &batch);
    assert!(
        matches!(reply, BatchReply::Refused(Refusal::StaleEpoch { .. })),
        "{reply:?}"
    );
    assert_eq!(teller.ended().code(), Some(ErrorCode::Retryable));
    assert_eq!((w.held(FROM, MOVES), w.held(TO, MOVES)), (Some(1), None));
    assert_eq!(
        pin(&w.snapshot, &[MOVES]),
        Err(PinError::Unfenced { at: 0 })
    );
}

/// Keys of two shards aren't begun.
#[test]
fn race_10_keys_of_two_shards_are_refused_with_the_list() {
    let w = before();
    let refused = pin(&w.snapshot, &[MOVES, THERE, STAYS]);
    let shards = vec![(FROM, vec![0, 2]), (TO, vec![1])];
    assert_eq!(refused, Err(PinError::CrossShard { shards }));
}

/// The name of the transaction is on each of its rows: a commit that comes twice is done once, also
/// when another write has followed it on one of them.
#[test]
fn race_13_a_commit_that_comes_twice_is_done_once() {
    let mut w = before();
    let mut teller = Teller::begin(&mut w, &KEYS, 7);
    teller.commit(BOTH);
    let batch = teller.sends();
    teller.post(&mut w, &batch);
    let versions = KEYS.map(|key| w.version(FROM, key));
    w.put(MOVES_TOO, 9);
    let (reply, _) = teller.deliver(&mut w, &batch);
    let version = versions[0].unwrap();
    let known = vec![Reply::Written { version }, Reply::Superseded];
    assert_eq!(reply, BatchReply::Done(known));
    assert_eq!(held(&w, FROM), [Some(7), Some(9)]);
    assert_eq!(w.version(FROM, MOVES), versions[0]);
}
