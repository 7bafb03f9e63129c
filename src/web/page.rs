//! The page's text, made on the server: no script, nothing loaded from elsewhere.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::mqtt::CaseEvent;
use crate::mqtt::envelope::{EventType, RedactionNote};
use crate::outbox::CaseRecord;

/// The page's style sheet.
pub(super) const STYLE: &str = include_str!("style.css");

/// The picture that stands for a case, best first.
const BEST: [&str; 4] = ["overview", "closeup", "first", "after"];

/// The page, cases in the order given; below them stands `learnt`, which is HTML, and at its foot the line `about`.
pub(super) fn render(title: &str, (learnt, about): (&str, &str), cases: &[CaseRecord]) -> String {
    let known: Vec<(&CaseRecord, CaseEvent)> =
        cases.iter().filter_map(|case| Some((case, serde_json::from_str(&case.event).ok()?))).collect();
    let open = known.iter().filter(|(_, event)| event.event_type != EventType::Cleared).count();
    let title = escaped(title);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"zh-CN\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"refresh\" content=\"5\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/style.css\"></head><body>\
         <header><h1>{title}</h1><p>未结 open {open} · 已清除 cleared {}</p></header>\n<main>\n",
        known.len() - open,
    );
    if known.is_empty() {
        html.push_str("<p class=\"note\">暂无案件 <span lang=\"en\">No cases yet</span></p>\n");
    }
    for (case, event) in &known {
        article(&mut html, case, event);
    }
    let foot = escaped(about);
    let _ = writeln!(html, "</main>{learnt}<footer class=\"note\">{foot}</footer></body></html>");
    html
}

fn article(html: &mut String, case: &CaseRecord, event: &CaseEvent) {
    let data = &event.data;
    let cleared = event.event_type == EventType::Cleared;
    let (class, state) = if cleared { ("cleared", "已清除 cleared") } else { ("open", "未结 open") };
    let _ = writeln!(html, "<article class=\"{class}\">");
    picture(html, case, event);
    let _ = writeln!(
        html,
        "<div class=\"text\"><h2>{} <span class=\"state\">{state}</span></h2>\
         <p class=\"note\" lang=\"en\">{}</p><dl>",
        escaped(&data.name),
        escaped(&data.name_en),
    );
    let place = &data.place;
    let seen = &data.observed;
    let ended = seen.cleared_at.as_deref().unwrap_or(&seen.last_seen);
    let rows = [
        ("网格 grid", data.grid.id.clone()),
        ("位置 place", format!("{} · {} · {}", place.text, place.camera, place.zone)),
        ("停留 dwell", dwell(seen.dwell_s)),
        ("发现 first seen", time(&seen.first_seen)),
        (if cleared { "清除 cleared" } else { "最近 last seen" }, time(ended)),
        ("代码 code", data.standard.code.clone().unwrap_or_else(|| "无 none".to_owned())),
    ];
    for (name, value) in rows {
        let _ = writeln!(html, "<dt>{name}</dt><dd>{}</dd>", escaped(&value));
    }
    html.push_str("</dl>");
    if case.pictures.len() > 1 {
        html.push_str("<div class=\"more\">");
        for picture in &case.pictures {
            let (file, role) = (escaped(&picture.file), escaped(&picture.role));
            let _ = write!(html, "<a href=\"/picture/{file}\">{} {role}</a>", role_name(&picture.role));
        }
        html.push_str("</div>");
    }
    html.push_str("</div></article>\n");
}

fn picture(html: &mut String, case: &CaseRecord, event: &CaseEvent) {
    let best = BEST.iter().find_map(|role| case.pictures.iter().find(|picture| picture.role == *role));
    if let Some(picture) = best {
        let file = escaped(&picture.file);
        let _ = writeln!(
            html,
            "<a href=\"/picture/{file}\"><img src=\"/picture/{file}\" alt=\"{} {}\"></a>",
            escaped(&event.data.name),
            escaped(&picture.role),
        );
        return;
    }
    let reason = match &event.data.redaction {
        Some(RedactionNote::Withheld { withheld }) => escaped(withheld),
        _ => String::new(),
    };
    let _ = writeln!(html, "<div class=\"none\">无图片 no picture<br>{reason}</div>");
}

fn role_name(role: &str) -> &'static str {
    match role {
        "first" => "首次",
        "overview" => "全景",
        "closeup" => "特写",
        "after" => "案后",
        "clip" => "短视频",
        _ => "图片",
    }
}

/// Seconds as a person reads them.
fn dwell(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} 秒 · {s} s"),
        (0, m, s) => format!("{m} 分 {s} 秒 · {m} min {s} s"),
        (h, m, _) => format!("{h} 小时 {m} 分 · {h} h {m} min"),
    }
}

/// Date and time of an RFC 3339 time, without milliseconds and offset.
fn time(rfc3339: &str) -> String {
    rfc3339.get(..19).unwrap_or(rfc3339).replace('T', " ")
}

/// All that the page shows, for programs.
pub(super) fn json(cases: &[CaseRecord]) -> Value {
    let case = |case: &CaseRecord| {
        let pictures: Vec<Value> = case
            .pictures
            .iter()
            .map(|picture| json!({"role": picture.role, "path": format!("/picture/{}", picture.file)}))
            .collect();
        let event: Value = serde_json::from_str(&case.event).unwrap_or(Value::Null);
        json!({"case_id": case.id, "event": event, "pictures": pictures})
    };
    json!({"cases": cases.iter().map(case).collect::<Vec<_>>()})
}

/// `text` as it may stand in HTML text and in a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
