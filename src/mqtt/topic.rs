//! The topic tree of a box: `patrol/v1/{street}/{box}/…`. The version stands near the root and who speaks
//! before what is said, so one subscription can follow a street, a box or a grid.
//!
//! Every level comes from a checked name (see [`GridId`] and the plan), so no value can reach another topic.

use crate::case::CaseId;
use crate::evidence::Role;
use crate::place::GridId;
use crate::plan::Plan;

/// The filter that follows the cases of every box and grid.
pub const ALL_CASES: &str = "patrol/v1/+/+/case/+/+";
/// The filter that follows the evidence pictures of every box and grid.
pub const ALL_EVIDENCE: &str = "patrol/v1/+/+/case/+/+/evidence/+/+";

/// Everything below one box.
fn root(plan: &Plan) -> String {
    format!("patrol/v1/{}/{}", plan.street, plan.box_id)
}

/// Where the box says whether it is there; retained.
pub fn status(plan: &Plan) -> String {
    format!("{}/status", root(plan))
}

/// Where the box says what it counts; not retained.
pub fn metrics(plan: &Plan) -> String {
    format!("{}/metrics", root(plan))
}

/// The filter of what may be asked of the box.
pub fn commands(plan: &Plan) -> String {
    format!("{}/cmd/+", root(plan))
}

/// Where the box answers a command of `verb`; `unknown` for one that there is not.
pub fn answer(plan: &Plan, verb: &str) -> String {
    format!("{}/cmd/{verb}/ack", root(plan))
}

/// Where the box sends a picture of what `camera` sees, when asked.
pub fn snapshot(plan: &Plan, camera: &str) -> String {
    format!("{}/camera/{camera}/snapshot", root(plan))
}

/// Where the cases of kind `slug` in `grid` are told; never retained, as a late subscriber would open closed
/// cases again.
pub fn case(plan: &Plan, grid: &GridId, slug: &str) -> String {
    format!("{}/case/{grid}/{slug}", root(plan))
}

/// Where the evidence picture `role` of a case is sent as a binary message.
pub fn evidence(plan: &Plan, grid: &GridId, slug: &str, id: &CaseId, role: Role) -> String {
    format!("{}/evidence/{}/{}", case(plan, grid, slug), id.as_str(), role.as_str())
}
