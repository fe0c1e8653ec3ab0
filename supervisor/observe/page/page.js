// page.js - asks the daemon once a second how it is, and shows it; and what a hand may do.
import { Model, Tree, STATES, sign, title, deed, duration } from "/tree.js";

const PERIOD_MS = 1000;
const PATIENCE_MS = 5000;
const NEWS_MS = 8000;

const $ = (id) => document.getElementById(id);
const model = new Model();
const tree = new Tree($("tree"), choose);
let chosen = null; // a key
let lastOutcome = null; // its number: older ones are no news
let newsAt = 0;
let lastRestarts = null;

// ---------------------------------------------------------------- news

function say(text, isBad = false) {
  $("news").textContent = text;
  $("news").classList.toggle("bad", isBad);
  newsAt = performance.now();
}

function tellRestarts(names) {
  if (names.length === 1) say(`${names[0]} was restarted.`);
  else if (names.length > 1) say(`${names.length} processes were restarted: ${names.slice(0, 5).join(", ")}${names.length > 5 ? " …" : ""}.`);
}

function tellOutcomes(outcomes) {
  const newest = outcomes.length > 0 ? outcomes[0].number : 0;
  const fresh = lastOutcome === null ? [] : outcomes.filter((outcome) => outcome.number > lastOutcome);
  lastOutcome = newest;
  for (const outcome of fresh.reverse()) {
    say(`${outcome.action}: ${outcome.name || outcome.pid} ${outcome.code === 0 ? outcome.text : `– ${outcome.text}`}`, outcome.code !== 0);
  }
}

// ---------------------------------------------------------------- the whole

function showTotals(picture) {
  document.title = `${picture.program} – Coppice`;
  $("program").textContent = picture.program;
  $("processes").textContent = picture.processes;
  $("messages").textContent = picture.nodes.reduce((sum, node) => sum + node.mailbox, 0);
  $("uptime").textContent = duration(picture.uptime_ms);
  $("restarts").textContent = picture.restarts;
  $("restarts").classList.toggle("ticked", lastRestarts !== null && picture.restarts !== lastRestarts);
  lastRestarts = picture.restarts;
  for (const alarm of ["disowned", "tainted"]) {
    $(alarm).textContent = picture[alarm];
    $(`${alarm}-item`).hidden = picture[alarm] === 0;
  }
  $("actions").hidden = !picture.allows_actions;
}

function showLegend() {
  for (const [state, words] of Object.entries(STATES)) {
    const item = document.createElement("li");
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("width", 16);
    svg.setAttribute("height", 16);
    svg.setAttribute("aria-hidden", "true");
    svg.append(sign(state));
    item.append(svg, words);
    $("legend").append(item);
  }
}

// ---------------------------------------------------------------- one

function choose(key) {
  chosen = key;
  tree.select(key);
  $("details").hidden = key === null;
  $("events").replaceChildren();
  if (key !== null) {
    showDetails();
    tree.show(key); // the details may have come to lie over it
    loadEvents().catch(() => {}); // the next look says that the daemon does not answer
  }
}

function fact(name, value) {
  const dt = document.createElement("dt"), dd = document.createElement("dd");
  dt.textContent = name;
  dd.textContent = value;
  return [dt, dd];
}

function nameOf(pid) {
  for (const node of model.nodes.values()) {
    if (node.pid === pid) return title(node);
  }
  return pid;
}

function showDetails() {
  const node = model.nodes.get(chosen);
  if (!node) {
    $("details-state").textContent = "ended";
    $("details-state").className = "is-ended";
    return;
  }
  $("details-name").textContent = title(node);
  $("details-state").textContent = deed(node);
  $("details-state").className = `is-${node.shown}`;
  const facts = [
    ["pid", node.pid], ["kind", node.kind], ["strategy", node.strategy?.replaceAll("_", " ")], ["id", node.id],
    ["running for", duration(node.age_ms)], ["restarts", node.restarts],
    ["messages waiting", node.mailbox], ["the oldest for", node.mailbox ? duration(node.oldest_ms) : null],
    ["messages handled", node.handled], ["messages dropped", node.dropped || null],
    ["waits in", node.waits_in], ["waits for", node.waits_for ? nameOf(node.waits_for) : null],
    ["owned memory", `${node.owned_bytes} bytes`], ["links", node.links],
    ["monitors", `${node.monitors}, monitored by ${node.monitored_by}`], ["traps exits", node.traps_exits ? "yes" : "no"],
  ];
  $("facts").replaceChildren(...facts.filter(([, value]) => value !== null && value !== undefined).flatMap(([name, value]) => fact(name, value)));
  for (const button of document.querySelectorAll("[data-action]")) button.disabled = node.shown === "ended";
  document.querySelector("[data-action=suspend]").hidden = node.state === "suspended";
  document.querySelector("[data-action=resume]").hidden = node.state !== "suspended";
}

function pathOf(node, word) {
  return `/processes/${node.pid.slice(1, -1)}/${word}`;
}

async function loadEvents() {
  const key = chosen, node = model.nodes.get(key);
  if (!node || node.shown === "ended") return;
  const answer = await fetch(pathOf(node, "events"), { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!answer.ok || key !== chosen) return;
  const { is_recorded, events } = await answer.json();
  const items = events.reverse().map((event) => {
    const item = document.createElement("li"), ago = document.createElement("span"), text = document.createElement("span");
    ago.className = "ago";
    ago.textContent = duration(event.ago_ms);
    text.textContent = event.text;
    item.append(ago, text);
    return item;
  });
  if (items.length === 0) {
    const item = document.createElement("li");
    item.textContent = is_recorded ? "none yet" : "The flight recorder is off in this daemon.";
    item.className = "none";
    items.push(item);
  }
  $("events").replaceChildren(...items);
}

// ---------------------------------------------------------------- hands

function isAgreed(node, action) {
  const below = node.children.length;
  return !(action === "crash" || action === "stop") || below === 0
    || window.confirm(`${action} ${title(node)}, and what is below it?`);
}

async function act(action) {
  const node = model.nodes.get(chosen);
  if (!node || !isAgreed(node, action)) return;
  try {
    const answer = await fetch(pathOf(node, action), {
      method: "POST", headers: { Authorization: `Bearer ${$("token").value}` }, signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (answer.status === 202) say(`${action}: ${title(node)} …`);
    else say(`${action}: ${title(node)} – ${(await answer.text()).trim()}.`, true);
    if (answer.status === 401) $("token").focus();
  } catch {
    say(`${action}: the daemon does not answer.`, true);
  }
}

// A link may bring the token behind its #, which no browser sends to anybody; it does not stay in the address.
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    $("token").value = given;
    history.replaceState(null, "", location.pathname);
  }
}

for (const button of document.querySelectorAll("[data-action]")) {
  button.addEventListener("click", () => act(button.dataset.action));
}
$("close").addEventListener("click", () => { choose(null); tree.focusCurrent(); });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && chosen !== null) { choose(null); tree.focusCurrent(); }
});
$("find").addEventListener("input", () => tree.find($("find").value));

// ---------------------------------------------------------------- once a second

async function look() {
  try {
    const answer = await fetch("/tree.json", { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(answer.status);
    const picture = await answer.json();
    model.update(picture, performance.now());
    $("offline").hidden = true;
    showTotals(picture);
    tree.draw(model);
    tellRestarts(model.restarted);
    tellOutcomes(picture.outcomes);
    if (chosen !== null) {
      showDetails();
      await loadEvents();
    }
  } catch {
    $("offline").hidden = false;
  }
  if (newsAt && performance.now() - newsAt > NEWS_MS) { say(""); newsAt = 0; }
  setTimeout(look, PERIOD_MS);
}

takeToken();
showLegend();
look();
