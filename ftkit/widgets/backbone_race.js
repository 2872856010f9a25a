// The backbone race's page: drawn from traits alone, so that a reload in mid-run misses nothing.

const HUES = 5;

function millions(value) {
  if (value === 0) return "0";
  return value >= 1e6 ? `${Number((value / 1e6).toPrecision(3))}M` : `${Number((value / 1e3).toPrecision(3))}K`;
}

function render({ model, el: target }) {
  const root = frame(target, "ft-race", "Backbone race");
  const view = model.get("view");
  const change = (part) => {
    model.set("choice", { ...model.get("choice"), ...part });
    model.save_changes();
  };

  const epochs = numberBox("ft-epochs", 1, view.most_epochs, (value) => change({ epochs: value }));
  const budget = numberBox("ft-budget", 0, 36000, (value) => change({ seconds: value }));
  const train = command("ft-train", "Train",
    () => model.send({ do: "train", choice: model.get("choice") }));
  const stop = command("ft-stop", "Stop", () => model.send({ do: "stop" }));
  const bars = el("div", { class: "ft-bars" });
  const note = el("p", { class: "ft-note", role: "status" });

  const time = new Plot({ title: "Validation accuracy against time", xlabel: "seconds", share: true,
    xtick: (value) => short(value) });
  const size = new Plot({ title: "Validation accuracy against size", xlabel: "parameters", share: true,
    xtick: millions });
  const table = el("table", { class: "ft-rows" });

  root.append(
    el("div", { class: "ft-head" },
      el("strong", {}, view.backbones.map((item) => item.name).join(", ")),
      ` on ${view.data}, ${view.strategy}: ${whole(view.train)} pictures to train on, ` +
        `${whole(view.val)} to judge by. One run at a time, so that times can be compared.`),
    el("ul", { class: "ft-runners" }, view.backbones.map((item) =>
      el("li", {}, el("strong", {}, item.name), `: ${item.about}`))),
    el("div", { class: "ft-options" },
      labelled("Epochs", epochs),
      labelled("Seconds for each run, at most (0: no limit)", budget)),
    el("div", { class: "ft-actions" }, train, stop, bars),
    note,
    el("div", { class: "ft-plots" }, time.root, size.root),
    el("div", { class: "ft-scroll" }, table),
  );

  function showChoice() {
    const active = root.getRootNode().activeElement;
    if (active !== epochs) epochs.value = model.get("choice").epochs;
    if (active !== budget) budget.value = model.get("choice").seconds;
  }

  function series(live) {
    const found = { time: [], size: [] };
    live.entries.forEach((entry, place) => entry.runs.forEach((run) => {
      if (!run.points.length) return;
      const first = run.backend === "pytorch";
      const kind = `hue-${place % HUES}${first ? "" : " ft-second"}`;
      const name = `${entry.name}, ${NAMES[run.backend]}`;
      const last = run.points[run.points.length - 1][1];
      found.time.push({ name, kind, points: run.points, marks: true, shape: place });
      found.size.push({ name, kind, points: [[entry.parameters, last]], marks: true, shape: place,
        scale: first ? 1 : 1.8, label: run === entry.runs[0] ? entry.name : "" });
    }));
    return found;
  }

  function showLive() {
    const live = model.get("live");
    const running = Boolean(live.running);
    allow(train, !running);
    allow(stop, running);
    note.textContent = live.note || "";
    if (running) {
      const said = live.left === undefined || live.left === null ? "starting …" : `${seconds(live.left)} left`;
      bars.replaceChildren(progressBar(live.stage || "Waiting for the workers", "race", live.share || 0, said));
    } else {
      bars.replaceChildren();
    }
    const found = series(live);
    time.options.xmax = 1.05 * Math.max(1, ...found.time.flatMap((item) => item.points.map((point) => point[0])));
    time.draw(found.time);
    size.options.xmax = 1.1 * Math.max(1, ...live.entries.map((entry) => entry.parameters));
    size.draw(found.size);
    showTable(live);
  }

  function showTable(live) {
    table.hidden = !live.entries.length;
    const names = view.backends;
    table.replaceChildren(
      el("thead", {}, el("tr", {},
        ["backbone", "parameters", "multiply-adds a picture", ...names.map((name) => `${NAMES[name]} accuracy`),
          ...names.map((name) => `${NAMES[name]} seconds`), ""]
          .map((title) => (title ? el("th", { scope: "col" }, title) : el("td", {}))))),
      el("tbody", {}, live.entries.map((entry) => {
        const of = (name) => entry.runs.find((run) => run.backend === name);
        return el("tr", { "data-backbone": entry.name },
          el("th", { scope: "row" }, entry.name),
          el("td", {}, whole(entry.parameters)),
          el("td", {}, entry.multiplications),
          names.map((name) => el("td", {}, of(name) ? percent(of(name).accuracy) : "–")),
          names.map((name) => el("td", {}, of(name) ? of(name).seconds.toFixed(1) : "–")),
          el("td", { class: "ft-ended" }, entry.runs.map((run) => run.said).filter(Boolean).join("; ")));
      })));
  }

  const end = listen(model, root, ["live"], { choice: showChoice, live: showLive });
  showChoice();
  showLive();
  return end;
}

export default { render };
