//! What every page has around it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::context::Cx;
use super::{assets, words};
use crate::desk::Denied;
use crate::desk::life::Role;

/// A page for people who are signed in.
pub(super) fn page(cx: &Cx, title: &str, body: &Markup) -> Response {
    shell(cx, title, "staff", body)
}

/// A page for residents and for signing in: without the desk's own links.
pub(super) fn plain(cx: &Cx, title: &str, body: &Markup) -> Response {
    shell(cx, title, "plain", body)
}

fn shell(cx: &Cx, title: &str, class: &str, body: &Markup) -> Response {
    let name = &cx.site.desk.plan().name;
    let is_staff = class == "staff" && cx.session.is_some();
    let page = html! {
        (DOCTYPE)
        html lang=(cx.lang.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · " (name) }
                link rel="icon" href="/static/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href=(assets::STYLE);
                script src=(assets::SCRIPT) defer {}
            }
            body class=(class) data-live=[is_staff.then_some(cx.revision)] {
                a.skip href="#main" { (cx.t("跳到内容", "Skip to content")) }
                header.top {
                    @if is_staff { a.brand href="/" { (name) } } @else { span.brand { (name) } }
                    (language(cx))
                    @if is_staff { (who(cx)) }
                }
                @if is_staff { (links(cx)) }
                main #main tabindex="-1" { (body) }
            }
        }
    };
    Html(page.into_string()).into_response()
}

fn language(cx: &Cx) -> Markup {
    let to = cx.t("en", "zh");
    let back: String = url::form_urlencoded::byte_serialize(cx.here.as_bytes()).collect();
    html! {
        a.lang href=(format!("/lang/{to}?back={back}")) lang=(cx.t("en", "zh-CN")) { (cx.t("English", "中文")) }
    }
}

fn who(cx: &Cx) -> Markup {
    let Some(session) = &cx.session else { return html! {} };
    let viewer = &session.viewer;
    html! {
        details.who {
            summary { (viewer.name()) }
            div.menu {
                p { (cx.lang.of(viewer.role().names())) " · " (viewer.login()) }
                p { a href="/password" { (cx.t("修改密码", "Change password")) } }
                form method="post" action="/logout" {
                    (csrf(cx))
                    button.quiet { (cx.t("退出登录", "Sign out")) }
                }
            }
        }
    }
}

/// The pages that a role has, for the links and for the table.
fn links(cx: &Cx) -> Markup {
    let Some(role) = cx.role() else { return html! {} };
    let coordinates = matches!(role, Role::Operator | Role::Centre | Role::Admin);
    let mut all = Vec::new();
    if coordinates {
        all.push(("/board", cx.t("城运看板", "Board")));
    }
    all.push((
        "/inbox",
        if role == Role::Department { cx.t("派遣案件", "Our cases") } else { cx.t("案件", "Cases") },
    ));
    if role != Role::Department {
        all.push(("/report/patrol", cx.t("巡查上报", "Patrol")));
    }
    if coordinates {
        all.push(("/report/telephone", cx.t("电话登记", "Telephone")));
    }
    all.push(("/rates", cx.t("指标", "Rates")));
    if role != Role::Department {
        all.push(("/codes", cx.t("二维码", "QR codes")));
    }
    if role == Role::Admin {
        all.push(("/admin/users", cx.t("账号", "Users")));
        all.push(("/admin/audit", cx.t("审计日志", "Audit log")));
    }
    let path = cx.here.split('?').next().unwrap_or_default();
    html! {
        nav.links aria-label=(cx.t("主导航", "Main")) {
            @for (to, name) in all {
                a href=(to) aria-current=[path.starts_with(to).then_some("page")] { (name) }
            }
        }
    }
}

/// The field that every form starts with.
pub(super) fn csrf(cx: &Cx) -> Markup {
    html! { input type="hidden" name="csrf" value=(cx.csrf); }
}

/// Words in a box: a fault, or that something was done.
pub(super) fn alert(text: &str) -> Markup {
    html! { p.alert role="alert" { (text) } }
}

/// The page for something that was denied.
pub(super) fn denied(cx: &Cx, denied: &Denied) -> Response {
    if let Denied::Fault(e) = denied {
        tracing::error!("The desk could not answer a page: {e}");
    }
    let (code, text) = words::denied(denied, cx.lang);
    let back = if cx.session.is_some() { "/" } else { "/login" };
    let is_public = ["/r/", "/s/", "/f/"].iter().any(|start| cx.here.starts_with(start));
    let body = html! {
        section.note {
            h1 { (code.as_u16()) }
            (alert(&text))
            @if !is_public {
                p { a.button href=(back) { (cx.t("回到首页", "To the start")) } }
            }
        }
    };
    let mut response = (code, page(cx, &text, &body)).into_response();
    if let Denied::TooMany { retry_after_s } = denied
        && let Ok(value) = HeaderValue::from_str(&retry_after_s.to_string())
    {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

/// A page with another status code.
pub(super) fn with(code: StatusCode, page: Response) -> Response {
    (code, page).into_response()
}

/// A page that asks for itself once more, as a page of this site.
pub(super) fn again(cx: &Cx) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang=(cx.lang.tag()) {
            head {
                meta charset="utf-8";
                title { (cx.site.desk.plan().name) }
                meta http-equiv="refresh" content=(format!("0;url={}", cx.here));
            }
            body { p { a href=(cx.here) { (cx.t("继续", "Go on")) } } }
        }
    };
    Html(page.into_string()).into_response()
}

/// A path of this desk to go back to; `/` for anything else.
pub(super) fn own_path(path: &str) -> &str {
    let is_own = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() < 500
        && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if is_own { path } else { "/" }
}

/// A page that says why nothing was done, with the way back.
pub(super) fn refused(cx: &Cx, denied: &Denied, back: &str) -> Response {
    let (code, text) = words::denied(denied, cx.lang);
    let body = html! {
        section.note {
            h1 { (cx.t("未能完成", "Not done")) }
            (alert(&text))
            p { a.button.main href=(back) { (cx.t("返回", "Back")) } }
        }
    };
    with(code, page(cx, cx.t("未能完成", "Not done"), &body))
}

/// A button that ends a form.
pub(super) fn send(cx: &Cx) -> Markup {
    html! { button.main { (cx.t("提交", "Send")) } }
}

/// The start of a form that can bring photos.
pub(super) fn photo_field(cx: &Cx, id: &str, most: usize) -> Markup {
    html! {
        label for=(id) { (cx.t("照片", "Photos")) " " span.small { (cx.t("最多", "at most")) " " (most) " " (cx.t("张", "")) } }
        input #(id) type="file" name="photo" accept="image/jpeg,image/png" multiple data-shrink;
    }
}
