// tree.js - the tree: what the daemon says becomes nodes with a history, a layout, and a drawing.
//
// Nodes are known by their place (their ids from the root down), not by their pids: a child that was restarted is
// the same node with another pid, and that is how a restart is seen. What is no longer there is shown as ended for
// a moment, in its place.
//
// Everything that a process can name goes through textContent and setAttribute, nothing through markup.

const SVG = "http://www.w3.org/2000/svg";
const RESTARTED_MS = 4000; // shown as such
const ENDED_MS = 4000;
const GROUP = 12; // so many leaves below one parent are folded into one group

const NODE = { width: 224, height: 52, across: 40, down: 12 };
const CELL = { size: 15, per_row: 13 };

export const STATES = {
  waiting: "waiting", running: "running", stuck: "stuck in a callback", suspended: "suspended",
  restarted: "restarted just now", ended: "ended",
};

// ---------------------------------------------------------------- the model

export function duration(ms) {
  if (ms < 1000) return `${ms} ms`;
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${(ms / 1000).toFixed(1)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

export function title(node) {
  return node.name || node.id || (node.label ? `${node.label} ${node.pid}` : `${node.kind || "process"} ${node.pid}`);
}

export function deed(node) {
  switch (node.shown) {
    case "ended": return "ended";
    case "suspended": return "suspended";
    case "restarted": return `restarted ${duration(node.age_ms)} ago`;
    case "stuck": return `stuck for ${duration(node.for_ms)} in ${node.callback}`;
    case "running": return `${node.for_ms >= 100 ? `for ${duration(node.for_ms)} ` : ""}in ${node.callback}`;
    default: return node.waits_in && node.waits_in !== "receive" ? `waiting (${node.waits_in})` : "waiting";
  }
}

// Give each node its key, its children, and what its past says of it.
export class Model {
  constructor() {
    this.nodes = new Map(); // by key, in the order in which they are drawn
    this.roots = [];
    this.restarted = []; // titles, of the last update
  }

  update(picture, now) {
    const old = this.nodes;
    const fresh = picture.nodes.map((node) => ({ ...node, children: [] }));
    const taken = new Set();
    this.nodes = new Map();
    this.roots = [];
    this.restarted = [];
    for (const node of fresh) {
      const parent = node.parent >= 0 ? fresh[node.parent] : null;
      let key = `${parent ? parent.key : ""}/${node.id || node.name || node.pid}`;
      if (taken.has(key)) key += node.pid; // it was restarted while the picture was taken
      taken.add(key);
      node.key = key;
      node.above = parent;
      (parent ? parent.children : this.roots).push(node);
      this.nodes.set(key, node);
      this.#remember(node, old.get(key), now);
    }
    this.#keepEnded(old, now);
  }

  #remember(node, before, now) {
    const again = before && (before.pid !== node.pid || before.endedAt);
    node.restartedAt = again ? now : before ? before.restartedAt
      : node.restarts > 0 && node.age_ms < RESTARTED_MS ? now - node.age_ms : undefined;
    if (again && before.pid !== node.pid) this.restarted.push(title(node));
    const isFresh = node.restartedAt !== undefined && now - node.restartedAt < RESTARTED_MS;
    node.shown = isFresh && (node.state === "waiting" || node.state === "running") ? "restarted" : node.state;
  }

  #keepEnded(old, now) {
    for (const [key, before] of old) {
      if (this.nodes.has(key)) continue;
      const endedAt = before.endedAt ?? now;
      const above = before.above ? this.nodes.get(before.above.key) : null;
      if (now - endedAt > ENDED_MS || (before.above && !above) || !(before.id || before.name)) continue;
      const ghost = { ...before, children: [], above, endedAt, shown: "ended", mailbox: 0 };
      const siblings = above ? above.children : this.roots;
      siblings.splice(Math.min(before.index ?? siblings.length, siblings.length), 0, ghost);
      this.nodes.set(key, ghost);
    }
    const number = (siblings) => siblings.forEach((node, i) => { node.index = i; number(node.children); });
    number(this.roots);
  }
}

// ---------------------------------------------------------------- signs

function element(name, attributes = {}, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// A sign for each state, 16 by 16: by its form it can be told without its colour.
export function sign(state) {
  const g = element("g", { class: `is-${state}` });
  const line = (d) => g.append(element("path", { class: "sign-line", d }));
  if (state === "waiting") g.append(element("circle", { class: "sign-ring", cx: 8, cy: 8, r: 5.5 }));
  if (state === "running") g.append(element("path", { class: "sign", d: "M3 2l11 6-11 6z" }));
  if (state === "suspended") line("M5 3v10M11 3v10");
  if (state === "ended") line("M3 3l10 10M13 3L3 13");
  if (state === "restarted") line("M13 8a5 5 0 1 1-1.6-3.7M13 1.5v3.6H9.4");
  if (state === "stuck") {
    g.append(element("path", { class: "sign", d: "M8 0l8 15H0z" }));
    g.append(element("path", { d: "M8 5v5M8 12v.6", stroke: "var(--paper)", "stroke-width": 2, fill: "none" }));
  }
  return g;
}

// ---------------------------------------------------------------- the drawing

export class Tree {
  constructor(svg, choose) {
    this.svg = svg;
    this.choose = choose; // called with a key
    this.folds = new Map(); // by key: true is folded, false is not; else as it comes
    this.drawn = new Map(); // by key: an element
    this.order = []; // what can be walked: keys, as drawn
    this.chosen = null;
    this.focused = null;
    this.wanted = "";
    this.edges = element("g", { class: "edges", "aria-hidden": "true" });
    this.items = element("g", { role: "presentation" });
    svg.append(this.edges, this.items);
    svg.addEventListener("keydown", (event) => this.#key(event));
    svg.addEventListener("focusin", (event) => { this.focused = event.target.closest("[data-key]")?.dataset.key ?? null; });
  }

  draw(model) {
    this.model = model;
    const places = this.#layout();
    const edges = [];
    this.order = places.map((place) => place.key);
    if (!this.order.includes(this.current)) this.current = this.order[0];
    for (const [key, item] of this.drawn) {
      if (!this.order.includes(key)) { item.remove(); this.drawn.delete(key); }
    }
    let before = null;
    for (const place of places) {
      const item = this.#item(place.key);
      this.#fill(item, place);
      const next = before ? before.nextSibling : this.items.firstChild;
      if (next !== item) this.items.insertBefore(item, next);
      before = item;
      if (place.from) edges.push(this.#edge(place));
    }
    this.edges.replaceChildren(...edges);
  }

  // Leaves from the top down, each parent in the middle of its children.
  #layout() {
    const places = [];
    let y = 4, right = 0;
    const leaf = (place, height) => { place.height = height; place.y = y; y += height + NODE.down; };
    const put = (node, depth, from, set, pos) => {
      const place = { key: node.key, node, depth, from, x: 4 + depth * (NODE.width + NODE.across), set, pos };
      places.push(place);
      right = Math.max(right, place.x + NODE.width);
      place.height = NODE.height;
      place.isFolded = node.children.length > 0 && this.folds.get(node.key) === true;
      if (node.children.length === 0 || place.isFolded) { leaf(place, NODE.height); return place; }
      const first = y, inside = [];
      const leaves = node.children.filter((child) => child.children.length === 0);
      const isGrouped = leaves.length > GROUP && this.folds.get(`${node.key}/*`) !== false;
      const others = isGrouped ? node.children.filter((child) => child.children.length > 0) : node.children;
      const count = others.length + (isGrouped ? 1 : 0);
      others.forEach((child, i) => inside.push(put(child, depth + 1, place, count, i + 1)));
      if (isGrouped) inside.push(group(node, leaves, depth + 1, place, count));
      const last = inside[inside.length - 1];
      place.y = (inside[0].y + last.y + last.height) / 2 - NODE.height / 2;
      if (place.y < first) place.y = first;
      y = Math.max(y, place.y + NODE.height + NODE.down);
      return place;
    };
    const group = (node, leaves, depth, from, count) => {
      const place = { key: `${node.key}/*`, leaves, depth, from, x: 4 + depth * (NODE.width + NODE.across), set: count, pos: count };
      places.push(place);
      right = Math.max(right, place.x + NODE.width);
      leaf(place, 34 + Math.ceil(leaves.length / CELL.per_row) * (CELL.size + 1) + 8);
      return place;
    };
    const roots = this.model.roots;
    const order = [...roots].sort((a, b) => (b.children.length > 0) - (a.children.length > 0));
    order.forEach((node, i) => put(node, 0, null, order.length, i + 1));
    this.svg.setAttribute("width", right + 8);
    this.svg.setAttribute("height", y + 4);
    return places;
  }

  #edge({ from, x, y, height }) {
    const x1 = from.x + NODE.width, y1 = from.y + from.height / 2, y2 = y + height / 2, middle = (x1 + x) / 2;
    return element("path", { d: `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x} ${y2}` });
  }

  #item(key) {
    let item = this.drawn.get(key);
    if (!item) {
      item = element("g", { role: "treeitem" });
      item.dataset.key = key;
      item.addEventListener("click", (event) => this.#click(key, event));
      this.drawn.set(key, item);
    }
    return item;
  }

  #fill(item, place) {
    item.setAttribute("transform", `translate(${place.x} ${place.y})`);
    item.setAttribute("tabindex", place.key === this.current ? "0" : "-1");
    item.setAttribute("aria-level", place.depth + 1);
    item.setAttribute("aria-setsize", place.set);
    item.setAttribute("aria-posinset", place.pos);
    item.setAttribute("aria-selected", String(place.key === this.chosen));
    if (place.leaves) this.#fillGroup(item, place); else this.#fillNode(item, place);
  }

  #fillNode(item, { node, isFolded }) {
    const hasChildren = node.children.length > 0;
    const isDim = this.wanted && !title(node).toLowerCase().includes(this.wanted);
    item.setAttribute("class", `is-${node.shown}${isDim ? " dim" : ""}`);
    item.dataset.state = node.shown;
    item.dataset.restarts = node.restarts;
    if (hasChildren) item.setAttribute("aria-expanded", String(!isFolded)); else item.removeAttribute("aria-expanded");
    item.setAttribute("aria-label", [title(node), node.kind, deed(node),
      node.mailbox ? `${node.mailbox} messages wait` : "", node.restarts ? `${node.restarts} restarts` : ""]
      .filter(Boolean).join(", "));
    const icon = sign(node.shown);
    icon.setAttribute("transform", "translate(14 9)");
    const parts = [
      element("rect", { class: "box", width: NODE.width, height: NODE.height, rx: 9 }),
      element("rect", { class: "strip", x: 1, y: 9, width: 5, height: NODE.height - 18, rx: 2 }),
      icon,
      element("text", { x: 38, y: 22 }, this.#fit(title(node), 21 - (node.restarts ? 3 + String(node.restarts).length : 0))),
      element("text", { class: "second", x: 38, y: 42 }, this.#fit(this.#second(node), 27 - (node.mailbox ? 4 + String(node.mailbox).length : 0))),
    ];
    if (node.restarts) parts.push(element("text", { class: "badge", x: NODE.width - 12, y: 22, "text-anchor": "end" }, `↻ ${node.restarts}`));
    if (node.mailbox) parts.push(element("text", { class: "mail", x: NODE.width - 12, y: 42, "text-anchor": "end" }, `✉ ${node.mailbox}`));
    if (hasChildren && isFolded) parts.push(element("text", { class: "fold", x: NODE.width + 8, y: NODE.height / 2 + 5 }, `+${this.#below(node)}`));
    item.replaceChildren(...parts);
  }

  #second(node) {
    return node.strategy && node.shown === "waiting" ? node.strategy.replaceAll("_", " ") : deed(node);
  }

  // Many leaves: a cell for each, and in words how many are how.
  #fillGroup(item, { leaves, height }) {
    const counts = new Map();
    for (const leaf of leaves) counts.set(leaf.shown, (counts.get(leaf.shown) || 0) + 1);
    const words = [...counts].map(([state, count]) => `${count} ${state}`).join(", ");
    item.setAttribute("class", "group");
    item.setAttribute("aria-expanded", "false");
    item.setAttribute("aria-label", `${leaves.length} processes: ${words}`);
    const parts = [
      element("rect", { class: "box", width: NODE.width, height, rx: 9 }),
      element("text", { x: 12, y: 22 }, `${leaves.length} processes`),
      element("text", { class: "fold", x: NODE.width - 12, y: 22, "text-anchor": "end" }, "+"),
    ];
    leaves.forEach((leaf, i) => {
      const cell = element("rect", {
        class: `cell is-${leaf.shown}${leaf.key === this.chosen ? " chosen" : ""}`,
        x: 6 + (i % CELL.per_row) * (CELL.size + 1), y: 34 + Math.floor(i / CELL.per_row) * (CELL.size + 1),
        width: CELL.size, height: CELL.size, rx: leaf.shown === "waiting" ? 7 : leaf.shown === "stuck" ? 0 : 3,
      });
      cell.dataset.leaf = leaf.key;
      cell.append(element("title", {}, `${title(leaf)}: ${deed(leaf)}`));
      if (this.wanted && !title(leaf).toLowerCase().includes(this.wanted)) cell.classList.add("dim");
      parts.push(cell);
    });
    item.replaceChildren(...parts);
  }

  #fit(text, most) {
    const letters = [...text];
    return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : text;
  }

  #below(node) {
    return node.children.reduce((sum, child) => sum + 1 + this.#below(child), 0);
  }

  // ---------------------------------------------------------------- hands

  select(key) {
    this.chosen = key;
    if (this.model) this.draw(this.model);
  }

  show(key) {
    this.drawn.get(key)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  find(words) {
    this.wanted = words.trim().toLowerCase();
    if (this.model) this.draw(this.model);
  }

  #fold(key, isFolded) {
    this.folds.set(key, isFolded);
    this.draw(this.model);
  }

  #click(key, event) {
    const cell = event.target.closest("[data-leaf]");
    this.#focus(key);
    if (cell) this.choose(cell.dataset.leaf);
    else this.#open(key);
  }

  #open(key) {
    if (key.endsWith("/*")) this.#fold(key, false);
    else this.choose(key);
  }

  #focus(key) {
    const item = this.drawn.get(key);
    if (!item) return;
    this.drawn.get(this.current)?.setAttribute("tabindex", "-1");
    this.current = key;
    item.setAttribute("tabindex", "0");
    item.focus({ preventScroll: true });
    item.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  focusCurrent() {
    this.#focus(this.current);
  }

  #key(event) {
    const key = this.focused, at = this.order.indexOf(key);
    if (at < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    const node = this.model.nodes.get(key);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this.order.length - 1 }[event.key];
    if (to !== undefined) this.#focus(this.order[to]);
    else if (event.key === "Enter" || event.key === " ") this.#open(key);
    else if (event.key === "ArrowRight") this.#right(key, node, at);
    else if (event.key === "ArrowLeft") this.#left(key, node);
    else return;
    event.preventDefault();
  }

  #right(key, node, at) {
    if (!node) this.#fold(key, false);
    else if (this.folds.get(key) === true) this.#fold(key, false);
    else if (node.children.length > 0) this.#focus(this.order[at + 1]);
  }

  #left(key, node) {
    if (node && node.children.length > 0 && this.folds.get(key) !== true) {
      if (this.folds.get(`${key}/*`) === false) this.folds.delete(`${key}/*`);
      this.#fold(key, true);
    } else if (node ? node.above : true) {
      this.#focus(node ? node.above.key : key.slice(0, -2));
    }
  }
}
