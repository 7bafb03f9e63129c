//! The page of one case: what was seen and done, and what can be done next.

use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use maud::{Markup, html};
use serde::Deserialize;

use super::context::{Cx, Reply};
use super::form::Posted;
use super::layout::{self, own_path, photo_field};
use super::{card, inbox, marked, words};
use crate::desk::Denied;
use crate::desk::life::{Action, NoPhoto, RejectReason, State, Step};
use crate::desk::model::{CaseDetail, CaseSummary, Entry, FollowupInfo, Order, PictureInfo, VerdictInfo};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    did: Option<i64>,
}

/// Number of a case or a picture in an address.
fn number(cx: &Cx, text: &str) -> Result<i64, super::context::Fail> {
    text.parse().map_err(|_| cx.fail(Denied::NotFound))
}

pub(super) async fn show(cx: Cx, Path(id): Path<String>, Query(asked): Query<Asked>) -> Reply {
    let id = number(&cx, &id)?;
    let detail = cx.ask(move |desk, viewer| desk.case(viewer, id)).await?;
    let case = &detail.case;
    let here = format!("/case/{id}");
    let title = format!("{} {}", card::kind(&cx, case), case.number);
    let body = html! {
        div #live {
            h1 { (card::kind(&cx, case)) " " span.small { (case.number) } }
            p.badges { (card::badges(&cx, case)) }
            @if let Some(into) = case.merged_into {
                p { a href=(format!("/case/{into}")) { (cx.t("已合并到另一案件", "Goes on in another case")) } }
            }
            div.columns {
                section {
                    (pictures(&cx, &detail))
                    (facts(&cx, &detail))
                }
                section #act {
                    (actions(&cx, &detail, &here))
                    (timeline(&cx, &detail.timeline))
                    (earlier(&cx, &detail.earlier))
                }
            }
        }
        @if asked.did == Some(id) { (inbox::toast(&cx, &detail, &here)) }
    };
    Ok(layout::page(&cx, &title, &body))
}

fn pictures(cx: &Cx, detail: &CaseDetail) -> Markup {
    html! {
        (marked::switch(cx, &detail.pictures))
        div.pictures {
            @for picture in &detail.pictures {
                figure {
                    @if picture.is_here && picture.is_clip() {
                        // Not before somebody wants it: it is as large as four pictures.
                        video controls preload="none" playsinline muted width=(picture.width) height=(picture.height)
                            src=(format!("/picture/{}", picture.id)) aria-label=(role(cx, picture)) {}
                    } @else if picture.is_here {
                        a href=(format!("/picture/{}", picture.id)) data-zoom {
                            img src=(format!("/picture/{}", picture.id)) width=(picture.width) height=(picture.height)
                                alt=(role(cx, picture)) loading="lazy";
                            (marked::marks(picture))
                        }
                    } @else { span.none { (marked::absent(cx, picture)) } }
                    figcaption { (role(cx, picture)) " · " (card::moment(cx, picture.at)) }
                }
            }
            @if let Some(why) = detail.seen.as_ref().and_then(|seen| seen.withheld.as_ref()) {
                p.small { (cx.t("未提供图片：", "No pictures: ")) (why) }
            }
        }
    }
}

fn role(cx: &Cx, picture: &PictureInfo) -> &'static str {
    cx.lang.of(match picture.role.as_str() {
        "first" => ("首次发现", "First seen"),
        "overview" => ("全景", "Overview"),
        "closeup" => ("特写", "Close-up"),
        "after" => ("清空后", "After it cleared"),
        "clip" => ("立案前后短视频", "Clip around the opening"),
        "disposal" => ("处置照片", "Disposal"),
        "verification" => ("核查照片", "Verification"),
        _ => ("上报照片", "Report"),
    })
}

fn facts(cx: &Cx, detail: &CaseDetail) -> Markup {
    let case = &detail.case;
    let class = cx.site.desk.plan().class(&case.class);
    html! {
        dl.facts {
            dt { (cx.t("地点", "Place")) } dd { (case.place) }
            dt { (cx.t("网格", "Grid")) } dd { (case.grid_name) " " span.small { (case.grid) } }
            @if let Some((longitude, latitude, uncertainty)) = detail.position {
                dt { (cx.t("坐标", "Position")) }
                dd { (format!("{longitude:.6}, {latitude:.6}")) @if let Some(m) = uncertainty { (format!(" ± {m:.0} m")) } }
            }
            dt { (cx.t("来源", "From")) }
            dd { (cx.lang.of(case.origin.names())) @if let Some(camera) = &case.camera { " " (camera) } }
            @if let Some(code) = &case.code { dt { (cx.t("事项代码", "Code")) } dd { (code) } }
            @if !detail.description.is_empty() { dt { (cx.t("描述", "Description")) } dd.words { (detail.description) } }
            @if let Some(contact) = &detail.contact { dt { (cx.t("联系方式", "Contact")) } dd { (contact) } }
            dt { (cx.t("时限", "Time limit")) }
            dd {
                (cx.lang.t(&class.name_zh, &class.name_en)) "，" (words::span(class.dispose_ms, cx.lang))
                " · " (cx.t("截止", "until")) " " (card::moment(cx, case.due_at))
            }
            @if let Some(seen) = &detail.seen {
                dt { (cx.t("设备", "Box")) } dd { (seen.source) }
                dt { (cx.t("区域", "Zone")) } dd { (seen.zone) }
                dt { (cx.t("停留", "Stayed")) }
                dd {
                    (words::span((seen.dwell_s * 1000.0) as i64, cx.lang)) " · "
                    (card::moment(cx, seen.first_seen)) " – " (card::moment(cx, seen.last_seen))
                }
                @if let Some(at) = seen.cleared_at { dt { (cx.t("清空", "Cleared")) } dd { (card::moment(cx, at)) } }
                @if !seen.objects.is_empty() {
                    dt { (cx.t("目标框", "Boxes")) }
                    dd {
                        @for object in seen.objects.iter().take(12) {
                            div {
                                (object.label) (format!(" {:.0} % ", object.score * 100.0))
                                span.small { "[" (object.bbox.map(|side| format!("{side:.2}")).join(", ")) "]" }
                            }
                        }
                    }
                }
            }
            @if let Some(verdict) = &detail.verdict { (said(cx, verdict)) }
            @if let Some(followup) = &detail.followup { (asked(cx, followup)) }
        }
    }
}

fn said(cx: &Cx, verdict: &VerdictInfo) -> Markup {
    let status = cx.lang.of(match verdict.status.as_str() {
        "waiting" => ("等待发送", "waiting"),
        "sent" => ("已发送", "sent"),
        "done" => ("设备已采纳", "taken by the box"),
        "refused" => ("设备未采纳", "refused by the box"),
        _ => ("已过期", "expired"),
    });
    html! {
        dt { (cx.t("反馈设备", "Verdict to the box")) }
        dd { (status) @if !verdict.detail.is_empty() { " · " (verdict.detail) } }
    }
}

fn asked(cx: &Cx, followup: &FollowupInfo) -> Markup {
    html! {
        dt { (cx.t("回访", "Follow-up")) }
        dd {
            @match (followup.solved, followup.satisfaction) {
                (Some(solved), Some(score)) => {
                    (if solved { cx.t("已解决", "Solved") } else { cx.t("未解决", "Not solved") })
                    " · " (cx.t("满意度", "satisfaction")) " " (score) "/5"
                    @if !followup.comment.is_empty() { p.words { (followup.comment) } }
                },
                _ => (cx.t("等待回复", "No answer yet")) ,
            }
            @if let Some(link) = followup.link.as_ref().filter(|_| followup.answered_at.is_none()) {
                p.small { (link) }
            }
        }
    }
}

fn timeline(cx: &Cx, entries: &[Entry]) -> Markup {
    html! {
        h2 { (cx.t("处理过程", "What happened")) }
        ol.timeline {
            @for entry in entries {
                li {
                    span.small { (card::moment(cx, entry.at)) }
                    " " b { (step(cx, &entry.what)) }
                    " " span.small {
                        (cx.lang.of(entry.role.names()))
                        @if !entry.who.is_empty() { " " (entry.who) }
                        @if let Some(to) = entry.to { " → " (cx.lang.of(to.names())) }
                    }
                    @if !entry.note.is_empty() { p.words { (entry.note) } }
                }
            }
        }
    }
}

/// Name of an entry of a timeline.
fn step<'a>(cx: &Cx, what: &'a str) -> &'a str {
    let steps = [
        Step::Accept,
        Step::Reject,
        Step::Merge,
        Step::Start,
        Step::Dispose,
        Step::Verify,
        Step::Refuse,
        Step::Close,
        Step::Escalate,
        Step::Assign,
        Step::Return,
        Step::SendBack,
        Step::Reopen,
        Step::Undo,
        Step::Note,
    ];
    if let Some(step) = steps.into_iter().find(|step| step.as_str() == what) {
        return cx.lang.of(step.names());
    }
    match what {
        "opened" => cx.lang.t("立案", "Opened"),
        "updated" => cx.lang.t("更新", "Updated"),
        "cleared" => cx.lang.t("摄像头看到已清空", "The camera saw it clear"),
        "still_seen" => cx.lang.t("摄像头仍能看到", "The camera still sees it"),
        "overdue" => cx.lang.t("已超时", "Overdue"),
        "reminded" => cx.lang.t("临期提醒", "Reminded"),
        "followup" => cx.lang.t("居民回访", "Follow-up"),
        "merged_in" => cx.lang.t("并入另一案件", "Another case was merged in"),
        other => other,
    }
}

fn earlier(cx: &Cx, cases: &[CaseSummary]) -> Markup {
    html! {
        h2 #earlier { (cx.t("此处同类历史", "Earlier cases here")) }
        @if cases.is_empty() { p.small { (cx.t("没有。", "None.")) } }
        @for case in cases { (card::line(cx, case)) }
    }
}

fn actions(cx: &Cx, detail: &CaseDetail, back: &str) -> Markup {
    let case = &detail.case;
    let may = |step: Step| detail.may.contains(&step);
    html! {
        h2 { (cx.t("操作", "What to do")) }
        div.actions data-case=(case.id) {
            @for step in [Step::Accept, Step::Start] {
                @if may(step) { (card::tap(cx, case, step, back, "main")) }
            }
            @if may(Step::Reject) { (card::reject(cx, case, back)) }
            @if may(Step::Merge) { a.button href=(format!("/case/{}/merge", case.id)) data-key="m" { (cx.lang.of(Step::Merge.names())) } }
        }
        @if may(Step::Verify) && case.camera_cleared { (after_picture(cx, detail)) }
        @for step in [
            Step::Dispose, Step::Verify, Step::Refuse, Step::Assign, Step::Escalate, Step::Close, Step::Return,
            Step::SendBack, Step::Reopen, Step::Note,
        ] {
            @if may(step) { (worded(cx, case, step, back)) }
        }
        @if case.state == State::Disposed && !may(Step::Verify) {
            p.small { (cx.t("处置人不能自己核查，需由他人核查，或等摄像头确认清空。", "Who disposed of it does not verify it: another person does, or the camera once it sees the place clear.")) }
        }
    }
}

fn after_picture(cx: &Cx, detail: &CaseDetail) -> Markup {
    let after = detail.pictures.iter().rev().find(|picture| picture.role == "after" && picture.is_here);
    html! {
        div.offer {
            p { (cx.t("摄像头已看到此处清空，可据此核查通过。", "The camera has seen this place clear: that can verify it.")) }
            @if let Some(picture) = after {
                a href=(format!("/picture/{}", picture.id)) data-zoom {
                    img src=(format!("/picture/{}", picture.id)) alt=(role(cx, picture)) loading="lazy";
                    (marked::marks(picture))
                }
            }
        }
    }
}

/// A step that is taken with words, and perhaps photos.
fn worded(cx: &Cx, case: &CaseSummary, step: Step, back: &str) -> Markup {
    let has_photos = step.takes_photos();
    let is_main = matches!(step, Step::Dispose | Step::Verify | Step::Assign | Step::Close);
    let id = step.as_str();
    html! {
        details.step open[is_main && step != Step::Close] {
            summary.button.main[is_main] { (cx.lang.of(step.names())) }
            form method="post" action=(format!("/case/{}", case.id)) enctype=[has_photos.then_some("multipart/form-data")] {
                (card::hidden(cx, case, back))
                input type="hidden" name="action" value=(id);
                @if step == Step::Assign {
                    label for="department" { (cx.t("部门", "Department")) }
                    select #department name="department" required {
                        option value="" { (cx.t("请选择", "Choose")) }
                        @for department in &cx.site.desk.plan().departments {
                            option value=(department.id) { (department.name) }
                        }
                    }
                }
                label for=(format!("note-{id}")) {
                    (cx.t("说明", "Note"))
                    @if !step.needs_note() { " " span.small { (cx.t("可不填", "may be empty")) } }
                }
                textarea #(format!("note-{id}")) name="note" rows="2" maxlength="1000" required[step.needs_note()] {}
                @if has_photos { (photo_field(cx, &format!("photo-{id}"), 6)) }
                @if step.needs_photo() { (no_photo(cx, case)) }
                button.main[is_main] { (cx.lang.of(step.names())) }
            }
        }
    }
}

/// Why there is no photo, for who has none.
fn no_photo(cx: &Cx, case: &CaseSummary) -> Markup {
    html! {
        label for="no-photo" { (cx.t("没有照片的原因", "If there is no photo, why")) }
        select #no-photo name="no_photo" {
            option value="" { (cx.t("有照片", "There is a photo")) }
            @for reason in NoPhoto::ALL.into_iter().filter(|reason| reason.fits(case.camera_cleared)) {
                option value=(reason.as_str()) { (cx.lang.of(reason.names())) }
            }
        }
    }
}

/// What a form asks for, as an order.
fn order(posted: &Posted) -> Result<Order, Denied> {
    let note = posted.get("note").to_owned();
    let unknown = || Denied::invalid("action", "没有这个操作", "There is no such action");
    let action = match posted.get("action") {
        "accept" => Action::Accept,
        "reject" => {
            let reason = RejectReason::ALL.into_iter().find(|reason| reason.as_str() == posted.get("reason"));
            let reason = reason.ok_or_else(|| Denied::invalid("reason", "请选择原因", "Choose a reason"))?;
            Action::Reject { reason, note }
        }
        "merge" => Action::Merge { into: posted.get("into").parse().map_err(|_| unknown())? },
        "start" => Action::Start,
        "dispose" => {
            let reason = Some(posted.get("no_photo")).filter(|reason| !reason.is_empty());
            let no_photo = reason.map(|text| NoPhoto::parse(text).ok_or_else(unknown)).transpose()?;
            Action::Dispose { note, no_photo }
        }
        "verify" => Action::Verify { note },
        "refuse" => Action::Refuse { note },
        "close" => Action::Close { note },
        "escalate" => Action::Escalate { note },
        "assign" => Action::Assign { department: posted.get("department").to_owned(), note },
        "return" => Action::Return { note },
        "send_back" => Action::SendBack { note },
        "reopen" => Action::Reopen { note },
        "undo" => Action::Undo,
        "note" => Action::Note { note },
        _ => return Err(unknown()),
    };
    let version = posted.find("version").map(str::parse).transpose().map_err(|_| unknown())?;
    Ok(Order { action, version })
}

pub(super) async fn act(cx: Cx, Path(id): Path<String>, posted: Posted) -> Reply {
    let id = number(&cx, &id)?;
    let back = own_path(posted.get("back")).to_owned();
    let order = match order(&posted) {
        Ok(order) => order,
        Err(denied) => {
            // A case that is not theirs is not there, whatever they ask of it.
            cx.ask(move |desk, viewer| desk.case(viewer, id)).await?;
            return Ok(layout::refused(&cx, &denied, &back));
        }
    };
    let photos = posted.photos;
    match cx.try_ask(move |desk, viewer| desk.act(viewer, id, order, photos)).await {
        Ok(_) => {
            let joint = if back.contains('?') { '&' } else { '?' };
            Ok(Redirect::to(&format!("{back}{joint}did={id}")).into_response())
        }
        Err(denied @ (Denied::Invalid(_) | Denied::Refused(_) | Denied::Changed)) => {
            let back = if matches!(denied, Denied::Changed) { format!("/case/{id}") } else { back };
            Ok(layout::refused(&cx, &denied, &back))
        }
        Err(denied) => Err(cx.fail(denied)),
    }
}

/// The cases that one can be merged into, each a tap.
pub(super) async fn merge(cx: Cx, Path(id): Path<String>) -> Reply {
    let id = number(&cx, &id)?;
    let (detail, targets) =
        cx.ask(move |desk, viewer| Ok((desk.case(viewer, id)?, desk.merge_targets(viewer, id)?))).await?;
    let body = html! {
        h1 { (cx.t("合并到哪个案件？", "Merge into which case?")) }
        (card::line(&cx, &detail.case))
        @if targets.is_empty() { p.empty { (cx.t("同一网格没有其他未结案件。", "There is no other open case in this grid.")) } }
        @for target in &targets {
            form.target method="post" action=(format!("/case/{id}")) {
                (card::hidden(&cx, &detail.case, "/inbox"))
                input type="hidden" name="action" value="merge";
                (card::line(&cx, target))
                button.main name="into" value=(target.id) { (cx.t("合并到此案件", "Merge into this")) " " span.small { (target.number) } }
            }
        }
        p { a.button href=(format!("/case/{id}")) { (cx.t("不合并", "Do not merge")) } }
    };
    Ok(layout::page(&cx, cx.t("合并", "Merge"), &body))
}

pub(super) async fn picture(cx: Cx, Path(id): Path<String>, asked: HeaderMap) -> Reply {
    let id = number(&cx, &id)?;
    let picture = cx.ask(move |desk, viewer| desk.picture(viewer, id)).await?;
    let media = match picture.media.as_str() {
        "image/png" => "image/png",
        "video/mp4" => "video/mp4",
        _ => "image/jpeg",
    };
    let headers = [
        (header::CONTENT_TYPE, media),
        (header::CACHE_CONTROL, "private, max-age=3600"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    if media != "video/mp4" {
        return Ok((headers, picture.bytes).into_response());
    }
    // Some players show a film only if they can ask for parts of it.
    let whole = picture.bytes.len();
    let accepts = [(header::ACCEPT_RANGES, "bytes")];
    let wanted = asked.get(header::RANGE).and_then(|range| range.to_str().ok());
    Ok(match wanted.map(|range| part(range, whole)) {
        None | Some(Part::Whole) => (accepts, headers, picture.bytes).into_response(),
        Some(Part::Bytes(from, to)) => {
            let said = [(header::CONTENT_RANGE, format!("bytes {from}-{to}/{whole}"))];
            let bytes = picture.bytes[from..=to].to_vec();
            (StatusCode::PARTIAL_CONTENT, accepts, said, headers, bytes).into_response()
        }
        Some(Part::Beyond) => {
            let said = [(header::CONTENT_RANGE, format!("bytes */{whole}"))];
            (StatusCode::RANGE_NOT_SATISFIABLE, accepts, said).into_response()
        }
    })
}

/// The part of a file that is asked for, first and last byte.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Bytes(usize, usize),
    Beyond,
}

/// What `range` asks for of a file of `whole` bytes (RFC 9110, section 14.1.2). Several ranges at once, or what is no
/// range, are answered with the whole file, as the standard allows.
fn part(range: &str, whole: usize) -> Part {
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Part::Whole;
    };
    let (from, to): (Option<usize>, Option<usize>) = match (from.is_empty(), to.is_empty()) {
        (false, true) => (from.parse().ok(), Some(usize::MAX)),
        (false, false) => (from.parse().ok(), to.parse().ok()),
        // The last so many bytes.
        (true, false) => match to.parse::<usize>() {
            Ok(0) => return Part::Beyond,
            Ok(last) => (Some(whole.saturating_sub(last)), Some(usize::MAX)),
            Err(_) => return Part::Whole,
        },
        (true, true) => return Part::Whole,
    };
    match (from, to) {
        (Some(from), Some(to)) if from <= to && from < whole => Part::Bytes(from, to.min(whole - 1)),
        (Some(from), Some(to)) if from <= to => Part::Beyond,
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_film_is_what_was_asked_for() {
        for (range, expected) in [
            ("bytes=0-1", Part::Bytes(0, 1)),
            ("bytes=0-", Part::Bytes(0, 99)),
            ("bytes=40-1000", Part::Bytes(40, 99)),
            ("bytes=-10", Part::Bytes(90, 99)),
            ("bytes=-1000", Part::Bytes(0, 99)),
            ("bytes=100-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=5-2", Part::Whole),
            ("bytes=0-1,5-6", Part::Whole),
            ("bytes=x-", Part::Whole),
            ("rows=0-1", Part::Whole),
            ("bytes=-", Part::Whole),
        ] {
            assert_eq!(part(range, 100), expected, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Part::Beyond);
    }
}
