//! Times, states and refusals as people read them.

use axum::http::StatusCode;
use jiff::tz::TimeZone;

use super::context::Lang;
use crate::desk::Denied;
use crate::desk::life::Millis;
use crate::desk::rates::timestamp;

/// Day and minute of `at`; the year only where it is not this one.
pub(super) fn moment(at: Millis, now: Millis, zone: &TimeZone) -> String {
    let (then, today) =
        (timestamp(at).to_zoned_datetime(zone.clone()), timestamp(now).to_zoned_datetime(zone.clone()));
    let form = if then.year() == today.year() { "%m-%d %H:%M" } else { "%Y-%m-%d %H:%M" };
    then.strftime(form).to_string()
}

/// A length of time, roughly.
pub(super) fn span(ms: Millis, lang: Lang) -> String {
    let minutes = ms.max(0) / 60_000;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) if ms < 60_000 => format!("{} {}", ms.max(0) / 1000, lang.t("秒", "s")),
        (0, 0) => format!("{minutes} {}", lang.t("分", "min")),
        (0, _) => format!("{hours} {} {minutes} {}", lang.t("时", "h"), lang.t("分", "min")),
        _ => format!("{days} {} {hours} {}", lang.t("天", "d"), lang.t("时", "h")),
    }
}

/// How much time is left until `due`, or by how much it is over.
pub(super) fn left(due: Millis, now: Millis, lang: Lang) -> String {
    if due >= now {
        format!("{} {}", lang.t("剩", "left"), span(due - now, lang))
    } else {
        format!("{} {}", lang.t("超时", "over by"), span(now - due, lang))
    }
}

/// A share in percent; a dash of nothing.
pub(super) fn percent(share: crate::desk::rates::Share) -> String {
    share.value().map_or("–".to_owned(), |value| format!("{:.0} %", value * 100.0))
}

/// What is said to somebody who was denied something, and the status code.
pub(super) fn denied(denied: &Denied, lang: Lang) -> (StatusCode, String) {
    match denied {
        Denied::NotFound => (
            StatusCode::NOT_FOUND,
            lang.t(
                "没有找到，或不在您的负责范围内。",
                "Not found, or not within what you are responsible for.",
            )
            .to_owned(),
        ),
        Denied::NotSignedIn => {
            (StatusCode::UNAUTHORIZED, lang.t("请先登录。", "Please sign in first.").to_owned())
        }
        Denied::Forbidden => {
            (StatusCode::FORBIDDEN, lang.t("您没有此操作的权限。", "You may not do that.").to_owned())
        }
        Denied::Refused(refusal) => {
            (StatusCode::CONFLICT, format!("{}{}", lang.of(refusal.names()), lang.t("。", ".")))
        }
        Denied::Changed => (
            StatusCode::CONFLICT,
            lang.t(
                "案件刚被他人更新，请查看后再操作。",
                "Somebody else has just changed this case: look at it, then try again.",
            )
            .to_owned(),
        ),
        Denied::Invalid(what) => {
            let code = match what.field {
                "csrf" => StatusCode::FORBIDDEN,
                "size" => StatusCode::PAYLOAD_TOO_LARGE,
                "photo" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            };
            (code, format!("{}{}", lang.t(&what.zh, &what.en), lang.t("。", ".")))
        }
        Denied::TooMany { retry_after_s } => {
            let wait = span(Millis::from(*retry_after_s) * 1000, lang);
            let text = match lang {
                Lang::Zh => format!("操作过于频繁，请在 {wait}后再试。"),
                Lang::En => format!("Too many attempts: try again in {wait}."),
            };
            (StatusCode::TOO_MANY_REQUESTS, text)
        }
        Denied::Fault(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            lang.t(
                "系统出错了，请稍后重试或联系管理员。",
                "Something went wrong here: try again later or tell the administrator.",
            )
            .to_owned(),
        ),
    }
}
