//! The core for Python. Types are converted here; nothing is decided here.

mod advise;
mod convert;
mod error;
mod migration;
mod operation;
mod pulse;
mod report;
mod router;
mod sql;
mod step;
mod store;
mod transaction;

/// The private half of the package `ringshift`.
#[pyo3::pymodule(gil_used = false)]
mod _ringshift {
    #[pymodule_export]
    use crate::advise::{Meter, add_loads, advise};
    #[pymodule_export]
    use crate::migration::{Coordinator, Plan, TopologyRecord, home_installs, plan};
    #[pymodule_export]
    use crate::operation::{Operation, Policy, Shadow, error_codes};
    #[pymodule_export]
    use crate::pulse::{Pulse, StoreWatch};
    #[pymodule_export]
    use crate::report::Report;
    #[pymodule_export]
    use crate::router::{Keyspace, Router, Snapshot};
    #[pymodule_export]
    use crate::sql::sqlite_command;
    #[pymodule_export]
    use crate::step::{Attempt, Outcome, Refusal, Reply, ShadowStep, Step};
    #[pymodule_export]
    use crate::store::{
        Chunks, Decision, Effect, GateStep, Guard, MemoryShard, RefreshGate, SqliteRecipe, decide,
        key_bytes, row_digest, sqlite_recipe, statements,
    };
    #[pymodule_export]
    use crate::transaction::{
        Batch, BatchReply, Transaction, TransactionOutcome, TransactionStep, decide_batch,
        memory_batch,
    };

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
