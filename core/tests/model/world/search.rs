//! The world as stateright searches it: where it begins, and what may happen next.

use ringshift::{Instant, Operation, Reply, ShardId, Step, Term};
use stateright::semantics::register::Register;
use stateright::{Model, Property};

use super::{
    Act, Client, Faults, Ghost, History, Message, Start, State, Store, Waits, World, shard_at,
};
use crate::kept::Kept;
use crate::shard::{Content, NOTHING, Shard};

impl Model for World {
    type State = State;
    type Action = Act;

    fn init_states(&self) -> Vec<State> {
        self.starts
            .iter()
            .map(|start| self.started(*start))
            .collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Act>) {
        if state.ghost.wrong.is_none() {
            self.steps(state, actions);
            self.faults(state, actions);
        }
    }

    fn next_state(&self, last: &State, action: Act) -> Option<State> {
        let mut state = last.clone();
        self.act(&mut state, action)?;
        self.compare(last, &mut state);
        let before = std::mem::take(&mut state.network);
        let matters = |message: &Kept<Message>| message.matters(&state);
        let mut network: Vec<_> = before.into_iter().filter(matters).collect();
        // A bag: two states that differ in the order of arrival are the same.
        network.sort_by_key(Kept::order);
        state.network = network;
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Self::all_properties()
    }
}

impl World {
    fn started(&self, start: Start) -> State {
        let mut state = self.first();
        self.appoint(&mut state, Term(2), true);
        let (phase, back, pauses) = match start {
            Start::Before => return state,
            Start::At(phase) => (phase, false, false),
            Start::Back(phase) => (phase, true, false),
            Start::Paused(phase) => (phase, false, true),
        };
        let there = |state: &State| {
            let keyspaces = &state.store.snapshot.content().keyspaces;
            keyspaces[0].waves.first().map(|wave| wave.phase) == Some(phase)
        };
        while !there(&state) {
            self.goes_on(&mut state);
        }
        if back {
            self.tell(&mut state, |coordinator| coordinator.roll_back(""));
        }
        if pauses {
            self.tell(&mut state, |coordinator| coordinator.pause(""));
            while state.leaders[0].ending().is_none() {
                self.goes_on(&mut state);
            }
            state.leaders.clear();
        }
        if self.informed {
            for client in (0..).take(state.clients.len()) {
                self.inform(&mut state, client);
            }
        }
        state
    }

    /// Nobody but the coordinator does anything.
    fn goes_on(&self, state: &mut State) {
        if state.network.is_empty() {
            self.tick(state);
        } else {
            let message = state.network.remove(0);
            self.deliver(state, &message);
        }
    }

    fn first(&self) -> State {
        let number = self.initial.content().shards.len();
        let mut shards = vec![Shard::default(); number];
        for (shard, told) in shards.iter_mut().zip(&self.initial.content().shards) {
            let rows = ringshift::migration::home_installs(&self.initial, told.id);
            shard.guard.install(Term(1), &rows).unwrap();
            shard.unfenced = told.unfenced;
        }
        let mut histories = Vec::new();
        for key in &self.keys {
            let loaded = self.loaded.iter().find(|(k, _)| k == key);
            let first = loaded.map_or(NOTHING, |(_, value)| *value);
            histories.push(Kept::new(History::new(Register(first))));
        }
        let renewed = self.timed.then_some(Instant::ZERO);
        for &(key, value) in &self.loaded {
            let plan = Self::plan(&self.initial, renewed, key);
            let mut operation = Operation::write(plan, self.policy, Instant::ZERO);
            let Step::Send(attempt) = operation.poll() else {
                panic!("nothing sent")
            };
            let content = Content { value, op: u8::MAX };
            let (reply, _) = shards[shard_at(attempt.shard)].attempt(&attempt, key, content);
            assert!(matches!(reply, Reply::Written { .. }), "{reply:?}");
        }
        let client = Kept::new(Client {
            next: 0,
            map: self.initial.clone(),
            renewed,
            running: None,
        });
        State {
            now: Instant::ZERO,
            store: Kept::new(Store::first(self.initial.clone())),
            shards: shards.into_iter().map(Kept::new).collect(),
            clients: vec![client; self.scripts.len()],
            leaders: Vec::new(),
            office: (Term(1), 0),
            network: Vec::new(),
            histories,
            faults: self.faults,
            ghost: Ghost::default(),
        }
    }

    /// What happens by itself, sooner or later.
    pub(super) fn steps(&self, state: &State, actions: &mut Vec<Act>) {
        for (at, message) in state.network.iter().enumerate() {
            let attempt = matches!(**message, Message::Attempt { .. });
            let cut_off = attempt && message.shard() == state.ghost.restored;
            if !cut_off || message.shard().is_none() {
                actions.push(Act::Deliver(at));
            }
        }
        for (client, c) in (0..).zip(&state.clients) {
            match &c.running {
                None if c.at() < self.scripts[usize::from(client)].len() => {
                    actions.push(Act::Start(client));
                }
                None => {}
                Some(running) => match running.waits_for {
                    Waits::Time if !self.timed || running.until <= state.now => {
                        actions.push(Act::Timer(client));
                    }
                    Waits::Refresh => actions.push(Act::Refreshed(client)),
                    Waits::Time | Waits::Attempt(_) => {}
                },
            }
        }
        // While a coordinator waits time may pass beside anything; when all is over, only where
        // somebody waits for it and for nothing else.
        let over = state.leaders.iter().all(|leader| leader.ending().is_some());
        let idle = state.leaders.iter().all(|leader| leader.is_waiting());
        let waited_for = actions.is_empty() && state.clients.iter().any(|c| !c.is_idle());
        if self.timed && self.may_pass(state) && idle && (!over || waited_for) {
            actions.push(Act::Tick);
        }
        if state
            .leaders
            .last()
            .is_some_and(|l| l.is_stuck_with_restored())
        {
            actions.push(Act::Readmit);
        }
    }

    /// Whether a tick leaves nothing behind that somebody waits for.
    fn may_pass(&self, state: &State) -> bool {
        let after = state.now.after(super::TICK);
        let lost = state.network.iter().filter(|message| {
            let over = matches!(&***message, Message::Attempt { until, .. } if *until < after);
            over && message.is_waited_for(state)
        });
        lost.count() == 0
    }

    /// What nobody wished for.
    fn faults(&self, state: &State, actions: &mut Vec<Act>) {
        let left = &state.faults;
        for (at, message) in state.network.iter().enumerate() {
            if left.repeats > 0 && message.is_repeatable() {
                actions.push(Act::Repeat(at));
            }
        }
        for (client, c) in (0..).zip(&state.clients) {
            match &c.running {
                None => {
                    let more = c.at() < self.scripts[usize::from(client)].len();
                    let newer = c.map != state.store.snapshot;
                    if more && newer && left.refreshes > 0 {
                        actions.push(Act::StartFresh(client));
                    }
                }
                Some(running) => {
                    let waits = matches!(running.waits_for, Waits::Attempt(_));
                    let late = !self.timed || running.until <= state.now;
                    if waits && late && left.silences > 0 {
                        actions.push(Act::Silence(client));
                    }
                    if left.deaths > 0 {
                        actions.push(Act::Die(client));
                    }
                }
            }
        }
        let Some(newest) = state.leaders.last() else {
            return;
        };
        if newest.ending().is_none() {
            let faults = [
                (left.crashes, Act::Crash),
                (left.rivals, Act::Rival),
                (left.twins, Act::Twin),
                (left.late_commands, Act::LateCommand),
                (left.rollbacks, Act::RollBack),
                // The plan is of one epoch; after that, others may write.
                (left.edits * u8::from(state.store.is_migrating()), Act::Edit),
            ];
            let faults = faults.into_iter().filter(|(left, _)| *left > 0);
            actions.extend(faults.map(|(_, act)| act));
            if left.ticks > 0 && self.may_pass(state) {
                actions.push(Act::LateTick);
            }
        }
        if left.restores > 0 {
            match &state.ghost.copy {
                None => actions.extend((0..state.shards.len()).map(Act::Copy)),
                Some(_) if Self::may_restore(state) => actions.push(Act::Restore),
                Some(_) => {}
            }
        }
        let works = newest.ending().is_none();
        if works && newest.shut().is_some() && !state.ghost.readmitted {
            actions.push(Act::Readmit);
        }
    }

    fn act(&self, state: &mut State, action: Act) -> Option<()> {
        let left = &mut state.faults;
        match action {
            Act::Deliver(at) => {
                let message = state.network.remove(at);
                self.deliver(state, &message);
            }
            Act::Repeat(at) => {
                Faults::spend(&mut left.repeats)?;
                let message = state.network[at].clone();
                self.deliver(state, &message);
            }
            Act::Start(client) => self.start(state, client),
            Act::StartFresh(client) => {
                Faults::spend(&mut left.refreshes)?;
                self.inform(state, client);
                self.start(state, client);
            }
            Act::Timer(client) => self.timer(state, client)?,
            Act::Refreshed(client) => self.refreshed(state, client)?,
            Act::Tick => self.tick(state),
            Act::LateTick => {
                Faults::spend(&mut left.ticks)?;
                self.tick(state);
            }
            Act::Silence(client) => {
                Faults::spend(&mut left.silences)?;
                self.silence(state, client)?;
            }
            Act::Die(client) => {
                Faults::spend(&mut left.deaths)?;
                self.die(state, client);
            }
            Act::Crash => {
                Faults::spend(&mut left.crashes)?;
                self.crash(state);
            }
            Act::Rival => {
                Faults::spend(&mut left.rivals)?;
                let term = Term(state.office.0.0 + 1);
                self.appoint(state, term, false);
            }
            Act::Twin => {
                Faults::spend(&mut left.twins)?;
                let term = state.office.0;
                self.appoint(state, term, false);
            }
            Act::LateCommand => {
                Faults::spend(&mut left.late_commands)?;
                self.late_command(state)?;
            }
            Act::RollBack => {
                Faults::spend(&mut left.rollbacks)?;
                self.tell(state, |coordinator| coordinator.roll_back(""));
            }
            Act::Edit => {
                Faults::spend(&mut left.edits)?;
                self.edit(state)?;
            }
            Act::Copy(at) => Self::copy(state, at),
            Act::Restore => {
                Faults::spend(&mut left.restores)?;
                self.restore(state)?;
            }
            Act::Readmit => {
                let shard: ShardId = state.leaders.last()?.shut()?;
                state.ghost.readmitted = true;
                self.tell(state, |coordinator| coordinator.readmit(shard));
            }
        }
        Some(())
    }
}
