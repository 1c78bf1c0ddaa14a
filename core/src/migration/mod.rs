//! Carrying a migration out: the coordinator, as a machine of the same kind as an operation.

mod agent;
mod calendar;
mod checker;
mod checklist;
pub mod command;
mod coordinator;
mod gates;
mod install;
pub mod log;
pub mod moves;
mod plan;
mod pulse;
mod report;
mod report_text;
pub mod request;
mod settings;
mod store_watch;
mod throttle;
mod transition;
mod verify;

pub use agent::{Agent, AgentAction, Standing};
pub use calendar::{Calendar, CalendarError, Date, Day, Hours, WallClock};
pub use checker::{CheckFigures, CheckStep, Checker, Checks};
pub use checklist::{Checklist, ChecklistRule, Item, ItemState, Tick};
pub use command::{Answer, ChunkId, Command, CommandId, KeyDigest, SlotDigest};
pub use coordinator::{
    Action, Coordinator, CoordinatorError, Decided, Decision, Doing, Ending, Held, Status,
    WaveStatus,
};
pub use gates::{
    AfterPatience, Consent, Gate, GateState, Gates, Health, OwnFacts, StoreHealth, Unknown, Verdict,
};
pub use install::{home_installs, wave_installs};
pub use log::{Cursor, Intent, Log, PlannedWave, Wish};
pub use moves::{Move, Point, Stage};
pub use plan::{
    Advice, Amount, Balance, Changes, Circumstances, Cut, Cutover, GrowBits, Half, KeyspaceSizes,
    MergeRanges, MoveKey, MovePrefix, MoveRange, MoveSlots, Pauses, PinKeyspace, Plan, PlanError,
    PlanFigures, PlanOptions, PlanTime, Rate, Refresh, Risk, ShardFigures, ShardRef, Sizes,
    SlotList, SlotSize, SplitRange, Strategy, Undo, Unpin, WaveFigures, WishKey, WishMatch,
    WishPart, advise_strategy, plan, plan_with,
};
pub use pulse::{Pulse, PulseOptions};
pub use report::{Latency, Line, Pause, Progress, Report, Summary};
pub use request::{Lineage, Mark, Request, Requested};
pub use settings::Settings;
pub use store_watch::StoreWatch;
pub use throttle::{Pace, Throttle};
pub use verify::{Mismatch, Verifier};
