//! The page of rates, with plots and a table to take away.

use axum::extract::Query;
use axum::http::header;
use axum::response::IntoResponse as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;

use super::context::{Cx, Reply};
use super::{layout, plot, words};
use crate::desk::life::Millis;
use crate::desk::rates::{Group, Period, day_of};

/// Days that are shown where none are asked for.
const DAYS: Millis = 30 * 86_400_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    from: String,
    to: String,
    grid: String,
}

/// When the day `text` begins, or the one `later` days after it.
fn start(text: &str, later: i8, zone: &TimeZone) -> Option<Millis> {
    let day: Date = text.parse().ok()?;
    let day = if later == 0 { day } else { day.tomorrow().ok()? };
    Some(day.to_zoned_datetime(zone.clone()).ok()?.timestamp().as_millisecond())
}

fn period(cx: &Cx, asked: &Asked) -> (Period, String, String) {
    let zone = &cx.site.desk.plan().zone;
    let (from, to) = (start(&asked.from, 0, zone), start(&asked.to, 1, zone));
    let from = from.or_else(|| start(&day_of(cx.now - DAYS, zone), 0, zone));
    let last = to.map_or(cx.now, |to| to - 1);
    let shown = from.map_or(String::new(), |from| day_of(from, zone));
    let grid = Some(asked.grid.clone()).filter(|grid| !grid.is_empty());
    (Period { from, to, grid }, shown, day_of(last, zone))
}

pub(super) async fn show(cx: Cx, Query(asked): Query<Asked>) -> Reply {
    let (period, from, to) = period(&cx, &asked);
    let (rates, grids) =
        cx.ask(move |desk, viewer| Ok((desk.rates(viewer, &period)?, desk.grids(viewer)))).await?;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("from", &from).append_pair("to", &to).append_pair("grid", &asked.grid);
    let all = &rates.all;
    let span = |ms: Option<Millis>| ms.map_or("–".to_owned(), |ms| words::span(ms, cx.lang));
    let tiles = [
        ("cases", cx.t("案件数", "Cases"), all.cases.to_string(), String::new()),
        ("response", cx.t("按时响应率", "Response"), words::percent(all.response), of(all.response)),
        ("disposal", cx.t("处置率", "Disposal"), words::percent(all.disposal), of(all.disposal)),
        ("on-time", cx.t("按时处置率", "On time"), words::percent(all.on_time), of(all.on_time)),
        (
            "satisfaction",
            cx.t("满意率", "Satisfaction"),
            words::percent(all.satisfaction),
            of(all.satisfaction),
        ),
        (
            "precision",
            cx.t("摄像头准确率", "Camera precision"),
            words::percent(all.precision),
            of(all.precision),
        ),
        (
            "median-response",
            cx.t("响应中位时长", "Median to answer"),
            span(all.median_response_ms),
            String::new(),
        ),
        (
            "median-disposal",
            cx.t("处置中位时长", "Median to dispose"),
            span(all.median_disposal_ms),
            String::new(),
        ),
    ];
    let body = html! {
        h1 { (cx.t("工作指标", "Rates")) }
        form.filter method="get" action="/rates" {
            label for="from" { (cx.t("从", "From")) } input #from type="date" name="from" value=(from);
            label for="to" { (cx.t("至", "to")) } input #to type="date" name="to" value=(to);
            @if grids.len() > 1 {
                label for="grid" { (cx.t("网格", "Grid")) }
                select #grid name="grid" {
                    option value="" { (cx.t("全街道", "The whole street")) }
                    @for grid in &grids { option value=(grid.id) selected[grid.id == asked.grid] { (grid.name) } }
                }
            }
            button { (cx.t("查看", "Show")) }
            a.button href=(format!("/rates.csv?{}", query.finish())) { (cx.t("导出 CSV", "CSV export")) }
        }
        div.tiles {
            @for (id, name, value, of) in tiles {
                div.tile #(format!("rate-{id}")) { b { (value) } span { (name) } @if !of.is_empty() { span.small { (of) } } }
            }
        }
        @if all.cases == 0 { p.empty { (cx.t("这段时间没有案件。", "There were no cases in this time.")) } } @else {
            div.plots {
                figure { figcaption { (cx.t("每日案件（按来源）", "Cases by day and origin")) } (plot::cases(&cx, &rates.days)) }
                figure { figcaption { (cx.t("每日响应率、处置率、满意率", "Response, disposal and satisfaction by day")) } (plot::shares(&cx, &rates.days)) }
            }
            (table(&cx, cx.t("按网格", "By grid"), &rates.grids, false))
            (table(&cx, cx.t("按类别", "By kind"), &rates.kinds, true))
            @if !rates.cameras.is_empty() { (table(&cx, cx.t("按摄像头", "By camera"), &rates.cameras, true)) }
            (table(&cx, cx.t("按日", "By day"), &rates.days, false))
        }
    };
    Ok(layout::page(&cx, cx.t("工作指标", "Rates"), &body))
}

fn of(share: crate::desk::rates::Share) -> String {
    format!("{}/{}", share.part, share.of)
}

fn table(cx: &Cx, title: &str, groups: &[Group], has_precision: bool) -> Markup {
    let span = |ms: Option<Millis>| ms.map_or("–".to_owned(), |ms| words::span(ms, cx.lang));
    html! {
        h2 { (title) }
        div.scroll tabindex="0" role="region" aria-label=(title) {
            table {
                thead { tr {
                    th scope="col" { (title) }
                    th scope="col" { (cx.t("案件", "Cases")) }
                    th scope="col" { (cx.t("未结", "Open")) }
                    th scope="col" { (cx.t("超时", "Overdue")) }
                    th scope="col" { (cx.t("响应", "Response")) }
                    th scope="col" { (cx.t("处置", "Disposal")) }
                    th scope="col" { (cx.t("按时", "On time")) }
                    th scope="col" { (cx.t("满意", "Satisfaction")) }
                    @if has_precision { th scope="col" { (cx.t("准确率", "Precision")) } }
                    th scope="col" { (cx.t("处置中位时长", "Median to dispose")) }
                } }
                tbody { @for group in groups { tr {
                    th scope="row" { (group.name) }
                    td { (group.cases) }
                    td { (group.open) }
                    td { (group.overdue) }
                    td { (words::percent(group.response)) " " (plot::bar(group.response)) }
                    td { (words::percent(group.disposal)) " " (plot::bar(group.disposal)) }
                    td { (words::percent(group.on_time)) }
                    td { (words::percent(group.satisfaction)) }
                    @if has_precision { td { (words::percent(group.precision)) } }
                    td { (span(group.median_disposal_ms)) }
                } } }
            }
        }
    }
}

pub(super) async fn csv(cx: Cx, Query(asked): Query<Asked>) -> Reply {
    let (period, from, to) = period(&cx, &asked);
    let table = cx.ask(move |desk, viewer| desk.rates_csv(viewer, &period)).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"rates-{from}-{to}.csv\"")),
    ];
    // The mark at the start is what makes spreadsheets read Chinese.
    Ok((headers, format!("\u{feff}{table}")).into_response())
}
