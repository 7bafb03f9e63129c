//! The topic tree of a box: `patrol/v1/{street}/{box}/…`, filled in from the rows of the
//! [contract]. The version stands near the root and who speaks before what is said, so one
//! subscription can follow a street, a box or a grid.
//!
//! Every level comes from a checked name (see [`GridId`] and the plan), so no value can reach another topic.

use super::contract::{self, Channel};
use crate::case::CaseId;
use crate::evidence::Role;
use crate::place::GridId;
use crate::plan::Plan;

/// The filter that follows the cases of every box and grid.
pub const ALL_CASES: &str = "patrol/v1/+/+/case/+/+";
/// The filter that follows the evidence pictures of every box and grid.
pub const ALL_EVIDENCE: &str = "patrol/v1/+/+/case/+/+/evidence/+/+";
/// The filter that follows what is known of the clips of every box and grid.
pub const ALL_CLIPS: &str = "patrol/v1/+/+/case/+/+/clip/+";

fn of(plan: &Plan, row: &Channel, more: &[(&str, &str)]) -> String {
    let own = [("street", plan.street.as_str()), ("box", plan.box_id.as_str())];
    row.topic(&[&own, more].concat())
}

/// Where the box says whether it is there; retained.
pub fn status(plan: &Plan) -> String {
    of(plan, &contract::STATUS, &[])
}

/// Where the box says what it counts; not retained.
pub fn metrics(plan: &Plan) -> String {
    of(plan, &contract::METRICS, &[])
}

/// The filter of what may be asked of the box.
pub fn commands(plan: &Plan) -> String {
    format!("patrol/v1/{}/{}/cmd/+", plan.street, plan.box_id)
}

/// Where the box answers a command of `verb`; `unknown` for one that there is not.
pub fn answer(plan: &Plan, verb: &str) -> String {
    of(plan, &contract::ANSWER, &[("verb", verb)])
}

/// Where the box sends a picture of what `camera` sees, when asked.
pub fn snapshot(plan: &Plan, camera: &str) -> String {
    of(plan, &contract::SNAPSHOT_PICTURE, &[("camera", camera)])
}

/// Where the box says how `camera` is doing; retained.
pub fn health(plan: &Plan, camera: &str) -> String {
    of(plan, &contract::HEALTH, &[("camera", camera)])
}

/// Where the cases of kind `slug` in `grid` are told; never retained, as a late subscriber would open closed
/// cases again.
pub fn case(plan: &Plan, grid: &GridId, slug: &str) -> String {
    of(plan, &contract::CASE, &[("grid", grid.as_str()), ("kind", slug)])
}

/// Where is told what is known of the clip of a case, or why there is none.
pub fn clip(plan: &Plan, grid: &GridId, slug: &str, id: &CaseId) -> String {
    of(plan, &contract::CLIP, &[("grid", grid.as_str()), ("kind", slug), ("case", id.as_str())])
}

/// Where the evidence picture `role` of a case is sent as a binary message.
pub fn evidence(plan: &Plan, grid: &GridId, slug: &str, id: &CaseId, role: Role) -> String {
    let more = [("grid", grid.as_str()), ("kind", slug), ("case", id.as_str()), ("role", role.as_str())];
    of(plan, &contract::EVIDENCE, &more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_are_those_of_the_contract() {
        assert_eq!(ALL_CASES, contract::CASE.filter());
        assert_eq!(ALL_EVIDENCE, contract::EVIDENCE.filter());
        assert_eq!(ALL_CLIPS, contract::CLIP.filter());
    }
}
