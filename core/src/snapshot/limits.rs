//! A named limit on everything that a snapshot holds.

/// Keyspaces of a cluster.
pub const KEYSPACES_MAX: usize = 256;
/// Waves in flight in a keyspace, ended ones that aren't retired yet included.
pub const WAVES_MAX: usize = 1_024;
/// Servers of a ketama continuum.
pub const KETAMA_SERVERS_MAX: usize = 65_535;
/// Bytes of a name: cluster, shard, keyspace, zone, tag.
pub const NAME_BYTES_MAX: usize = 128;
/// Bytes of a shard's endpoint.
pub const ENDPOINT_BYTES_MAX: usize = 1_024;
/// Tags of a shard.
pub const TAGS_MAX: usize = 64;
/// Vnodes of a shard of weight 1.
pub const VNODES_MAX: u32 = 4_096;
/// Bytes of an encoded snapshot, header and digest included.
pub const SNAPSHOT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The longest lease, in milliseconds: one hour.
pub const LEASE_MS_MAX: u32 = 3_600_000;
