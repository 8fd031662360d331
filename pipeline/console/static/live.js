// Pairstream console: the only script. Nothing here is needed to read or to act; it saves clicks and reloads.
"use strict";

const on = (type, run) => document.addEventListener(type, run);
const typing = (event) => event.target.closest?.("input, textarea, select, [contenteditable]");
const say = (text) => { const box = document.getElementById("said"); if (box) box.textContent = text; };

// Times are written in the zone of the browser, from the next page on.
const zone = encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone ?? "");
if (zone && !document.cookie.split("; ").includes(`zone=${zone}`)) {
  document.cookie = `zone=${zone}; path=/; max-age=31536000; SameSite=Lax${location.protocol === "https:" ? "; Secure" : ""}`;
}

// A one-time code comes after the #, which no server sees; it goes into the form and out of the address.
const code = document.querySelector("[data-from-link]");
if (code && location.hash.length > 1) {
  code.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
}

// A page with values that the browser kept is not shown again by going back: it is asked for anew.
addEventListener("pageshow", (event) => { if (event.persisted && document.querySelector("[data-values]")) location.reload(); });

// Parts of the page are told anew while the tab is looked at; one stream a tab, none while it is hidden.
const live = document.getElementById("live");
const SILENT_MS = 15000;
const FIRST_AGAIN_MS = 5000, LAST_AGAIN_MS = 60000;
let stream = null;
let sent = 0; // while a form is on its way
let heard = 0;
let asked = 0, againMs = FIRST_AGAIN_MS, refused = false; // when a stream was asked for last, how long a refusal holds, whether it was one

const busy = (part) => {
  const held = document.activeElement;
  if (part.contains(held) && held.matches("input, textarea, select, [contenteditable]")) return true;
  const chosen = getSelection();
  if (chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode)) return true;
  return part.querySelector("details.menu[open]") !== null;
};

const later = new Map(); // what was told of a part while it was in use: the newest alone, which nothing older replaces
const swap = (told) => {
  const part = document.getElementById(told.id);
  if (!part) return;
  if (busy(part)) {
    if (!later.has(told.id)) setTimeout(() => { const newest = later.get(told.id); later.delete(told.id); if (newest) swap(newest); }, 1000);
    later.set(told.id, told);
    return;
  }
  later.delete(told.id);
  const held = document.activeElement;
  const link = part.contains(held) && held.getAttribute("href");
  const alike = () => [...part.querySelectorAll("a")].filter((one) => one.getAttribute("href") === link);
  const which = link ? alike().indexOf(held) : -1;
  const box = document.createElement("template");
  box.innerHTML = told.html;
  part.replaceChildren(box.content);
  if (link) alike()[which]?.focus(); // of several links to one page the very one that had it
};

const alive = () => { heard = Date.now(); };
const open = () => {
  asked = Date.now();
  stream = new EventSource(live.dataset.livePath);
  stream.addEventListener("open", () => { againMs = FIRST_AGAIN_MS; refused = false; });
  stream.addEventListener("region", (event) => { alive(); swap(JSON.parse(event.data)); });
  stream.addEventListener("said", (event) => { alive(); say(JSON.parse(event.data).text); });
  stream.addEventListener("alive", alive);
  stream.addEventListener("over", () => { hush(); location.reload(); });
};
const listen = () => {
  if (!live || stream || sent || document.hidden) return;
  alive();
  open();
};
const hush = () => { stream?.close(); stream = null; };
// Streams of pages that were left may still have been open as this one was asked for: a refusal is not for ever.
const askAgain = () => {
  if (stream?.readyState !== EventSource.CLOSED || Date.now() - asked < againMs) return;
  againMs = Math.min(againMs * 2, LAST_AGAIN_MS);
  refused = true;
  open();
};

// While nothing can be known figures are grey, and what would change something is off.
const old = (is) => {
  if (document.body.classList.contains("old") === is) return;
  document.body.classList.toggle("old", is);
  for (const one of document.querySelectorAll("main form[method=post] button")) {
    if (is && !one.disabled) { one.disabled = true; one.dataset.off = ""; }
    if (!is && "off" in one.dataset) { one.disabled = false; delete one.dataset.off; }
  }
};

if (live) {
  listen();
  on("visibilitychange", () => { if (document.hidden) hush(); else listen(); });
  addEventListener("pagehide", hush);
  setInterval(() => {
    if (sent) return;
    askAgain();
    const age = Math.round((Date.now() - heard) / 1000);
    const silent = !stream || stream.readyState === EventSource.CLOSED || age * 1000 > SILENT_MS;
    const word = silent ? `Not live: from ${new Date(heard).toTimeString().slice(0, 8)}, ${age < 60 ? `${age} s` : `${Math.floor(age / 60)} min`} ago` : "Live";
    live.classList.toggle("stale", silent);
    const box = live.querySelector("span");
    if (box.textContent !== word) box.textContent = word;
    const asks = stream && !refused && stream.readyState !== EventSource.CLOSED; // with too many streams a page is old, and works
    old((asks && age * 1000 > SILENT_MS) || document.querySelector("[data-away]") !== null);
  }, 1000);
}

on("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard?.writeText(copy.closest(".copy").querySelector("code").textContent.replace(/[\u2068\u2069]/g, "")); // marks of the page, not of the text
    say("Copied");
  }
  const keys = event.target.closest("[data-keys-off]");
  if (keys) {
    document.cookie = `keys=${keysOff() ? "on" : "off"}; path=/; max-age=31536000; SameSite=Lax`;
    say(keysOff() ? "Single keys are off" : "Single keys are on");
    keys.textContent = keysOff() ? "Turn single keys on" : "Turn single keys off";
  }
  if (event.target.closest("[data-theme-button]")) {
    const root = document.documentElement;
    const dark = root.dataset.theme === "dark" ||
      (root.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = dark ? "light" : "dark";
  }
});

// Keys: / searches; j k: next and previous row; g then o l d a s, or m f r e p within an integration; ? lists them, and turns them off.
let before = "";
const keysOff = () => document.cookie.split("; ").includes("keys=off");
const GO = { o: "/", l: "/road", d: "/doctor", a: "/activity", s: "/settings" };
const HERE = { m: "mappings", f: "full-sync", r: "refused", e: "explain", p: "replay" };
on("keydown", (event) => {
  if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((one) => { one.open = false; one.querySelector("summary").focus(); });
  if (typing(event) || event.metaKey || event.ctrlKey || event.altKey) return;
  if (event.key === "?") document.getElementById("keys")?.showModal();
  if (keysOff()) return;
  const within = location.pathname.match(/^\/i\/[^/]+/);
  if (before === "g" && GO[event.key]) { location.href = GO[event.key]; }
  else if (before === "g" && within && HERE[event.key]) { location.href = `${within[0]}/${HERE[event.key]}`; }
  else if (event.key === "/") { const box = document.querySelector("[data-search]"); if (box) { event.preventDefault(); box.focus(); } }
  else if (event.key === "j" || event.key === "k") {
    const rows = [...document.querySelectorAll("[data-row]")].map((row) => row.querySelector("a")).filter(Boolean);
    const here = rows.indexOf(document.activeElement);
    rows[Math.max(0, Math.min(rows.length - 1, here + (event.key === "j" ? 1 : -1)))]?.focus();
  }
  before = event.key;
});

// The editor of mappings: search narrows a picker, arrows move in it; after a button the page is shown where it was.
const choices = (picker) => [...picker.querySelectorAll("button[data-choice]:not([hidden])")];
on("input", (event) => {
  if (!event.target.matches("[data-filter]")) return;
  const wanted = event.target.value.trim().toLowerCase();
  for (const one of event.target.closest("[data-picker]").querySelectorAll("[data-choice]")) {
    one.hidden = !one.textContent.toLowerCase().includes(wanted);
  }
});
on("keydown", (event) => {
  const picker = event.target.closest?.("[data-picker]");
  if (!picker || !picker.open) return;
  const there = choices(picker), here = there.indexOf(document.activeElement);
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const next = here + (event.key === "ArrowDown" ? 1 : -1);
    if (next < 0) picker.querySelector("[data-filter]").focus(); else there[Math.min(next, there.length - 1)]?.focus();
  } else if (event.key === "Enter" && event.target.matches("[data-filter]") && there.length) {
    event.preventDefault();
    there[0].click();
  }
});
document.addEventListener("toggle", (event) => {
  if (event.target.matches?.("[data-picker][open]")) event.target.querySelector("[data-filter]").focus();
}, true);
// A form is sent once, and nothing changes the page that sent it: a second click would take the place of the first's
// answer, and so would a page that is asked for anew because what it was about is over.
const ANSWERED_MS = 30000;
const unsent = () => { clearTimeout(sent); sent = 0; listen(); };
on("submit", (event) => {
  if (event.defaultPrevented || event.target.getAttribute("method") !== "post") return;
  if (sent) return event.preventDefault();
  const part = event.submitter?.closest("section[id]");
  if (event.target.matches("[data-draft]") && part) event.target.action = `${event.target.action.split("#")[0]}#${part.id}`;
  hush();
  sent = setTimeout(unsent, ANSWERED_MS);
});
addEventListener("pageshow", unsent);

// Leaving an edited mapping asks first: until it is saved, its draft is in the page alone.
const draft = document.querySelector("[data-draft]");
let edited = draft?.hasAttribute("data-edited") ?? false;
on("input", (event) => { if (draft?.contains(event.target) && !event.target.matches("[data-filter]")) edited = true; });
on("submit", (event) => { if (event.target === draft) edited = false; });
on("click", (event) => { if (event.target.closest("[data-discard]")) edited = false; });
addEventListener("beforeunload", (event) => { if (edited) event.preventDefault(); });
