//! A wish from the command line's words.

use std::path::PathBuf;

use clap::Args;
use ringshift::migration::{
    Balance, Changes, GrowBits, MoveKey, MovePrefix, MoveRange, MoveSlots, ShardRef, Unpin,
    WishKey, WishMatch, WishPart,
};
use ringshift::{Shard, ShardId, ShardTopology, Snapshot, Weight};

use crate::cli::{CliError, init};

#[derive(Debug, Args)]
pub(super) struct Wish {
    /// A wish in JSON: add, remove, reweight, drain, move_slots, move_key, move_prefix, move_range,
    /// unpin, split_range, merge_ranges, grow_bits
    #[arg(long, value_name = "FILE")]
    wish: Option<PathBuf>,
    /// A shard to add: its name, or its number and its name; may be repeated
    #[arg(long, value_name = "[ID=]NAME[,WEIGHT[,ZONE]]")]
    add_shard: Vec<String>,
    /// A shard to empty and strike off the list, by name or number
    #[arg(long, value_name = "SHARD")]
    remove_shard: Vec<String>,
    /// A shard to empty and keep
    #[arg(long, value_name = "SHARD")]
    drain_shard: Vec<String>,
    /// Another weight for a shard
    #[arg(long, value_name = "SHARD=WEIGHT")]
    reweight: Vec<String>,
    /// What the other shards' shares do: full, keep or none
    #[arg(long, value_name = "HOW")]
    balance: Option<String>,
    /// Slots to move by hand: users:1-50,77=pg-5
    #[arg(long, value_name = "KEYSPACE:SLOTS=SHARD")]
    move_slots: Vec<String>,
    /// A key to pin to a shard
    #[arg(long, value_name = "KEYSPACE:KEY=SHARD")]
    move_key: Vec<String>,
    /// A prefix, a tenant say, to pin to a shard
    #[arg(long, value_name = "KEYSPACE:PREFIX=SHARD")]
    move_prefix: Vec<String>,
    /// A range of keys to pin to a shard; its end isn't part of it
    #[arg(long, value_name = "KEYSPACE:START..END=SHARD")]
    move_range: Vec<String>,
    /// A pinned key that goes back to its slot
    #[arg(long, value_name = "KEYSPACE:KEY")]
    unpin_key: Vec<String>,
    /// A pinned prefix that goes back to its slots
    #[arg(long, value_name = "KEYSPACE:PREFIX")]
    unpin_prefix: Vec<String>,
    /// More slots for a keyspace: two to the power of so many; alone in its plan
    #[arg(long, value_name = "KEYSPACE=BITS")]
    grow_bits: Vec<String>,
    /// Keys, prefixes and ranges are composites: their parts stand between this text
    #[arg(long, value_name = "SEPARATOR")]
    split: Option<String>,
}

impl Wish {
    pub(super) fn changes(&self, snapshot: &Snapshot) -> Result<Changes, CliError> {
        let mut changes = match &self.wish {
            None => Changes::default(),
            Some(path) => {
                let text = std::fs::read(path).map_err(|error| {
                    CliError::Refused(format!("can't read `{}`: {error}", path.display()))
                })?;
                serde_json::from_slice(&text)
                    .map_err(|error| CliError::Refused(format!("`{}`: {error}", path.display())))?
            }
        };
        if let Some(how) = &self.balance {
            changes.balance = Some(match how.as_str() {
                "full" => Balance::Full,
                "keep" => Balance::Keep,
                "none" => Balance::None,
                _ => return Err(usage("--balance", how, "full, keep or none")),
            });
        }
        self.shards(snapshot, &mut changes)?;
        self.slots(&mut changes)?;
        self.keys(&mut changes)?;
        Ok(changes)
    }

    fn shards(&self, snapshot: &Snapshot, changes: &mut Changes) -> Result<(), CliError> {
        let known = &snapshot.content().shards;
        for text in &self.add_shard {
            let numbers = known.iter().chain(&changes.add).map(|shard| shard.id.0);
            let next = numbers.max().unwrap_or(0).saturating_add(1);
            let text = match text.split_once('=') {
                Some(_) => text.clone(),
                None => format!("{next}={text}"),
            };
            let shard: ShardTopology = init::parse_shard("--add-shard", &text)?;
            let shard = shard
                .shard()
                .map_err(|error| CliError::Refused(error.to_string()))?;
            changes.add.push(shard);
        }
        for text in &self.remove_shard {
            changes.remove.push(known_shard(known, text)?);
        }
        for text in &self.drain_shard {
            changes.drain.push(known_shard(known, text)?);
        }
        for text in &self.reweight {
            let wrong = || usage("--reweight", text, "pg-1=0.5");
            let (shard, weight) = text.rsplit_once('=').ok_or_else(wrong)?;
            let weight = weight.parse().map_err(|_| wrong())?;
            let weight =
                Weight::from_f64(weight).map_err(|error| CliError::Refused(error.to_string()))?;
            changes.reweight.push((known_shard(known, shard)?, weight));
        }
        Ok(())
    }

    fn slots(&self, changes: &mut Changes) -> Result<(), CliError> {
        for text in &self.move_slots {
            let wrong = || usage("--move-slots", text, "users:1-50,77=pg-5");
            let (keyspace, slots, to) = whereto(text).ok_or_else(wrong)?;
            changes.move_slots.push(MoveSlots {
                keyspace,
                slots: slots.parse().map_err(|_| wrong())?,
                to,
            });
        }
        for text in &self.grow_bits {
            let wrong = || usage("--grow-bits", text, "users=18");
            let (keyspace, bits) = text.rsplit_once('=').ok_or_else(wrong)?;
            changes.grow_bits.push(GrowBits {
                keyspace: keyspace.to_owned(),
                bits: bits.parse().map_err(|_| wrong())?,
            });
        }
        Ok(())
    }

    fn keys(&self, changes: &mut Changes) -> Result<(), CliError> {
        for text in &self.move_key {
            let wrong = || usage("--move-key", text, "users:celebrity=pg-5");
            let (keyspace, key, to) = whereto(text).ok_or_else(wrong)?;
            let key = self.key(key);
            changes.move_key.push(MoveKey { keyspace, key, to });
        }
        for text in &self.move_prefix {
            let wrong = || usage("--move-prefix", text, "users:acme/=pg-5");
            let (keyspace, prefix, to) = whereto(text).ok_or_else(wrong)?;
            changes.move_prefix.push(MovePrefix {
                keyspace,
                prefix: self.key(prefix),
                to,
            });
        }
        for text in &self.move_range {
            let wrong = || usage("--move-range", text, "users:a..m=pg-5");
            let (keyspace, range, to) = whereto(text).ok_or_else(wrong)?;
            let (start, end) = range.split_once("..").ok_or_else(wrong)?;
            changes.move_range.push(MoveRange {
                keyspace,
                start: self.key(start),
                end: self.key(end),
                to,
                cut_at: Vec::new(),
            });
        }
        let unpins = [
            ("--unpin-key", &self.unpin_key, WishMatch::Key as fn(_) -> _),
            ("--unpin-prefix", &self.unpin_prefix, WishMatch::Prefix),
        ];
        for (option, texts, of) in unpins {
            for text in texts {
                let wrong = || usage(option, text, "users:celebrity");
                let (keyspace, key) = text.split_once(':').ok_or_else(wrong)?;
                changes.unpin.push(Unpin {
                    keyspace: keyspace.to_owned(),
                    of: of(self.key(key)),
                });
            }
        }
        Ok(())
    }

    fn key(&self, text: &str) -> WishKey {
        match self
            .split
            .as_deref()
            .filter(|s| !s.is_empty() && !text.is_empty())
        {
            None => WishKey::Text(text.to_owned()),
            Some(separator) => WishKey::Parts {
                parts: text
                    .split(separator)
                    .map(|part| WishPart::Text(part.to_owned()))
                    .collect(),
            },
        }
    }
}

/// `keyspace:what=shard`; a key may have both signs in it.
fn whereto(text: &str) -> Option<(String, &str, ShardRef)> {
    let (keyspace, rest) = text.split_once(':')?;
    let (what, to) = rest.rsplit_once('=')?;
    let to = match to.parse() {
        Ok(id) => ShardRef::Id(ShardId(id)),
        Err(_) => ShardRef::Name(to.to_owned()),
    };
    Some((keyspace.to_owned(), what, to))
}

fn known_shard(known: &[Shard], text: &str) -> Result<ShardId, CliError> {
    let named = known.iter().find(|shard| shard.name == text);
    let numbered = || text.parse().ok().map(ShardId);
    named
        .map(|shard| shard.id)
        .or_else(numbered)
        .ok_or_else(|| CliError::Refused(format!("there is no shard `{text}`")))
}

fn usage(option: &str, text: &str, example: &str) -> CliError {
    CliError::Usage(format!("`{option} {text}`: write it as {example}"))
}
