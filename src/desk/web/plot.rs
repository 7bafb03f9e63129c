//! Plots, drawn here as SVG: colours come from the style sheet, numbers from the rates.

use maud::{Markup, html};

use super::context::Cx;
use crate::desk::model::Origin;
use crate::desk::rates::{Group, Share};

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 180.0;
/// Where the axes stand.
const LEFT: f64 = 42.0;
const BOTTOM: f64 = 150.0;
const TOP: f64 = 10.0;

/// A number as SVG wants it.
fn n(value: f64) -> String {
    format!("{value:.1}")
}

/// The next larger of 1, 2, 5, 10, 20, …
fn ceiling(value: u64) -> u64 {
    let mut step = 1;
    loop {
        for times in [1, 2, 5] {
            if step * times >= value {
                return step * times;
            }
        }
        step *= 10;
    }
}

fn frame(label: &str, days: &[Group], top: &str, inside: &Markup, key: &Markup) -> Markup {
    let ends = [(LEFT, "start", days.first()), (WIDTH - 4.0, "end", days.last().filter(|_| days.len() > 1))];
    html! {
        svg.plot viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(label) {
            line.axis x1=(n(LEFT)) y1=(n(BOTTOM)) x2=(n(WIDTH)) y2=(n(BOTTOM)) {}
            line.axis x1=(n(LEFT)) y1=(n(TOP)) x2=(n(LEFT)) y2=(n(BOTTOM)) {}
            text x=(n(LEFT - 4.0)) y=(n(TOP + 9.0)) text-anchor="end" { (top) }
            text x=(n(LEFT - 4.0)) y=(n(BOTTOM)) text-anchor="end" { "0" }
            (inside)
            @for (x, anchor, day) in ends {
                @if let Some(day) = day { text x=(n(x)) y=(n(BOTTOM + 16.0)) text-anchor=(anchor) { (day.key) } }
            }
        }
        p.key { (key) }
    }
}

/// Cases of each day, stacked by who brought them in.
pub(super) fn cases(cx: &Cx, days: &[Group]) -> Markup {
    let most = ceiling(days.iter().map(|day| day.cases).max().unwrap_or(1));
    let step = (WIDTH - LEFT - 4.0) / days.len().max(1) as f64;
    let wide = (step * 0.8).min(40.0);
    let scale = (BOTTOM - TOP) / most as f64;
    let mut bars = Vec::new();
    for (number, day) in days.iter().enumerate() {
        let x = LEFT + 2.0 + step * number as f64 + (step - wide) / 2.0;
        let mut y = BOTTOM;
        for (origin, count) in Origin::ALL.into_iter().zip(day.by_origin) {
            let tall = count as f64 * scale;
            y -= tall;
            if count > 0 {
                let said = format!("{} {} {count}", day.key, cx.lang.of(origin.names()));
                bars.push((origin.as_str(), x, y, tall, said));
            }
        }
    }
    let inside = html! {
        @for (class, x, y, tall, said) in &bars {
            rect.(class) x=(n(*x)) y=(n(*y)) width=(n(wide)) height=(n(*tall)) { title { (said) } }
        }
    };
    let key = html! {
        @for origin in Origin::ALL {
            span { i.(origin.as_str()) {} " " (cx.lang.of(origin.names())) }
        }
    };
    frame(cx.t("每日案件数", "Cases by day"), days, &most.to_string(), &inside, &key)
}

/// The shares of each day as lines.
pub(super) fn shares(cx: &Cx, days: &[Group]) -> Markup {
    let step = (WIDTH - LEFT - 14.0) / (days.len().max(2) - 1) as f64;
    type Of = fn(&Group) -> Share;
    let lines: [(&str, &str, Of); 3] = [
        ("response", cx.t("响应率", "Response"), |day| day.response),
        ("disposal", cx.t("处置率", "Disposal"), |day| day.disposal),
        ("satisfaction", cx.t("满意率", "Satisfaction"), |day| day.satisfaction),
    ];
    let drawn = lines.map(|(class, name, of)| {
        // Days without any are left out: the line goes on to the next that has some.
        let points: Vec<(f64, f64, String)> = days
            .iter()
            .enumerate()
            .filter_map(|(number, day)| {
                let value = of(day).value()?;
                let said = format!("{} {name} {:.0} %", day.key, value * 100.0);
                Some((LEFT + 6.0 + step * number as f64, BOTTOM - value * (BOTTOM - TOP), said))
            })
            .collect();
        (class, name, points)
    });
    let inside = html! {
        @for (class, _, points) in &drawn {
            polyline.(class) points=(points.iter().map(|(x, y, _)| format!("{},{}", n(*x), n(*y))).collect::<Vec<_>>().join(" ")) {}
            @for (x, y, said) in points { circle.(class) cx=(n(*x)) cy=(n(*y)) r="3" { title { (said) } } }
        }
    };
    let key = html! { @for (class, name, _) in &drawn { span { i.(class) {} " " (name) } } };
    frame(cx.t("每日指标", "Shares by day"), days, "100 %", &inside, &key)
}

/// A share as a small bar.
pub(super) fn bar(share: Share) -> Markup {
    let Some(value) = share.value() else { return html! {} };
    html! {
        svg.bar viewBox="0 0 50 8" width="50" height="8" aria-hidden="true" {
            rect.back width="50" height="8" {}
            rect.front width=(n(value * 50.0)) height="8" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number_that_holds_all() {
        let ends = [(0, 1), (1, 1), (3, 5), (7, 10), (11, 20), (51, 100), (200_000, 200_000)];
        for (most, end) in ends {
            assert_eq!(ceiling(most), end);
        }
    }
}
