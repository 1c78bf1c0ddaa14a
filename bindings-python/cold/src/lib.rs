//! All that Python has of the core but what routes keys: snapshots, machines, stores' decisions,
//! migrations. Compiled for size.

mod advise;
mod gates;
mod migration;
mod operation;
mod pulse;
mod report;
mod router;
mod sql;
mod step;
mod store;
mod transaction;

use pyo3::prelude::*;
use ringshift_python_routing::{convert, error};

/// Puts its classes and functions into the package's private module.
pub fn fill(module: &Bound<'_, PyModule>) -> PyResult<()> {
    macro_rules! classes {
        ($($class:ty),* $(,)?) => {$(module.add_class::<$class>()?;)*};
    }
    macro_rules! functions {
        ($($function:path),* $(,)?) => {
            $(module.add_function(wrap_pyfunction!($function, module)?)?;)*
        };
    }
    classes!(
        advise::Meter,
        pulse::Pulse,
        pulse::StoreWatch,
        report::Report,
        gates::Pace,
        migration::Coordinator,
        migration::Plan,
        migration::TopologyRecord,
        operation::Operation,
        operation::Policy,
        operation::Shadow,
        router::Router,
        router::Snapshot,
        step::Attempt,
        step::Outcome,
        step::Refusal,
        step::Reply,
        step::ShadowStep,
        step::Step,
        store::Chunks,
        store::Decision,
        store::Effect,
        store::GateStep,
        store::Guard,
        store::MemoryShard,
        store::RefreshGate,
        store::SqliteRecipe,
        transaction::Batch,
        transaction::BatchReply,
        transaction::Transaction,
        transaction::TransactionOutcome,
        transaction::TransactionStep,
    );
    functions!(
        advise::add_loads,
        advise::advise,
        gates::advise_strategy,
        gates::allowed,
        gates::checklist,
        gates::judge,
        migration::home_installs,
        migration::plan,
        operation::error_codes,
        sql::sqlite_command,
        store::decide,
        store::key_bytes,
        store::row_digest,
        store::sqlite_recipe,
        store::statements,
        transaction::decide_batch,
        transaction::memory_batch,
    );
    Ok(())
}
