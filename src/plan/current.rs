//! The plan in force, which a reload replaces while the box runs.
//!
//! # Invariants
//! - Whoever asks gets one whole plan, old or new, never a mixture.
//! - Only cameras change: what concerns the box as a whole holds until it starts again.

use std::sync::{Arc, PoisonError, RwLock};

use super::{CameraPlan, Plan};

/// The plan in force. Clones share it.
#[derive(Clone, Debug)]
pub struct CurrentPlan(Arc<RwLock<Arc<Plan>>>);

/// What a new plan asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Ids of cameras to be watched that are not watched now.
    pub added: Vec<String>,
    /// Ids of cameras that are watched otherwise than before.
    pub changed: Vec<String>,
    /// Ids of cameras that are watched no more.
    pub removed: Vec<String>,
    /// Sections of the configuration that differ too, and take hold only when the box starts again.
    pub waiting: Vec<&'static str>,
}

impl CurrentPlan {
    /// `plan`, until it is replaced.
    pub fn new(plan: Plan) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(plan))))
    }

    /// The plan in force now.
    pub fn get(&self) -> Arc<Plan> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has `cameras` watched from now on.
    pub fn set_cameras(&self, cameras: Vec<CameraPlan>) {
        let mut plan = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *plan = Arc::new(Plan { cameras, ..(**plan).clone() });
    }
}

impl Plan {
    /// What is to change for `new` to be in force.
    pub fn changes(&self, new: &Self) -> Changes {
        // All fields by name, so that none is forgotten.
        let Self {
            street,
            box_id,
            grid_profile,
            zone,
            model,
            runtime,
            threads,
            providers,
            workers,
            pin,
            redaction,
            limits,
            broker,
            storage,
            outbox_bytes,
            retention,
            upload,
            web,
            cameras,
        } = self;
        let sections = [
            (
                "edge",
                (street, box_id, grid_profile, zone)
                    == (&new.street, &new.box_id, &new.grid_profile, &new.zone),
            ),
            (
                "model",
                (model, runtime, threads, providers, workers, pin)
                    == (&new.model, &new.runtime, &new.threads, &new.providers, &new.workers, &new.pin),
            ),
            ("privacy", *redaction == new.redaction),
            ("limits", *limits == new.limits),
            ("mqtt", *broker == new.broker),
            (
                "storage",
                (storage, outbox_bytes, retention) == (&new.storage, &new.outbox_bytes, &new.retention),
            ),
            ("evidence", *upload == new.upload),
            ("web", *web == new.web),
        ];
        let ids = |cameras: &mut dyn Iterator<Item = &CameraPlan>| cameras.map(|c| c.id.clone()).collect();
        Changes {
            added: ids(&mut new.cameras.iter().filter(|c| self.camera(&c.id).is_none())),
            changed: ids(&mut new.cameras.iter().filter(|c| self.camera(&c.id).is_some_and(|old| old != *c))),
            removed: ids(&mut cameras.iter().filter(|c| new.camera(&c.id).is_none())),
            waiting: sections.into_iter().filter(|(_, same)| !same).map(|(section, _)| section).collect(),
        }
    }
}

/// In a few words, for the log and the answer to a command.
impl std::fmt::Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [("added", &self.added), ("changed", &self.changed), ("removed", &self.removed)];
        let mut said = false;
        for (what, cameras) in parts.into_iter().filter(|(_, cameras)| !cameras.is_empty()) {
            write!(f, "{}{what}: {}", if said { "; " } else { "" }, cameras.join(", "))?;
            said = true;
        }
        if !said {
            f.write_str("no camera changed")?;
        }
        if !self.waiting.is_empty() {
            write!(
                f,
                "; what changed in [{}] takes hold when the box starts again",
                self.waiting.join("], [")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::ConfigFile;

    fn plan(top: &str, cameras: &[(&str, u32)]) -> Plan {
        let mut text = format!("edge = {{ street = \"1\", box = \"b\" }}\n{top}\n");
        for (id, dwell_s) in cameras {
            text += &format!(
                "[[camera]]\nid = \"{id}\"\nsource = \"rtsp://127.0.0.1/{id}\"\nzone = [{{ id = \"z\", \
                 kind = \"no_parking\", grid = \"1\", rule.illegal_parking.dwell_s = {dwell_s}, \
                 polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]] }}]\n"
            );
        }
        text += &format!(
            "[model]\npath = {:?}\n",
            Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nanodet-g-416")
        );
        Plan::new(&ConfigFile::parse(Path::new("edge.toml"), text).unwrap()).unwrap()
    }

    #[test]
    fn only_what_differs_changes() {
        let old = plan("", &[("gate", 3), ("kerb", 3), ("yard", 3)]);
        assert_eq!(old.changes(&plan("", &[("gate", 3), ("kerb", 3), ("yard", 3)])), Changes::default());
        let new = plan(
            "web.listen = \"127.0.0.1:1\"\nlimits.update_s = 60",
            &[("yard", 3), ("kerb", 9), ("lane", 3)],
        );
        let changes = old.changes(&new);
        assert_eq!(changes.added, ["lane"]);
        assert_eq!(changes.changed, ["kerb"]);
        assert_eq!(changes.removed, ["gate"]);
        assert_eq!(changes.waiting, ["limits", "web"]);
        assert_eq!(
            changes.to_string(),
            "added: lane; changed: kerb; removed: gate; what changed in [limits], [web] takes hold when the box starts again"
        );
    }

    #[test]
    fn whoever_asks_gets_one_whole_plan() {
        let current = CurrentPlan::new(plan("", &[("gate", 3)]));
        let old = current.get();
        current.set_cameras(plan("", &[("lane", 3)]).cameras);
        assert!(old.camera("gate").is_some() && old.camera("lane").is_none());
        assert!(current.get().camera("gate").is_none() && current.get().camera("lane").is_some());
    }
}
