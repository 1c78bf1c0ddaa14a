//! A shard: the core's own, over a disk that may be slow, in a process that may die. What it has
//! carried out is on its disk.

use ringshift::migration::{Answer, Command, home_installs};
use ringshift::store::{Chunks, MemoryShard};
use ringshift::{Access, AttemptKind, Failure, Refusal, Reply, ShardId, Term};

use crate::dice::Clock;
use crate::draw::CLIENT_LEASE;
use crate::message::{Event, Message};
use crate::network::{Care, Node};
use crate::story::About;
use crate::world::World;

/// One shard.
pub(crate) struct Shard {
    pub(crate) store: MemoryShard,
    pub(crate) up: bool,
    pub(crate) life: u32,
    clock: Clock,
    unfenced: bool,
    /// Its disk takes up to so long, until that moment.
    pub(crate) slow: (u64, u64),
    /// What somebody has kept of it.
    pub(crate) backup: Option<MemoryShard>,
}

impl World {
    /// A shard that knows the homes of the map in force, if it is in it.
    pub(crate) fn open_shard(&mut self, id: ShardId) {
        let listed = self.record.snapshot.shard(id);
        self.open_shard_that(id, listed.is_some_and(|shard| shard.unfenced));
    }

    pub(crate) fn open_shard_that(&mut self, id: ShardId, unfenced: bool) {
        let mut store = MemoryShard::default();
        store.name([u8::try_from(id.0).unwrap(); 16]);
        if unfenced {
            store.without_fences();
        }
        let rows = home_installs(&self.record.snapshot, id);
        if !rows.is_empty() {
            store.install(Term(0), &rows).unwrap();
        }
        let clock = Clock::new(&mut self.dice, self.draw.off_ppm);
        let shard = Shard {
            store,
            up: true,
            life: 0,
            clock,
            unfenced,
            slow: (0, 0),
            backup: None,
        };
        self.shards.insert(id, shard);
    }

    /// A request has come to a shard.
    pub(crate) fn at_shard(&mut self, id: ShardId, message: Message) {
        let Some(shard) = self.shards.get(&id) else {
            return;
        };
        if !shard.up {
            // Where nobody listens one may be told so at once.
            if self.dice.chance(500) {
                self.refuse_connection(id, &message);
            }
            return;
        }
        let (takes, until) = shard.slow;
        let life = shard.life;
        if self.now < until {
            let when = self.now + self.dice.below(takes);
            return self.at(when, Event::CarryOut(id, life, Box::new(message)));
        }
        self.carry_out(id, life, message);
    }

    fn refuse_connection(&mut self, id: ShardId, message: &Message) {
        match message {
            Message::Attempt {
                client,
                life,
                worker,
                call,
                attempt,
                ..
            } => {
                let reply = Message::Reply {
                    life: *life,
                    worker: *worker,
                    call: *call,
                    id: attempt.id,
                    response: Reply::Failed(Failure::NotSent).into(),
                };
                // The client's own machine says so.
                let when = self.now + 1;
                let to = Node::Client(*client);
                self.at(when, Event::Arrive(to, Box::new(reply)));
            }
            Message::Command {
                at, life, number, ..
            } => self.answer(id, (*at, *life, *number), None, Answer::Unreachable),
            _ => {}
        }
    }

    /// A request is carried out, in one atomic step, and answered.
    pub(crate) fn carry_out(&mut self, id: ShardId, life: u32, message: Message) {
        let now = self.now;
        let Some(shard) = self.shards.get_mut(&id).filter(|s| s.up && s.life == life) else {
            return;
        };
        shard.store.handle_time(shard.clock.says(now));
        match message {
            Message::Attempt { .. } => self.attempt(id, message),
            Message::Command {
                at,
                life,
                number,
                command: Some(command),
                rows,
            } => {
                let mut chunks = Chunks::default();
                if let (
                    Command::Apply {
                        chunk, fence, term, ..
                    },
                    Some(rows),
                ) = (&*command, rows)
                {
                    if self.dice.chance(self.storm(10)) {
                        // It dies between two pieces of a chunk.
                        let some = self.dice.index(rows.len() + 1);
                        let shard = self.shards.get_mut(&id).unwrap();
                        let _half = shard.store.apply(*term, *fence, &rows[..some]);
                        return self.crash_shard(id);
                    }
                    chunks.put(*chunk, fence.domain, rows.to_vec());
                }
                let shard = self.shards.get_mut(&id).unwrap();
                let answer = shard.store.command(&command, &mut chunks);
                let read = match &*command {
                    Command::Changes { chunk, fence, .. } => {
                        chunks.get(*chunk).map(|rows| (fence.domain, rows))
                    }
                    _ => None,
                };
                self.guards_moved(id, &command, &answer);
                self.answer(id, (at, life, number), read, answer);
            }
            _ => {}
        }
        if self.dice.chance(self.storm(2)) {
            self.crash_shard(id);
        }
    }

    fn answer(
        &mut self,
        id: ShardId,
        (at, life, number): (usize, u32, u64),
        read: Option<crate::leader::Read>,
        answer: Answer,
    ) {
        if let Answer::Refused(refusal) = &answer {
            self.refused(*refusal);
        }
        let message = Message::Answer {
            life,
            number,
            standing: None,
            read,
            answer: Box::new(answer),
        };
        self.post(Node::Shard(id), Node::Leader(at), Care::default(), &message);
    }

    fn refused(&mut self, refusal: Refusal) {
        self.counts.add(match refusal {
            Refusal::StaleTerm { .. } => "refused: stale-term",
            Refusal::NotOwner => "refused: not-owner",
            Refusal::StaleEpoch { .. } => "refused: stale-epoch",
            Refusal::NotReady { .. } => "refused: not-ready",
            Refusal::WrongRole { .. } => "refused: wrong-role",
            _ => "refused: lease-over",
        });
    }

    fn attempt(&mut self, id: ShardId, message: Message) {
        let Message::Attempt {
            client,
            life,
            worker,
            call,
            attempt,
            key,
            carries,
            sent,
        } = message
        else {
            return;
        };
        // What the guarantee at unfenced shards rests on: a request has a deadline of its own.
        if attempt.unfenced.is_some() && self.now - sent >= u64::from(CLIENT_LEASE[1]) {
            self.counts.add("attempts past their deadline");
            return;
        }
        let twice = World::is_own_write(&attempt, &carries) && self.dice.chance(self.storm(20));
        let bytes = self.draw.keys[key].clone();
        let shard = self.shards.get_mut(&id).unwrap();
        let mut response = carries.with(|c| shard.store.attempt(&attempt, &bytes, c));
        if twice {
            // The transport repeats it, back to back: it is known by its name.
            response = carries.with(|c| shard.store.attempt(&attempt, &bytes, c));
            self.counts.add("writes repeated by the transport");
        }
        let reply = response.reply;
        if let Reply::Refused(refusal) = reply {
            self.refused(refusal);
        }
        self.story.mark((id, key, format!("{reply:?}")));
        self.tell(About::Key(key), || {
            let kind = attempt.kind;
            format!("shard {id} answers client {client}'s {kind:?}: {reply:?}")
        });
        if let (AttemptKind::Write, Reply::Written { version }) = (attempt.kind, reply) {
            self.ordered(key, id, version);
        }
        if attempt.blocking {
            let reply = Message::Reply {
                life,
                worker,
                call,
                id: attempt.id,
                response,
            };
            self.post(
                Node::Shard(id),
                Node::Client(client),
                Care::default(),
                &reply,
            );
        }
    }

    /// After a change of guards: does more than one shard order a key's writes?
    fn guards_moved(&mut self, id: ShardId, command: &Command, answer: &Answer) {
        match command {
            Command::Install { .. } | Command::Close { .. } => {}
            Command::Shut { shut: true, .. } => {
                self.counts.add("shards shut");
                self.must_be_shut = self.must_be_shut.filter(|shard| *shard != id);
            }
            Command::Shut { shut: false, .. } => self.counts.add("shards readmitted"),
            Command::Grant { .. } if *answer == Answer::Done => self.counts.add("leases granted"),
            _ => {}
        }
        self.story.mark(id);
        if !matches!(command, Command::Install { .. } | Command::Close { .. }) {
            return;
        }
        self.tell(About::All, || {
            format!("shard {id} does {command:?}: {answer:?}")
        });
        if self.restored.is_some() {
            return;
        }
        for key in 0..self.draw.keys.len() {
            let bytes = &self.draw.keys[key];
            let admits = |(at, slot, fence): &(ShardId, _, _)| {
                let shard = self.shards.get(at).filter(|shard| !shard.unfenced)?;
                let guard = shard.store.guard();
                let access = Access::Write;
                guard
                    .admit(crate::client::K, *slot, bytes, *fence, access)
                    .ok()?;
                Some(*at)
            };
            let mut order: Vec<ShardId> = self.authorities.sent(key).filter_map(admits).collect();
            order.dedup();
            if order.len() > 1 {
                return self.fail(
                    Some(key),
                    format!("shards {order:?} would order its writes"),
                );
            }
        }
    }
}
