//! The core of one camera: looks in, changes of cases out.
//!
//! A [`Judge`] is a function of its state, a look and that look's capture time. It reads no clock and does no
//! I/O, so the same input gives the same cases, bit for bit, and a rule that waits a week is tested in
//! microseconds.
//!
//! # Invariants
//! - Looks are taken in order of capture time; one that is not later than the last is ignored and counted.
//! - On a view that cannot be judged no rule opens or clears anything.
//! - The state can be saved after any look and restored in another process, with the same outcome.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::case::catalog::Catalog;
use crate::case::{Case, CaseId, Happening, RuleIndex, Slot};
use crate::clock::CaptureTime;
use crate::detect::{BBox, Detection, Label, Vocabulary};
use crate::error::{Error, Kind, Result};
use crate::evidence::Standing;
use crate::look::{Look, View};
use crate::plan::{CameraPlan, Condition, RulePlan};
use crate::rule::{
    Cluster, Company, Count, Dwell, Loitering, Pace, Presence, Scene, Schedule, Terms, Together, WEAK,
};
use crate::track::{Motion, Track, Tracker};

/// Version of the saved state; a state of another version is not taken.
const STATE_VERSION: u32 = 2;

/// The pure core of one camera.
#[derive(Clone, Debug)]
pub struct Judge {
    rules: Vec<Rule>,
    vocabulary: Vocabulary,
    groups: Groups,
    tracker: Tracker,
    last_look: Option<CaptureTime>,
    pace: Pace,
    ignored: u64,
    // The class group of each detection of the look in hand.
    of_detection: Vec<u16>,
    /// Where each track is on the look in hand.
    covers: Vec<BBox>,
}

/// One rule with its state.
#[derive(Clone, Debug)]
struct Rule {
    zone: String,
    kind: String,
    label_names: Vec<String>,
    schedule: Option<Schedule>,
    terms: Terms,
    state: RuleState,
}

/// What a rule remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RuleState {
    Dwell(Dwell),
    Count {
        least: u32,
        count: Count,
    },
    Presence(Presence),
    Loitering(Loitering),
    Cluster {
        #[serde(skip, default = "unset")]
        asks: (u32, Together),
        cluster: Cluster,
    },
}

/// What a restored cluster asks for before it is told.
fn unset() -> (u32, Together) {
    (1, Together::Alone)
}

/// Numbers of class groups by label.
#[derive(Clone, Debug)]
struct Groups {
    catalog: Arc<Catalog>,
    names: Vec<String>,
    of_label: Vec<u16>,
}

impl Groups {
    /// Takes in the labels that `vocabulary` has gained.
    fn follow(&mut self, vocabulary: &Vocabulary) {
        for name in &vocabulary.names()[self.of_label.len()..] {
            let group = self.catalog.group(name);
            let number = self.names.iter().position(|known| known == group).unwrap_or_else(|| {
                self.names.push(group.to_owned());
                self.names.len() - 1
            });
            self.of_label.push(number as u16);
        }
    }

    fn of(&self, label: Label) -> u16 {
        self.of_label.get(usize::from(label.0)).copied().unwrap_or(u16::MAX)
    }
}

impl Judge {
    /// The core of `camera`, on the box whose CloudEvents source is `source`, for detections whose labels are
    /// numbered by `vocabulary`.
    pub fn new(source: &str, camera: &CameraPlan, vocabulary: Vocabulary) -> Self {
        let mut judge = Self {
            rules: camera
                .rules
                .iter()
                .enumerate()
                .map(|(index, plan)| Rule::new(source, &camera.id, RuleIndex(index), plan))
                .collect(),
            vocabulary,
            groups: Groups { catalog: Arc::clone(&camera.catalog), names: Vec::new(), of_label: Vec::new() },
            tracker: Tracker::default(),
            last_look: None,
            pace: Pace::default(),
            ignored: 0,
            of_detection: Vec::new(),
            covers: Vec::new(),
        };
        judge.follow_vocabulary();
        judge
    }

    /// The label called `name`, made known if it is new.
    ///
    /// # Errors
    /// When there are more labels than numbers for them.
    pub fn intern(&mut self, name: &str) -> Result<Label> {
        if let Some(label) = self.vocabulary.find(name) {
            return Ok(label);
        }
        let label = self.vocabulary.intern(name);
        self.follow_vocabulary();
        label.ok_or_else(|| Error::new(Kind::Camera, "the detections use more than 65,535 different labels"))
    }

    /// The labels known so far.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn follow_vocabulary(&mut self) {
        self.groups.follow(&self.vocabulary);
        for rule in &mut self.rules {
            let about = |name| rule.label_names.contains(name);
            rule.terms.labels = self.vocabulary.names().iter().map(about).collect();
            rule.terms.company.iter_mut().for_each(|company| company.follow(self.vocabulary.names()));
        }
    }

    /// The lowest score of a detection that any rule makes use of.
    pub fn least_score(&self) -> f32 {
        self.rules.iter().map(|rule| rule.terms.score * WEAK).fold(1.0, f32::min)
    }

    /// Takes one look and adds what it changed to `out`, in the order of the rules.
    pub fn look(&mut self, look: &Look<'_>, out: &mut Vec<Happening>) {
        if self.last_look.is_some_and(|last| look.at <= last) {
            self.ignored += 1;
            return;
        }
        if let Some(last) = self.last_look {
            self.pace.look(look.at.seconds_since(last));
        }
        self.last_look = Some(look.at);
        if look.view != View::Clear {
            self.rules.iter_mut().for_each(|rule| rule.blind(look.at, look.view));
            return;
        }
        self.of_detection.clear();
        self.of_detection.extend(look.detections.iter().map(|d| self.groups.of(d.label)));
        self.tracker.look(look.at, look.detections, &self.of_detection);
        self.covers.clear();
        self.covers.extend(self.tracker.tracks().iter().map(|track| track.cover(look.at)));
        let scene = Scene {
            at: look.at,
            detections: look.detections,
            groups: &self.of_detection,
            tracker: &self.tracker,
            covers: &self.covers,
            usual_step_s: self.pace.usual_s(),
            longest_step_s: self.pace.longest_step_s(),
        };
        for rule in &mut self.rules {
            rule.look(&scene, out);
        }
    }

    /// Whether nothing waits for the next look: nothing moves, no place is occupied or was a moment ago, and no case is
    /// open. What stands still where no rule is about it waits for nothing.
    pub fn is_at_rest(&self) -> bool {
        let still = |track: &Track| track.motion == Motion::Still;
        self.tracker.tracks().iter().all(still) && self.rules.iter().all(Rule::is_at_rest)
    }

    /// Capture time of the last look.
    pub fn last_look(&self) -> Option<CaptureTime> {
        self.last_look
    }

    /// Looks that were ignored because they were not later than the one before.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// What is tracked at the moment, for a status page or a drawing.
    pub fn tracks(&self) -> &[Track] {
        self.tracker.tracks()
    }

    /// All open cases, in the order of the rules.
    pub fn open_cases(&self) -> impl Iterator<Item = &Case> {
        self.rules.iter().flat_map(|rule| rule.open_cases())
    }

    /// Places that were found occupied on the last look and have no case, of rules about what stands.
    pub fn standing(&self) -> impl Iterator<Item = Standing> + Clone {
        let last = self.last_look;
        self.rules.iter().flat_map(move |rule| {
            let slots = match &rule.state {
                RuleState::Dwell(dwell) => dwell.slots.as_slice(),
                _ => &[],
            };
            let stands = move |slot: &&Slot| {
                slot.case.is_none() && !slot.is_on_trial() && Some(slot.occupancy.last_seen) == last
            };
            slots.iter().filter(stands).map(|slot| Standing {
                rule: rule.terms.rule,
                serial: slot.serial,
                since: slot.occupancy.first_seen,
                dwell_s: rule.terms.dwell_s,
                object: slot.latest,
            })
        })
    }

    /// Places without a case that may still be occupied, seen on the last look or not.
    pub fn maybe_standing(&self) -> impl Iterator<Item = (RuleIndex, u64, CaptureTime)> + Clone {
        self.rules.iter().flat_map(|rule| {
            let slots = match &rule.state {
                RuleState::Dwell(dwell) => dwell.slots.as_slice(),
                _ => &[],
            };
            let free = slots.iter().filter(|slot| slot.case.is_none());
            free.map(|slot| (rule.terms.rule, slot.serial, slot.occupancy.first_seen))
        })
    }

    /// The id of the case that would open in `place`.
    pub fn case_in(&self, place: &Standing) -> CaseId {
        let rule = self.rules.iter().find(|rule| rule.terms.rule == place.rule);
        // A place names the rule that it was found by.
        rule.map_or_else(|| CaseId::derive(&[]), |rule| rule.terms.case_id(place.since, place.serial))
    }

    /// The state as JSON, to be given to [`Judge::restore`] later.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which would be a fault of this program.
    pub fn save(&self) -> Result<Vec<u8>> {
        let saved = SavedRef {
            version: STATE_VERSION,
            labels: self.vocabulary.names(),
            last_look: self.last_look,
            pace: self.pace,
            tracker: &self.tracker,
            rules: self.rules.iter().map(|r| (r.zone.as_str(), r.kind.as_str(), &r.state)).collect(),
        };
        serde_json::to_vec(&saved)
            .map_err(|e| Error::new(Kind::System, "cannot write down the state of a camera").caused_by(e))
    }

    /// Goes on where a saved state stopped. Rules are recognised by zone and kind; the state of one that is no
    /// longer planned is dropped, and a label that is no longer known takes its objects with it.
    ///
    /// # Errors
    /// When `saved` is not a state of this version.
    pub fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let bad = |e: &dyn std::fmt::Display| {
            Error::new(Kind::Disk, format!("the saved state of the camera cannot be read: {e}"))
                .help("move the database away to start afresh; open cases are then reported once more")
        };
        let saved: Saved = serde_json::from_slice(saved).map_err(|e| bad(&e))?;
        if saved.version != STATE_VERSION {
            return Err(bad(&format!("it is of version {}, expected {STATE_VERSION}", saved.version)));
        }
        let labels: Vec<Option<Label>> =
            saved.labels.iter().map(|name| self.vocabulary.intern(name)).collect();
        self.follow_vocabulary();
        let renumber = |label: Label| labels.get(usize::from(label.0)).copied().flatten();
        self.last_look = saved.last_look;
        self.pace = saved.pace;
        self.tracker = saved.tracker;
        self.tracker.relabel(renumber, |label| self.groups.of(label));
        for (zone, kind, mut state) in saved.rules {
            if let Some(rule) = self.rules.iter_mut().find(|r| r.zone == zone && r.kind == kind) {
                state.relabel(&rule.terms, renumber, |label| self.groups.of(label));
                rule.take(state);
            }
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct SavedRef<'a> {
    version: u32,
    labels: &'a [String],
    last_look: Option<CaptureTime>,
    pace: Pace,
    tracker: &'a Tracker,
    rules: Vec<(&'a str, &'a str, &'a RuleState)>,
}

#[derive(Deserialize)]
struct Saved {
    version: u32,
    labels: Vec<String>,
    last_look: Option<CaptureTime>,
    #[serde(default)]
    pace: Pace,
    tracker: Tracker,
    rules: Vec<(String, String, RuleState)>,
}

impl Rule {
    fn new(source: &str, camera: &str, index: RuleIndex, plan: &RulePlan) -> Self {
        let kind = &plan.kind.slug;
        Self {
            zone: plan.zone.clone(),
            kind: kind.clone(),
            label_names: plan.labels.clone(),
            schedule: plan.schedule.clone(),
            terms: Terms {
                rule: index,
                polygon: plan.polygon.clone(),
                site: plan.site.clone(),
                labels: Vec::new(),
                score: plan.score,
                size: plan.size,
                dwell_s: plan.dwell_s,
                clear_s: plan.clear_s,
                absence_s: plan.absence_s,
                company: plan.company.iter().map(Company::new).collect(),
                in_force_since: None,
                name: format!("{source}/{camera}/{}/{kind}", plan.zone),
            },
            state: match plan.condition {
                // The dwell rule itself knows nothing of company.
                Condition::Standing if !plan.company.is_empty() => {
                    RuleState::Cluster { asks: (1, Together::Alone), cluster: Cluster::default() }
                }
                Condition::Standing => RuleState::Dwell(Dwell::default()),
                Condition::Presence => RuleState::Presence(Presence::default()),
                Condition::Loitering => RuleState::Loitering(Loitering::default()),
                Condition::Cluster { count, near } => RuleState::Cluster {
                    asks: (count, near.map_or(Together::Zone, Together::Near)),
                    cluster: Cluster::default(),
                },
                Condition::Count(least) => RuleState::Count { least, count: Count::default() },
            },
        }
    }

    fn look(&mut self, scene: &Scene<'_>, out: &mut Vec<Happening>) {
        self.terms.in_force_since = match &self.schedule {
            None => Some(CaptureTime::from_nanos(i64::MIN)),
            Some(schedule) => schedule.in_force_since(scene.at),
        };
        match &mut self.state {
            RuleState::Dwell(dwell) => dwell.look(scene, &self.terms, out),
            RuleState::Count { least, count } => count.look(scene, &self.terms, *least, out),
            RuleState::Presence(presence) => presence.look(scene, &self.terms, out),
            RuleState::Loitering(loitering) => loitering.look(scene, &self.terms, out),
            RuleState::Cluster { asks, cluster } => cluster.look(scene, &self.terms, *asks, out),
        }
    }

    fn blind(&mut self, at: CaptureTime, view: View) {
        match &mut self.state {
            RuleState::Dwell(dwell) => dwell.blind(at, view),
            RuleState::Count { count, .. } => count.blind(),
            RuleState::Presence(presence) => presence.blind(),
            RuleState::Loitering(loitering) => loitering.blind(),
            RuleState::Cluster { cluster, .. } => cluster.blind(at, view),
        }
    }

    fn is_at_rest(&self) -> bool {
        match &self.state {
            RuleState::Dwell(dwell) => dwell.is_at_rest(),
            RuleState::Count { count, .. } => count.is_at_rest(),
            RuleState::Presence(presence) => presence.is_at_rest(),
            RuleState::Loitering(loitering) => loitering.is_at_rest(),
            RuleState::Cluster { cluster, .. } => cluster.is_at_rest(),
        }
    }

    fn open_cases(&self) -> Vec<&Case> {
        match &self.state {
            RuleState::Dwell(dwell) => dwell.slots.iter().filter_map(|slot| slot.case.as_ref()).collect(),
            RuleState::Count { count, .. } => count.case.iter().collect(),
            RuleState::Presence(presence) => presence.case.iter().collect(),
            RuleState::Loitering(loitering) => loitering.case.iter().collect(),
            RuleState::Cluster { cluster, .. } => cluster.sites.iter().map(|site| &site.case).collect(),
        }
    }

    /// Takes a restored state, keeping the number that the plan now asks for.
    fn take(&mut self, restored: RuleState) {
        match (&mut self.state, restored) {
            (RuleState::Dwell(now), RuleState::Dwell(then)) => *now = then,
            (RuleState::Count { count: now, .. }, RuleState::Count { count: then, .. }) => *now = then,
            (RuleState::Presence(now), RuleState::Presence(then)) => *now = then,
            (RuleState::Loitering(now), RuleState::Loitering(then)) => *now = then,
            (RuleState::Cluster { cluster: now, .. }, RuleState::Cluster { cluster: then, .. }) => {
                *now = then
            }
            // The catalogue changed what the kind judges; what it remembered means nothing any more.
            _ => {}
        }
    }
}

impl RuleState {
    fn relabel(
        &mut self,
        terms: &Terms,
        label: impl Fn(Label) -> Option<Label>,
        group: impl Fn(Label) -> u16,
    ) {
        let renumber = |case: &mut Case| {
            case.rule = terms.rule;
            case.settle(&terms.site);
            case.objects.retain_mut(|object| relabel_detection(object, &label));
        };
        let regroup = |seen: &mut Detection| relabel_detection(seen, &label).then(|| group(seen.label));
        match self {
            Self::Dwell(dwell) => dwell.slots.retain_mut(|slot| {
                let known = relabel_detection(&mut slot.latest, &label);
                slot.group = group(slot.latest.label);
                slot.case.iter_mut().for_each(renumber);
                known
            }),
            Self::Count { count, .. } => {
                count.case.iter_mut().for_each(renumber);
                count.relabel(regroup);
            }
            Self::Presence(presence) => {
                presence.case.iter_mut().for_each(renumber);
                presence.relabel(regroup);
            }
            Self::Loitering(loitering) => {
                loitering.case.iter_mut().for_each(renumber);
                loitering.relabel(regroup);
            }
            Self::Cluster { cluster, .. } => {
                cluster.sites.iter_mut().map(|site| &mut site.case).for_each(renumber);
                cluster.relabel(regroup);
            }
        }
    }
}

fn relabel_detection(detection: &mut Detection, label: impl Fn(Label) -> Option<Label>) -> bool {
    let new = label(detection.label);
    if let Some(new) = new {
        detection.label = new;
    }
    new.is_some()
}
