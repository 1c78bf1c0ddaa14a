//! What comes next in a migration, in words: for people, who decide by it. What a coordinator does
//! it decides itself.

use ringshift::migration::{Consent, Settings, Wish};
use ringshift::{PPM, Phase, Side, Wave};
use ringshift_operator::topology::Record;
use ringshift_operator::verify::waves;

use crate::cli::carry::under_way;
use crate::cli::progress::millis;

/// What comes next, as far as the record tells.
pub(super) fn next_step(record: &Record) -> String {
    let log = &record.log;
    if !under_way(record) {
        return "nothing is under way; ringshift plan says what a change would do".to_owned();
    }
    match log.wish {
        Wish::Pause if log.back.is_some() => {
            "nothing, it is paused on its way back; go on with ringshift resume".to_owned()
        }
        Wish::Pause => {
            "nothing, it is paused; go on with ringshift resume, or take it back with ringshift rollback"
                .to_owned()
        }
        Wish::Back => back(record),
        Wish::Forward => forward(record),
    }
}

fn back(record: &Record) -> String {
    let over = |wave: &&Wave| matches!(wave.phase, Phase::Ended(_));
    let all: Vec<&Wave> = waves(&record.snapshot).map(|(_, wave)| wave).collect();
    if let Some(wave) = all.iter().copied().find(over) {
        return removal(record, wave);
    }
    match all.last() {
        Some(wave) => {
            let (domain, from) = (wave.domain, named(record, wave.from));
            match wave.phase {
                Phase::Reversed => {
                    format!("wave {domain}: {from} takes the writes over again, behind a barrier")
                }
                Phase::ReadNew => format!("wave {domain}: all reads go to {from} again"),
                _ => format!("wave {domain} is cancelled; {from} has never let go of it"),
            }
        }
        None => "the list of shards becomes what it was, and the migration is over".to_owned(),
    }
}

fn forward(record: &Record) -> String {
    let log = &record.log;
    let settings = log.settings.as_deref().cloned().unwrap_or_default();
    let all: Vec<&Wave> = waves(&record.snapshot).map(|(_, wave)| wave).collect();
    if log.enlist.is_some() {
        return "the new list of shards is published".to_owned();
    }
    if !log.grow.is_empty() {
        return "slots are split".to_owned();
    }
    let over = |wave: &&Wave| matches!(wave.phase, Phase::Ended(_));
    if let Some(wave) = all.iter().copied().find(over) {
        return removal(record, wave);
    }
    if let Some(wave) = all.iter().find(|wave| wave.phase != Phase::Reversed) {
        return phase(record, wave, &settings);
    }
    if !log.planned.is_empty() && (all.is_empty() || !settings.finish_each) {
        return format!("the next of {} waves begins", log.planned.len());
    }
    match all.first() {
        Some(wave) => window(record, wave, &settings),
        None => "the list of shards is settled, and the migration is over".to_owned(),
    }
}

fn phase(record: &Record, wave: &Wave, settings: &Settings) -> String {
    let (domain, to) = (wave.domain, named(record, wave.to));
    match wave.phase {
        Phase::Prepare => format!("wave {domain}: {to} is emptied, then gets each write too"),
        Phase::DoubleWrite if settings.offline => format!(
            "wave {domain}: writes are held while rows are copied and compared, then {to} takes over"
        ),
        Phase::DoubleWrite => {
            format!("wave {domain}: rows are copied to {to} until it has caught up")
        }
        Phase::ShadowRead => format!(
            "wave {domain}: reads are compared for {}, then both sides, before any read goes to {to}",
            millis(settings.shadow_ms)
        ),
        Phase::ReadNew if wave.ramp_ppm < PPM => format!(
            "wave {domain}: after {} at this ramp, more reads go to {to}",
            millis(settings.ramp_ms)
        ),
        Phase::ReadNew => format!(
            "wave {domain}: after {} at this ramp, {to} takes the writes over, behind a barrier",
            millis(settings.ramp_ms)
        ),
        Phase::Reversed | Phase::Ended(_) => window(record, wave, settings),
    }
}

fn window(record: &Record, wave: &Wave, settings: &Settings) -> String {
    let from = named(record, wave.from);
    let asked = settings.gates.finish == Consent::Asked && !record.log.finish_agreed;
    let ask = if asked {
        ", once somebody agrees to it (ringshift resume --yes)"
    } else {
        ""
    };
    format!(
        "wave {}: the rollback window of {}; then the copy on {from} is given up{ask}, and there is no way back",
        wave.domain,
        millis(settings.reversed_ms)
    )
}

fn removal(record: &Record, wave: &Wave) -> String {
    let loser = match wave.phase {
        Phase::Ended(Side::From) => wave.to,
        _ => wave.from,
    };
    let loser = named(record, loser);
    format!("wave {}: its rows are removed from {loser}", wave.domain)
}

fn named(record: &Record, id: ringshift::ShardId) -> String {
    let shard = record.snapshot.shard(id);
    shard.map_or_else(|| format!("#{id}"), |shard| shard.name.clone())
}
