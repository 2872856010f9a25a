// The difference lab's page: drawn from traits alone, so that a reload in mid-run misses nothing.

const FLOATS = { fp64: "float64", fp32: "float32" };

function render({ model, el: target }) {
  const root = frame(target, "ft-differences", "Difference lab");
  const view = model.get("view");
  const group = freshId();

  const change = (part) => {
    model.set("choice", { ...model.get("choice"), ...part });
    model.save_changes();
    showChoice();
  };

  // The switches.
  const radios = view.differences.map((item) =>
    el("input", { type: "radio", name: group, value: item.name, id: freshId(),
      class: "ft-difference", onchange: () => change({ difference: item.name }) }));
  const tried = view.differences.map(() => el("span", { class: "ft-tried" }));
  const list = el("fieldset", { class: "ft-switches" }, el("legend", {}, "Switch on"),
    view.differences.map((item, at) =>
      el("div", { class: "ft-switch" }, radios[at],
        el("label", { for: radios[at].id }, item.name), tried[at])));
  const about = el("div", { class: "ft-detail", "aria-live": "polite" });

  const precision = el("select", { class: "ft-precision",
    onchange: () => change({ precision: precision.value }) },
    view.precisions.map((name) => el("option", { value: name }, FLOATS[name] || name)));
  const train = command("ft-train", "Train",
    () => model.send({ do: "train", choice: model.get("choice") }));
  const stop = command("ft-stop", "Stop", () => model.send({ do: "stop" }));
  const stage = el("span", { class: "ft-stage", role: "status" });
  const bars = el("div", { class: "ft-bars" });
  const note = el("p", { class: "ft-note", role: "status" });

  const loss = new Plot({ title: "Training loss", xlabel: "step", xmin: 1 });
  const gap = new Plot({ title: "Difference of the losses", xlabel: "step", xmin: 1, log: true });
  const body = el("tbody", {});
  const table = el("table", { class: "ft-rows" },
    el("thead", {}, el("tr", {},
      ["difference", "arithmetic", `losses part by, in ${view.compared} steps`, "nothing switched on",
        "PyTorch accuracy", "TensorFlow accuracy"].map((title) => el("th", { scope: "col" }, title)))),
    body);
  const fillRows = keyed(body, (row) => row.key, rowOf);

  root.append(
    el("div", { class: "ft-pick" }, list, about),
    el("div", { class: "ft-actions" }, labelled("Arithmetic", precision), train, stop, stage, bars),
    note,
    el("div", { class: "ft-plots" }, loss.root, gap.root),
    el("div", { class: "ft-scroll" }, table),
  );

  const side = (title, said, lines) =>
    el("div", { class: "ft-own" },
      el("h4", {}, title),
      el("p", {}, said),
      lines.map((line) => el("div", { class: "ft-quoted" },
        el("span", { class: "ft-file" }, line.file + (line.inside ? `, ${line.inside}` : "")),
        el("code", {}, line.text))));

  function showChoice() {
    const choice = model.get("choice");
    const chosen = view.differences.find((item) => item.name === choice.difference);
    radios.forEach((radio) => { radio.checked = radio.value === choice.difference; });
    precision.value = choice.precision;
    about.replaceChildren(
      el("h3", {}, chosen.name),
      el("div", { class: "ft-owns" },
        side("PyTorch by itself", chosen.pytorch, chosen.pytorch_lines),
        side("Keras by itself", chosen.keras, chosen.keras_lines)),
      el("p", { class: "ft-seen" }, el("strong", {}, "Matched, as it is by default: "), `${chosen.matched}.`),
      el("p", { class: "ft-seen" }, el("strong", {}, "Where it shows: "), chosen.seen));
    showCurves();
  }

  // The curves of the trial in progress; without one, of the chosen difference, if it was tried.
  function shown() {
    const live = model.get("live");
    if (live.running) return { name: live.name, curves: live.curves };
    const choice = model.get("choice");
    return model.get("rows").find((row) =>
      row.difference === choice.difference && row.precision === choice.precision);
  }

  function showCurves() {
    const now = shown();
    const curves = now ? now.curves : { switched: {}, matched: {}, gap: [], matched_gap: [] };
    const losses = [];
    Object.values(curves.matched).forEach((points, at) =>
      losses.push({ name: "both, nothing switched on", kind: "matched", faint: true, named: !at, points }));
    for (const [backend, points] of Object.entries(curves.switched)) {
      losses.push({ name: NAMES[backend], kind: backend, points });
    }
    const title = now ? `, ${now.name}` : "";
    loss.options.title = loss.caption.textContent = `Training loss${title}`;
    gap.options.title = gap.caption.textContent = `Difference of the losses${title}`;
    loss.draw(losses);
    gap.draw([
      { name: "nothing switched on", kind: "matched", faint: true, named: true, points: curves.matched_gap },
      { name: "switched on", kind: "third", points: curves.gap },
    ]);
  }

  function showLive() {
    const live = model.get("live");
    const running = Boolean(live.running);
    allow(train, !running && !view.missing);
    allow(stop, running);
    note.textContent = live.note || "";
    stage.textContent = running ? live.stage : "";
    bars.replaceChildren(...(running ? live.bars : []).map(runBar));
    showCurves();
  }

  function showRows() {
    const rows = model.get("rows");
    tried.forEach((mark, at) => {
      const found = rows.filter((row) => row.difference === view.differences[at].name);
      mark.textContent = found.length ? found[found.length - 1].largest : "";
    });
    table.hidden = !rows.length;
    const tries = {}; // a recipe of one's own may have changed between two of the same name
    fillRows(rows.map((row) => {
      tries[row.name] = (tries[row.name] || 0) + 1;
      return { ...row, key: `${row.name} ${tries[row.name]}` };
    }));
    showCurves();
  }

  function rowOf({ name, difference, precision: arithmetic }) {
    const cells = Array.from({ length: 4 }, () => el("td", {}));
    cells[0].className = "ft-largest";
    const tr = el("tr", { "data-difference": difference },
      el("td", {}, el("button", { type: "button", class: "ft-show", "aria-label": `Show the curves of ${name}`,
        onclick: () => change({ difference, precision: arithmetic }) }, difference)),
      el("td", {}, FLOATS[arithmetic] || arithmetic), cells);
    const tell = (row) => {
      const said = [row.steps < view.compared ? `${row.largest} (in ${row.steps})` : row.largest,
        row.matched, ...["pytorch", "tensorflow"].map((backend) => row.accuracy[backend] || "–")];
      cells.forEach((cell, at) => { cell.textContent = said[at]; });
    };
    return { root: tr, tell };
  }

  const end = listen(model, root, ["live", "rows"],
    { choice: showChoice, live: showLive, rows: showRows });
  showChoice();
  showRows();
  showLive();
  return end;
}

export default { render };
