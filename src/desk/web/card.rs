//! One case in a list: what somebody needs to decide with one tap.

use maud::{Markup, html};

use super::context::Cx;
use super::layout::csrf;
use super::{marked, words};
use crate::desk::life::{RejectReason, State, Step};
use crate::desk::model::{CaseDetail, CaseSummary, Origin, Seen};

/// Name of the kind.
pub(super) fn kind<'a>(cx: &Cx, case: &'a CaseSummary) -> &'a str {
    cx.lang.t(&case.name_zh, &case.name_en)
}

/// When something was, short.
pub(super) fn moment(cx: &Cx, at: i64) -> Markup {
    let text = words::moment(at, cx.now, &cx.site.desk.plan().zone);
    html! { time { (text) } }
}

/// The state, its time, and what is remarkable about a case.
pub(super) fn badges(cx: &Cx, case: &CaseSummary) -> Markup {
    let plan = cx.site.desk.plan();
    let is_waiting = case.state == State::Candidate;
    html! {
        span.badge.(case.state.as_str()) { (cx.lang.of(case.state.names())) }
        @if case.state.is_pending() {
            span.left.over[case.overdue] data-due=(case.due_at) { (words::left(case.due_at, cx.now, cx.lang)) }
        }
        @if is_waiting && case.severity >= 2 { span.badge.urgent { (cx.t("紧急", "Urgent")) } }
        @if case.still_seen { span.badge.urgent { (cx.t("摄像头仍能看到", "Camera still sees it")) } }
        @if case.camera_cleared && case.state.is_open() { span.badge.clear { (cx.t("摄像头已看到清空", "Camera saw it clear")) } }
        @if case.reopened > 0 { span.badge { (cx.t("重新打开", "Reopened")) " ×" (case.reopened) } }
        @if let Some(count) = case.recurrence_7d.filter(|count| *count > 1) {
            span.badge { (cx.t("7 日内同处", "Here in 7 days")) " ×" (count) }
        }
        @if let Some(department) = &case.department {
            span.badge { (plan.department(department).map_or(department.as_str(), |known| &known.name)) }
        }
    }
}

/// Zone, dwell and boxes.
pub(super) fn seen(cx: &Cx, seen: &Seen) -> Markup {
    let dwell = words::span((seen.dwell_s * 1000.0) as i64, cx.lang);
    html! {
        p.seen {
            (cx.t("区域", "Zone")) " " b { (seen.zone) }
            " · " (cx.t("停留", "stayed")) " " b { (dwell) }
            @for object in seen.objects.iter().take(6) {
                " · " span.object { (object.label) " " (format!("{:.0} %", object.score * 100.0)) }
            }
        }
    }
}

/// A case with its picture and what can be done with it at once.
pub(super) fn card(cx: &Cx, detail: &CaseDetail, back: &str) -> Markup {
    let case = &detail.case;
    let link = format!("/case/{}", case.id);
    let picture =
        case.thumb.or_else(|| detail.pictures.iter().find(|p| p.is_here && !p.is_clip()).map(|p| p.id));
    html! {
        article.card data-case=(case.id) tabindex="-1" {
            div.thumb {
                @match picture {
                    Some(id) => a href=(format!("/picture/{id}")) data-zoom {
                        img src=(format!("/picture/{id}")) alt=(format!("{} {}", kind(cx, case), case.number)) loading="lazy";
                        @if let Some(picture) = detail.pictures.iter().find(|picture| picture.id == id) {
                            (marked::marks(picture))
                        }
                    },
                    None => span.none { (no_picture(cx, detail)) },
                }
            }
            div.facts {
                h2 { a href=(link) data-open { (kind(cx, case)) } }
                p.badges { (badges(cx, case)) }
                p { (case.place) @if !case.place.contains(&case.grid_name) { " · " (case.grid_name) } }
                @if let Some(what) = &detail.seen { (seen(cx, what)) }
                @if !detail.description.is_empty() { p.words { (detail.description) } }
                p.small {
                    (cx.lang.of(case.origin.names())) " · " (moment(cx, case.observed_at)) " · " (case.number)
                    @if !detail.earlier.is_empty() {
                        " · " a href=(format!("{link}#earlier")) { (cx.t("此处历史", "Earlier here")) " " (detail.earlier.len()) }
                    }
                }
                (quick(cx, detail, back))
            }
        }
    }
}

/// Why there is no picture to show.
fn no_picture(cx: &Cx, detail: &CaseDetail) -> &'static str {
    let is_withheld = detail.seen.as_ref().is_some_and(|seen| seen.withheld.is_some());
    if is_withheld {
        cx.lang.t("按隐私规则不提供图片", "Withheld for privacy")
    } else {
        let awaited = detail.pictures.iter().find(|picture| picture.is_awaited);
        awaited
            .or(detail.pictures.first())
            .map_or(cx.lang.t("没有图片", "No picture"), |picture| marked::absent(cx, picture))
    }
}

/// The buttons that need no more words.
fn quick(cx: &Cx, detail: &CaseDetail, back: &str) -> Markup {
    let case = &detail.case;
    let may = |step: Step| detail.may.contains(&step);
    html! {
        div.actions {
            @if may(Step::Accept) { (tap(cx, case, Step::Accept, back, "main")) }
            @if may(Step::Reject) { (reject(cx, case, back)) }
            @if may(Step::Merge) && case.state == State::Candidate {
                a.button.merge href=(format!("/case/{}/merge", case.id)) data-key="m" { (cx.lang.of(Step::Merge.names())) }
            }
            @if may(Step::Start) { (tap(cx, case, Step::Start, back, "main")) }
            @if may(Step::Dispose) || may(Step::Verify) || may(Step::Assign) || may(Step::Close) {
                a.button href=(format!("/case/{}#act", case.id)) { (cx.t("处理", "Handle")) }
            }
        }
    }
}

/// A button that does `step` with one tap.
pub(super) fn tap(cx: &Cx, case: &CaseSummary, step: Step, back: &str, class: &str) -> Markup {
    let key = match step {
        Step::Accept => Some("c"),
        Step::Start => Some("s"),
        _ => None,
    };
    html! {
        form.tap method="post" action=(format!("/case/{}", case.id)) {
            (hidden(cx, case, back))
            button.(class) name="action" value=(step.as_str()) data-key=[key] { (cx.lang.of(step.names())) }
        }
    }
}

/// What every order carries.
pub(super) fn hidden(cx: &Cx, case: &CaseSummary, back: &str) -> Markup {
    html! {
        (csrf(cx))
        input type="hidden" name="version" value=(case.version);
        input type="hidden" name="back" value=(back);
    }
}

/// The reasons why a case is none, each a tap.
pub(super) fn reject(cx: &Cx, case: &CaseSummary, back: &str) -> Markup {
    html! {
        details.reject {
            summary.button data-key="r" { (cx.lang.of(Step::Reject.names())) }
            form method="post" action=(format!("/case/{}", case.id)) {
                (hidden(cx, case, back))
                input type="hidden" name="action" value="reject";
                @for (number, reason) in RejectReason::ALL.into_iter().enumerate() {
                    button name="reason" value=(reason.as_str()) data-reason=(number + 1) { (cx.lang.of(reason.names())) }
                }
            }
        }
    }
}

/// One line about a case.
pub(super) fn line(cx: &Cx, case: &CaseSummary) -> Markup {
    html! {
        a.line href=(format!("/case/{}", case.id)) {
            @if let Some(id) = case.thumb { img src=(format!("/picture/{id}")) alt="" loading="lazy"; }
            span.what {
                b { (kind(cx, case)) }
                span { (case.place) }
                span.small { (moment(cx, case.observed_at)) " · " (case.number) " · " (origin(cx, case.origin)) }
                span.badges { (badges(cx, case)) }
            }
        }
    }
}

fn origin(cx: &Cx, origin: Origin) -> &'static str {
    cx.lang.of(origin.names())
}
