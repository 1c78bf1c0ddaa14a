//! What goes wrong: crashes, freezes, partitions, slow disks, an old backup, and the moment when all
//! of it stops.

use std::sync::Arc;

use ringshift::ShardId;
use ringshift::migration::{Action, Answer, Command, Lineage, Mark, Wish};
use ringshift::store::{Chunks, MemoryShard};

use crate::leader::Mind;
use crate::message::Event;
use crate::network::Node;
use crate::story::About;
use crate::world::World;

/// Whether the next claim of that file would go unnoticed.
fn allows(known: &Mark, store: &MemoryShard) -> bool {
    let claim = Command::Claim {
        shard: known.shard,
        term: store.guard().term(),
        lineage: Lineage {
            follows: known.lineage.claim,
            claim: 1,
        },
    };
    match store.clone().command(&claim, &mut Chunks::default()) {
        Answer::Claimed(mark) => known.allows(&mark),
        other => panic!("no claim: {other:?}"),
    }
}

impl World {
    /// When the next fault of a kind is due.
    pub(crate) fn next_fault(&mut self, kind: usize) {
        let apart = self.draw.faults[kind];
        if apart > 0 && !self.calm {
            let when = self.now + self.dice.between(1, 2 * apart);
            self.at(when, Event::Fault(kind));
        }
    }

    pub(crate) fn fault(&mut self, kind: usize) {
        if self.calm {
            return;
        }
        match kind {
            0 => {
                let client = self.dice.index(self.clients.len());
                self.crash_client(client);
            }
            1 => {
                let shard = self.some_shard();
                self.crash_shard(shard);
            }
            2 => {
                let at = self.dice.index(self.leaders.len());
                self.crash_leader(at);
            }
            3 => self.part(),
            4 => self.slow_down(),
            5 => self.freeze(),
            6 => self.back_up(),
            _ => self.edit(),
        }
        self.next_fault(kind);
    }

    fn some_shard(&mut self) -> ShardId {
        let ids: Vec<ShardId> = self.shards.keys().copied().collect();
        self.dice.pick(&ids)
    }

    /// Back after a while: mostly soon.
    fn back_soon(&mut self, node: Node) {
        let when = self.now + self.dice.skewed(5, 2_500);
        self.at(when, Event::Restart(node));
    }

    pub(crate) fn crash_client(&mut self, client: usize) {
        if !self.clients[client].up {
            return;
        }
        self.counts.add("client crashes");
        self.abandon(client);
        self.clients[client].up = false;
        self.clients[client].life += 1;
        self.tell(About::All, || format!("client {client} dies"));
        self.back_soon(Node::Client(client));
    }

    pub(crate) fn crash_shard(&mut self, id: ShardId) {
        let Some(shard) = self.shards.get_mut(&id).filter(|shard| shard.up) else {
            return;
        };
        shard.up = false;
        shard.life += 1;
        self.counts.add("shard crashes");
        self.tell(About::All, || format!("shard {id} dies"));
        self.back_soon(Node::Shard(id));
    }

    pub(crate) fn crash_leader(&mut self, at: usize) {
        if !self.leaders[at].up {
            return;
        }
        if self.leaders[at].coordinator().is_some() {
            self.counts.add("coordinator crashes");
        }
        self.leaders[at].die();
        self.tell(About::All, || format!("leader {at} dies"));
        self.back_soon(Node::Leader(at));
    }

    pub(crate) fn restart(&mut self, node: Node) {
        match node {
            Node::Client(client) if !self.clients[client].up => {
                // It finds whatever map it has kept.
                let newest = self.maps.len() - 1;
                let back = self.dice.skewed(0, newest as u64);
                let at = newest - usize::try_from(back).unwrap();
                let router = Arc::clone(&self.maps[at]);
                self.tell(About::All, || {
                    format!(
                        "client {client} is back, with map {}",
                        router.snapshot().epoch()
                    )
                });
                self.clients[client].begin_anew(router);
                for worker in 0..self.clients[client].workers.len() {
                    self.rest(client, worker);
                }
            }
            Node::Shard(id) => {
                if let Some(shard) = self.shards.get_mut(&id).filter(|shard| !shard.up) {
                    shard.up = true;
                    self.tell(About::All, || format!("shard {id} is back"));
                }
            }
            Node::Leader(at) if !self.leaders[at].up => {
                self.tell(About::All, || format!("leader {at} is back"));
                if self.draw.agents {
                    self.stand_by(at);
                } else {
                    self.leaders[at].up = true;
                }
            }
            _ => {}
        }
    }

    fn part(&mut self) {
        self.counts.add("partitions");
        let (clients, leaders) = (self.clients.len() as u64, self.leaders.len() as u64);
        let node = |world: &mut Self| match world.dice.below(clients + leaders + 4) {
            n if n < clients => Node::Client(usize::try_from(n).unwrap()),
            n if n < clients + leaders => Node::Leader(usize::try_from(n - clients).unwrap()),
            n if n == clients + leaders => Node::Topology,
            _ => Node::Shard(world.some_shard()),
        };
        let of = node(self);
        let from = self.dice.chance(600).then(|| node(self));
        let one_way = self.dice.chance(300);
        let until = self.now + self.dice.skewed(10, 2_500);
        self.network.cut(of, from, one_way, until);
        self.tell(About::All, || {
            let way = if one_way { " one way" } else { "" };
            format!("{of:?} is cut off{way} from {from:?} until {until}")
        });
    }

    fn slow_down(&mut self) {
        self.counts.add("disks slowed");
        let id = self.some_shard();
        let slow = (
            self.dice.between(5, 300),
            self.now + self.dice.between(20, 1_500),
        );
        if let Some(shard) = self.shards.get_mut(&id) {
            shard.slow = slow;
        }
        self.tell(About::All, || {
            format!("shard {id}'s disk is slow: {slow:?}")
        });
    }

    fn freeze(&mut self) {
        let until = self.now + self.dice.skewed(5, 3_000);
        if self.dice.chance(500) {
            self.counts.add("client freezes");
            let client = self.dice.index(self.clients.len());
            self.clients[client].frozen = until;
            self.tell(About::All, || {
                format!("client {client} freezes until {until}")
            });
        } else {
            let at = self.dice.index(self.leaders.len());
            if self.leaders[at].coordinator().is_some() {
                self.counts.add("coordinator freezes");
            }
            self.leaders[at].frozen = until;
            self.tell(About::All, || format!("leader {at} freezes until {until}"));
        }
    }

    /// Somebody keeps a copy of a shard; another time it takes the shard's place. Once a world: what
    /// the copy lacks is lost, so the keys of that shard are judged no further.
    fn back_up(&mut self) {
        if self.restored.is_some() || self.draw.unfenced.is_some() || !self.draw.agents {
            return;
        }
        let kept = self.shards.iter().find(|(_, shard)| shard.backup.is_some());
        let Some((&id, _)) = kept else {
            let id = self.some_shard();
            if let Some(shard) = self.shards.get_mut(&id) {
                shard.backup = Some(shard.store.clone());
            }
            return self.tell(About::All, || format!("shard {id} is backed up"));
        };
        if self.dice.chance(700) {
            return;
        }
        let moment = self.number();
        let known = self.record.desk.marks.iter().find(|mark| mark.shard == id);
        let Some(shard) = self.shards.get_mut(&id) else {
            return;
        };
        if let Some(store) = shard.backup.take() {
            // A copy that has heard of the claim that the record knows can't be told from the file.
            let told = known.is_some_and(|known| !allows(known, &store));
            shard.store = store;
            shard.life += 1;
            self.restored = Some((id, moment));
            self.must_be_shut = told.then_some(id);
            self.counts.add("backups put back");
            self.tell(About::All, || {
                format!("shard {id} is put back to its backup")
            });
        }
    }

    /// Faults stop: everything is up again, and reaches everything.
    pub(crate) fn calm_down(&mut self) {
        self.tell(About::All, || "faults stop".to_owned());
        self.calm = true;
        self.network.calm();
        for client in 0..self.clients.len() {
            self.clients[client].frozen = 0;
            self.restart(Node::Client(client));
        }
        for shard in self.shards.values_mut() {
            shard.slow = (0, 0);
        }
        let ids: Vec<ShardId> = self.shards.keys().copied().collect();
        for id in ids {
            self.restart(Node::Shard(id));
        }
        for at in 0..self.leaders.len() {
            self.leaders[at].frozen = 0;
            self.restart(Node::Leader(at));
        }
    }

    /// Whether a coordinator that somebody has started is at work on that node, or waits there for
    /// whoever resumes a migration that is paused.
    pub(crate) fn is_at_work(&self, at: usize) -> bool {
        let leader = &self.leaders[at];
        let Mind::Coordinator(Some(coordinator)) = &leader.mind else {
            return false;
        };
        let paused = matches!(coordinator.clone().poll(), Action::Over(_));
        leader.up && (!paused || self.record.log.wish == Wish::Pause)
    }
}
