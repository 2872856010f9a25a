// What all widgets draw with: elements, curves, and the sign of life.

const NAMES = { pytorch: "PyTorch", tensorflow: "TensorFlow" };

function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  return fill(made, attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return fill(made, attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) made.append(child);
  }
  return made;
}

let lastId = 0;
function freshId() {
  lastId += 1;
  return `ft-${lastId}-${Math.floor(Math.random() * 1e9)}`;
}

function percent(value) {
  return value === null || value === undefined ? "–" : `${(100 * value).toFixed(1)}%`;
}

function whole(value) {
  return value === null || value === undefined ? "–" : value.toLocaleString("en-US");
}

function bytes(value) {
  if (value === null || value === undefined) return "–";
  for (const [size, unit] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
    if (value >= size) return `${(value / size).toFixed(value / size < 10 ? 1 : 0)} ${unit}`;
  }
  return `${value} B`;
}

function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 9.95) return `${value.toFixed(1)} s`;
  if (value < 90) return `${Math.round(value)} s`;
  return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}

// A control labelled for everyone; the label is clickable.
function labelled(text, control, extra = {}) {
  control.id = control.id || freshId();
  return el("div", { class: "ft-field", ...extra }, el("label", { for: control.id }, text), control);
}

// Round numbers that divide a range into some four parts.
function ticks(low, high, wanted = 4) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((item) => item * power).find((item) => span / item <= wanted + 1);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-6; at += step) {
    found.push(Math.abs(at) < step * 1e-6 ? 0 : at);
  }
  return found;
}

function short(value, share) {
  if (!Number.isFinite(value)) return "–";
  if (share) return `${Math.round(value * 100)}%`;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e4 || size < 1e-3) return value.toExponential(0).replace("e+", "e");
  return String(Number(value.toPrecision(3)));
}

// How far a run is. `share` is 0..1, `said` stands behind the bar.
function progressBar(name, kind, share, said) {
  return el("div", { class: `ft-bar ft-bar-${kind}`, role: "progressbar",
    "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(100 * share),
    "aria-label": name, "aria-valuetext": said },
    el("span", { class: "ft-bar-name" }, name),
    el("span", { class: "ft-track" }, el("span", { class: "ft-fill", style: `width:${100 * share}%` })),
    el("span", { class: "ft-left" }, said));
}

// The bar of a run that trains, as the kernel tells of it.
function runBar({ backend, share, status, left }) {
  const said = status !== "running" ? status : left === null ? "starting …" : `${seconds(left)} left`;
  return progressBar(NAMES[backend], backend, share, said);
}

const SHAPES = [
  "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0Z",
  "M-3.2-3.2H3.2V3.2H-3.2Z",
  "M0-4.2L4.2 3.4H-4.2Z",
  "M0-4.8L4.8 0L0 4.8L-4.8 0Z",
  "M-1.4-4.2H1.4V-1.4H4.2V1.4H1.4V4.2H-1.4V1.4H-4.2V-1.4H-1.4Z",
];

// A mark at a place: circle, square, triangle, diamond, plus.
function mark(shape, kind, x, y, scale = 1) {
  return svg("path", { class: `ft-mark ft-${kind}`, d: SHAPES[shape % SHAPES.length],
    transform: `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${scale})` });
}

// Curves in one panel. Each series: {name, kind, faint, points: [[x, y], ...], marks}.
// `kind` is a CSS class that gives colour and stroke, so that both themes have their own.
// `shape` (a number) chooses the marks, `scale` their size, `label` is written beside the last, and
// `named` puts a faint series into the legend. `of` (a number from 1) says whose curve it is, at its end,
// and `lit` lets it stand out. The option `xtick` writes an x, where it is no whole number.
class Plot {
  constructor(options) {
    this.options = options;
    this.width = 460;
    this.height = 250;
    this.root = el("figure", { class: "ft-plot" });
    this.caption = el("figcaption", {}, options.title);
    this.canvas = svg("svg", {
      viewBox: `0 0 ${this.width} ${this.height}`,
      role: "img",
      class: "ft-canvas",
    });
    this.legend = el("div", { class: "ft-legend" });
    this.read = el("div", { class: "ft-read" }, "\u00a0");
    this.root.append(this.caption, this.canvas, this.legend, this.read);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => this.point(null));
    this.at = null;
    this.draw([]);
  }

  draw(series) {
    this.series = series;
    const { share, log, xlabel, xtick } = this.options;
    const shown = series.filter((item) => item.points.length);
    const all = shown.flatMap((item) => item.points).filter((point) => Number.isFinite(point[1]));
    const left = 48, right = 12, top = 8, bottom = 36;
    const most = Math.max(this.options.xmax || 0, ...all.map((point) => point[0]), 1);
    const least = Math.min(this.options.xmin ?? 0, ...all.map((point) => point[0]));
    let low = share ? Math.min(...all.map((point) => point[1]), 0.5) : 0;
    let high = share ? 1 : Math.max(...all.map((point) => point[1]), 0.1) * 1.05;
    if (share) low = Math.max(0, Math.floor(low * 10 - 0.2) / 10);
    if (log) {
      const above = all.map((point) => point[1]).filter((value) => value > 0);
      low = 10 ** Math.floor(Math.log10(Math.min(...above, 1e-3)));
      high = 10 ** Math.ceil(Math.log10(Math.max(...above, low * 10)));
    }
    const exact = log && all.some((point) => point[1] === 0);
    if (exact) low /= 10; // the foot of the axis stands for 0
    const x = (value) =>
      left + ((value - least) / (most - least || 1)) * (this.width - left - right);
    const place = (value) =>
      log
        ? Math.log(Math.max(value, low) / low) / Math.log(high / low)
        : (value - low) / (high - low || 1);
    const y = (value) => this.height - bottom - place(value) * (this.height - top - bottom);
    const parts = [];
    const levels = exact
      ? [low, ...decades(low * 10, high)]
      : log ? decades(low, high) : ticks(low, high);
    for (const value of levels) {
      parts.push(
        svg("line", { class: "ft-grid", x1: left, x2: this.width - right, y1: y(value), y2: y(value) }),
        svg("text", { class: "ft-tick", x: left - 6, y: y(value) + 4, "text-anchor": "end" },
          exact && value === low ? "0" : short(value, share)),
      );
    }
    for (const value of ticks(least, most, 5).filter((item) => xtick || Number.isInteger(item))) {
      parts.push(
        svg("text", { class: "ft-tick", x: x(value), y: this.height - bottom + 16,
          "text-anchor": "middle" }, (xtick || short)(value)),
      );
    }
    parts.push(
      svg("line", { class: "ft-axis", x1: left, x2: this.width - right,
        y1: this.height - bottom, y2: this.height - bottom }),
      svg("text", { class: "ft-tick", x: (left + this.width - right) / 2, y: this.height - 4,
        "text-anchor": "middle" }, xlabel),
    );
    for (const item of shown) {
      const run = [];
      let pen = "M";
      for (const [across, up] of item.points) {
        if (!Number.isFinite(up)) { pen = "M"; continue; }
        run.push(`${pen}${x(across).toFixed(1)} ${y(up).toFixed(1)}`);
        pen = "L";
      }
      const kind = `ft-line ft-${item.kind}${item.faint ? " ft-faint" : ""}${item.lit ? " ft-lit" : ""}`;
      parts.push(svg("path", { class: kind, d: run.join(""), fill: "none", "data-of": item.of }));
      if (item.marks && !item.faint) {
        for (const [across, up] of item.points) {
          if (Number.isFinite(up)) {
            parts.push(item.shape === undefined
              ? svg("circle", { class: `ft-mark ft-${item.kind}`, cx: x(across), cy: y(up), r: 3 })
              : mark(item.shape, item.kind, x(across), y(up), item.scale));
          }
        }
      }
      if (item.label) {
        const [across, up] = item.points[item.points.length - 1];
        const over = x(across) > this.width * 0.7;
        parts.push(svg("text", { class: "ft-tick", x: x(across) + (over ? -12 : 12), y: y(up) + 4,
          "text-anchor": over ? "end" : "start" }, item.label));
      }
    }
    parts.push(...this.ends(shown.filter((item) => item.of !== undefined), x, y));
    if (!shown.length) {
      parts.push(svg("text", { class: "ft-tick", x: (left + this.width) / 2, y: this.height / 2,
        "text-anchor": "middle" }, this.options.empty || "nothing yet"));
    }
    this.cursor = svg("line", { class: "ft-cursor", y1: top, y2: this.height - bottom, x1: -9, x2: -9 });
    parts.push(this.cursor);
    this.scale = { x, least, most, left, right };
    this.canvas.replaceChildren(...parts);
    const clear = shown.filter((item) => !item.faint || item.named);
    this.canvas.setAttribute("aria-label", `${this.options.title}. ${clear.map((item) => {
      const last = item.points[item.points.length - 1];
      return `${item.name}: ${short(last[1], share)} at ${(xtick || short)(last[0])}`;
    }).join("; ") || "nothing yet"}`);
    this.legend.replaceChildren(...clear.map((item) =>
      el("span", { class: "ft-key" },
        svg("svg", { width: 30, height: 10, "aria-hidden": "true" },
          svg("path", { class: `ft-line ft-${item.kind}${item.faint ? " ft-faint" : ""}`, d: "M1 5L29 5" }),
          item.shape === undefined ? null : mark(item.shape, item.kind, 15, 5)),
        item.name)));
    this.tell();
  }

  // Whose curves they are, as a number and a mark at the end of each; one for curves that end alike.
  ends(series, x, y) {
    const found = new Map();
    for (const item of series) {
      const last = item.points.filter((point) => Number.isFinite(point[1])).pop();
      if (last && !found.has(item.of)) found.set(item.of, { item, x: x(last[0]), y: y(last[1]) });
    }
    const placed = [];
    return [...found.values()].sort((one, other) => one.y - other.y).flatMap((end) => {
      const near = placed.filter((one) => Math.abs(one.x - end.x) < 30);
      const high = Math.max(end.y, ...near.map((one) => one.said + 11));
      placed.push({ x: end.x, said: high });
      const side = end.x > this.width - 40 ? -1 : 1;
      const kind = `ft-tick ft-end${end.item.lit ? " ft-lit" : ""}`;
      return [
        mark(end.item.of - 1, end.item.kind, end.x, end.y, 0.8),
        svg("text", { class: kind, x: end.x + (side > 0 ? 7 : 3), y: high + (side > 0 ? 4 : -6), "data-of": end.item.of,
          "text-anchor": side < 0 ? "end" : "start" }, String(end.item.of)),
      ];
    });
  }

  point(event) {
    if (event === null) {
      this.at = null;
    } else {
      const box = this.canvas.getBoundingClientRect();
      const across = ((event.clientX - box.left) / box.width) * this.width;
      const { least, most, left, right } = this.scale;
      const value = least + ((across - left) / (this.width - left - right)) * (most - least);
      this.at = Math.max(least, Math.min(most, value));
    }
    this.tell();
  }

  // The values under the pointer, in words.
  tell() {
    if (this.at === null) {
      this.cursor.setAttribute("x1", -9);
      this.cursor.setAttribute("x2", -9);
      this.read.textContent = "\u00a0";
      return;
    }
    const said = [];
    let where = this.at;
    const named = this.series.filter((one) => one.points.length && (!one.faint || one.named));
    for (const item of named) {
      const near = item.points.reduce((best, point) =>
        Math.abs(point[0] - this.at) < Math.abs(best[0] - this.at) ? point : best);
      where = near[0];
      said.push(`${item.name} ${this.options.share ? percent(near[1]) : Number(near[1]).toPrecision(4)}`);
    }
    const x = this.scale.x(where);
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
    this.read.textContent = said.length ? `${this.options.xlabel} ${(this.options.xtick || short)(where)}: ${said.join(", ")}` : "\u00a0";
  }
}

function decades(low, high) {
  const first = Math.round(Math.log10(low)), last = Math.round(Math.log10(high));
  const step = Math.max(1, Math.ceil((last - first) / 4));
  const found = [];
  for (let power = first; power <= last; power += step) found.push(10 ** power);
  return found;
}

// A button that is told when it may be pressed: one that is disabled would lose the focus.
function command(kind, text, act) {
  const button = el("button", { type: "button", class: kind, onclick: () => {
    if (button.getAttribute("aria-disabled") !== "true") act();
  } }, text);
  return button;
}

// A box for a whole number; what is typed is brought between its bounds, and handed on.
function numberBox(kind, low, high, take) {
  const box = el("input", { type: "number", min: low, max: high, step: 1, class: kind, onchange: () => {
    const value = Math.max(low, Math.min(high, Math.round(Number(box.value)) || low));
    box.value = value;
    take(value);
  } });
  return box;
}

function allow(button, may) {
  button.setAttribute("aria-disabled", String(!may));
}

// Keeps an element's children in step with records, by key: a child that stays is told what is new
// and keeps the focus and what is being typed. `make(item)` gives `{ root, tell(item) }`.
function keyed(parent, key, make) {
  const made = new Map();
  return (items) => {
    const focused = parent.getRootNode().activeElement;
    const wanted = new Set(items.map(key));
    for (const [name, child] of made) {
      if (wanted.has(name)) continue;
      child.root.remove();
      made.delete(name);
    }
    items.forEach((item, at) => {
      const name = key(item);
      if (!made.has(name)) made.set(name, make(item));
      const child = made.get(name);
      child.tell(item);
      if (parent.children[at] !== child.root) parent.insertBefore(child.root, parent.children[at] || null);
    });
    if (parent.contains(focused)) focused.focus({ preventScroll: true }); // a child that is moved loses it
  };
}

// Asks the kernel every few seconds whether it is there. Until it first answers, and while it does
// not, the widget is gone: its root, a fieldset, is disabled, and with it every control inside,
// whatever the widget itself says of them. After some patience a line says so.
// `told` names the traits that only the kernel sets: their changes are signs of life too, and are asked
// for once whenever the kernel is there again, as some may have been missed.
const PING = 2000, PATIENCE = 6000;

function signOfLife(model, root, told) {
  const line = el("p", { class: "ft-dead", role: "status" },
    "No answer from the kernel. It is busy, or it was restarted: then run this cell again.");
  line.hidden = true;
  root.append(line);
  let heard = Date.now();
  const live = (alive) => {
    root.disabled = !alive;
    root.classList.toggle("ft-gone", !alive);
  };
  const hear = () => {
    const back = root.disabled;
    heard = Date.now();
    line.hidden = true;
    live(true);
    if (back) ask(told);
  };
  const miss = () => {
    line.hidden = false;
    live(false);
  };
  const ask = (state) => {
    try {
      model.send({ do: "ping", state });
    } catch (error) {
      miss();
    }
    if (Date.now() - heard > PATIENCE) miss();
  };
  const signs = ["msg:custom", ...told.map((name) => `change:${name}`)];
  for (const sign of signs) model.on(sign, hear);
  const timer = setInterval(ask, PING, []);
  live(false);
  ask([]);
  return () => {
    clearInterval(timer);
    for (const sign of signs) model.off(sign, hear);
  };
}

// Calls what is to be done when a trait changes, beside the sign of life. Gives what ends both.
function listen(model, root, told, work) {
  const changes = Object.entries(work).map(([name, act]) => [`change:${name}`, act]);
  for (const [change, act] of changes) model.on(change, act);
  const end = signOfLife(model, root, told);
  return () => {
    end();
    for (const [change, act] of changes) model.off(change, act);
  };
}

// JupyterLab takes single keys for commands: "dd" would delete the cell.
function frame(el_, kind, name) {
  const root = el("fieldset", { class: `ft ${kind}`, "aria-label": name });
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el_.append(root);
  return root;
}
