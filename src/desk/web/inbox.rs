//! Lists of cases, the review inbox first.

use axum::extract::Query;
use axum::response::Redirect;
use maud::{Markup, html};
use serde::Deserialize;

use super::context::{Cx, Reply};
use super::{card, layout};
use crate::desk::life::{Role, Step};
use crate::desk::model::{CaseDetail, Counts, Filter, Origin, Tab};

/// Cases of one page.
const SHOWN: usize = 20;

/// What is asked for in the address of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    tab: String,
    grid: String,
    origin: String,
    after: String,
    /// The case that was just acted on.
    did: Option<i64>,
}

/// Sends people to where their work is.
pub(super) async fn start(cx: Cx) -> Redirect {
    match cx.role() {
        Some(Role::Centre | Role::Admin) => Redirect::to("/board"),
        _ => Redirect::to("/inbox"),
    }
}

const TABS: [(&str, Tab); 7] = [
    ("inbox", Tab::Inbox),
    ("doing", Tab::Doing),
    ("done", Tab::Done),
    ("escalated", Tab::Escalated),
    ("overdue", Tab::Overdue),
    ("open", Tab::Open),
    ("ended", Tab::Ended),
];

fn name(cx: &Cx, tab: Tab) -> &'static str {
    cx.lang.of(match tab {
        Tab::Inbox => ("待核实", "To review"),
        Tab::Doing => ("处置中", "In hand"),
        Tab::Done => ("待核查", "To verify"),
        Tab::Escalated => ("上报派遣", "Escalated"),
        Tab::Overdue => ("超时", "Overdue"),
        Tab::Open => ("全部未结", "All open"),
        Tab::Ended => ("已结", "Over"),
    })
}

fn count(counts: &Counts, tab: Tab) -> Option<u64> {
    match tab {
        Tab::Inbox => Some(counts.inbox),
        Tab::Doing => Some(counts.doing),
        Tab::Done => Some(counts.done),
        Tab::Escalated => Some(counts.escalated),
        Tab::Overdue => Some(counts.overdue),
        Tab::Open | Tab::Ended => None,
    }
}

pub(super) async fn list(cx: Cx, Query(asked): Query<Asked>) -> Reply {
    let first = if cx.role() == Some(Role::Department) { Tab::Escalated } else { Tab::Inbox };
    let tab = TABS.iter().find(|(key, _)| *key == asked.tab).map_or(first, |(_, tab)| *tab);
    let filter = Filter {
        tab,
        grid: Some(asked.grid.clone()).filter(|grid| !grid.is_empty()),
        kind: None,
        origin: Origin::parse(&asked.origin),
    };
    let after = Some(asked.after.clone()).filter(|after| !after.is_empty());
    let did = asked.did;
    let (counts, page, details, grids, did) = cx
        .ask(move |desk, viewer| {
            let page = desk.list(viewer, &filter, after.as_deref(), SHOWN)?;
            // A case that was just taken out of a viewer's sight is left out.
            let details: Vec<CaseDetail> =
                page.cases.iter().filter_map(|case| desk.case(viewer, case.id).ok()).collect();
            let did = did.and_then(|id| desk.case(viewer, id).ok());
            Ok((desk.counts(viewer)?, page, details, desk.grids(viewer), did))
        })
        .await?;
    let key = TABS.iter().find(|(_, known)| *known == tab).map_or("inbox", |(key, _)| *key);
    let here = address(key, &asked.grid, &asked.origin, "");
    let body = html! {
        h1.hidden { (name(&cx, tab)) }
        nav.tabs aria-label=(cx.t("案件状态", "Cases by state")) {
            @for (key, other) in TABS {
                @if cx.role() != Some(Role::Department) || !matches!(other, Tab::Inbox | Tab::Doing) {
                    a href=(address(key, &asked.grid, &asked.origin, "")) aria-current=[(other == tab).then_some("page")] {
                        (name(&cx, other))
                        @if let Some(count) = count(&counts, other) { " " span.count { (count) } }
                    }
                }
            }
        }
        @if grids.len() > 1 {
            form.filter method="get" action="/inbox" {
                input type="hidden" name="tab" value=(key);
                label for="grid" { (cx.t("网格", "Grid")) }
                select #grid name="grid" data-submit {
                    option value="" { (cx.t("全部", "All")) }
                    @for grid in &grids { option value=(grid.id) selected[grid.id == asked.grid] { (grid.name) } }
                }
                label for="origin" { (cx.t("来源", "From")) }
                select #origin name="origin" data-submit {
                    option value="" { (cx.t("全部", "All")) }
                    @for origin in Origin::ALL {
                        option value=(origin.as_str()) selected[origin.as_str() == asked.origin] { (cx.lang.of(origin.names())) }
                    }
                }
                noscript { button { (cx.t("筛选", "Show")) } }
            }
        }
        div #live data-list {
            @for detail in &details { (card::card(&cx, detail, &here)) }
            @if details.is_empty() { (empty(&cx, tab)) }
            @if let Some(next) = &page.next {
                p { a.button.more href=(address(key, &asked.grid, &asked.origin, next)) { (cx.t("更早的案件", "More")) } }
            }
        }
        p.small.keys { (cx.t("键盘：J / K 上下，Enter 打开，C 确认，R 不立案（再按 1–5 选原因），M 合并，U 撤销，Z 放大图片", "Keys: J / K down and up, Enter open, C confirm, R reject (then 1–5 for the reason), M merge, U undo, Z enlarge")) }
        @if let Some(did) = &did { (toast(&cx, did, &here)) }
    };
    Ok(layout::page(&cx, name(&cx, tab), &body))
}

fn empty(cx: &Cx, tab: Tab) -> Markup {
    let text = match tab {
        Tab::Inbox => cx.t(
            "没有待核实的案件。新案件会自动出现在这里。",
            "Nothing to review. New cases appear here by themselves.",
        ),
        Tab::Overdue => cx.t("没有超时的案件。", "Nothing is overdue."),
        _ => cx.t("这里没有案件。", "No cases here."),
    };
    html! { p.empty { (text) } }
}

fn address(tab: &str, grid: &str, origin: &str, after: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("tab", tab);
    for (name, value) in [("grid", grid), ("origin", origin), ("after", after)] {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    format!("/inbox?{}", query.finish())
}

/// Says what was just done, with the way back while there is one.
pub(super) fn toast(cx: &Cx, did: &CaseDetail, back: &str) -> Markup {
    let case = &did.case;
    let until = did.undo_until.filter(|_| did.may.contains(&Step::Undo));
    html! {
        div.toast role="status" data-until=[until.map(|until| until - cx.now)] {
            span { (case.number) "：" (cx.lang.of(case.state.names())) }
            @if until.is_some() {
                form.tap method="post" action=(format!("/case/{}", case.id)) {
                    (card::hidden(cx, case, back))
                    button name="action" value="undo" data-undo { (cx.t("撤销", "Undo")) }
                }
            }
        }
    }
}
