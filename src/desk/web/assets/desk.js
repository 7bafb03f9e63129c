// Makes the desk's pages live and quick. Everything works without it.
"use strict";
(() => {
  const zh = document.documentElement.lang.startsWith("zh");
  const t = (a, b) => (zh ? a : b);
  const $ = (what, from = document) => from.querySelector(what);
  const all = (what, from = document) => [...from.querySelectorAll(what)];

  // Countdowns.
  const span = (ms) => {
    const minutes = Math.floor(Math.max(0, ms) / 60000);
    const d = Math.floor(minutes / 1440), h = Math.floor(minutes / 60) % 24, m = minutes % 60;
    if (d) return `${d} ${t("天", "d")} ${h} ${t("时", "h")}`;
    if (h) return `${h} ${t("时", "h")} ${m} ${t("分", "min")}`;
    if (ms >= 60000) return `${m} ${t("分", "min")}`;
    return `${Math.floor(Math.max(0, ms) / 1000)} ${t("秒", "s")}`;
  };
  const tick = () => {
    for (const left of all("[data-due]")) {
      const ms = Number(left.dataset.due) - Date.now();
      left.textContent = ms >= 0 ? `${t("剩", "left")} ${span(ms)}` : `${t("超时", "over by")} ${span(-ms)}`;
      left.classList.toggle("over", ms < 0);
    }
  };
  tick();
  setInterval(tick, 10000);

  // What was just done, and the way back while there is one.
  const toast = $(".toast");
  if (toast) {
    const until = Number(toast.dataset.until || 4000);
    setTimeout(() => toast.remove(), Math.max(1000, until));
    const here = new URL(location.href);
    here.searchParams.delete("did");
    history.replaceState(null, "", here);
  }

  // Pictures that enlarge.
  const zoom = (source, alt, marks) => {
    const dialog = document.createElement("dialog");
    dialog.className = "zoom";
    const picture = document.createElement("img");
    picture.src = source;
    picture.alt = alt;
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = t("关闭", "Close");
    close.addEventListener("click", () => dialog.close());
    picture.addEventListener("click", () => dialog.classList.toggle("full"));
    dialog.addEventListener("close", () => dialog.remove());
    const stage = document.createElement("div");
    stage.className = "stage";
    stage.append(picture);
    if (marks && getComputedStyle(marks).display !== "none") {
      const over = marks.cloneNode(true);
      over.setAttribute("preserveAspectRatio", "xMidYMid meet");
      stage.append(over);
    }
    dialog.append(stage, close);
    document.body.append(dialog);
    dialog.showModal();
  };

  // Cards under the keyboard.
  let current = null;
  const choose = (card) => {
    if (!card) return;
    for (const other of all(".card.current")) other.classList.remove("current");
    card.classList.add("current");
    current = card.dataset.case;
    card.scrollIntoView({ block: "nearest" });
  };
  const chosen = () => $(".card.current") || $(".card") || $(".actions[data-case]") || document.body;
  const move = (by) => {
    const cards = all(".card");
    const at = cards.indexOf($(".card.current"));
    choose(cards[Math.min(cards.length - 1, Math.max(0, at + by))]);
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest && event.target.closest("input,select,textarea,dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    const press = (what) => { const found = $(what, chosen()); if (found) { event.preventDefault(); found.click(); } };
    if (key === "j") move(1);
    else if (key === "k") move(-1);
    else if (key === "enter" && event.target === document.body) press("[data-open]");
    else if (["c", "s", "m", "r"].includes(key)) {
      press(`[data-key="${key}"]`);
      const reasons = $("details.reject[open] button", chosen());
      if (key === "r" && reasons) reasons.focus();
    }
    else if (key >= "1" && key <= "5" && $("details.reject[open]", chosen())) press(`[data-reason="${key}"]`);
    else if (key === "u") { const undo = $("[data-undo]"); if (undo) undo.click(); }
    else if (key === "z") press("[data-zoom]");
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-zoom]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      zoom(link.href, $("img", link) ? $("img", link).alt : "", $("svg.marks", link));
    }
    if (event.target.closest("[data-print]")) window.print();
  });
  document.addEventListener("change", async (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
    if (event.target.matches("select[name=no_photo]")) askPhotos();
    if (event.target.matches("[data-shrink]")) await shrink(event.target);
  });

  // Photos are made smaller here, so that they go fast over a phone's network. The desk checks them anyway.
  const MOST = 1920;
  async function shrink(input) {
    if (!window.createImageBitmap || !window.DataTransfer) return;
    const files = new DataTransfer();
    for (const file of input.files) {
      let sent = file;
      try {
        const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
        const scale = Math.min(1, MOST / Math.max(bitmap.width, bitmap.height));
        if (scale < 1) {
          const canvas = document.createElement("canvas");
          canvas.width = Math.round(bitmap.width * scale);
          canvas.height = Math.round(bitmap.height * scale);
          canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
          const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
          if (blob) sent = new File([blob], "photo.jpg", { type: "image/jpeg" });
        }
      } catch (e) { /* Not a picture that this browser reads: the desk says what it takes. */ }
      files.items.add(sent);
    }
    input.files = files.files;
  }

  // A disposal comes with a photo, or says why there is none.
  const askPhotos = () => {
    for (const why of all("select[name=no_photo]")) {
      const photo = $("input[type=file]", why.form);
      if (photo) photo.required = !why.value;
    }
  };
  askPhotos();

  // A form is sent once, and asks first where that cannot be taken back.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) { event.preventDefault(); return; }
    if (form.dataset.sent) { event.preventDefault(); return; }
    if (form.method === "post") {
      form.dataset.sent = "yes";
      sessionStorage.setItem("top", `${location.pathname} ${window.scrollY}`);
    }
  });
  window.addEventListener("pageshow", () => { for (const form of all("form[data-sent]")) delete form.dataset.sent; });
  const [path, top] = (sessionStorage.getItem("top") || "").split(" ");
  sessionStorage.removeItem("top");
  if (path === location.pathname && $(".toast")) window.scrollTo(0, Number(top) || 0);

  // Changes as they happen: the page asks for itself anew, but never under somebody's hands.
  const busy = () =>
    $("dialog[open]") || $("form[data-sent]") || all("#live textarea, #live input[type=file]").some((field) => field.value) ||
    $("#live details.reject[open]") || (document.activeElement && document.activeElement.closest("#live form input, #live form textarea, #live form select"));
  let waiting = null;
  const reload = async () => {
    waiting = null;
    if (busy()) { waiting = setTimeout(reload, 3000); return; }
    const live = $("#live");
    if (!live) return;
    let answer;
    try { answer = await fetch(location.href, { redirect: "error", headers: { accept: "text/html" } }); } catch (e) { return; }
    if (!answer.ok || busy()) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const name = (one) => `${(one.closest("[data-case]") || document.body).dataset.case || ""} ${$("summary", one).textContent}`;
    const open = new Map(all("#live details").map((one) => [name(one), one.open]));
    const marks = !$("#marks") || $("#marks").checked;
    const known = new Set(all("[data-case]").map((card) => card.dataset.case));
    for (const what of ["#live", ".tabs"]) {
      const now = $(what), then = $(what, page);
      if (now && then) now.replaceWith(document.adoptNode(then));
    }
    for (const one of all("#live details")) if (open.has(name(one))) one.open = open.get(name(one));
    for (const card of all(".card")) if (!known.has(card.dataset.case)) card.classList.add("new");
    if (current) choose($(`.card[data-case="${current}"]`));
    if ($("#marks")) $("#marks").checked = marks;
    tick();
    askPhotos();
  };
  if (document.body.hasAttribute("data-live") && $("#live") && window.EventSource) {
    // With where the page stands: what came while it was on its way is told at once.
    const live = new EventSource(`/live?since=${document.body.dataset.live}`);
    live.addEventListener("changed", () => { if (!waiting) waiting = setTimeout(reload, 300); });
    let broken = false;
    live.addEventListener("error", () => { broken = true; });
    live.addEventListener("open", () => { if (broken && !waiting) waiting = setTimeout(reload, 300); broken = false; });
    window.addEventListener("pagehide", () => live.close());
  }
})();
