//! Random programs: calls that make sense in their order, and some that don't.

mod judging;
mod migrating;
mod operating;
mod routing;
mod shards;
mod together;

use serde_json::{Value, json};

use super::Failed;
use super::machine::Machine;
use super::pool::Pool;
use super::rng::Rng;

/// Calls, and what the core answered to each.
pub(super) struct Program {
    pub(super) number: u64,
    pub(super) calls: Vec<Value>,
    pub(super) answers: Vec<Value>,
}

/// A program in the making.
struct Maker<'p> {
    rng: Rng,
    pool: &'p Pool,
    machine: Machine<'p>,
    calls: Vec<Value>,
    answers: Vec<Value>,
    named: u32,
    now: u64,
}

/// The program of that number; the same number and seed, the same program.
pub(super) fn program(pool: &Pool, seed: u64, number: u64) -> Result<Program, Failed> {
    let mut rng = Rng::new(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
    let now = rng.below(100_000);
    let mut maker = Maker {
        rng,
        pool,
        machine: Machine::new(&pool.bytes),
        calls: Vec::new(),
        answers: Vec::new(),
        named: 0,
        now,
    };
    match maker.rng.below(100) {
        0..20 => maker.routing()?,
        20..50 => maker.operating()?,
        50..56 => maker.together()?,
        56..60 => maker.judging()?,
        60..68 => maker.comparing()?,
        68..74 => maker.gate()?,
        74..82 => maker.guarding()?,
        82..90 => maker.deciding()?,
        90..97 => maker.storing()?,
        _ => maker.migrating()?,
    }
    Ok(Program {
        number,
        calls: maker.calls,
        answers: maker.answers,
    })
}

impl Maker<'_> {
    /// Makes a call, and answers its number and what the core says.
    fn call(&mut self, mut call: Value) -> Result<(u64, Value), Failed> {
        let number = self.calls.len() as u64;
        if let Some(fields) = call.as_object_mut() {
            fields.insert("n".to_owned(), json!(number));
        }
        let answer = self.machine.call(&call)?;
        self.calls.push(call);
        self.answers.push(answer.clone());
        Ok((number, answer))
    }

    /// A name that no object has.
    fn name(&mut self, of: &str) -> String {
        self.named += 1;
        format!("{of}{}", self.named)
    }

    /// Time passes, or doesn't.
    fn later(&mut self) -> u64 {
        self.now += match self.rng.below(10) {
            0..4 => 0,
            4..8 => self.rng.below(20),
            8 => self.rng.below(500),
            _ => self.rng.below(6_000),
        };
        self.now
    }

    /// A router of a demo cluster, and its keyspace: their names.
    fn router(&mut self) -> Result<(String, String), Failed> {
        let (router, keyspace) = (self.name("r"), self.name("k"));
        let bytes = self.rng.index(self.pool.demos);
        self.call(json!({"do": "router", "as": router, "bytes": bytes}))?;
        self.call(json!({"do": "keyspace", "as": keyspace, "on": router, "name": "orders"}))?;
        Ok((router, keyspace))
    }

    /// A key, as somebody types it; now and then one that is refused.
    fn key(&mut self) -> Value {
        let user = format!("user:{}", self.rng.below(30));
        match self.rng.below(24) {
            0..8 => json!({"text": user}),
            8..12 => json!({"text": "user:42"}),
            12 => json!({"text": "celebrity"}),
            13 => json!({"text": "ключ"}),
            14 => json!({"text": format!("🗝{{{user}}}é")}),
            15 => json!({"hex": format!("{:04x}ff", self.rng.below(65_536))}),
            16 => json!({"int": self.rng.below(1 << 54).to_string()}),
            17 => json!({"int": format!("-{}", self.rng.next())}),
            18 => {
                json!({"parts": [{"text": "общий"}, {"int": self.rng.below(9).to_string()}, {"hex": "00"}]})
            }
            19 => json!({"parts": [{"text": user}, {"int": "7"}]}),
            20 => json!({"text": ""}),
            21 => json!({"utf16": "d83ddddd"}),
            _ => self.bad_key(),
        }
    }

    fn bad_key(&mut self) -> Value {
        match self.rng.below(8) {
            0 => json!({"none": true}),
            1 => json!({"bool": true}),
            2 => json!({"float": 0.5}),
            3 => json!({"utf16": "0061d83d"}),
            4 => json!({"parts": []}),
            5 => json!({"parts": [{"text": "a"}, {"parts": [{"text": "b"}]}]}),
            6 => json!({"parts": [{"text": "a"}, {"none": true}]}),
            _ => json!({"text": {"repeat": "a", "count": 65_537}}),
        }
    }

    /// A policy that says everything, something or nothing.
    fn policy(&mut self) -> Value {
        let mut policy = json!({});
        for (name, values) in [
            ("deadline_ms", [0_u64, 100, 5_000, 4_294_967_295]),
            ("attempt_ms", [0, 10, 1_000, 4_294_967_295]),
            ("attempts_max", [1, 3, 1_000, 65_535]),
        ] {
            if self.rng.chance(40) {
                policy[name] = json!(self.rng.pick(&values, 0));
            }
        }
        if self.rng.chance(40) {
            policy["confirm"] = json!(self.rng.chance(50));
        }
        if self.rng.chance(60) {
            policy["seed"] = json!(self.rng.next().to_string());
        }
        policy
    }

    /// A version of one of a few, so that some are equal; now and then a large one.
    fn version(&mut self) -> String {
        let (epoch, counter) = match self.rng.below(12) {
            0 => ((1 << 31) - 1, u64::from(u32::MAX)),
            1 => (0, 0),
            _ => (4 + self.rng.below(4), self.rng.below(4)),
        };
        ((epoch << 32) | counter).to_string()
    }
}
