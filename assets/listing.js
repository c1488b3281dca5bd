// The page of a directory: sorts its rows, uploads what is dropped, and deletes.
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
