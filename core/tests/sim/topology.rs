//! The topology store: one record, the core's own decisions over it, and what is published.

use std::sync::Arc;

use ringshift::Router;
use ringshift::migration::{Answer, Log, Standing, Wish};
use ringshift::record::Record;

use crate::message::Message;
use crate::network::{Care, Node};
use crate::story::About;
use crate::world::World;

impl World {
    /// A request has come to the topology store.
    pub(crate) fn at_topology(&mut self, message: Message) {
        match message {
            Message::Fetch {
                client,
                life,
                number,
                have,
                sent,
            } => {
                let newest = self.maps.len() - 1;
                // A server in between may answer with what it has kept; it renews no leases.
                let kept = self.draw.unfenced.is_none() && self.dice.chance(self.storm(100));
                let back = if kept { self.dice.index(6) } else { 0 };
                let router = Arc::clone(&self.maps[newest.saturating_sub(back)]);
                if router.snapshot().epoch() < have {
                    self.counts.add("stale answers of the topology");
                }
                let message = Message::Fetched {
                    life,
                    number,
                    router,
                    sent,
                    current: !kept,
                };
                let care = Care::default();
                self.post(Node::Topology, Node::Client(client), care, &message);
            }
            Message::Command {
                at,
                life,
                number,
                command,
                ..
            } => {
                let (standing, answer) = match command {
                    None => {
                        let Record { term, beat, .. } = self.record;
                        (Some(Standing { term, beat }), Answer::Done)
                    }
                    Some(command) => {
                        let (answer, next) = self.record.decide(&command);
                        if let Some(next) = next {
                            self.put_record(next);
                        }
                        if matches!(answer, Answer::EpochLost { .. }) {
                            self.counts.add("swaps lost");
                        }
                        (None, answer)
                    }
                };
                let message = Message::Answer {
                    life,
                    number,
                    standing,
                    read: None,
                    answer: Box::new(answer),
                };
                self.post(Node::Topology, Node::Leader(at), Care::default(), &message);
            }
            _ => {}
        }
    }

    /// What the store holds from now on.
    pub(crate) fn put_record(&mut self, next: Record) {
        let before = std::mem::replace(&mut self.record, next);
        let (was, is) = (&before.log, &self.record.log);
        let none = Log::default();
        if *was == none && *is != none {
            self.counts.add("migrations begun");
        } else if *was != none && *is == none {
            let back = was.wish == Wish::Back;
            self.counts.add(if back {
                "migrations rolled back"
            } else {
                "migrations finished"
            });
        }
        if is.wish == Wish::Pause && was.wish != Wish::Pause {
            self.counts.add("migrations paused");
        }
        if is.wish != was.wish {
            let wish = is.wish;
            self.tell(About::All, || format!("the log's wish is {wish:?}"));
        }
        let snapshot = Arc::clone(&self.record.snapshot);
        if snapshot.epoch() == before.snapshot.epoch() {
            return;
        }
        if before.snapshot.check_successor(&snapshot) != Ok(true) {
            self.fail(None, "the topology went back".to_owned());
        }
        self.counts.add("maps");
        self.story.mark(snapshot.epoch().get());
        self.tell(About::All, || {
            let keyspace = &snapshot.content().keyspaces[0];
            let waves = keyspace.waves.iter().map(|wave| {
                format!(
                    "domain {} {}->{} {:?} epoch {}{}",
                    wave.domain,
                    wave.from,
                    wave.to,
                    wave.phase,
                    wave.epoch,
                    if wave.switching { " switching" } else { "" }
                )
            });
            let waves: Vec<String> = waves.collect();
            format!("map {} is in force: {waves:?}", snapshot.epoch())
        });
        let router = Arc::new(Router::new(Arc::clone(&self.record.snapshot)));
        self.authorities.learn(&self.draw.keys, &router);
        self.maps.push(router);
    }
}
