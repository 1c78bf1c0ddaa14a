//! `ringshift route`.

use std::io::Write;

use ringshift::ShardId;
use serde::Serialize;

use crate::cli::keys::each_key;
use crate::cli::output::key_fields;
use crate::cli::{CliError, Lookup};

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    key: serde_json::Map<String, serde_json::Value>,
    slot: u32,
    shard: &'a str,
    shard_id: ShardId,
    moving: bool,
}

pub(super) fn run(arguments: &Lookup, out: &mut dyn Write) -> Result<(), CliError> {
    each_key(arguments, |keyspace, typed, key| {
        let route = match keyspace.route(key) {
            Ok(route) => route,
            Err(error) => return Ok(Err(error)),
        };
        // A snapshot's table names only shards that it has.
        let Some(shard) = keyspace.snapshot().content().shard_at(route.shard) else {
            let text = format!("shard index {} isn't in the topology", route.shard);
            return Err(CliError::Refused(text));
        };
        if arguments.json {
            let line = Line {
                key: key_fields(typed),
                slot: route.slot.0,
                shard: &shard.name,
                shard_id: shard.id,
                moving: route.moving,
            };
            serde_json::to_writer(&mut *out, &line).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        } else {
            out.write_all(typed)?;
            writeln!(out, "\t{}\t{}", route.slot, shard.name)?;
        }
        Ok(Ok(()))
    })
}
