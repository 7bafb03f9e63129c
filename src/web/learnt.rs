//! What the box has learnt and holds back, for its page: each place with what to do to undo it.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::page::escaped;
use crate::case::throttle::{KindLessons, ThrottleStatus};
use crate::clock::CaptureTime;

/// Most rows of each table on the page.
const MOST: usize = 50;

/// The section of the page; empty while nothing was learnt and nothing is quiet.
pub(super) fn section(status: &ThrottleStatus) -> String {
    // UTC, and said to be: the page outlives changes of the configured zone.
    let at = |time: CaptureTime| {
        time.rfc3339(&TimeZone::UTC).get(..16).unwrap_or_default().replace('T', " ") + "Z"
    };
    let kinds = status.lessons.as_ref().map(|lessons| lessons.kinds.as_slice()).unwrap_or_default();
    let mut html = String::new();
    if let Some(lessons) = status.lessons.as_ref().filter(|lessons| !lessons.kinds.is_empty()) {
        let (before, now) = lessons.precision.unzip();
        let _ = writeln!(
            html,
            "<p>核实 verdicts: 属实 confirmed {} · 不属实 rejected {} · 准确率 precision {} → {} · 召回率 recall {}</p>",
            lessons.verdicts.0,
            lessons.verdicts.1,
            percent(before),
            percent(now),
            percent(lessons.recall),
        );
        table(
            &mut html,
            &[
                "摄像头 camera",
                "类别 kind",
                "属实/不属实 right/wrong",
                "准确率 precision",
                "阈值 least score",
            ],
        );
        for kind in kinds.iter().take(MOST) {
            row(&mut html, &of_kind(kind));
        }
        html.push_str("</table>\n");
    }
    let held = kinds.iter().flat_map(|kind| &kind.places).filter(|place| place.is_held_back);
    let doubtful = held.map(|of| {
        let place = &of.place;
        let why = format!(
            "核实学到 learnt: {} / {}, {}",
            place.verdicts.0,
            place.verdicts.1,
            percent(Some(place.chance))
        );
        let since = format!("{} –", at(of.told_at));
        (&place.camera, &place.zone, &place.kind, why, since, place.held, place.case.to_string())
    });
    let quiet = status.quiet.iter().map(|quiet| {
        let why = format!("驳回 rejected ×{} {}", quiet.rejections, quiet.reason);
        let time = format!("{} – {}", at(quiet.since), at(quiet.until));
        (&quiet.camera, &quiet.zone, &quiet.kind, why, time, quiet.held_back, quiet.case.to_string())
    });
    let mut rows: Vec<[String; 7]> = doubtful
        .chain(quiet)
        .map(|(camera, zone, kind, why, time, held, case)| {
            let (camera, zone, kind) = (camera.clone(), zone.clone(), kind.clone());
            [camera, zone, kind, why, time, held.to_string(), format!("resume {case}")]
        })
        .collect();
    rows.extend(status.hushed.iter().map(|rule| {
        let time = format!("{} – {}", at(rule.since), at(rule.until));
        let undo = format!("resume {} {} {}", rule.camera, rule.zone, rule.kind);
        let why = format!("指令 command {}", rule.reason);
        [rule.camera.clone(), rule.zone.clone(), rule.kind.clone(), why, time, String::new(), undo]
    }));
    if !rows.is_empty() {
        let heads = [
            "摄像头 camera",
            "区域 zone",
            "类别 kind",
            "原因 why",
            "静默 quiet",
            "暂缓 held back",
            "撤销 undo",
        ];
        table(&mut html, &heads);
        rows.iter().take(MOST).for_each(|cells| row(&mut html, cells));
        html.push_str("</table>\n");
        if rows.len() > MOST {
            let _ = writeln!(html, "<p>另有 {0} 项 {0} more</p>", rows.len() - MOST);
        }
    }
    if html.is_empty() {
        return html;
    }
    format!("<section class=\"learnt\"><h2>学习与静默 Learnt and quiet</h2>\n{html}</section>\n")
}

fn of_kind(kind: &KindLessons) -> [String; 5] {
    [
        kind.camera.clone(),
        kind.kind.clone(),
        format!("{} / {}", kind.verdicts.0, kind.verdicts.1),
        format!("{} → {}", percent(Some(kind.precision.0)), percent(kind.precision.1)),
        kind.least_score.map_or_else(|| "无 none".to_owned(), |score| format!("{score:.2}")),
    ]
}

fn table(html: &mut String, heads: &[&str]) {
    html.push_str("<table><tr>");
    for head in heads {
        let _ = write!(html, "<th>{head}</th>");
    }
    html.push_str("</tr>\n");
}

fn row(html: &mut String, cells: &[String]) {
    html.push_str("<tr>");
    for cell in cells {
        let _ = write!(html, "<td>{}</td>", escaped(cell));
    }
    html.push_str("</tr>\n");
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::CaseId;
    use crate::case::throttle::{DoubtfulPlace, LessonsStatus, PlaceLessons};

    #[test]
    fn what_is_held_back_is_shown_with_how_to_undo_it_and_inert() {
        assert_eq!(section(&ThrottleStatus::default()), "");
        let case = CaseId::parse("01934f6e-5c1a-8b3e-9a54-000000000001").unwrap();
        let place = DoubtfulPlace {
            camera: "cam-05".to_owned(),
            zone: "kerb".to_owned(),
            kind: "illegal_parking".to_owned(),
            case: case.clone(),
            chance: 0.04,
            verdicts: (1, 9),
            held: 3,
        };
        let kind = KindLessons {
            camera: "cam-05".to_owned(),
            kind: "illegal_parking".to_owned(),
            verdicts: (7, 9),
            cases: 20,
            precision: (0.44, Some(0.83)),
            recall: Some(0.98),
            map: None,
            least_score: Some(0.41),
            places: vec![PlaceLessons {
                place,
                is_held_back: true,
                told_at: CaptureTime::from_nanos(1_795_658_400_000_000_000),
            }],
        };
        let lessons = LessonsStatus {
            verdicts: (7, 9),
            precision: Some((0.44, 0.83)),
            recall: Some(0.98),
            kinds: vec![kind],
            ..LessonsStatus::default()
        };
        let hushed = crate::case::throttle::HushedRule {
            camera: "cam-05".to_owned(),
            zone: "gate".to_owned(),
            kind: "crowd".to_owned(),
            reason: "<script>".to_owned(),
            since: CaptureTime::from_nanos(0),
            until: CaptureTime::from_nanos(0),
        };
        let status =
            ThrottleStatus { lessons: Some(lessons), hushed: vec![hushed], ..ThrottleStatus::default() };
        let html = section(&status);
        for part in [
            "44 % → 83 %",
            "0.41",
            "2026-11-26 02:00Z –",
            &format!("resume {case}"),
            "resume cam-05 gate crowd",
            "&lt;script&gt;",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(!html.contains("<script>"));
    }
}
