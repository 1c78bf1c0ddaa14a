//! How even the shares are, and how much moves when a shard joins.

use ringshift::{ShardIndex, moved};

use crate::figures::Figures;
use crate::workload::{Cluster, Failure, KEYSPACE};

/// Shares of so many shards of weights 0.3 to 3, or of equal ones on a ring alone; and what moves.
pub(crate) fn run(figures: &mut Figures) -> Result<(), Failure> {
    println!("\nShares: the fullest shard over its fair share");
    for shards in [7, 65, 1_000, 5_000] {
        for bits in [16, 20] {
            let cluster = Cluster {
                weighted: true,
                ..Cluster::of(shards, bits)
            };
            evenness(figures, "balanced", cluster)?;
        }
    }
    for shards in [8, 64, 1_000] {
        let ring = Cluster {
            balanced: false,
            ..Cluster::of(shards, 16)
        };
        evenness(figures, "ring", ring)?;
        moves(figures, ring)?;
    }
    Ok(())
}

fn table(cluster: Cluster) -> Result<Vec<ShardIndex>, Failure> {
    let snapshot = cluster.snapshot()?;
    let id = snapshot.keyspace_named(KEYSPACE);
    let keyspace = id.and_then(|id| snapshot.content().keyspace(id));
    Ok(keyspace.ok_or("no keyspace")?.table())
}

fn evenness(figures: &mut Figures, what: &str, cluster: Cluster) -> Result<(), Failure> {
    let weights: Vec<f64> = (0..cluster.shards)
        // As the core keeps them: in thousandths.
        .map(|place| (cluster.weight(place) * 1_000.0).round())
        .collect();
    let (over, off) = uneven(&table(cluster)?, &weights);
    let name = format!("balance/{what}/{}/{}", cluster.bits, cluster.shards);
    figures.number(&name, "max_over_mean", over);
    figures.number(&name, "slots_off_max", off);
    println!("  {name:<32} {over:>8.4}, {off:.2} slots off at most");
    Ok(())
}

/// The most that a shard has over its fair share, as a factor and in slots.
fn uneven(table: &[ShardIndex], weights: &[f64]) -> (f64, f64) {
    let mut slots = vec![0_u32; weights.len()];
    for owner in table {
        if let Some(slots) = slots.get_mut(usize::from(owner.0)) {
            *slots += 1;
        }
    }
    let all: f64 = slots.iter().copied().map(f64::from).sum();
    let total: f64 = weights.iter().sum();
    let (mut over, mut off) = (0.0_f64, 0.0_f64);
    for (&slots, weight) in slots.iter().zip(weights) {
        let fair = all * weight / total;
        over = over.max(f64::from(slots) / fair);
        off = off.max((f64::from(slots) - fair).abs());
    }
    (over, off)
}

/// What one more shard moves on a ring alone.
fn moves(figures: &mut Figures, cluster: Cluster) -> Result<(), Failure> {
    let more = Cluster {
        shards: cluster.shards + 1,
        ..cluster
    };
    let (before, after) = (table(cluster)?, table(more)?);
    let changed = before.iter().zip(&after).filter(|(a, b)| a != b);
    let newest = ShardIndex(u16::try_from(cluster.shards)?);
    let astray = changed.filter(|(_, to)| **to != newest).count();
    let name = format!("moved/ring/{}", cluster.shards);
    #[expect(clippy::cast_precision_loss, reason = "a million slots at most")]
    let share = moved(&before, &after) as f64 / before.len().max(1) as f64;
    figures.note(&name, "slots_moved", moved(&before, &after));
    figures.note(&name, "slots_to_old_shards", astray);
    figures.number(&name, "share_moved", share);
    figures.number(&name, "share_ideal", 1.0 / f64::from(more.shards));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_shard_is_found_by_its_own_share() {
        let table: Vec<ShardIndex> = [0, 0, 0, 1].map(ShardIndex).to_vec();
        let (over, off) = uneven(&table, &[1.0, 1.0]);
        assert!((over - 1.5).abs() < 1e-9 && (off - 1.0).abs() < 1e-9);
        let (over, off) = uneven(&table, &[3.0, 1.0]);
        assert!((over - 1.0).abs() < 1e-9 && off < 1e-9);
    }
}
