//! Carrying a migration out: the coordinator, as a machine of the same kind as an operation.

mod agent;
pub mod command;
mod coordinator;
mod install;
pub mod log;
pub mod moves;
mod plan;
pub mod request;
mod settings;
mod transition;
mod verify;

pub use agent::{Agent, AgentAction, Standing};
pub use command::{Answer, ChunkId, Command, CommandId, KeyDigest, SlotDigest};
pub use coordinator::{Action, Coordinator, CoordinatorError, Ending};
pub use install::{home_installs, wave_installs};
pub use log::{Cursor, Intent, Log, PlannedWave, Wish};
pub use moves::{Move, Point, Stage};
pub use plan::{Changes, Plan, PlanError, PlanFigures, plan};
pub use request::{Mark, Request, Requested};
pub use settings::Settings;
pub use verify::{Mismatch, Verifier};
