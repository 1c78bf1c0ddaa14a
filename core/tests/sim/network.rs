//! The network between the nodes of a world: it delays, loses, repeats, reorders and partitions.

use ringshift::ShardId;

use crate::dice::Dice;

/// Who sends and gets messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Client(usize),
    Shard(ShardId),
    Leader(usize),
    Topology,
}

/// A partition.
#[derive(Clone, Copy, Debug)]
struct Cut {
    of: Node,
    /// `None`: from everybody.
    from: Option<Node>,
    /// Whether only what `of` sends is lost.
    one_way: bool,
    until: u64,
}

/// How bad the network of a world is.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Of a thousand messages.
    pub(crate) lost: u64,
    /// The same.
    pub(crate) repeated: u64,
    /// The same; such a message takes up to `late_ms`.
    pub(crate) late: u64,
    pub(crate) late_ms: u64,
    /// What the others take, at most.
    pub(crate) usual_ms: u64,
    cuts: Vec<Cut>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carried {
    /// When it arrives; nothing: it is lost.
    pub(crate) at: [Option<u64>; 2],
    pub(crate) late: bool,
}

/// How a message may be treated.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Care {
    /// A client's own write: its transport promises not to repeat it.
    pub(crate) once: bool,
    /// It arrives within so many milliseconds, or never.
    pub(crate) within_ms: Option<u64>,
}

impl Network {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let rates: &[u64] = &[0, 5, 20, 60];
        Self {
            lost: dice.pick(rates),
            repeated: dice.pick(rates),
            late: dice.pick(rates),
            late_ms: dice.pick(&[100, 500, 3_000]),
            usual_ms: dice.pick(&[1, 4, 12, 30]),
            cuts: Vec::new(),
        }
    }

    /// From now on it is fast, and loses, repeats and parts nothing.
    pub(crate) fn calm(&mut self) {
        (self.lost, self.repeated, self.late) = (0, 0, 0);
        self.usual_ms = 1;
        self.cuts.clear();
    }

    pub(crate) fn cut(&mut self, of: Node, from: Option<Node>, one_way: bool, until: u64) {
        self.cuts.push(Cut {
            of,
            from,
            one_way,
            until,
        });
    }

    pub(crate) fn is_cut(&self, from: Node, to: Node, now: u64) -> bool {
        self.cuts.iter().any(|cut| {
            let other = |node| cut.from.is_none_or(|other| other == node);
            let sends = from == cut.of && other(to);
            let gets = to == cut.of && other(from);
            now < cut.until && (sends || (gets && !cut.one_way))
        })
    }

    /// Takes a message on its way.
    pub(crate) fn carry(
        &mut self,
        dice: &mut Dice,
        now: u64,
        (from, to): (Node, Node),
        care: Care,
    ) -> Carried {
        self.cuts.retain(|cut| now < cut.until);
        let mut carried = Carried::default();
        if self.is_cut(from, to, now) || dice.chance(self.lost) {
            return carried;
        }
        let copies = if !care.once && dice.chance(self.repeated) {
            2
        } else {
            1
        };
        for at in &mut carried.at[..copies] {
            let mut takes = dice.between(0, self.usual_ms);
            if dice.chance(self.late) {
                carried.late = true;
                takes = dice.between(self.usual_ms, self.late_ms);
            }
            let in_time = care.within_ms.is_none_or(|within| takes < within);
            *at = in_time.then_some(now + takes);
        }
        carried
    }
}
