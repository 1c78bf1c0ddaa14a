//! Clients that read and write all the time, and write down what they see.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Instant as Clock;

use ringshift::{OperationError, Outcome, Version};
use ringshift_operator::client::{Client, ClientKeyspace, Ended};
use ringshift_operator::store::Change;

use crate::cluster::{Failed, KEYSPACE};
use crate::dataset::Record;
use crate::history::{KeyId, Op, Recorder, Value, ValueId};
use crate::latency::{Meter, Window};
use crate::zipf::Zipf;

/// Where the run stands: what clients do, and which window their operations count in.
#[derive(Debug, Default)]
pub(crate) struct Stage(AtomicU8);

impl Stage {
    /// 0, where every run begins, is the warm-up.
    pub(crate) const BEFORE: u8 = 1;
    pub(crate) const DURING: u8 = 2;
    pub(crate) const COOL_DOWN: u8 = 3;
    pub(crate) const OVER: u8 = 4;

    pub(crate) fn set(&self, stage: u8) {
        self.0.store(stage, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::OVER
    }

    fn window(&self) -> Option<Window> {
        match self.0.load(Ordering::Relaxed) {
            Self::BEFORE => Some(Window::Before),
            Self::DURING => Some(Window::During),
            _ => None,
        }
    }
}

/// What all clients of a run share.
pub(crate) struct Shared {
    pub(crate) keys: Arc<[String]>,
    pub(crate) records: Vec<Record>,
    pub(crate) zipf: Zipf,
    pub(crate) stage: Stage,
    pub(crate) clock: Clock,
    /// Where the clock of a resumed run goes on.
    pub(crate) clock_from_ns: u64,
    pub(crate) next_value: AtomicU64,
}

impl Shared {
    pub(crate) fn now_ns(&self) -> u64 {
        let ns = u64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.clock_from_ns.saturating_add(ns)
    }

    /// A value that nobody has written before: its number, then the record.
    fn fresh_value(&self, key: KeyId) -> Option<(ValueId, Vec<u8>)> {
        let id = ValueId::new(self.next_value.fetch_add(1, Ordering::Relaxed))?;
        let record = self
            .records
            .get(key as usize)
            .map_or(&[][..], |record| &record.value);
        let mut bytes = id.get().to_le_bytes().to_vec();
        bytes.extend_from_slice(record);
        Some((id, bytes))
    }

    /// Which value those bytes are; unreadable ones fail the check.
    fn decode(&self, key: KeyId, bytes: &[u8]) -> ValueId {
        let (id, record) = bytes.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let expected = self
            .records
            .get(key as usize)
            .map(|record| record.value.as_slice());
        let id = ValueId::new(u64::from_le_bytes(*id)).filter(|_| expected == Some(record));
        id.unwrap_or(ValueId::UNREADABLE)
    }
}

/// One client.
pub(crate) struct Worker<'w> {
    shared: &'w Shared,
    keyspace: ClientKeyspace<'w>,
    recorder: Recorder,
    rng: fastrand::Rng,
    meter: Meter,
}

/// What a worker leaves.
pub(crate) struct Done {
    pub(crate) ops: Vec<Op>,
    pub(crate) meter: Meter,
}

impl<'w> Worker<'w> {
    pub(crate) fn new(
        shared: &'w Shared,
        client: &'w Client,
        recorder: Recorder,
        seed: u64,
    ) -> Result<Self, Failed> {
        Ok(Self {
            shared,
            keyspace: client.keyspace(KEYSPACE)?,
            recorder,
            rng: fastrand::Rng::with_seed(seed),
            meter: Meter::new()?,
        })
    }

    /// Writes the first value of each of these keys.
    pub(crate) fn load(&mut self, keys: impl Iterator<Item = KeyId>) -> Result<(), Failed> {
        keys.into_iter().try_for_each(|key| self.put(key))
    }

    /// Reads each of these keys once.
    pub(crate) fn read_all(&mut self, keys: impl Iterator<Item = KeyId>) -> Result<(), Failed> {
        for key in keys {
            self.read(key)?;
        }
        Ok(())
    }

    /// A closed loop until the run is over: half reads, the rest puts, deletes and put-ifs, on
    /// keys of which few are asked for often.
    pub(crate) fn run(&mut self) -> Result<(), Failed> {
        while !self.shared.stage.is_over() {
            let key = self.shared.zipf.pick(&mut self.rng);
            match self.rng.u8(..100) {
                0..50 => drop(self.read(key)?),
                50..85 => self.put(key)?,
                85..92 => self.delete(key)?,
                _ => self.put_if(key)?,
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> io::Result<Done> {
        Ok(Done {
            ops: self.recorder.finish()?,
            meter: self.meter,
        })
    }

    fn read(&mut self, key: KeyId) -> Result<(Value, Option<Version>), Failed> {
        let began = self.shared.now_ns();
        self.recorder.read(key, began)?;
        let ended = self.ask(key, None, began)?;
        Ok(match ended.outcome {
            Outcome::Value { version, .. } => {
                let found = ended
                    .found
                    .as_ref()
                    .and_then(|found| found.value.as_deref());
                let value = self.shared.decode(key, found.unwrap_or_default());
                (Some(value), Some(version))
            }
            _ => (None, None),
        })
    }

    fn put(&mut self, key: KeyId) -> Result<(), Failed> {
        let Some((id, bytes)) = self.shared.fresh_value(key) else {
            return Ok(());
        };
        let began = self.shared.now_ns();
        self.recorder.write(key, id, began)?;
        self.ask(key, Some(Change::Put(&bytes)), began)?;
        Ok(())
    }

    fn delete(&mut self, key: KeyId) -> Result<(), Failed> {
        let began = self.shared.now_ns();
        self.recorder.delete(key, began)?;
        self.ask(key, Some(Change::Delete), began)?;
        Ok(())
    }

    /// Reads, then puts if nobody else has written since; a missing key is put if still missing.
    fn put_if(&mut self, key: KeyId) -> Result<(), Failed> {
        let (seen, expected) = self.read(key)?;
        let Some((id, value)) = self.shared.fresh_value(key) else {
            return Ok(());
        };
        let began = self.shared.now_ns();
        self.recorder.write_if(key, seen, id, began)?;
        self.ask(
            key,
            Some(Change::PutIf {
                expected,
                value: &value,
            }),
            began,
        )?;
        Ok(())
    }

    /// Sends an operation, and writes its end down as soon as its outcome stands.
    fn ask(
        &mut self,
        key: KeyId,
        change: Option<Change<'_>>,
        began_ns: u64,
    ) -> Result<Ended, Failed> {
        let shared = self.shared;
        let name = shared
            .keys
            .get(key as usize)
            .map_or(&[][..], |name| name.as_bytes());
        let (recorder, meter) = (&mut self.recorder, &mut self.meter);
        let ended = self.keyspace.run(name, change, |ended| {
            let now = shared.now_ns();
            match ended.outcome {
                Outcome::Value { .. } => {
                    let found = ended
                        .found
                        .as_ref()
                        .and_then(|found| found.value.as_deref());
                    let value = shared.decode(key, found.unwrap_or_default());
                    recorder.found(Some(value), now);
                }
                Outcome::Missing => recorder.found(None, now),
                Outcome::Written { .. } => recorder.ok(now),
                Outcome::Failed(OperationError::Indeterminate { .. }) => recorder.info(now),
                Outcome::Conflict { .. } | Outcome::Failed(_) => recorder.fail(now),
            }
            meter.completed(shared.stage.window(), began_ns, now);
        })?;
        Ok(ended)
    }
}
