//! The world as stateright searches it: what may happen next, and what must hold.

use ringshift::migration::{Action, Answer, Coordinator, Ending, Log};
use ringshift::{AttemptKind, Failure, Instant, Operation, Reply, ShardId, Step, Term};
use stateright::semantics::ConsistencyTester;
use stateright::semantics::register::Register;
use stateright::{Model, Property};

use super::{
    Act, Client, History, Message, State, Waits, World, fingerprint, key_of, repeatable, shard_at,
};
use crate::shard::{Content, Key, NOTHING, Shard};

impl Model for World {
    type State = State;
    type Action = Act;

    fn init_states(&self) -> Vec<State> {
        let mut shards = vec![Shard::default(); 2];
        for (at, shard) in shards.iter_mut().enumerate() {
            let id = ShardId(u32::try_from(at).unwrap() + 1);
            let rows = ringshift::migration::home_installs(&self.initial, id);
            shard.guard.install(Term(1), &rows).unwrap();
        }
        let mut histories = Vec::new();
        for key in &self.keys {
            let loaded = self.loaded.iter().find(|(k, _)| k == key);
            histories.push(History::new(Register(
                loaded.map_or(NOTHING, |(_, value)| *value),
            )));
        }
        for &(key, value) in &self.loaded {
            let plan = Self::plan(&self.initial, key);
            let mut operation = Operation::write(plan, self.policy, Instant::ZERO);
            let Step::Send(attempt) = operation.poll() else {
                panic!("nothing sent")
            };
            let content = Content { value, op: u8::MAX };
            let (reply, _) = shards[shard_at(attempt.shard)].attempt(&attempt, key, content);
            assert!(matches!(reply, Reply::Written { .. }), "{reply:?}");
        }
        let client = Client {
            next: 0,
            map: self.initial.clone(),
            running: None,
        };
        let office = Term(2);
        let wanted = Some(self.wanted.clone());
        let mut state = State {
            term: Term(1),
            snapshot: self.initial.clone(),
            log: Log::default(),
            shards,
            clients: vec![client; self.scripts.len()],
            coordinator: Coordinator::new(office, self.settings.clone(), wanted, Instant::ZERO),
            office,
            chunk: Vec::new(),
            network: Vec::new(),
            histories,
            faults: self.faults,
            ending: None,
        };
        Self::direct(&mut state);
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Act>) {
        actions.extend((0..state.network.len()).map(Act::Deliver));
        if state.faults.repeats > 0 {
            let repeats = (0..state.network.len()).filter(|&i| repeatable(&state.network[i]));
            actions.extend(repeats.map(Act::Repeat));
        }
        for (client, c) in (0..).zip(&state.clients) {
            match &c.running {
                None if usize::from(c.next) < self.scripts[usize::from(client)].len() => {
                    actions.push(Act::Start(client));
                    if state.faults.refreshes > 0 && c.map != state.snapshot {
                        actions.push(Act::StartFresh(client));
                    }
                }
                None => {}
                Some(running) => match running.waits_for {
                    Waits::Time => actions.push(Act::Timer(client)),
                    Waits::Refresh => actions.push(Act::Refreshed(client)),
                    Waits::Attempt(_) if state.faults.silences > 0 => {
                        actions.push(Act::Silence(client));
                    }
                    Waits::Attempt(_) => {}
                },
            }
        }
        if state.ending.is_none() {
            if state.faults.crashes > 0 {
                actions.push(Act::Crash);
            }
            if state.faults.late_commands > 0 {
                actions.push(Act::LateCommand);
            }
            if state.faults.rollbacks > 0 {
                actions.push(Act::RollBack);
            }
        }
    }

    fn next_state(&self, last: &State, action: Act) -> Option<State> {
        let mut state = last.clone();
        match action {
            Act::Deliver(at) => {
                let message = state.network.remove(at);
                self.deliver(&mut state, message);
            }
            Act::Repeat(at) => {
                state.faults.repeats -= 1;
                let message = state.network[at].clone();
                self.deliver(&mut state, message);
            }
            Act::Start(client) => self.start(&mut state, client),
            Act::StartFresh(client) => {
                state.faults.refreshes -= 1;
                state.clients[usize::from(client)].map = state.snapshot.clone();
                self.start(&mut state, client);
            }
            Act::Timer(client) => {
                let running = state.clients[usize::from(client)].running.as_mut()?;
                let Step::Wait { until } = running.operation.poll() else {
                    return None;
                };
                running.operation.handle_timeout(until);
                self.drive(&mut state, client);
            }
            Act::Refreshed(client) => {
                let c = &mut state.clients[usize::from(client)];
                let running = c.running.as_mut()?;
                c.map = state.snapshot.clone();
                let plan = Self::plan(&c.map, key_of(running.what));
                running.waits_for = Waits::Time;
                running.operation.handle_snapshot(Instant::ZERO, plan);
                self.drive(&mut state, client);
            }
            Act::Silence(client) => {
                state.faults.silences -= 1;
                let running = state.clients[usize::from(client)].running.as_mut()?;
                let Waits::Attempt(id) = running.waits_for else {
                    return None;
                };
                running.waits_for = Waits::Time;
                let failed = Reply::Failed(Failure::MaybeApplied);
                running
                    .operation
                    .handle_reply(Instant::ZERO, id, failed)
                    .ok()?;
                self.drive(&mut state, client);
            }
            Act::Crash => {
                state.faults.crashes -= 1;
                state.office = Term(state.office.0 + 1);
                let (office, settings) = (state.office, self.settings.clone());
                // A successor is told of no wish: the log has the migration, or none began.
                state.coordinator = Coordinator::new(office, settings, None, Instant::ZERO);
                state.chunk.clear();
                Self::direct(&mut state);
            }
            Act::LateCommand => {
                state.faults.late_commands -= 1;
                let Action::Do { id, .. } = state.coordinator.poll() else {
                    return None;
                };
                let late = Instant::from_millis(self.settings.barrier_ms + 1);
                state
                    .coordinator
                    .handle_answer(late, id, Answer::Unreachable);
                Self::direct(&mut state);
            }
            Act::RollBack => {
                state.faults.rollbacks -= 1;
                state.coordinator.roll_back("");
            }
        }
        // A read that nobody waits for any more changes nothing when it arrives.
        let clients = &state.clients;
        state.network.retain(|message| match message {
            Message::Attempt {
                client,
                op,
                attempt,
                ..
            } => {
                let read = matches!(attempt.kind, AttemptKind::Read | AttemptKind::Confirm);
                let running = clients[usize::from(*client)].running.as_ref();
                !read
                    || running
                        .is_some_and(|r| r.op == *op && r.waits_for == Waits::Attempt(attempt.id))
            }
            Message::Command { .. } => true,
        });
        // The network is a bag: two states that differ in the order of arrival are the same.
        state.network.sort_by_cached_key(fingerprint);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("linearizable", |_, state: &State| {
                state.histories.iter().all(ConsistencyTester::is_consistent)
            }),
            Property::always("one authority", |world: &World, state: &State| {
                world
                    .keys
                    .iter()
                    .all(|&key| open_authorities(world, state, key) <= 1)
            }),
            Property::always("not stuck", |_, state: &State| {
                !matches!(state.ending, Some(Ending::Stuck(_)))
            }),
            Property::sometimes("complete", |world: &World, state: &State| {
                state.ending == Some(Ending::Complete)
                    && (0..).zip(&state.clients).all(|(at, c): (usize, _)| {
                        c.running.is_none() && usize::from(c.next) == world.scripts[at].len()
                    })
            }),
        ]
    }
}

/// Shards that would order a write of `key` by some fence.
fn open_authorities(world: &World, state: &State, key: Key) -> usize {
    let orders = |shard: &&Shard| {
        let (keyspace, slot) = (world.places.keyspace, (world.places.slot_of)(key));
        shard.guard.rows().any(|row| {
            let fence = ringshift::Fence {
                domain: row.domain,
                epoch: row.epoch,
            };
            let access = ringshift::Access::Write;
            shard
                .guard
                .admit(keyspace, slot, &[key], fence, access)
                .is_ok()
        })
    };
    state.shards.iter().filter(orders).count()
}
