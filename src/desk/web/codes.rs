//! The sheet of QR codes, a card for each grid, to print and put up.

use axum::response::{IntoResponse, Redirect};
use maud::{Markup, PreEscaped, html};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

use super::context::{Cx, Reply};
use super::form::Posted;
use super::layout::{self, csrf};
use crate::desk::Denied;
use crate::desk::life::Role;
use crate::error::{Error, Kind};

pub(super) async fn sheet(cx: Cx) -> Reply {
    let links = cx.ask(|desk, viewer| desk.grid_links(viewer)).await?;
    let mut cards = Vec::new();
    for link in &links {
        cards.push((link, code(&link.url).map_err(|denied| cx.fail(denied))?));
    }
    let is_admin = cx.role() == Some(Role::Admin);
    let body = html! {
        div.noprint {
            h1 { (cx.t("网格二维码", "QR codes of the grids")) }
            p { (cx.t("打印后张贴在网格内，居民扫码即可上报。", "Print them and put them up in the grids: residents scan them to report.")) }
            p { button data-print { (cx.t("打印", "Print")) } }
        }
        div.codes {
            @for (link, picture) in &cards {
                section.code {
                    h2 { (cx.t("随手拍 · 扫码上报", "Scan to report a problem")) }
                    (picture)
                    p { b { (link.grid_name) } " " (link.community) }
                    p.small { (cx.site.desk.plan().name) " · " (link.grid) }
                    p.small.words { (link.url) }
                    @if is_admin {
                        form.noprint method="post" action="/codes" data-confirm=(cx.t("更换后，已张贴的旧二维码将失效。确定更换？", "The codes that hang outside will open nothing any more. Renew?")) {
                            (csrf(&cx))
                            button.quiet name="grid" value=(link.grid) { (cx.t("更换二维码", "Renew")) " " span.small { (link.grid_name) } }
                        }
                    }
                }
            }
        }
        @if cards.is_empty() { p.empty { (cx.t("没有您负责的网格。", "No grid is yours.")) } }
    };
    Ok(layout::page(&cx, cx.t("网格二维码", "QR codes"), &body))
}

/// The QR code of `url`. What the crate draws is made of numbers only: no words of anybody are in it.
fn code(url: &str) -> Result<Markup, Denied> {
    let fault =
        |e| Denied::Fault(Error::new(Kind::Config, "web.public_url is too long for a QR code").caused_by(e));
    let code = QrCode::with_error_correction_level(url, EcLevel::M).map_err(fault)?;
    let drawn = code.render::<svg::Color<'_>>().quiet_zone(true).min_dimensions(220, 220).build();
    let start = drawn.find("<svg").unwrap_or_default();
    Ok(html! { div.qr role="img" aria-label=(url) { (PreEscaped(&drawn[start..])) } })
}

pub(super) async fn renew(cx: Cx, posted: Posted) -> Reply {
    let grid = posted.get("grid").to_owned();
    cx.ask(move |desk, viewer| desk.renew_grid_link(viewer, &grid)).await?;
    Ok(Redirect::to("/codes").into_response())
}
