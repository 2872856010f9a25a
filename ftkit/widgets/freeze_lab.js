// The freeze lab's page: drawn from traits alone, so that a reload in mid-run misses nothing.

const POLICIES = {
  inference: "inference: running statistics, unchanged",
  statistics: "statistics: each batch's own; running ones move",
  train: "train: each batch's own, and scale and shift learn",
};

function render({ model, el: target }) {
  const root = frame(target, "ft-lab", "Freeze lab");
  const view = () => model.get("view");
  const blocks = () => view().blocks;
  const last = () => blocks().length - 1;

  const change = (part) => {
    model.set("choice", { ...model.get("choice"), ...part });
    model.save_changes();
    showChoice();
  };

  // The network, to scale.
  const diagram = svg("svg", { class: "ft-diagram", role: "img", viewBox: "0 0 900 150" });
  const head = el("div", { class: "ft-head" },
    el("strong", {}, view().backbone),
    el("span", {}, ` on ${view().data}: ${whole(view().train)} pictures to train on, ` +
      `${whole(view().val)} to judge by, ${view().size} pixels, ${view().classes.length} classes`));

  const slider = el("input", {
    type: "range", min: 0, max: last(), step: 1, class: "ft-depth",
    oninput: () => change({ depth: Number(slider.value), preset: keepPreset() }),
  });
  const keepPreset = () => (model.get("choice").preset === "two-phase" ? "two-phase" : "");
  const depthSaid = el("output", { class: "ft-depth-said" });
  const presets = el("div", { class: "ft-presets", role: "group", "aria-label": "Presets" },
    [
      ["feature extraction", { depth: last(), preset: "" }],
      ["last block", { depth: last() - 1, preset: "" }],
      ["everything", { depth: 0, preset: "" }],
      ["two-phase", { depth: last() - 1, preset: "two-phase" }],
    ].map(([name, part]) =>
      el("button", { type: "button", class: "ft-preset", "data-preset": name, "aria-pressed": "false",
        onclick: () => change(part) }, name)));

  const epochs = numberBox("ft-epochs", 1, 200, (value) => change({ epochs: value }));
  const frozen = el("select", { class: "ft-frozen-bn", onchange: () => change({ frozen: frozen.value }) },
    view().policies.map((name) => el("option", { value: name }, POLICIES[name])));
  const learning = el("select", { class: "ft-learning-bn",
    onchange: () => change({ learning: learning.value }) },
    ["auto", ...view().policies].map((name) => el("option", { value: name }, name)));
  const boxes = view().backends.map((name) => {
    const box = el("input", { type: "checkbox", class: `ft-use-${name}`, onchange: () => {
      const now = view().backends.filter((item, at) => boxes[at].checked);
      change({ backends: now });
    } });
    return box;
  });
  const use = el("fieldset", { class: "ft-use" }, el("legend", {}, "Train in"),
    view().backends.map((name, at) => {
      boxes[at].id = freshId();
      return el("span", {}, boxes[at], el("label", { for: boxes[at].id }, NAMES[name]));
    }));

  const figures = el("table", { class: "ft-figures" });
  const train = command("ft-train", "Train",
    () => model.send({ do: "train", choice: model.get("choice") }));
  const stop = command("ft-stop", "Stop", () => model.send({ do: "stop" }));
  const bars = el("div", { class: "ft-bars" });
  const note = el("p", { class: "ft-note", role: "status" });

  const loss = new Plot({ title: "Training loss", xlabel: "step", xmin: 1 });
  const accuracy = new Plot({ title: "Validation accuracy", xlabel: "step", share: true });
  const named = (what) => view().backends.map((name) => `${NAMES[name]} ${what}`);
  const body = el("tbody", {});
  const table = el("table", { class: "ft-rows" },
    el("thead", {}, el("tr", {},
      ["row", "name", "depth", "learn", "epochs", ...named("accuracy"), ...named("seconds"), "audit", ""]
        .map((title) => (title ? el("th", { scope: "col" }, title) : el("td", {}))))),
    body);
  const fillRows = keyed(body, (row) => row.number, rowOf);
  let lit = null; // the row whose curves stand out
  const save = el("button", { type: "button", class: "ft-save",
    onclick: () => model.send({ do: "save" }) }, "Save all");

  root.append(
    head,
    diagram,
    labelled("Freeze depth", slider, { class: "ft-field ft-wide" }),
    depthSaid,
    presets,
    figures,
    el("div", { class: "ft-options" },
      labelled("Epochs", epochs),
      labelled("Batch norm in frozen blocks", frozen),
      labelled("Batch norm in the others", learning),
      use),
    el("div", { class: "ft-actions" }, train, stop, bars),
    note,
    el("div", { class: "ft-plots" }, loss.root, accuracy.root),
    el("div", { class: "ft-scroll" }, table),
    save,
  );

  function drawDiagram() {
    const depth = model.get("choice").depth;
    const two = model.get("choice").preset === "two-phase";
    const list = blocks();
    const widths = scaled(list.map((item) => item.share), 900 - 6 * (list.length - 1), 74);
    const high = Math.max(...list.map((item) => item.cost), 1e-9);
    const parts = [
      svg("defs", {}, svg("pattern", { id: pattern, width: 8, height: 8,
        patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        svg("rect", { width: 8, height: 8, class: "ft-frozen-ground" }),
        svg("line", { x1: 0, x2: 0, y1: 0, y2: 8, class: "ft-hatch" }))),
    ];
    let x = 0;
    list.forEach((item, at) => {
      const still = at < depth && at < list.length - 1;
      const cost = Math.max(3, (40 * item.cost) / high);
      const group = svg("g", { class: still ? "ft-block ft-frozen" : "ft-block ft-learns" },
        svg("title", {}, `${item.name}: ${whole(item.parameters)} parameters, ` +
          `${item.multiplications} multiply-adds a picture, ${still ? "frozen" : "learns"}`),
        svg("rect", { x, y: 4, width: widths[at], height: 62, rx: 4, class: "ft-box",
          fill: still ? `url(#${pattern})` : undefined }),
        svg("text", { x: x + widths[at] / 2, y: 26, class: "ft-block-name" }, item.name),
        svg("text", { x: x + widths[at] / 2, y: 42, class: "ft-block-said" }, item.said),
        svg("text", { x: x + widths[at] / 2, y: 58, class: "ft-block-said" },
          still ? "✱ frozen" : "learns"),
        svg("rect", { x: x + 2, y: 118 - cost, width: Math.max(4, widths[at] - 4), height: cost,
          class: "ft-cost" }),
        svg("text", { x: x + widths[at] / 2, y: 132, class: "ft-block-said" },
          `${(100 * item.cost).toFixed(item.cost < 0.0995 ? 1 : 0)}%`));
      group.addEventListener("click", () => {
        if (!root.disabled) change({ depth: Math.min(at + (still ? 0 : 1), last()), preset: keepPreset() });
      });
      parts.push(group);
      x += widths[at] + 6;
    });
    parts.push(svg("text", { x: 0, y: 147, class: "ft-legend-text" },
      "width: parameters · bars: share of the multiply-adds of a picture"));
    diagram.replaceChildren(...parts);
    const names = list.slice(0, depth).map((item) => item.name);
    const said = names.length ? `Frozen: ${names.join(", ")}.` : "Nothing is frozen.";
    diagram.setAttribute("aria-label", `${said} ${list.slice(depth).map((item) => item.name).join(", ")} ` +
      `learn${depth === last() ? "s" : ""}.${two ? " In a first phase only the head learns." : ""}`);
  }

  function showChoice() {
    const choice = model.get("choice");
    slider.value = choice.depth;
    const names = blocks().slice(0, choice.depth).map((item) => item.name);
    const said = choice.depth === 0
      ? "0: everything learns"
      : `${choice.depth}: frozen up to ${names[names.length - 1]}`;
    depthSaid.textContent = said + (choice.preset === "two-phase" ? ", after a phase of the head alone" : "");
    slider.setAttribute("aria-valuetext", depthSaid.textContent);
    for (const button of presets.children) {
      const name = button.dataset.preset;
      const on = choice.preset === "two-phase"
        ? name === "two-phase"
        : { "feature extraction": last(), "last block": last() - 1, everything: 0 }[name] === choice.depth;
      button.setAttribute("aria-pressed", String(on));
    }
    if (root.getRootNode().activeElement !== epochs) epochs.value = choice.epochs;
    frozen.value = choice.frozen;
    learning.value = choice.learning;
    view().backends.forEach((name, at) => { boxes[at].checked = choice.backends.includes(name); });
    drawDiagram();
    showFigures();
  }

  function showFigures() {
    const choice = model.get("choice");
    const policy = model.get("figures")[choice.frozen];
    if (!policy) return;
    const line = policy[choice.depth];
    const now = choice.preset === "two-phase" ? line.two_phase : line;
    // Epochs and the other policy change all lines: the kernel is asked, and these are not it yet.
    const fits = line.of.epochs === choice.epochs && line.of.learning === choice.learning;
    figures.classList.toggle("ft-stale", !fits);
    const unknown = model.get("measuring") ? "measuring …" : "could not be measured";
    const times = view().backends.map((name) => {
      const known = now.seconds[name];
      return known === undefined ? unknown : fits ? `≈ ${seconds(known)}` : "…";
    });
    const rows = [
      ["learn", `${now.phases.map(whole).join(", then ")} parameters`],
      ["frozen", `${now.phases.map((learns) => whole(view().total - learns)).join(", then ")} parameters`],
      ...view().backends.map((name, at) => [`expected in ${NAMES[name]}`, times[at]]),
      ["memory beside the framework", `≈ ${bytes(now.memory)}`],
      ["computed once", now.kept ? `up to ${now.kept}` : "nothing"],
    ];
    figures.replaceChildren(el("tbody", {}, rows.map(([name, value]) =>
      el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)))));
  }

  function series() {
    const live = model.get("live");
    const found = { loss: [], accuracy: [] };
    const add = (run, name, faint, of) => {
      const label = `${NAMES[run.backend]}${name}`;
      const shared = { name: label, kind: run.backend, faint, of, lit: of !== undefined && of === lit };
      found.loss.push({ ...shared, points: run.loss });
      found.accuracy.push({ ...shared, points: run.accuracy, marks: true });
    };
    const rows = model.get("rows");
    rows.forEach((row, at) => {
      const latest = !live.running && at === rows.length - 1;
      row.runs.forEach((run) => add(run, latest ? `, ${row.name}` : "", !latest, row.number));
    });
    if (live.running) live.runs.forEach((run) => add(run, "", false));
    const onTop = (one, other) => Boolean(one.lit) - Boolean(other.lit);
    return { loss: found.loss.sort(onTop), accuracy: found.accuracy.sort(onTop) };
  }

  function showCurves() {
    const found = series();
    const live = model.get("live");
    loss.options.xmax = accuracy.options.xmax =
      live.running ? Math.max(...live.runs.map((run) => run.total), 1) : 0;
    loss.draw(found.loss);
    accuracy.draw(found.accuracy);
  }

  function showLive() {
    const live = model.get("live");
    const running = Boolean(live.running);
    const busy = running || Boolean(live.waiting);
    allow(train, !busy);
    allow(stop, busy);
    note.textContent = live.note || "";
    bars.replaceChildren(...(running ? live.bars : []).map(runBar));
    showCurves();
  }

  function showRows() {
    const rows = model.get("rows");
    save.hidden = !rows.length;
    table.hidden = !rows.length;
    const focused = table.contains(root.getRootNode().activeElement);
    fillRows(rows);
    const lost = focused && !table.contains(root.getRootNode().activeElement);
    if (lost) (body.querySelector("tr:last-child .ft-remove") || train).focus();
    if (!rows.some((row) => row.number === lit)) lit = null;
    showCurves();
  }

  function rowOf({ number }) {
    const input = el("input", { type: "text", class: "ft-name", "aria-label": `Name of row ${number}`,
      onchange: () => model.send({ do: "rename", number, name: input.value }) });
    const remove = el("button", { type: "button", class: "ft-remove",
      onclick: () => model.send({ do: "remove", number }) }, "✕");
    const cells = Array.from({ length: 4 + 2 * view().backends.length }, () => el("td", {}));
    cells[cells.length - 1].className = "ft-audit";
    const light = (now) => () => {
      const focus = tr.contains(root.getRootNode().activeElement);
      lit = now || focus ? number : lit === number ? null : lit;
      showCurves();
    };
    const tr = el("tr", { "data-row": number, onpointerenter: light(true), onpointerleave: light(false),
      onfocusin: light(true), onfocusout: () => setTimeout(light(false)) },
      el("th", { scope: "row", class: "ft-of" }, svg("svg", { width: 12, height: 12, "aria-hidden": "true" },
        mark(number - 1, "own", 6, 6)), String(number)),
      el("td", {}, input), cells, el("td", {}, remove));
    const tell = (row) => {
      if (root.getRootNode().activeElement !== input) input.value = row.name;
      remove.setAttribute("aria-label", `Remove row ${number}, ${row.name}`);
      const of = view().backends.map((name) => row.runs.find((run) => run.backend === name));
      const ended = row.runs.filter((run) => run.status !== "done")
        .map((run) => `${NAMES[run.backend]} ${run.status}`).join(", ");
      const audits = [...new Set(row.runs.map((run) => run.audit))].join("; ");
      const said = [row.depth, whole(row.trainable), row.epochs,
        ...of.map((run) => (run ? percent(run.val) : "–")),
        ...of.map((run) => (run ? run.seconds.toFixed(1) : "–")),
        [ended, audits].filter(Boolean).join("; ")];
      cells.forEach((cell, at) => { cell.textContent = said[at]; });
    };
    return { root: tr, tell };
  }

  const pattern = freshId();
  const end = listen(model, root, ["figures", "measuring", "live", "rows"], {
    choice: showChoice, figures: showFigures, measuring: showFigures, live: showLive, rows: showRows });
  showChoice();
  showRows();
  showLive();
  return end;
}

// Widths in proportion, none too narrow to read; the others give what these take.
function scaled(shares, span, least) {
  const narrow = new Set();
  for (;;) {
    const rest = shares.reduce((sum, value, at) => sum + (narrow.has(at) ? 0 : value), 0);
    const room = span - least * narrow.size;
    const widths = shares.map((value, at) => (narrow.has(at) || !rest ? least : (room * value) / rest));
    const found = widths.map((width, at) => [width, at]).filter(([width, at]) => width < least && !narrow.has(at));
    if (!found.length) return widths;
    found.forEach(([, at]) => narrow.add(at));
  }
}

export default { render };
