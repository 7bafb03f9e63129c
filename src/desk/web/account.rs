//! Signing in and out, one's own password, and the language.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::context::{Cx, Reply};
use super::form::Posted;
use super::gate::{cookie_of, session_cookie};
use super::layout::{self, alert, csrf, own_path};
use super::words;
use crate::desk::Denied;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct To {
    to: String,
    back: String,
}

pub(super) async fn login(cx: Cx, Query(to): Query<To>) -> Response {
    if cx.session.is_some() {
        return Redirect::to("/").into_response();
    }
    layout::plain(&cx, cx.t("登录", "Sign in"), &login_form(&cx, own_path(&to.to), "", None))
}

fn login_form(cx: &Cx, to: &str, login: &str, fault: Option<&str>) -> Markup {
    html! {
        section.note {
            h1 { (cx.site.desk.plan().name) " " (cx.t("案件工作台", "case desk")) }
            @if let Some(fault) = fault { (alert(fault)) }
            form method="post" action="/login" {
                (csrf(cx))
                input type="hidden" name="to" value=(to);
                label for="login" { (cx.t("用户名", "User name")) }
                input #login name="login" value=(login) autocomplete="username" autocapitalize="none" required maxlength="32";
                label for="password" { (cx.t("密码", "Password")) }
                input #password type="password" name="password" autocomplete="current-password" required maxlength="200";
                button.main { (cx.t("登录", "Sign in")) }
            }
            p.small { (cx.t("居民上报请扫描所在网格的二维码，无需登录。", "Residents report through the QR code of their grid, without signing in.")) }
        }
    }
}

pub(super) async fn sign_in(cx: Cx, posted: Posted) -> Reply {
    let (login, password) = (posted.get("login").to_owned(), posted.get("password").to_owned());
    let (asked, address) = (login.clone(), cx.address);
    let answer = cx.ask_open(move |desk| desk.sign_in(&asked, &password, address)).await;
    let signed = match answer {
        Ok(signed) => signed,
        Err(denied @ (Denied::NotSignedIn | Denied::TooMany { .. })) => {
            let (code, said) = words::denied(&denied, cx.lang);
            let text = match denied {
                Denied::NotSignedIn => {
                    cx.t("用户名或密码不正确。", "User name or password is wrong.").to_owned()
                }
                _ => said,
            };
            let form = login_form(&cx, own_path(posted.get("to")), &login, Some(&text));
            return Ok(layout::with(code, layout::plain(&cx, cx.t("登录", "Sign in"), &form)));
        }
        Err(denied) => return Err(cx.fail(denied)),
    };
    if let Some(old) = cx.token.clone() {
        cx.ask_open(move |desk| desk.sign_out(&old)).await.map_err(|denied| cx.fail(denied))?;
    }
    let seconds = (signed.until - cx.now) / 1000;
    let cookie = cookie_of(&cx.site, session_cookie(&cx.site), &signed.token, seconds);
    let to = own_path(posted.get("to"));
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(to)).into_response())
}

pub(super) async fn sign_out(cx: Cx, _posted: Posted) -> Reply {
    if let Some(token) = cx.token.clone() {
        cx.ask_open(move |desk| desk.sign_out(&token)).await.map_err(|denied| cx.fail(denied))?;
    }
    let cookie = cookie_of(&cx.site, session_cookie(&cx.site), "", 0);
    let clear = (HeaderName::from_static("clear-site-data"), "\"cache\"".to_owned());
    Ok(([(header::SET_COOKIE, cookie), clear], Redirect::to("/login")).into_response())
}

pub(super) async fn password(cx: Cx) -> Response {
    let must = cx.session.as_ref().is_some_and(|session| session.must_change);
    let why = must.then(|| {
        cx.t("首次登录请先修改初始密码。", "Please change the password that you were given.").to_owned()
    });
    layout::page(&cx, cx.t("修改密码", "Change password"), &password_form(&cx, why.as_deref()))
}

fn password_form(cx: &Cx, fault: Option<&str>) -> Markup {
    html! {
        section.note {
            h1 { (cx.t("修改密码", "Change password")) }
            @if let Some(fault) = fault { (alert(fault)) }
            form method="post" action="/password" {
                (csrf(cx))
                label for="old" { (cx.t("原密码", "Old password")) }
                input #old type="password" name="old" autocomplete="current-password" required maxlength="200";
                label for="new" { (cx.t("新密码（至少 10 位）", "New password (at least 10 characters)")) }
                input #new type="password" name="new" autocomplete="new-password" required minlength="10" maxlength="200";
                label for="again" { (cx.t("再输入一次新密码", "New password once more")) }
                input #again type="password" name="again" autocomplete="new-password" required minlength="10" maxlength="200";
                button.main { (cx.t("保存并重新登录", "Save and sign in again")) }
            }
        }
    }
}

pub(super) async fn set_password(cx: Cx, posted: Posted) -> Reply {
    let (old, new) = (posted.get("old").to_owned(), posted.get("new").to_owned());
    let answer = if new == posted.get("again") {
        cx.try_ask(move |desk, viewer| desk.change_password(viewer, &old, &new)).await
    } else {
        Err(Denied::invalid("again", "两次输入的新密码不一致", "The new passwords are not the same"))
    };
    match answer {
        Ok(()) => Ok(Redirect::to("/login").into_response()),
        Err(denied @ (Denied::Invalid(_) | Denied::TooMany { .. })) => {
            let (code, text) = words::denied(&denied, cx.lang);
            let form = password_form(&cx, Some(&text));
            Ok(layout::with(code, layout::page(&cx, cx.t("修改密码", "Change password"), &form)))
        }
        Err(denied) => Err(cx.fail(denied)),
    }
}

pub(super) async fn language(cx: Cx, Path(lang): Path<String>, Query(to): Query<To>) -> Reply {
    if !matches!(lang.as_str(), "zh" | "en") {
        return Err(cx.fail(Denied::NotFound));
    }
    let site = Arc::clone(&cx.site);
    let cookie = cookie_of(&site, "desk_lang", &lang, 365 * 86_400);
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(own_path(&to.back))).into_response())
}
