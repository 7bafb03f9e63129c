//! The board of the operations centre: what waits for it, what is overdue, and how the boxes are.

use maud::{Markup, html};

use super::context::{Cx, Reply};
use super::{card, layout};
use crate::desk::Health;
use crate::desk::life::State;
use crate::desk::model::{CaseSummary, Filter, Tab};

/// Cases of one column.
const SHOWN: usize = 100;
/// Overdue cases shown.
const OVERDUE: usize = 20;

pub(super) async fn show(cx: Cx) -> Reply {
    let (escalated, overdue, done, counts, health) = cx
        .ask(|desk, viewer| {
            let list = |tab, most| {
                desk.list(viewer, &Filter { tab, ..Filter::default() }, None, most).map(|page| page.cases)
            };
            Ok((
                list(Tab::Escalated, SHOWN)?,
                list(Tab::Overdue, OVERDUE)?,
                list(Tab::Done, OVERDUE)?,
                desk.counts(viewer)?,
                desk.health(viewer)?,
            ))
        })
        .await?;
    let of = |states: &[State]| -> Vec<&CaseSummary> {
        escalated.iter().filter(|case| states.contains(&case.state)).collect()
    };
    let tiles = [
        ("inbox", cx.t("待核实", "To review"), counts.inbox),
        ("doing", cx.t("处置中", "In hand"), counts.doing),
        ("escalated", cx.t("上报派遣", "Escalated"), counts.escalated),
        ("done", cx.t("待核查", "To verify"), counts.done),
        ("overdue", cx.t("超时", "Overdue"), counts.overdue),
    ];
    let columns = [
        (cx.t("待派遣", "To assign"), of(&[State::Escalated, State::Returned])),
        (cx.t("部门处置中", "With departments"), of(&[State::Assigned])),
        (cx.t("超时案件", "Overdue"), overdue.iter().collect()),
        (cx.t("待核查", "To verify"), done.iter().collect()),
    ];
    let body = html! {
        h1 { (cx.t("城运看板", "Operations board")) }
        div #live {
            div.tiles {
                @for (tab, name, count) in tiles {
                    a.tile.over[tab == "overdue" && count > 0] href=(format!("/inbox?tab={tab}")) { b { (count) } span { (name) } }
                }
            }
            div.board {
                @for (name, cases) in &columns {
                    section {
                        h2 { (name) " " span.count { (cases.len()) } }
                        @if cases.is_empty() { p.empty { (cx.t("没有案件", "No cases")) } }
                        @for case in cases { (card::line(&cx, case)) }
                    }
                }
            }
            (boxes(&cx, &health))
        }
    };
    Ok(layout::page(&cx, cx.t("城运看板", "Operations board"), &body))
}

fn boxes(cx: &Cx, health: &Health) -> Markup {
    let state = |state: &str| {
        cx.lang.of(match state {
            "online" => ("在线", "online"),
            "stopped" => ("已停止", "stopped"),
            _ => ("离线", "offline"),
        })
    };
    html! {
        section.boxes {
            h2 { (cx.t("设备与消息", "Boxes and messages")) }
            p {
                @if health.broker.connected { span.badge.clear { (cx.t("消息服务已连接", "Broker connected")) } }
                @else { span.badge.urgent { (cx.t("消息服务未连接", "Broker not connected")) } " " (health.broker.trouble.as_deref().unwrap_or_default()) }
            }
            ul {
                @for one in &health.boxes {
                    li {
                        b { (one.source) } " "
                        span.badge.clear[one.state == "online"].urgent[one.state != "online"] { (state(&one.state)) }
                        " " span.small { (card::moment(cx, one.at)) }
                    }
                }
            }
            @if health.boxes.is_empty() { p.small { (cx.t("还没有设备报到。", "No box has reported yet.")) } }
            p.small {
                (cx.t("已接收事件", "Events taken in")) " " (health.events)
                " · " (cx.t("被拒消息", "refused")) " " (health.refused)
                " · " (cx.t("待到图片", "pictures on their way")) " " (health.pictures_missing - health.pictures_lost)
                @if health.pictures_lost > 0 {
                    " · " (cx.t("无法取得的图片", "pictures that cannot be had")) " " (health.pictures_lost)
                }
                " · " (cx.t("待回执反馈", "verdicts waiting")) " " (health.verdicts_waiting)
                " · " (cx.t("待发通知", "notices waiting")) " " (health.notices_waiting)
                " · " (cx.t("发送失败", "given up")) " " (health.notices_given_up)
            }
        }
    }
}
