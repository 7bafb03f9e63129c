//! Accounts and the audit log, for administrators.

use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::context::{Cx, Reply};
use super::form::Posted;
use super::layout::{self, alert, csrf};
use super::{card, words};
use crate::desk::Denied;
use crate::desk::life::Role;
use crate::desk::people::{Account, AccountChange, NewAccount};

/// Entries of the audit log on one page.
const ENTRIES: usize = 100;

/// Role, grids and department of an account.
fn place_fields(cx: &Cx, role: &str, grids: &[String], department: &str) -> Markup {
    let plan = cx.site.desk.plan();
    html! {
        label for="role" { (cx.t("角色", "Role")) }
        select #role name="role" required {
            @for known in Role::OF_ACCOUNTS {
                option value=(known.as_str()) selected[known.as_str() == role] { (cx.lang.of(known.names())) }
            }
        }
        fieldset {
            legend { (cx.t("负责的网格（网格员）", "Grids, for grid workers")) }
            @for grid in &plan.grids {
                label.choice { input type="checkbox" name="grids" value=(grid.id) checked[grids.contains(&grid.id)]; (grid.name) }
            }
        }
        label for="department" { (cx.t("部门（职能部门账号）", "Department, for accounts of one")) }
        select #department name="department" {
            option value="" { (cx.t("无", "None")) }
            @for known in &plan.departments { option value=(known.id) selected[known.id == department] { (known.name) } }
        }
    }
}

fn place_of(cx: &Cx, account: &Account) -> String {
    let plan = cx.site.desk.plan();
    match (&account.department, account.role) {
        (Some(id), Role::Department) => plan.department(id).map_or(id.clone(), |known| known.name.clone()),
        (_, Role::Worker) => {
            account.grids.iter().map(|id| plan.grid_name(id)).collect::<Vec<_>>().join(cx.t("、", ", "))
        }
        _ => cx.t("全街道", "The whole street").to_owned(),
    }
}

fn page(cx: &Cx, accounts: &[Account], posted: &Posted, said: &Markup) -> Response {
    let body = html! {
        h1 { (cx.t("账号", "Users")) }
        (said)
        div.scroll tabindex="0" role="region" aria-label=(cx.t("账号", "Users")) {
            table {
                thead { tr {
                    th scope="col" { (cx.t("姓名", "Name")) }
                    th scope="col" { (cx.t("用户名", "User name")) }
                    th scope="col" { (cx.t("角色", "Role")) }
                    th scope="col" { (cx.t("范围", "Sees")) }
                    th scope="col" { (cx.t("状态", "State")) }
                } }
                tbody { @for account in accounts { tr {
                    th scope="row" { a href=(format!("/admin/users/{}", account.id)) { (account.name) } }
                    td { (account.login) }
                    td { (cx.lang.of(account.role.names())) }
                    td { (place_of(cx, account)) }
                    td { (if account.is_active { cx.t("启用", "active") } else { cx.t("停用", "off") }) }
                } } }
            }
        }
        section.note {
            h2 { (cx.t("新增账号", "New account")) }
            form method="post" action="/admin/users" {
                (csrf(cx))
                label for="name" { (cx.t("姓名", "Name")) }
                input #name name="name" value=(posted.get("name")) required maxlength="40";
                label for="login" { (cx.t("用户名（小写字母、数字）", "User name (a-z, 0-9)")) }
                input #login name="login" value=(posted.get("login")) required minlength="2" maxlength="32" autocapitalize="none" autocomplete="off";
                (place_fields(cx, posted.find("role").unwrap_or("worker"), &posted.all("grids"), posted.get("department")))
                p.small { (cx.t("系统会生成初始密码，只显示一次；首次登录须修改。", "A first password is made up and shown once; it has to be changed when they first sign in.")) }
                button.main { (cx.t("新增", "Add")) }
            }
        }
    };
    layout::page(cx, cx.t("账号", "Users"), &body)
}

pub(super) async fn users(cx: Cx) -> Reply {
    let accounts = cx.ask(|desk, viewer| desk.accounts(viewer)).await?;
    Ok(page(&cx, &accounts, &Posted::default(), &html! {}))
}

fn role(posted: &Posted) -> Result<Role, Denied> {
    Role::parse(posted.get("role"))
        .filter(|role| Role::OF_ACCOUNTS.contains(role))
        .ok_or_else(|| Denied::invalid("role", "请选择角色", "Choose a role"))
}

/// The department of a form; none for roles that have none.
fn department(posted: &Posted, role: Role) -> Option<String> {
    (role == Role::Department).then(|| posted.get("department").to_owned()).filter(|id| !id.is_empty())
}

/// The grids of a form; none for roles that have none.
fn grids(posted: &Posted, role: Role) -> Vec<String> {
    if role == Role::Worker { posted.all("grids") } else { Vec::new() }
}

pub(super) async fn add(cx: Cx, posted: Posted) -> Reply {
    let new = role(&posted).map(|role| NewAccount {
        login: posted.get("login").trim().to_ascii_lowercase(),
        name: posted.get("name").to_owned(),
        role,
        grids: grids(&posted, role),
        department: department(&posted, role),
        password: None,
    });
    let added = match new {
        Ok(new) => cx.try_ask(move |desk, viewer| desk.add_account(viewer, new)).await,
        Err(denied) => Err(denied),
    };
    let (code, said, posted) = match added {
        Ok((account, password)) => {
            let said = html! {
                div.alert.good role="status" {
                    p { (cx.t("已新增账号", "Added")) " " b { (account.login) } }
                    @if let Some(password) = password {
                        p { (cx.t("初始密码（只显示这一次）：", "First password, shown this once: ")) code { (password) } }
                    }
                }
            };
            (axum::http::StatusCode::OK, said, Posted::default())
        }
        Err(denied @ Denied::Invalid(_)) => {
            let (code, text) = words::denied(&denied, cx.lang);
            (code, alert(&text), posted)
        }
        Err(denied) => return Err(cx.fail(denied)),
    };
    let accounts = cx.ask(|desk, viewer| desk.accounts(viewer)).await?;
    Ok(layout::with(code, page(&cx, &accounts, &posted, &said)))
}

async fn find(cx: &Cx, id: &str) -> Result<Account, super::context::Fail> {
    let id: i64 = id.parse().map_err(|_| cx.fail(Denied::NotFound))?;
    let accounts = cx.ask(|desk, viewer| desk.accounts(viewer)).await?;
    accounts.into_iter().find(|account| account.id == id).ok_or_else(|| cx.fail(Denied::NotFound))
}

fn edit(cx: &Cx, account: &Account, fault: Option<&str>) -> Response {
    let body = html! {
        section.note {
            h1 { (account.name) " " span.small { (account.login) } }
            @if let Some(fault) = fault { (alert(fault)) }
            form method="post" action=(format!("/admin/users/{}", account.id)) {
                (csrf(cx))
                label for="name" { (cx.t("姓名", "Name")) }
                input #name name="name" value=(account.name) required maxlength="40";
                (place_fields(cx, account.role.as_str(), &account.grids, account.department.as_deref().unwrap_or_default()))
                label.choice { input type="checkbox" name="active" value="yes" checked[account.is_active]; (cx.t("允许登录", "May sign in")) }
                label for="password" { (cx.t("重设密码（不改则留空）", "New password (leave empty to keep it)")) }
                input #password type="password" name="password" autocomplete="new-password" minlength="10" maxlength="200";
                button.main { (cx.t("保存", "Save")) }
                " " a.button href="/admin/users" { (cx.t("返回", "Back")) }
            }
        }
    };
    layout::page(cx, &account.name, &body)
}

pub(super) async fn user(cx: Cx, Path(id): Path<String>) -> Reply {
    let account = find(&cx, &id).await?;
    Ok(edit(&cx, &account, None))
}

pub(super) async fn change(cx: Cx, Path(id): Path<String>, posted: Posted) -> Reply {
    let account = find(&cx, &id).await?;
    let id = account.id;
    let role = role(&posted);
    let answer = match role {
        Ok(role) => {
            // What is as it was is left out: a change of anything but the name ends the account's sessions.
            let grids = grids(&posted, role);
            let active = posted.get("active") == "yes";
            let change = AccountChange {
                name: Some(posted.get("name").to_owned()),
                role: (role != account.role).then_some(role),
                grids: (grids != account.grids).then_some(grids),
                department: department(&posted, role).filter(|id| Some(id) != account.department.as_ref()),
                is_active: (active != account.is_active).then_some(active),
                password: Some(posted.get("password").to_owned()).filter(|password| !password.is_empty()),
            };
            cx.try_ask(move |desk, viewer| desk.set_account(viewer, id, change)).await
        }
        Err(denied) => Err(denied),
    };
    match answer {
        Ok(_) => Ok(Redirect::to("/admin/users").into_response()),
        Err(denied @ Denied::Invalid(_)) => {
            let (code, text) = words::denied(&denied, cx.lang);
            Ok(layout::with(code, edit(&cx, &account, Some(&text))))
        }
        Err(denied) => Err(cx.fail(denied)),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    before: Option<i64>,
}

pub(super) async fn audit(cx: Cx, Query(asked): Query<Asked>) -> Reply {
    let entries = cx.ask(move |desk, viewer| desk.audit(viewer, asked.before, ENTRIES)).await?;
    let body = html! {
        h1 { (cx.t("审计日志", "Audit log")) }
        @if entries.is_empty() { p.empty { (cx.t("没有记录。", "No entries.")) } }
        div.scroll tabindex="0" role="region" aria-label=(cx.t("审计日志", "Audit log")) {
            table {
                thead { tr {
                    th scope="col" { (cx.t("时间", "When")) }
                    th scope="col" { (cx.t("谁", "Who")) }
                    th scope="col" { (cx.t("操作", "What")) }
                    th scope="col" { (cx.t("对象", "To what")) }
                    th scope="col" { (cx.t("来自", "From")) }
                } }
                tbody { @for entry in &entries { tr {
                    td { (card::moment(&cx, entry.at)) }
                    td { (entry.login) }
                    td { (what(&cx, &entry.what)) }
                    td { (entry.subject) }
                    td { (entry.address) }
                } } }
            }
        }
        @if let Some(last) = entries.last().filter(|_| entries.len() == ENTRIES) {
            p { a.button href=(format!("/admin/audit?before={}", last.id)) { (cx.t("更早", "Earlier")) } }
        }
    };
    Ok(layout::page(&cx, cx.t("审计日志", "Audit log"), &body))
}

fn what<'a>(cx: &Cx, what: &'a str) -> &'a str {
    match what {
        "sign_in" => cx.lang.t("登录", "Signed in"),
        "sign_in_failed" => cx.lang.t("登录失败", "Sign-in failed"),
        "sign_out" => cx.lang.t("退出", "Signed out"),
        "password" => cx.lang.t("修改密码", "Password changed"),
        "account_new" => cx.lang.t("新增账号", "Account added"),
        "account_changed" => cx.lang.t("修改账号", "Account changed"),
        "link_renewed" => cx.lang.t("更换二维码", "QR code renewed"),
        other => other,
    }
}
