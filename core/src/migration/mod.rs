//! Carrying a migration out: the coordinator, as a machine of the same kind as an operation.

pub mod command;
mod coordinator;
mod install;
pub mod log;
pub mod moves;
mod plan;
mod settings;
mod transition;
mod verify;

pub use command::{Answer, ChunkId, Command, CommandId, KeyDigest, SlotDigest};
pub use coordinator::{Action, Coordinator, CoordinatorError, Ending};
pub use install::{home_installs, wave_installs};
pub use log::{Cursor, Intent, Log, PlannedWave, Wish};
pub use moves::{Move, Point, Stage};
pub use plan::{
    Advice, Amount, Balance, Changes, Circumstances, Cut, Cutover, GrowBits, Half, KeyspaceSizes,
    MergeRanges, MoveKey, MovePrefix, MoveRange, MoveSlots, PinKeyspace, Plan, PlanError,
    PlanFigures, PlanOptions, PlanTime, Rate, Refresh, Risk, ShardFigures, ShardRef, Sizes,
    SlotList, SlotSize, SplitRange, Strategy, Undo, Unpin, WaveFigures, WishKey, WishMatch,
    WishPart, advise_strategy, plan, plan_with,
};
pub use settings::Settings;
pub use verify::{Mismatch, Verifier};
