//! `ringshift explain`.

use std::io::Write;

use ringshift::Explanation;
use serde::Serialize;

use crate::cli::keys::{each_key, readable};
use crate::cli::output::{hex, key_fields};
use crate::cli::{CliError, Lookup};

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    key: serde_json::Map<String, serde_json::Value>,
    routing_part_hex: String,
    #[serde(flatten)]
    steps: &'a Explanation,
}

pub(super) fn run(arguments: &Lookup, out: &mut dyn Write) -> Result<(), CliError> {
    let mut first = true;
    each_key(arguments, |keyspace, typed, key| {
        let steps = match keyspace.explain(key) {
            Ok(steps) => steps,
            Err(error) => return Ok(Err(error)),
        };
        if arguments.json {
            let line = Line {
                key: key_fields(typed),
                routing_part_hex: hex(&steps.routing_part),
                steps: &steps,
            };
            serde_json::to_writer(&mut *out, &line).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        } else {
            if !std::mem::take(&mut first) {
                out.write_all(b"\n")?;
            }
            table(typed, key.len(), &steps, out)?;
        }
        Ok(Ok(()))
    })
}

fn table(
    typed: &[u8],
    bytes: usize,
    steps: &Explanation,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let mut line = |name: &str, text: &str| writeln!(out, "{name:<9} {text}");
    line("key", &readable(typed))?;
    line(
        "keyspace",
        &format!("{} (epoch {})", steps.keyspace, steps.epoch),
    )?;
    let part = readable(&steps.routing_part);
    let hashed = format!("{part} ({} of {bytes} bytes)", steps.routing_part.len());
    line("hashed", &hashed)?;
    line("hash", &steps.hash)?;
    line("slot", &format!("{} of {}", steps.slot, steps.slots))?;
    let by = if steps.pinned {
        "a pin of exactly this key"
    } else if steps.phase.is_some() {
        "the wave of its slot"
    } else {
        "the owner of its slot"
    };
    line("decided", &format!("by {by}"))?;
    let domain = format!("{} at epoch {}", steps.domain, steps.domain_epoch);
    line("domain", &domain)?;
    if let Some(phase) = &steps.phase {
        let ramp = steps.ramp.map(|(ppm, inside)| {
            let side = if inside { "inside" } else { "outside" };
            format!(
                ", {}.{:02} % ramp, the key is {side}",
                ppm / 10_000,
                ppm / 100 % 100
            )
        });
        line("phase", &format!("{phase}{}", ramp.unwrap_or_default()))?;
    }
    let writes = match &steps.mirror {
        None => steps.authority.clone(),
        Some(mirror) => {
            let wait = if steps.strict { "both" } else { "the first" };
            format!("{}, then {mirror}; answered after {wait}", steps.authority)
        }
    };
    line("writes", &writes)?;
    line("reads", &steps.reads.join(", then "))?;
    Ok(())
}
