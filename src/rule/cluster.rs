//! The cluster rule: still objects that stand together are one case, such as a stall with its table and umbrella, or
//! the goods in front of a shop.
//!
//! # Invariants
//! - Which objects stand still, and for how long, is for the dwell rule underneath to say, with all that it promises.
//! - While a case is open, whatever still comes to stand near it belongs to it; nothing near it opens another.
//! - A case opens only when its objects had the company that the rule asks for; who keeps company comes and goes
//!   after that. It clears when fewer than half of the objects that it takes are left, each of them seen to be gone.

use serde::{Deserialize, Serialize};

use super::Dwell;
use super::company::{Kept, are_near, is_kept};
use super::scene::{Scene, Sighted, Terms, happening};
use crate::case::{Case, Change, Happening, Slot};
use crate::clock::CaptureTime;
use crate::detect::{BBox, Detection};
use crate::look::View;

/// Sightings from which an object belongs to the case that it stands near to.
const KNOWN_HITS: u32 = 3;

/// Which objects stand together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Together {
    /// None: each is its own case.
    Alone,
    /// Those no further apart than so many heights of the taller box.
    Near(f32),
    /// All of the zone.
    Zone,
}

/// The state of one cluster rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) sites: Vec<Site>,
    /// The places of single objects. What they call cases are objects that have stood for the dwell.
    places: Dwell,
    /// The company that the object of each slot had, by the slot's serial.
    kept: Vec<(u64, Kept)>,
    #[serde(skip)]
    ignored: Vec<Happening>,
    #[serde(skip)]
    component: Vec<usize>,
}

/// The objects of one open case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Site {
    pub(crate) case: Case,
    /// Slots by serial, with where they stand.
    members: Vec<(u64, BBox)>,
}

impl Cluster {
    /// Judges one usable look: do at least `least` objects stand together?
    pub(crate) fn look(
        &mut self,
        scene: &Scene<'_>,
        terms: &Terms,
        (least, together): (u32, Together),
        out: &mut Vec<Happening>,
    ) {
        self.places.look(scene, terms, &mut self.ignored);
        self.ignored.clear();
        self.keep_company(scene, terms);
        self.attach(together);
        self.clear(scene.at, least, out);
        self.open(scene.at, terms, (least, together), out);
        self.update(scene.at);
    }

    /// Whether no place waits for the next look.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.places.is_at_rest() && self.sites.is_empty()
    }

    /// A look on which nothing could be judged.
    pub(crate) fn blind(&mut self, at: CaptureTime, view: View) {
        self.places.blind(at, view);
    }

    /// Gives all objects their label and group by `renumber`, and forgets those that have none any more.
    pub(crate) fn relabel(&mut self, renumber: impl Fn(&mut Detection) -> Option<u16>) {
        self.places.slots.retain_mut(|slot| match renumber(&mut slot.latest) {
            Some(group) => {
                slot.group = group;
                true
            }
            None => false,
        });
    }

    fn keep_company(&mut self, scene: &Scene<'_>, terms: &Terms) {
        if terms.company.is_empty() {
            return;
        }
        let slots = &self.places.slots;
        self.kept.retain(|(serial, _)| slots.iter().any(|slot| slot.serial == *serial));
        for slot in slots {
            let known = self.kept.iter().position(|(serial, _)| *serial == slot.serial);
            let at = known.unwrap_or_else(|| {
                self.kept.push((slot.serial, Kept::default()));
                self.kept.len() - 1
            });
            self.kept[at].1.look(scene, terms, &slot.anchor);
        }
    }

    /// Brings the members of the sites up to date: objects that are gone leave, others that stand near join.
    fn attach(&mut self, together: Together) {
        let slots = &self.places.slots;
        for slot in slots {
            let is_member = |site: &Site| site.members.iter().any(|(serial, _)| *serial == slot.serial);
            if slot.occupancy.hits < KNOWN_HITS || self.sites.iter().any(is_member) {
                continue;
            }
            let is_near = |site: &Site| {
                site.members.iter().any(|(_, anchor)| are_together(anchor, &slot.anchor, together))
            };
            if let Some(site) = self.sites.iter_mut().find(|site| is_near(site)) {
                site.members.push((slot.serial, slot.anchor));
            }
        }
        for site in &mut self.sites {
            site.members.retain_mut(|(serial, anchor)| {
                let slot = slots.iter().find(|slot| slot.serial == *serial);
                slot.iter().for_each(|slot| *anchor = slot.anchor);
                slot.is_some()
            });
        }
    }

    fn clear(&mut self, at: CaptureTime, least: u32, out: &mut Vec<Happening>) {
        self.sites.retain(|site| {
            let stands = site.members.len() >= least.div_ceil(2) as usize;
            if !stands {
                out.push(happening(Change::Cleared, at, &site.case));
            }
            stands
        });
    }

    /// Opens a case for each group of objects that have stood together for the dwell.
    fn open(
        &mut self,
        at: CaptureTime,
        terms: &Terms,
        (least, together): (u32, Together),
        out: &mut Vec<Happening>,
    ) {
        let slots = &self.places.slots;
        let sites = &self.sites;
        let is_free = |slot: &Slot| {
            let is_member = |site: &Site| site.members.iter().any(|(serial, _)| *serial == slot.serial);
            slot.case.is_some() && !sites.iter().any(is_member)
        };
        let mut free: Vec<usize> = (0..slots.len()).filter(|&index| is_free(&slots[index])).collect();
        let mut opened = Vec::new();
        while let Some(first) = free.pop() {
            let component = &mut self.component;
            component.clear();
            component.push(first);
            let mut done = 0;
            while done < component.len() {
                let anchor = &slots[component[done]].anchor;
                done += 1;
                free.retain(|&index| {
                    let joins = are_together(anchor, &slots[index].anchor, together);
                    if joins {
                        component.push(index);
                    }
                    !joins
                });
            }
            component.sort_unstable();
            let parts = component.iter().map(|&index| &slots[index]);
            let kept = &self.kept;
            let company = parts.clone().filter_map(|slot| {
                kept.iter().find(|(serial, _)| *serial == slot.serial).map(|(_, kept)| kept)
            });
            let seen = parts.clone().any(|slot| slot.occupancy.last_seen == at);
            if component.len() < least as usize || !seen || !is_kept(terms, company) {
                continue;
            }
            // It has been that many since the last of them came.
            let mut began: Vec<(CaptureTime, u64)> =
                parts.clone().map(|slot| (slot.occupancy.first_seen, slot.serial)).collect();
            began.sort_unstable();
            let (since, _) = began[least.max(1) as usize - 1];
            let Some(since) = terms.violated_since(since, at) else { continue };
            let looks = parts.clone().map(|slot| slot.occupancy.looks).max().unwrap_or(0);
            let hits = parts.clone().map(|slot| slot.occupancy.hits).max().unwrap_or(0);
            let (began, serial) = began[0];
            let sighted = Sighted { began, serial, since, looks, hits };
            let case = terms.opened(at, sighted, parts.clone().map(|slot| slot.latest).collect());
            out.push(happening(Change::Opened, at, &case));
            let members = parts.map(|slot| (slot.serial, slot.anchor)).collect();
            opened.push(Site { case, members });
        }
        self.sites.extend(opened);
    }

    fn update(&mut self, at: CaptureTime) {
        for Site { case, members } in &mut self.sites {
            let slots = &self.places.slots;
            let parts = slots.iter().filter(|slot| members.iter().any(|(serial, _)| *serial == slot.serial));
            case.looks = parts.clone().map(|slot| slot.occupancy.looks).max().unwrap_or(case.looks);
            case.hits = parts.clone().map(|slot| slot.occupancy.hits).max().unwrap_or(case.hits);
            if parts.clone().any(|slot| slot.occupancy.last_seen == at) {
                case.last_seen = at;
            }
            case.objects.clear();
            case.objects.extend(parts.map(|slot| slot.latest));
        }
    }
}

fn are_together(a: &BBox, b: &BBox, together: Together) -> bool {
    match together {
        Together::Alone => false,
        Together::Near(near) => are_near(a, b, near),
        Together::Zone => true,
    }
}
