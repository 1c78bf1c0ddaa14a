//! `ringshift show`.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use ringshift::{Keyspace, Phase, Router, Shard, ShardState, Snapshot, Wave};
use ringshift_operator::topology::read_snapshot;
use serde::Serialize;

use crate::cli::CliError;
use crate::cli::output::{Table, bar};

/// Characters of the widest bar.
const BAR_WIDTH: u64 = 24;

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The topology file
    #[arg(long, value_name = "FILE")]
    topology: PathBuf,
    /// Only this keyspace
    #[arg(long, value_name = "NAME")]
    keyspace: Option<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Overview {
    cluster: String,
    epoch: u32,
    digest: String,
    keyspaces: Vec<Space>,
}

#[derive(Serialize)]
struct Space {
    name: String,
    bits: u8,
    slots: u32,
    pins: usize,
    shards: Vec<Share>,
    waves: Vec<WaveLine>,
}

#[derive(Serialize)]
struct Share {
    id: u32,
    name: String,
    zone: String,
    endpoint: String,
    state: ShardState,
    weight: f64,
    /// Slots whose writes it orders.
    slots: u32,
    /// Slots that its weight gives it a claim to.
    ideal: f64,
    /// Slots that it holds a copy of.
    mirrored: u32,
}

#[derive(Serialize)]
struct WaveLine {
    domain: u32,
    epoch: u32,
    phase: &'static str,
    from: String,
    to: String,
    slots: u32,
    ramp_ppm: u32,
    shadow_ppm: u32,
    strict: bool,
}

pub(super) fn run(arguments: &Show, out: &mut dyn Write) -> Result<(), CliError> {
    let snapshot =
        read_snapshot(&arguments.topology).map_err(CliError::topology(&arguments.topology))?;
    let router = Router::new(Arc::new(snapshot));
    let snapshot = router.snapshot();
    let keyspaces: Vec<Keyspace<'_>> = if let Some(name) = &arguments.keyspace {
        vec![router.keyspace(name).map_err(CliError::Keyspace)?]
    } else {
        let all = &snapshot.content().keyspaces;
        all.iter()
            .filter_map(|k| router.keyspace_at(k.id))
            .collect()
    };
    let cluster = Overview {
        cluster: snapshot.cluster().to_owned(),
        epoch: snapshot.epoch().get(),
        digest: snapshot.digest().to_string(),
        keyspaces: keyspaces
            .iter()
            .filter_map(|k| space(snapshot, k))
            .collect(),
    };
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &cluster).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        return Ok(());
    }
    people(&cluster, io::stdout().is_terminal(), out)
}

fn space(snapshot: &Snapshot, keyspace: &Keyspace<'_>) -> Option<Space> {
    let content = snapshot.content().keyspace(keyspace.id())?;
    let weight_of = |shard: &Shard| match shard.state {
        ShardState::Active => f64::from(shard.weight.thousandths()),
        ShardState::Draining => 0.0,
    };
    let all: f64 = snapshot.content().shards.iter().map(weight_of).sum();
    let slots = content.slot_count();
    let shards = keyspace.shards().map(|(shard, share)| Share {
        id: shard.id.0,
        name: shard.name.clone(),
        zone: shard.zone.clone(),
        endpoint: shard.endpoint.clone(),
        state: shard.state,
        weight: f64::from(shard.weight.thousandths()) / 1000.0,
        slots: share.slots,
        ideal: if all > 0.0 {
            f64::from(slots) * weight_of(shard) / all
        } else {
            0.0
        },
        mirrored: share.mirrored,
    });
    Some(Space {
        name: content.name.clone(),
        bits: content.bits,
        slots,
        pins: content.directory.len(),
        shards: shards.collect(),
        waves: content
            .waves
            .iter()
            .map(|wave| wave_line(snapshot, wave))
            .collect(),
    })
}

fn wave_line(snapshot: &Snapshot, wave: &Wave) -> WaveLine {
    let name = |id| {
        let shard = snapshot.shard(id);
        shard.map_or_else(|| format!("#{id}"), |shard| shard.name.clone())
    };
    WaveLine {
        domain: wave.domain.0,
        epoch: wave.epoch.get(),
        phase: wave.state_name(),
        from: name(wave.from),
        to: name(wave.to),
        slots: wave.slot_count(),
        ramp_ppm: wave.ramp_ppm,
        shadow_ppm: wave.shadow_ppm,
        strict: wave.strict,
    }
}

fn people(cluster: &Overview, bars: bool, out: &mut dyn Write) -> Result<(), CliError> {
    let digest: String = cluster.digest.chars().take(16).collect();
    writeln!(
        out,
        "cluster {}  epoch {}  digest {digest}…",
        cluster.cluster, cluster.epoch
    )?;
    for space in &cluster.keyspaces {
        let pins = match space.pins {
            0 => String::new(),
            1 => ", 1 pinned key".to_owned(),
            pins => format!(", {pins} pinned keys"),
        };
        writeln!(
            out,
            "\nkeyspace {}  {} slots ({} bits){pins}",
            space.name, space.slots, space.bits
        )?;
        out.write_all(shares(space, bars).as_bytes())?;
        if !space.waves.is_empty() {
            writeln!(out)?;
            out.write_all(waves(&space.waves).as_bytes())?;
        }
    }
    Ok(())
}

fn shares(space: &Space, bars: bool) -> String {
    let mut headings = vec![
        "shard",
        "name",
        "zone",
        ">weight",
        ">slots",
        ">share",
        ">ideal",
        ">mirrored",
    ];
    if bars {
        headings.push("");
    }
    let mut table = Table::new(&headings);
    let most = space.shards.iter().map(|shard| shard.slots).max();
    let percent = |slots: f64| format!("{:.2} %", 100.0 * slots / f64::from(space.slots));
    for shard in &space.shards {
        let name = match shard.state {
            ShardState::Active => shard.name.clone(),
            ShardState::Draining => format!("{} (draining)", shard.name),
        };
        let mut row = vec![
            shard.id.to_string(),
            name,
            shard.zone.clone(),
            shard.weight.to_string(),
            shard.slots.to_string(),
            percent(shard.slots.into()),
            percent(shard.ideal),
            shard.mirrored.to_string(),
        ];
        if bars {
            row.push(bar(shard.slots.into(), most.unwrap_or(0).into(), BAR_WIDTH));
        }
        table.row(row);
    }
    table.text()
}

fn waves(waves: &[WaveLine]) -> String {
    let mut table = Table::new(&["wave", "from", "to", ">slots", "phase", "acks", ">ramp"]);
    for wave in waves {
        let ramp = if wave.phase == Phase::ReadNew.name() {
            format!(
                "{}.{:02} %",
                wave.ramp_ppm / 10_000,
                wave.ramp_ppm / 100 % 100
            )
        } else {
            String::new()
        };
        table.row(vec![
            wave.domain.to_string(),
            wave.from.clone(),
            wave.to.clone(),
            wave.slots.to_string(),
            wave.phase.to_owned(),
            if wave.strict { "strict" } else { "relaxed" }.to_owned(),
            ramp,
        ]);
    }
    table.text()
}
