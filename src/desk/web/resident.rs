//! What residents see: the form behind a grid's QR code, and the page on which they follow their report. No login.

use axum::extract::Path;
use axum::response::Response;
use maud::html;

use super::context::{Cx, Reply};
use super::form::Posted;
use super::layout::{self, alert, csrf};
use super::{card, report, words};
use crate::desk::Denied;
use crate::desk::plan::Grid;
use crate::desk::report::ResidentReport;

/// Photos of one report.
const PHOTOS: usize = 3;

pub(super) async fn form(cx: Cx, Path(token): Path<String>) -> Reply {
    let asked = token.clone();
    let grid = cx.ask_open(move |desk| desk.grid_of_link(&asked)).await.map_err(|denied| cx.fail(denied))?;
    Ok(page(&cx, &token, &grid, &Posted::default(), None))
}

fn page(cx: &Cx, token: &str, grid: &Grid, posted: &Posted, fault: Option<&str>) -> Response {
    let title = cx.t("随手拍上报", "Report a problem");
    let body = html! {
        section.note {
            h1 { (title) }
            p.place { b { (grid.name) } " " (grid.community) }
            @if let Some(fault) = fault { (alert(fault)) }
            form method="post" action=(format!("/r/{token}")) enctype="multipart/form-data" {
                (csrf(cx))
                (report::fields(cx, posted, PHOTOS))
                label for="contact" { (cx.t("联系电话（可不填，仅用于回访）", "Telephone (optional, for the follow-up only)")) }
                input #contact name="contact" type="tel" value=(posted.get("contact")) maxlength="60" autocomplete="tel";
                p.small { (cx.t("照片中的位置等附加信息会被自动去除。如遇紧急情况请拨打 110、119 或 120。", "Places and other data in photos are removed. In an emergency call 110, 119 or 120.")) }
                (layout::send(cx))
            }
        }
    };
    layout::plain(cx, title, &body)
}

pub(super) async fn send(cx: Cx, Path(token): Path<String>, mut posted: Posted) -> Reply {
    let asked = token.clone();
    let grid = cx.ask_open(move |desk| desk.grid_of_link(&asked)).await.map_err(|denied| cx.fail(denied))?;
    let sent = ResidentReport {
        kind: posted.get("kind").to_owned(),
        place: posted.get("place").to_owned(),
        description: posted.get("description").to_owned(),
        contact: posted.get("contact").to_owned(),
    };
    let photos = std::mem::take(&mut posted.photos);
    let (asked, address) = (token.clone(), cx.address);
    let answer = cx.ask_open(move |desk| desk.report(&asked, &sent, &photos, address)).await;
    match answer {
        Ok(receipt) => {
            let link = format!("/s/{}", receipt.status_token);
            let body = html! {
                section.note {
                    h1 { (cx.t("已收到，谢谢！", "Received, thank you!")) }
                    p { (cx.t("受理编号", "Number")) " " b { (receipt.number) } }
                    p { (cx.t("网格员会尽快到现场核实。请保存下面的链接查看进度，结案后可在其中评价。", "A grid worker will look at it soon. Keep this link: it shows what becomes of it, and lets you say whether it was solved.")) }
                    p { a.button.main href=(link) { (cx.t("查看进度", "See how it goes")) } }
                    p.small.words { (receipt.status_url) }
                }
            };
            Ok(layout::plain(&cx, cx.t("已收到", "Received"), &body))
        }
        Err(denied @ (Denied::Invalid(_) | Denied::TooMany { .. })) => {
            let (code, text) = words::denied(&denied, cx.lang);
            Ok(layout::with(code, page(&cx, &token, &grid, &posted, Some(&text))))
        }
        Err(denied) => Err(cx.fail(denied)),
    }
}

pub(super) async fn status(cx: Cx, Path(token): Path<String>) -> Reply {
    let status = cx.ask_open(move |desk| desk.status(&token)).await.map_err(|denied| cx.fail(denied))?;
    let body = html! {
        section.note {
            h1 { (cx.lang.t(&status.name_zh, &status.name_en)) }
            p { (status.number) " · " (status.place) }
            p { span.badge.(status.state.as_str()) { (cx.lang.of(status.state_names)) } }
            ol.timeline {
                li { span.small { (card::moment(&cx, status.received_at)) } " " (cx.t("已收到上报", "Report received")) }
                @for (at, state) in &status.steps { @if *at > status.received_at {
                    li { span.small { (card::moment(&cx, *at)) } " " (cx.lang.of(state.names())) }
                } }
            }
            @if let Some(url) = status.followup_url.as_deref().and_then(|url| url.rsplit_once("/f/")) {
                p { (cx.t("您反映的问题已办结，请评价。", "What you reported is closed. Please say whether it was solved.")) }
                p { a.button.main href=(format!("/f/{}", url.1)) { (cx.t("评价", "Answer")) } }
            }
        }
    };
    Ok(layout::plain(&cx, cx.t("上报进度", "Your report"), &body))
}
