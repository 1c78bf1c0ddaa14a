//! The risk checklist: what people confirm, and what can be checked, before a migration begins.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::migration::settings::Settings;

const DAY_MS: u64 = 24 * 3_600_000;

/// One thing to be sure of before a migration begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Item {
    /// Asked: backups of all shards are there, and one was restored to try it.
    BackupVerified,
    /// Asked: the way back was walked once, elsewhere.
    RollbackRehearsed,
    /// Asked: the new placement was tried under load.
    LoadTested,
    /// Asked: the figures that matter are watched, with alarms.
    MonitoringReady,
    /// Asked: whoever is on call knows of it.
    OnCallBriefed,
    /// Checked: counts and digests are compared before reads move (`verify`).
    CountsCompared,
    /// Checked: keys are compared all the while (`checks.keys_per_minute`).
    ContinuouslyChecked,
    /// Checked: the old copy is kept for 7 to 30 days (`reversed_ms`).
    OldCopyKept,
    /// Checked: somebody can watch the new placement for 24 to 48 hours before the point of no
    /// return (`reversed_ms` of a day, or a finish that is asked for).
    WatchedAfterwards,
}

/// What is done about items that are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChecklistRule {
    /// They are listed, and the migration begins.
    #[default]
    Advise,
    /// The migration doesn't begin before each is confirmed or waived.
    Strict,
}

/// Somebody's word on an item.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tick {
    /// The item.
    pub item: Item,
    /// Who says so.
    pub by: String,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub unix_ms: u64,
    /// Whether the item is waived: it doesn't hold, and that is accepted.
    #[serde(default)]
    pub waived: bool,
    /// Why, or where to read about it.
    #[serde(default)]
    pub note: String,
}

/// What has been confirmed and waived. It is kept in the migration's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checklist {
    /// The words that were given; of several on one item the last counts.
    pub marks: Vec<Tick>,
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemState {
    /// The settings see to it.
    Checked,
    /// Somebody has confirmed it.
    Confirmed,
    /// Somebody has waived it.
    Waived,
    /// Neither.
    Open,
}

impl Item {
    /// All items, those that are asked for first.
    pub const ALL: &'static [Self] = &[
        Self::BackupVerified,
        Self::RollbackRehearsed,
        Self::LoadTested,
        Self::MonitoringReady,
        Self::OnCallBriefed,
        Self::CountsCompared,
        Self::ContinuouslyChecked,
        Self::OldCopyKept,
        Self::WatchedAfterwards,
    ];

    /// The name that people see and type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BackupVerified => "backup-verified",
            Self::RollbackRehearsed => "rollback-rehearsed",
            Self::LoadTested => "load-tested",
            Self::MonitoringReady => "monitoring-ready",
            Self::OnCallBriefed => "on-call-briefed",
            Self::CountsCompared => "counts-compared",
            Self::ContinuouslyChecked => "continuously-checked",
            Self::OldCopyKept => "old-copy-kept",
            Self::WatchedAfterwards => "watched-afterwards",
        }
    }

    /// The item of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|item| item.name() == name)
    }

    /// What the settings say about it; `None` where only a person can.
    pub fn check(self, settings: &Settings) -> Option<bool> {
        match self {
            Self::BackupVerified
            | Self::RollbackRehearsed
            | Self::LoadTested
            | Self::MonitoringReady
            | Self::OnCallBriefed => None,
            Self::CountsCompared => Some(settings.verify),
            Self::ContinuouslyChecked => Some(settings.checks.keys_per_minute > 0),
            Self::OldCopyKept => Some((7 * DAY_MS..=30 * DAY_MS).contains(&settings.reversed_ms)),
            Self::WatchedAfterwards => {
                let asked = settings.gates.finish == crate::migration::gates::Consent::Asked;
                Some(asked || settings.reversed_ms >= DAY_MS)
            }
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Checklist {
    /// Where `item` stands.
    pub fn state(&self, item: Item, settings: &Settings) -> ItemState {
        let mark = self.marks.iter().rev().find(|mark| mark.item == item);
        match (item.check(settings), mark) {
            (Some(true), _) => ItemState::Checked,
            (_, Some(mark)) if mark.waived => ItemState::Waived,
            // What the settings contradict nobody can confirm.
            (None, Some(_)) => ItemState::Confirmed,
            (_, _) => ItemState::Open,
        }
    }

    /// The items that nobody and nothing has seen to.
    pub fn open(&self, settings: &Settings) -> Vec<Item> {
        let open = |item: &Item| self.state(*item, settings) == ItemState::Open;
        Item::ALL.iter().copied().filter(open).collect()
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]
mod tests {
    use super::*;

    fn mark(item: Item, waived: bool) -> Tick {
        Tick {
            item,
            by: "ann".into(),
            unix_ms: 1,
            waived,
            note: String::new(),
        }
    }

    #[test]
    fn settings_see_to_some_and_people_to_the_rest() {
        let settings = Settings::default();
        let mut list = Checklist::default();
        assert_eq!(list.open(&settings), &Item::ALL[..5]);
        list.marks.push(mark(Item::BackupVerified, false));
        list.marks.push(mark(Item::LoadTested, true));
        let open = [
            Item::RollbackRehearsed,
            Item::MonitoringReady,
            Item::OnCallBriefed,
        ];
        assert_eq!(list.open(&settings), open);
        assert_eq!(list.state(Item::LoadTested, &settings), ItemState::Waived);
    }

    #[test]
    fn what_the_settings_contradict_can_be_waived_but_not_confirmed() {
        let mut settings = Settings {
            verify: false,
            reversed_ms: 7 * DAY_MS - 1,
            ..Settings::default()
        };
        settings.checks.keys_per_minute = 0;
        let mut list = Checklist::default();
        let state = |list: &Checklist, item| list.state(item, &settings);
        for item in [
            Item::CountsCompared,
            Item::ContinuouslyChecked,
            Item::OldCopyKept,
        ] {
            list.marks.push(mark(item, false));
            assert_eq!(state(&list, item), ItemState::Open, "{item}");
            list.marks.push(mark(item, true));
            assert_eq!(state(&list, item), ItemState::Waived, "{item}");
        }
        assert_eq!(state(&list, Item::WatchedAfterwards), ItemState::Checked);
        let long = Settings {
            reversed_ms: 30 * DAY_MS + 1,
            ..settings.clone()
        };
        assert_eq!(Item::OldCopyKept.check(&long), Some(false));
    }

    #[test]
    fn names_are_read_back() {
        for &item in Item::ALL {
            assert_eq!(Item::from_name(item.name()), Some(item));
            let json = serde_json::to_string(&item).unwrap();
            assert_eq!(json.trim_matches('"'), item.name());
        }
    }
}
