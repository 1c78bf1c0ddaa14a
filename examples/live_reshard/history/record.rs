//! Records what one client does: a list in memory and, if asked for, a journal that survives a kill.

use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::file::{Event, write_event};
use super::{Function, KeyId, Op, Outcome, Value, ValueId};

/// Hands out a [`Recorder`] to each client.
#[derive(Clone, Debug)]
pub(crate) struct Recorders {
    next_process: Arc<AtomicU32>,
    journal: Option<Journal>,
}

/// Where recorders write as they go.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    /// Opened for appending: each write lands whole behind those of other clients.
    pub(super) file: Arc<File>,
    /// The keys' names, by [`KeyId`].
    pub(super) keys: Arc<[String]>,
}

impl Recorders {
    /// Recorders that keep everything in memory only.
    pub(crate) fn in_memory() -> Self {
        Self::starting_at(0, None)
    }

    pub(super) fn starting_at(process: u32, journal: Option<Journal>) -> Self {
        Self {
            next_process: Arc::new(AtomicU32::new(process)),
            journal,
        }
    }

    /// A recorder for one more client.
    pub(crate) fn client(&self) -> Recorder {
        Recorder {
            process: self.next_process.fetch_add(1, Ordering::Relaxed),
            next_process: Arc::clone(&self.next_process),
            open: None,
            ended_ns: 0,
            ops: Vec::new(),
            journal: self.journal.clone(),
            staged: Vec::new(),
        }
    }
}

/// One client's record. One operation is open at a time.
///
/// Inputs, in this order, over and over: one of [`read`](Self::read), [`write`](Self::write),
/// [`write_if`](Self::write_if), [`delete`](Self::delete) **before** the operation is sent; one of
/// [`ok`](Self::ok), [`found`](Self::found), [`fail`](Self::fail), [`info`](Self::info) after it is
/// over. An end without a beginning is a no-op; a beginning without an end leaves the outcome of
/// the one before unknown. Output: [`finish`](Self::finish).
#[derive(Debug)]
pub(crate) struct Recorder {
    process: u32,
    next_process: Arc<AtomicU32>,
    open: Option<Op>,
    ended_ns: u64,
    ops: Vec<Op>,
    journal: Option<Journal>,
    /// Lines for the journal: an end waits for the next beginning, so an operation costs one write.
    staged: Vec<u8>,
}

impl Recorder {
    pub(crate) fn read(&mut self, key: KeyId, now_ns: u64) -> io::Result<()> {
        self.begin(Function::Read, key, None, now_ns)
    }

    pub(crate) fn write(&mut self, key: KeyId, value: ValueId, now_ns: u64) -> io::Result<()> {
        self.begin(Function::Write, key, Some(value), now_ns)
    }

    /// A put that is to hold only if the key holds `expect`.
    pub(crate) fn write_if(
        &mut self,
        key: KeyId,
        expect: Value,
        value: ValueId,
        now_ns: u64,
    ) -> io::Result<()> {
        self.begin(Function::WriteIf { expect }, key, Some(value), now_ns)
    }

    pub(crate) fn delete(&mut self, key: KeyId, now_ns: u64) -> io::Result<()> {
        self.begin(Function::Delete, key, None, now_ns)
    }

    /// A write or delete took effect.
    pub(crate) fn ok(&mut self, now_ns: u64) {
        self.end(Outcome::Ok, None, now_ns);
    }

    /// A read was answered.
    pub(crate) fn found(&mut self, value: Value, now_ns: u64) {
        self.end(Outcome::Ok, value, now_ns);
    }

    /// It certainly did not take effect and never will.
    pub(crate) fn fail(&mut self, now_ns: u64) {
        self.end(Outcome::Fail, None, now_ns);
    }

    /// Nobody knows. The client goes on under a new process number, as outside checkers ask for.
    pub(crate) fn info(&mut self, now_ns: u64) {
        self.end(Outcome::Info, None, now_ns);
    }

    /// How many operations are over.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.ops.len()
    }

    /// Hands over the operations; one that is still open has an unknown outcome.
    pub(crate) fn finish(mut self) -> io::Result<Vec<Op>> {
        self.info(self.ended_ns);
        self.flush()?;
        Ok(mem::take(&mut self.ops))
    }

    fn begin(
        &mut self,
        function: Function,
        key: KeyId,
        value: Value,
        now_ns: u64,
    ) -> io::Result<()> {
        self.info(now_ns);
        let op = Op {
            process: self.process,
            key,
            function,
            value,
            // Strictly after its last end, so that a tie in time never turns the two round.
            invoke_ns: now_ns.max(self.ended_ns.saturating_add(1)),
            complete_ns: u64::MAX,
            outcome: Outcome::Info,
        };
        self.open = Some(op);
        self.stage(Event::Invoke, &op)?;
        // Before the operation is sent: what it may write is then known even after a kill.
        self.flush()
    }

    fn end(&mut self, outcome: Outcome, found: Value, now_ns: u64) {
        let Some(mut op) = self.open.take() else {
            return;
        };
        op.outcome = outcome;
        op.complete_ns = now_ns.max(op.invoke_ns);
        if op.function == Function::Read {
            op.value = found;
        }
        if outcome == Outcome::Info {
            self.process = self.next_process.fetch_add(1, Ordering::Relaxed);
        }
        self.ended_ns = op.complete_ns;
        self.ops.push(op);
        // A line that can't be staged would leave the outcome unknown, which is true as well.
        _ = self.stage(Event::Complete, &op);
    }

    fn stage(&mut self, event: Event, op: &Op) -> io::Result<()> {
        match &self.journal {
            Some(journal) => write_event(&mut self.staged, event, op, &journal.keys),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let (Some(journal), false) = (&self.journal, self.staged.is_empty()) {
            (&*journal.file).write_all(&self.staged)?;
            self.staged.clear();
        }
        Ok(())
    }
}
