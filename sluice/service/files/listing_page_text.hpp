// The parts of the page of a directory that are the same for every directory.
#pragma once

#include <string_view>

namespace sluice::service::files {

/// What stands between <style> and </style>.
inline constexpr std::string_view page_style = R"css(
:root {
  color-scheme: light dark;
  --paper: #f6f7f9; --card: #fff; --ink: #1b1f27; --faint: #5f6878; --line: #e2e5ea;
  --accent: #1257c9; --tint: #e9f0fd; --hover: #f2f5fa; --bad: #b3261e; --good: #1a7a3c;
  --dash: #b9c1cd;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12151b; --card: #1a1e26; --ink: #e6e9ef; --faint: #98a2b3; --line: #2b313c;
    --accent: #7fb0ff; --tint: #1e2a40; --hover: #212733; --bad: #ff9087; --good: #6fd08c;
    --dash: #454d5b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 1.75rem 1rem 3rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif;
}
main { max-width: 60rem; margin: 0 auto; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: .25rem; }
.unseen {
  position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap;
}
svg { flex: none; width: 1.25rem; height: 1.25rem; fill: none; stroke: var(--faint);
  stroke-width: 1.5; stroke-linejoin: round; stroke-linecap: round; }
svg.folder { stroke: var(--accent); fill: var(--tint); }

.path {
  display: flex; flex-wrap: wrap; gap: .125rem .5rem; margin: 0 0 1rem; padding: 0;
  font-size: 1.25rem; font-weight: 600; list-style: none; overflow-wrap: anywhere;
}
.path li + li::before { content: "/"; margin-right: .5rem; color: var(--faint); font-weight: 400; }

.drop {
  display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem; margin-bottom: 1rem;
  padding: 1rem 1.25rem; border: 1.5px dashed var(--dash); border-radius: .75rem;
  color: var(--faint);
}
.drop[hidden] { display: none; }
.over .drop { border-color: var(--accent); background: var(--tint); color: var(--ink); }
.button {
  display: inline-block; padding: .4rem .9rem; border: 0; border-radius: .5rem; cursor: pointer;
  background: var(--accent); color: var(--card); font: inherit; font-weight: 600;
}
.button:hover { filter: brightness(1.08); }
.drop input:focus-visible + .button { outline: 2px solid var(--accent); outline-offset: 2px; }
.uploads { margin: 0 0 1rem; padding: 0; list-style: none; }
.uploads li {
  display: grid; grid-template-columns: 1fr auto; gap: .125rem 1rem; align-items: center;
  margin-bottom: .5rem; padding: .6rem 1.25rem; border: 1px solid var(--line);
  border-radius: .75rem; background: var(--card);
}
.uploads .name { overflow-wrap: anywhere; font-weight: 500; }
.uploads progress { grid-column: 1 / -1; width: 100%; height: .5rem; accent-color: var(--accent); }
.uploads .state { grid-column: 1 / -1; color: var(--faint); font-size: .875rem;
  font-variant-numeric: tabular-nums; }
.uploads .plain { color: var(--faint); font-size: .875rem; }
.uploads .plain:hover { color: var(--ink); }
.uploads .bad .state { color: var(--bad); }
.uploads .good .state { color: var(--good); }

.card { overflow: hidden; border: 1px solid var(--line); border-radius: .75rem;
  background: var(--card); }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .6rem 1.25rem; text-align: left; font-weight: 400; }
thead { border-bottom: 1px solid var(--line); color: var(--faint); font-size: .875rem; }
thead th { padding-block: .45rem; font-weight: 600; white-space: nowrap; }
tbody tr + tr { border-top: 1px solid var(--line); }
tbody tr:hover { background: var(--hover); }
.number { text-align: right; white-space: nowrap; }
.time { white-space: nowrap; }
td.number, td.time { color: var(--faint); font-variant-numeric: tabular-nums; }
.entry { display: flex; gap: .75rem; align-items: flex-start; overflow-wrap: anywhere; }
.entry svg { margin-top: .125rem; }
.act { width: 1%; padding-left: 0; text-align: right; }
.plain {
  padding: .1rem .3rem; margin: -.1rem -.3rem; border: 0; background: none; color: inherit;
  font: inherit; cursor: pointer;
}
.plain:hover { color: var(--ink); }
.sort::after, .number .sort::before { content: "\2191"; padding-inline: .3rem; visibility: hidden; }
.number .sort::after { content: none; }
[aria-sort] .sort { color: var(--ink); }
[aria-sort] .sort::after, [aria-sort] .sort::before { visibility: visible; }
[aria-sort=descending] .sort::after, [aria-sort=descending].number .sort::before {
  content: "\2193";
}
[aria-sort=descending].number .sort::after { content: none; }
.remove { color: var(--faint); font-size: .875rem; }
.remove:hover { color: var(--bad); }
.empty { padding: 2.5rem 1rem; color: var(--faint); text-align: center; }
nav a, nav span { margin-right: .75rem; }
footer { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .25rem 1.5rem;
  padding: .75rem 1.25rem 0; color: var(--faint); font-size: .875rem; }
code { font: .8125rem/1.6 ui-monospace, monospace; overflow-wrap: anywhere; }

@media (max-width: 40rem) {
  body { padding-top: 1rem; }
  .drop span { display: none; }
  .drop .button { flex: 1; padding-block: .6rem; text-align: center; }
  thead tr { display: flex; gap: 1.25rem; padding: .4rem 1rem; }
  thead th { padding: 0; }
  thead .act { display: none; }
  tbody tr {
    display: grid; grid-template-columns: 1fr auto auto; align-items: baseline;
    gap: 0 .75rem; padding: .6rem 1rem;
  }
  tbody td { padding: 0; }
  tbody td:first-child { grid-column: 1 / -1; }
  tbody td.time, tbody td.number { font-size: .875rem; }
  tbody td.time { grid-column: 1; grid-row: 2; padding-left: 2rem; }
  tbody td.number { grid-column: 2; grid-row: 2; }
  tbody td.act { grid-column: 3; grid-row: 2; width: auto; }
  footer { padding-inline: 1rem; }
}
)css";

/// What stands between <script> and </script>.
inline constexpr std::string_view page_script = R"js(
"use strict";
const byId = (id) => document.getElementById(id);
const here = location.pathname;
const say = (text) => { byId("said").textContent = text; };
const sizeText = (bytes) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) { bytes /= 1024; ++unit; }
  return (unit === 0 ? bytes : bytes.toFixed(1)) + " " + units[unit];
};
const timeText = (seconds) => {
  if (seconds < 60) return Math.ceil(seconds) + " s";
  if (seconds < 3600) return Math.ceil(seconds / 60) + " min";
  return (seconds / 3600).toFixed(1) + " h";
};

// The order of the list, kept over refreshes.
let order = { key: "name", down: false };
const collator = new Intl.Collator(undefined, { numeric: true });
const sortRows = () => {
  const body = document.querySelector("tbody");
  if (!body) return;
  const sign = order.down ? -1 : 1;
  const byName = (a, b) => collator.compare(a.dataset.name, b.dataset.name);
  const rows = [...body.rows].sort((a, b) => {
    const kinds = (b.dataset.directory ? 1 : 0) - (a.dataset.directory ? 1 : 0);
    if (kinds) return kinds;
    if (order.key === "name") return sign * byName(a, b);
    return sign * (Number(a.dataset[order.key]) - Number(b.dataset[order.key])) || byName(a, b);
  });
  body.append(...rows);
  for (const head of document.querySelectorAll("th[data-key]")) {
    if (head.dataset.key === order.key) {
      head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
    } else {
      head.removeAttribute("aria-sort");
    }
  }
};

// What plain HTML cannot say: buttons in the heads, and the times of where the reader is.
const enliven = () => {
  for (const head of document.querySelectorAll("th[data-key]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plain sort";
    button.textContent = head.dataset.title;
    button.onclick = () => {
      const key = head.dataset.key;
      order = { key, down: order.key === key ? !order.down : key !== "name" };
      sortRows();
    };
    head.replaceChildren(button);
  }
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  for (const time of document.querySelectorAll("td time")) {
    const when = new Date(time.dateTime);
    time.title = time.dateTime;
    if (!isNaN(when)) time.textContent = format.format(when);
  }
  for (const button of document.querySelectorAll(".remove")) {
    button.hidden = false;
    button.onclick = () => remove(button.closest("tr"));
  }
  sortRows();
};

const refresh = async () => {
  try {
    const answer = await fetch(here + location.search,
      { headers: { Accept: "text/html" }, cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    byId("list").replaceWith(page.getElementById("list"));
    enliven();
  } catch (error) {
    say("The list could not be refreshed (" + error.message + "). Reload the page.");
  }
};

const remove = async (row) => {
  const name = row.dataset.name;
  if (!confirm("Delete " + name + "? This cannot be undone.")) return;
  try {
    const target = row.querySelector("a").getAttribute("href");
    const answer = await fetch(target, { method: "DELETE" });
    if (!answer.ok) throw new Error((await answer.text()).trim() || answer.statusText);
    say(name + " was deleted.");
  } catch (error) {
    alert(name + " was not deleted: " + error.message);
  }
  await refresh();
};

// Two at a time; the others wait their turn.
const waiting = [];
let running = 0;
const next = () => {
  while (running < 2 && waiting.length > 0) {
    ++running;
    waiting.shift()().finally(() => { --running; next(); });
  }
};

const encoded = (name) => encodeURIComponent(name).replace(/[!'()*]/g,
  (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());

const makeItem = (file) => {
  const item = document.createElement("li");
  const part = (kind, className) => {
    const made = document.createElement(kind);
    if (className) made.className = className;
    item.append(made);
    return made;
  };
  part("span", "name").textContent = file.name;
  const button = part("button", "plain");
  button.type = "button";
  button.textContent = "Cancel";
  button.setAttribute("aria-label", "Cancel the upload of " + file.name);
  const bar = part("progress");
  bar.max = Math.max(file.size, 1);
  bar.value = 0;
  bar.setAttribute("aria-label", "Upload of " + file.name);
  const state = part("span", "state");
  state.textContent = "Waiting (" + sizeText(file.size) + ")";
  byId("uploads").prepend(item);
  return { item, button, bar, state };
};

const send = (file, view, request) => new Promise((resolve) => {
  const end = (good, text) => {
    view.item.className = good ? "good" : "bad";
    view.state.textContent = text;
    view.bar.hidden = true;
    view.button.textContent = "Dismiss";
    view.button.setAttribute("aria-label", "Dismiss the note about " + file.name);
    view.button.onclick = () => view.item.remove();
    say(file.name + ": " + text);
    resolve(good ? refresh() : undefined);
  };
  if (view.gone) { resolve(); return; }
  const begun = performance.now();
  request.upload.onprogress = (event) => {
    view.bar.value = event.loaded;
    const rate = event.loaded / Math.max((performance.now() - begun) / 1000, 0.001);
    const left = event.total - event.loaded;
    view.state.textContent = left === 0 ? "All sent; the server is keeping it" :
      Math.floor(100 * event.loaded / event.total) + " %, " + sizeText(rate) + "/s, " +
      timeText(left / rate) + " left";
  };
  request.onload = () => {
    const why = request.responseText.trim() || request.statusText;
    if (request.status >= 200 && request.status < 300) {
      end(true, (request.status === 201 ? "Uploaded" : "Replaced") + " (" + sizeText(file.size) +
        ")");
    } else {
      end(false, "Refused (" + request.status + "): " + why);
    }
  };
  request.onerror = () => end(false,
    "Not uploaded: the connection broke, or the folder or file could not be read. Try it again.");
  request.onabort = () => end(false, "Cancelled; nothing was kept");
  request.open("PUT", here + encoded(file.name));
  request.send(file);
});

// A page of several does not show all names.
const isThere = async (name) => {
  if ([...document.querySelectorAll("tbody tr")].some((r) => r.dataset.name === name)) return true;
  if (!byId("list").dataset.paged) return false;
  return (await fetch(here + encoded(name), { method: "HEAD" }).catch(() => ({}))).ok === true;
};

const upload = async (files) => {
  for (const file of files) {
    if (await isThere(file.name) && !confirm("Replace " + file.name + "?")) continue;
    const view = makeItem(file);
    const request = new XMLHttpRequest();
    view.button.onclick = () => {
      if (request.readyState !== XMLHttpRequest.UNSENT) { request.abort(); return; }
      view.gone = true;
      view.item.remove();
    };
    waiting.push(() => send(file, view, request));
  }
  next();
};

const drop = byId("drop");
if (drop) {
  drop.hidden = false;
  byId("files").onchange = (event) => { upload([...event.target.files]); event.target.value = ""; };
  const carriesFiles = (event) => [...event.dataTransfer.types].includes("Files");
  let depth = 0;
  const over = (n) => { depth = n; document.body.classList.toggle("over", n > 0); };
  addEventListener("dragenter", (event) => { if (carriesFiles(event)) over(depth + 1); });
  addEventListener("dragleave", (event) => { if (carriesFiles(event)) over(depth - 1); });
  addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    over(0);
    upload([...event.dataTransfer.files]);
  });
  addEventListener("beforeunload", (event) => { if (running > 0) event.preventDefault(); });
  byId("command").textContent = "sluice files put FILE " + location.origin + here;
}
enliven();
)js";

/// The pictures that the rows refer to.
inline constexpr std::string_view page_pictures = R"svg(<svg class="unseen" aria-hidden="true">
<symbol id="folder" viewBox="0 0 20 20"><path d="M2.5 5A1.5 1.5 0 0 1 4 3.5h3.4l2 2.5H16
a1.5 1.5 0 0 1 1.5 1.5V15a1.5 1.5 0 0 1-1.5 1.5H4A1.5 1.5 0 0 1 2.5 15z"/></symbol>
<symbol id="file" viewBox="0 0 20 20"><path d="M5 2.5h6.5l4 4v11H5zM11.5 2.5v4h4"/></symbol>
</svg>
)svg";

}  // namespace sluice::service::files
