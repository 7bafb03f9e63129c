//! The forms of staff: what a grid worker found on patrol, and what a caller says.

use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::context::{Cx, Reply};
use super::form::Posted;
use super::layout::{self, alert, csrf, photo_field, send};
use super::words;
use crate::desk::Denied;
use crate::desk::plan::Grid;
use crate::desk::report::StaffReport;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    grid: String,
}

/// The fields that all reports have.
pub(super) fn fields(cx: &Cx, posted: &Posted, photos: usize) -> Markup {
    html! {
        label for="kind" { (cx.t("问题类别", "What it is about")) }
        select #kind name="kind" required {
            option value="" { (cx.t("请选择", "Choose")) }
            @for kind in &cx.site.desk.plan().kinds {
                option value=(kind.slug) selected[kind.slug == posted.get("kind")] { (cx.lang.t(&kind.name_zh, &kind.name_en)) }
            }
        }
        label for="place" { (cx.t("具体地点", "Where exactly")) }
        input #place name="place" value=(posted.get("place")) required maxlength="120" placeholder=(cx.t("如：文化路 12 号门前", "e.g. in front of 12 Wenhua Road"));
        label for="description" { (cx.t("情况描述", "What is the matter")) }
        textarea #description name="description" rows="4" maxlength="1000" { (posted.get("description")) }
        (photo_field(cx, "photo", photos))
    }
}

fn form(cx: &Cx, is_call: bool, grids: &[Grid], posted: &Posted, fault: Option<&str>) -> Response {
    let (title, to) = if is_call {
        (cx.t("电话登记", "Report by telephone"), "/report/telephone")
    } else {
        (cx.t("巡查上报", "Report from patrol"), "/report/patrol")
    };
    let body = html! {
        section.note {
            h1 { (title) }
            @if let Some(fault) = fault { (alert(fault)) }
            @if grids.is_empty() { (alert(cx.t("您没有负责的网格，请联系管理员。", "No grid is yours: ask the administrator."))) }
            form method="post" action=(to) enctype="multipart/form-data" {
                (csrf(cx))
                label for="grid" { (cx.t("网格", "Grid")) }
                select #grid name="grid" required {
                    @if grids.len() != 1 { option value="" { (cx.t("请选择", "Choose")) } }
                    @for grid in grids { option value=(grid.id) selected[grid.id == posted.get("grid")] { (grid.name) " " (grid.community) } }
                }
                (fields(cx, posted, 6))
                @if is_call {
                    label for="contact" { (cx.t("来电人电话（用于回访）", "The caller's number, for the follow-up")) }
                    input #contact name="contact" type="tel" value=(posted.get("contact")) maxlength="60" autocomplete="off";
                }
                (send(cx))
            }
        }
    };
    layout::page(cx, title, &body)
}

async fn show(cx: Cx, is_call: bool, asked: Asked) -> Reply {
    let grids = cx.ask(|desk, viewer| Ok(desk.grids(viewer))).await?;
    let mut posted = Posted::default();
    posted.put("grid", asked.grid);
    Ok(form(&cx, is_call, &grids, &posted, None))
}

pub(super) async fn patrol(cx: Cx, Query(asked): Query<Asked>) -> Reply {
    show(cx, false, asked).await
}

pub(super) async fn telephone(cx: Cx, Query(asked): Query<Asked>) -> Reply {
    show(cx, true, asked).await
}

async fn take(cx: Cx, is_call: bool, mut posted: Posted) -> Reply {
    let report = StaffReport {
        grid: posted.get("grid").to_owned(),
        kind: posted.get("kind").to_owned(),
        place: posted.get("place").to_owned(),
        description: posted.get("description").to_owned(),
        contact: posted.get("contact").to_owned(),
    };
    let photos = std::mem::take(&mut posted.photos);
    let answer = cx
        .try_ask(move |desk, viewer| match is_call {
            true => desk.report_telephone(viewer, &report, &photos),
            false => desk.report_patrol(viewer, &report, &photos),
        })
        .await;
    match answer {
        Ok(detail) => Ok(Redirect::to(&format!("/case/{0}?did={0}", detail.case.id)).into_response()),
        Err(denied @ Denied::Invalid(_)) => {
            let (code, text) = words::denied(&denied, cx.lang);
            let grids = cx.ask(|desk, viewer| Ok(desk.grids(viewer))).await?;
            Ok(layout::with(code, form(&cx, is_call, &grids, &posted, Some(&text))))
        }
        Err(denied) => Err(cx.fail(denied)),
    }
}

pub(super) async fn send_patrol(cx: Cx, posted: Posted) -> Reply {
    take(cx, false, posted).await
}

pub(super) async fn send_telephone(cx: Cx, posted: Posted) -> Reply {
    take(cx, true, posted).await
}
