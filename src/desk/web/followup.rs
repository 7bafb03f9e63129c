//! The two questions that a reporter is asked when their case is closed.

use axum::extract::Path;
use axum::response::Response;
use maud::html;

use super::context::{Cx, Reply};
use super::form::Posted;
use super::layout::{self, alert, csrf};
use super::words;
use crate::desk::Denied;
use crate::desk::followup::{FollowupAnswer, Question};

pub(super) async fn ask(cx: Cx, Path(token): Path<String>) -> Reply {
    let asked = token.clone();
    let question = cx.ask_open(move |desk| desk.followup(&asked)).await.map_err(|denied| cx.fail(denied))?;
    Ok(page(&cx, &token, &question, None))
}

fn page(cx: &Cx, token: &str, question: &Question, fault: Option<&str>) -> Response {
    let title = cx.t("回访评价", "Was it solved?");
    let scores = [
        (5, cx.t("非常满意", "very satisfied")),
        (4, cx.t("满意", "satisfied")),
        (3, cx.t("一般", "so-so")),
        (2, cx.t("不满意", "not satisfied")),
        (1, cx.t("非常不满意", "not at all satisfied")),
    ];
    let body = html! {
        section.note {
            h1 { (title) }
            p { b { (cx.lang.t(&question.name_zh, &question.name_en)) } " · " (question.place) " · " (question.number) }
            @if let Some(fault) = fault { (alert(fault)) }
            @if question.answered {
                p { (cx.t("您已经评价过了，谢谢！", "You have answered already, thank you!")) }
            } @else {
                form method="post" action=(format!("/f/{token}")) {
                    (csrf(cx))
                    fieldset {
                        legend { (cx.t("问题解决了吗？", "Was it solved?")) }
                        label.choice { input type="radio" name="solved" value="yes" required; (cx.t("已解决", "Yes")) }
                        label.choice { input type="radio" name="solved" value="no"; (cx.t("没有解决（案件将重新办理）", "No (the case will be taken up again)")) }
                    }
                    fieldset {
                        legend { (cx.t("您对处理是否满意？", "How satisfied are you?")) }
                        @for (score, name) in scores {
                            label.choice { input type="radio" name="satisfaction" value=(score) required; (score) " " (name) }
                        }
                    }
                    label for="comment" { (cx.t("还想说的（可不填）", "Anything else (optional)")) }
                    textarea #comment name="comment" rows="3" maxlength="500" {}
                    (layout::send(cx))
                }
            }
        }
    };
    layout::plain(cx, title, &body)
}

pub(super) async fn answer(cx: Cx, Path(token): Path<String>, posted: Posted) -> Reply {
    let solved = match posted.get("solved") {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    };
    let satisfaction = posted.get("satisfaction").parse().ok().filter(|score| (1..=5).contains(score));
    let comment = posted.get("comment").to_owned();
    let (asked, address) = (token.clone(), cx.address);
    let done = match (solved, satisfaction) {
        (Some(solved), Some(satisfaction)) => {
            let answer = FollowupAnswer { solved, satisfaction, comment };
            cx.ask_open(move |desk| desk.answer_followup(&asked, &answer, address)).await
        }
        _ => Err(Denied::invalid("solved", "请回答两个问题", "Answer both questions")),
    };
    match done {
        Ok(()) => {
            let body = html! {
                section.note {
                    h1 { (cx.t("感谢您的评价！", "Thank you for your answer!")) }
                    @if solved == Some(false) { p { (cx.t("案件已重新打开，网格员会继续处理。", "The case is open again, and will be dealt with.")) } }
                }
            };
            Ok(layout::plain(&cx, cx.t("感谢评价", "Thank you"), &body))
        }
        Err(denied @ (Denied::Invalid(_) | Denied::TooMany { .. })) => {
            let (code, text) = words::denied(&denied, cx.lang);
            let question = cx
                .ask_open({
                    let token = token.clone();
                    move |desk| desk.followup(&token)
                })
                .await;
            let question = question.map_err(|denied| cx.fail(denied))?;
            Ok(layout::with(code, page(&cx, &token, &question, Some(&text))))
        }
        Err(denied) => Err(cx.fail(denied)),
    }
}
