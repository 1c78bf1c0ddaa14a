//! One move on its way: which command each stage is.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::guard::{Fence, InstallRow};
use crate::ids::{DomainId, Epoch, KeyspaceId, Revision, ShardId};
use crate::migration::command::{ChunkId, Command};
use crate::migration::coordinator::{Coordinator, CoordinatorError};
use crate::migration::install::owner_after;
use crate::migration::log::{Intent, Log};
use crate::migration::moves::{Move, Point, Stage};
use crate::phase::{Phase, Side};
use crate::snapshot::{Home, Snapshot};
use crate::time::Instant;
use crate::wave::Wave;

/// A move on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Run {
    pub(super) goal: Move,
    pub(super) stage: Stage,
    /// The wave, for all moves but those of the whole topology.
    pub(super) domain: Option<DomainId>,
    /// When it began, for a barrier's deadline.
    pub(super) began: Instant,
    /// Everything up to here is on the mirror.
    pub(super) cursor: Revision,
    /// The authority's closing revision: how far a barrier must copy.
    pub(super) target: Revision,
    /// The chunk that was read: how far it reaches, how many rows, and whether it was the last.
    pub(super) chunk: (Revision, u32, bool),
    /// Chunks applied.
    pub(super) chunks: u32,
    /// Where copying the other way will start from.
    pub(super) reverse: Revision,
    /// Whether everything accepted was copied behind the closed guards.
    pub(super) drained: bool,
    /// What is to be written down: as it was when that was begun, whatever is wished meanwhile.
    pub(super) saves: Option<Log>,
    /// What is to be swapped in.
    pub(super) next: Option<(Arc<Snapshot>, Log)>,
    /// What is to be installed, in this order.
    pub(super) installs: Vec<(ShardId, Vec<InstallRow>)>,
    /// The chunk that was read last.
    pub(super) held: ChunkId,
    /// Whether the mirror was a leased one when it began.
    pub(super) leased: bool,
    /// When every lease is surely over.
    pub(super) until: Instant,
}

impl Run {
    pub(super) fn new(goal: Move, stage: Stage, domain: Option<DomainId>, began: Instant) -> Self {
        Self {
            goal,
            stage,
            domain,
            began,
            cursor: Revision(0),
            target: Revision(0),
            chunk: (Revision(0), 0, false),
            chunks: 0,
            reverse: Revision(0),
            drained: false,
            saves: None,
            next: None,
            installs: Vec::new(),
            held: ChunkId(0),
            leased: false,
            until: Instant::ZERO,
        }
    }

    pub(super) fn point(&self) -> Point {
        Point::new(self.goal, self.stage)
    }
}

/// The wave that a run is about, with what its commands need.
pub(super) struct Context<'c> {
    pub(super) keyspace: KeyspaceId,
    pub(super) wave: &'c Wave,
    pub(super) fence: Fence,
    pub(super) authority: ShardId,
    pub(super) mirror: ShardId,
    /// Whom the members belong to at the authority, once the wave is over.
    pub(super) winner: Option<Home>,
}

impl Coordinator {
    pub(super) fn context(&self, domain: Option<DomainId>) -> Option<Context<'_>> {
        let (keyspace, content, wave) = self.find_wave(domain?)?;
        let side = wave.phase.authority();
        let authority = wave.shard(side);
        let index = self.snapshot.as_ref()?.content().index_of(authority)?;
        Some(Context {
            keyspace,
            wave,
            fence: Fence {
                domain: wave.domain,
                epoch: wave.epoch,
            },
            authority,
            mirror: wave.shard(side.other()),
            winner: owner_after(content, wave, index),
        })
    }

    pub(super) fn run_command(
        &self,
        run: &Run,
    ) -> Result<(Point, Option<DomainId>, Command), CoordinatorError> {
        let point = run.point();
        let command = self
            .command_of(run)
            .ok_or(CoordinatorError::Senseless { point })?;
        Ok((point, run.domain, command))
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one table, from a stage to its command"
    )]
    fn command_of(&self, run: &Run) -> Option<Command> {
        let term = self.term;
        match run.stage {
            Stage::Log => {
                let log = run.saves.clone()?;
                return Some(Command::SaveLog { term, log });
            }
            Stage::Pause | Stage::Swap | Stage::Open => {
                let (snapshot, log) = run.next.clone()?;
                let expected = self.snapshot.as_ref().map_or(Epoch::ZERO, |s| s.epoch());
                return Some(Command::Swap {
                    expected,
                    term,
                    snapshot,
                    log,
                });
            }
            Stage::InstallFirst | Stage::InstallOther => {
                let (shard, rows) = run.installs.first().cloned()?;
                return Some(Command::Install { shard, term, rows });
            }
            Stage::Shut => {
                let (shard, shut) = (self.tending.readmit?, false);
                return Some(Command::Shut { shard, term, shut });
            }
            _ => {}
        }
        if run.goal == Move::Check {
            return self.check_command(run);
        }
        let Context {
            keyspace,
            wave,
            fence,
            authority,
            mirror,
            winner,
        } = self.context(run.domain)?;
        let limit = self.settings.chunk_rows;
        let chunk = ChunkId(self.id.0);
        let slots = || {
            let verifier = self.facts.verifier.as_ref();
            verifier
                .map(|verifier| verifier.slots().to_vec())
                .unwrap_or_default()
        };
        Some(match run.stage {
            Stage::Purge => {
                // Before double-write `to` must be empty; after the end, whoever lost.
                let shard = if run.goal == Move::Clean {
                    mirror
                } else {
                    wave.to
                };
                Command::Purge {
                    shard,
                    term,
                    fence,
                    limit,
                    release: run.goal == Move::Clean,
                }
            }
            Stage::Prove => Command::Count {
                shard: wave.to,
                fence,
            },
            Stage::Collect => {
                let Home { domain, epoch } = winner?;
                let fence = Fence { domain, epoch };
                Command::Collect {
                    shard: authority,
                    term,
                    fence,
                    limit,
                }
            }
            Stage::Read | Stage::DrainRead => Command::Changes {
                shard: authority,
                fence,
                after: run.cursor,
                limit,
                chunk,
            },
            Stage::Apply | Stage::DrainApply => Command::Apply {
                shard: mirror,
                term,
                fence,
                chunk: run.held,
            },
            Stage::CloseFrom => Command::Close {
                shard: wave.from,
                term,
                fence,
            },
            Stage::CloseTo => Command::Close {
                shard: wave.to,
                term,
                fence,
            },
            Stage::Closing => Command::Revision {
                shard: authority,
                fence,
            },
            Stage::Reverse => Command::Revision {
                shard: mirror,
                fence,
            },
            Stage::DigestFrom => Command::Digests {
                shard: authority,
                fence,
            },
            Stage::DigestTo => Command::Digests {
                shard: mirror,
                fence,
            },
            Stage::KeysFrom | Stage::LookFrom => Command::Keys {
                shard: authority,
                fence,
                keyspace,
                slots: slots(),
            },
            Stage::KeysTo | Stage::LookTo => Command::Keys {
                shard: mirror,
                fence,
                keyspace,
                slots: slots(),
            },
            Stage::Sample
            | Stage::Compare
            | Stage::Lead
            | Stage::Claim
            | Stage::Guards
            | Stage::Log
            | Stage::Pause
            | Stage::Open
            | Stage::Swap
            | Stage::InstallFirst
            | Stage::InstallOther
            | Stage::Lapse
            | Stage::Renew
            | Stage::Time
            | Stage::Grant
            | Stage::Shut => return None,
        })
    }

    /// What a run writes down that comes to its log now. The end of a migration leaves an empty one.
    pub(super) fn log_to_save(&self, run: &Run) -> Log {
        if run.goal == Move::Delist {
            return Log::default();
        }
        Log {
            intent: self.intent_of(run),
            ..self.log.clone()
        }
    }

    /// What the log says of a barrier before it begins; other moves leave it as it is.
    pub(super) fn intent_of(&self, run: &Run) -> Option<Intent> {
        match (run.domain, run.goal.is_barrier()) {
            (Some(domain), true) => Some(Intent {
                domain,
                goal: run.goal,
            }),
            (_, false) | (None, true) => self.log.intent,
        }
    }

    /// Whether `wave` may make the barrier `goal` now.
    pub(super) fn barrier_fits(wave: &Wave, goal: Move) -> bool {
        match goal {
            Move::Ramp(ppm) => match wave.phase {
                Phase::DoubleWrite | Phase::ShadowRead => true,
                Phase::ReadNew => ppm != wave.ramp_ppm,
                Phase::Prepare | Phase::Reversed | Phase::Ended(Side::From | Side::To) => false,
            },
            Move::Offline => wave.phase == Phase::DoubleWrite,
            Move::Unread | Move::StepBack => wave.phase == Phase::ReadNew,
            Move::Switch => wave.phase == Phase::ReadNew && wave.ramp_ppm == crate::wave::PPM,
            Move::SwitchBack => wave.phase == Phase::Reversed,
            Move::Abort => wave.phase.is_carved(),
            _ => false,
        }
    }
}
