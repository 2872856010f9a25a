// The prediction browser's page: filters, confusion, calibration, and one page of pictures.

function render({ model, el: target }) {
  const root = frame(target, "ft-predictions", "Prediction browser");
  const view = () => model.get("view");
  const choice = () => model.get("choice");
  const classes = () => view().classes;
  const change = (part) => {
    model.set("choice", { ...choice(), ...part });
    model.save_changes();
  };

  // What is chosen.
  const strategy = el("select", { class: "ft-strategy",
    onchange: () => change({ strategy: strategy.value, page: 0, cell: null }) });
  const about = el("div", { class: "ft-about" });
  const filters = el("div", { class: "ft-filters", role: "group", "aria-label": "Which pictures" });
  const said = el("p", { class: "ft-chosen", role: "status" });

  // Confusion and calibration.
  const overview = el("div", { class: "ft-overview" });

  // Where the network looks.
  const look = el("input", { type: "checkbox", class: "ft-look", id: freshId(),
    onchange: () => change({ look: look.checked }) });
  const block = el("select", { class: "ft-block-of", onchange: () => change({ block: block.value }) });
  const asked = el("select", { class: "ft-asked", onchange: () => change({ asked: asked.value }) },
    el("option", { value: "predicted" }, "the predicted class"),
    el("option", { value: "truth" }, "the true class"));
  const key = el("span", { class: "ft-scale" });
  const looking = el("div", { class: "ft-looking" });
  const lookNote = el("p", { class: "ft-look-note", role: "status" });

  const grid = el("ul", { class: "ft-cards" });
  const pager = [
    command("ft-before", "‹ Previous", () => change({ page: page() - 1 })),
    command("ft-next", "Next ›", () => change({ page: page() + 1 })),
  ];
  const place = el("span", { class: "ft-place", role: "status" });
  const page = () => Math.floor(model.get("shown").first / model.get("shown").per_page);

  root.append(
    el("div", { class: "ft-options" }, labelled("Strategy", strategy), about),
    overview,
    filters,
    looking,
    el("div", { class: "ft-look-line" }, key, lookNote),
    said,
    grid,
    el("div", { class: "ft-pager" }, pager[0], place, pager[1]),
  );

  function showView() {
    const now = view();
    strategy.replaceChildren(...now.strategies.map((name) => el("option", { value: name }, name)));
    about.textContent = `${now.data}: ${whole(now.filters[0].pictures)} validation pictures`;
    filters.replaceChildren(...now.filters.map((item) =>
      el("button", { type: "button", class: `ft-filter ft-filter-${item.name}`, title: item.about,
        "data-filter": item.name,
        onclick: () => change({ filter: item.name, cell: null, page: 0 }) },
        `${TITLES[item.name]} `, el("span", { class: "ft-count" }, whole(item.pictures)))));
    overview.replaceChildren(
      ...now.frameworks.map((item) => (item.matrix ? matrix(item) : pairs(item))),
      calibration(now.frameworks));
    block.replaceChildren(...now.blocks.map((item) =>
      el("option", { value: item.name }, `${item.name}, ${item.size}`)));
    key.replaceChildren("little ", el("img", { src: now.scale, alt: "" }), " much");
    looking.replaceChildren(
      el("span", {}, look, el("label", { for: look.id }, "Show where the networks look (Grad-CAM)")),
      labelled("in the output of", block), labelled("for", asked));
    showChoice();
  }

  const pressed = (cell) => {
    const chosen = choice().cell;
    return Boolean(chosen) && ["backend", "truth", "predicted"].every((name) => chosen[name] === cell[name]);
  };
  const cellButton = (cell, text, label, extra = {}) =>
    el("button", { type: "button", class: "ft-cell", "aria-label": label,
      "data-cell": `${cell.backend} ${cell.truth} ${cell.predicted}`, ...extra,
      onclick: () => change(pressed(cell)
        ? { cell: null, page: 0 } : { cell, filter: "all", page: 0 }) }, text);
  const cellWords = (cell, pictures) => {
    const truth = classes()[cell.truth], predicted = classes()[cell.predicted];
    const count = `${whole(pictures)} ${pictures === 1 ? "picture" : "pictures"} of ${truth}`;
    return cell.truth === cell.predicted
      ? `${NAMES[cell.backend]}: ${count} recognised`
      : `${NAMES[cell.backend]}: ${count} taken for ${predicted}`;
  };

  function matrix(item) {
    const table = el("table", { class: classes().length > 4 ? "ft-matrix ft-many" : "ft-matrix" },
      el("caption", {}, `${NAMES[item.backend]}, ${percent(item.accuracy)} right`),
      el("thead", {},
        el("tr", {}, el("td", {}), el("th", { colspan: classes().length, scope: "colgroup", class: "ft-across" }, "taken for")),
        el("tr", {}, el("th", { scope: "col" }, "truth"),
          classes().map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, item.matrix.map((row, truth) => {
        const all = row.reduce((sum, value) => sum + value, 0) || 1;
        return el("tr", {}, el("th", { scope: "row" }, classes()[truth]),
          row.map((pictures, predicted) => {
            const cell = { backend: item.backend, truth, predicted };
            return el("td", {}, cellButton(cell, whole(pictures), cellWords(cell, pictures), {
              style: `--share: ${Math.round((50 * pictures) / all)}%`,
              class: truth === predicted ? "ft-cell ft-right-cell" : "ft-cell",
            }));
          }));
      })));
    // One stop of the Tab key; the arrows move inside.
    const buttons = [...table.querySelectorAll("button")];
    buttons.forEach((button, at) => button.setAttribute("tabindex", at ? -1 : 0));
    table.addEventListener("keydown", (event) => {
      const at = buttons.indexOf(event.target);
      const side = classes().length;
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -side, ArrowDown: side }[event.key];
      if (at < 0 || step === undefined) return;
      event.preventDefault();
      const next = buttons[at + step];
      if (!next || (Math.abs(step) === 1 && Math.floor(at / side) !== Math.floor((at + step) / side))) return;
      buttons.forEach((button) => button.setAttribute("tabindex", button === next ? 0 : -1));
      next.focus();
    });
    return table;
  }

  function pairs(item) {
    return el("div", { class: "ft-pairs" },
      el("strong", {}, `${NAMES[item.backend]}, ${percent(item.accuracy)} right`),
      el("p", {}, item.pairs.length ? "Mistaken most often:" : "No mistake."),
      el("ul", {}, item.pairs.map((pair) => {
        const cell = { backend: item.backend, truth: pair.truth, predicted: pair.predicted };
        return el("li", {}, cellButton(cell,
          `${classes()[pair.truth]} for ${classes()[pair.predicted]}: ${pair.pictures} of ${pair.of}`,
          cellWords(cell, pair.pictures)));
      })));
  }

  function calibration(frameworks) {
    const side = 190, left = 44, top = 8, bottom = 34;
    const x = (value) => left + value * side;
    const y = (value) => top + (1 - value) * side;
    const error = frameworks.map((item) =>
      `${NAMES[item.backend]} ${percent(item.error)}`).join(", ");
    const picture = svg("svg", { class: "ft-canvas", role: "img",
      viewBox: `0 0 ${left + side + 24} ${top + side + bottom}`,
      "aria-label": `Calibration: share that is right against confidence. Expected calibration error: ${error}.` },
      [0, 0.25, 0.5, 0.75, 1].flatMap((value) => [
        svg("line", { class: "ft-grid", x1: x(0), x2: x(1), y1: y(value), y2: y(value) }),
        svg("text", { class: "ft-tick", x: x(0) - 5, y: y(value) + 4, "text-anchor": "end" }, short(value, true)),
        svg("text", { class: "ft-tick", x: x(value), y: y(0) + 15, "text-anchor": "middle" }, short(value, true)),
      ]),
      svg("line", { class: "ft-phase", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }),
      svg("text", { class: "ft-tick", x: x(0.5), y: y(0) + 30, "text-anchor": "middle" }, "confidence"),
      frameworks.flatMap((item, shape) => [
        svg("path", { class: `ft-line ft-${item.backend}`, fill: "none",
          d: item.bins.map((bin, at) => `${at ? "L" : "M"}${x(bin.confidence)} ${y(bin.accuracy)}`).join("") }),
        ...item.bins.map((bin) => mark(shape, item.backend, x(bin.confidence), y(bin.accuracy))),
      ]));
    const numbers = el("details", {},
      el("summary", {}, "In numbers"),
      el("table", {},
        el("thead", {}, el("tr", {}, ["framework", "confidence", "pictures", "mean", "right"]
          .map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, frameworks.flatMap((item) => item.bins.map((bin) => el("tr", {},
          [NAMES[item.backend], `${short(bin.low, true)} to ${short(bin.high, true)}`, whole(bin.pictures),
            percent(bin.confidence), percent(bin.accuracy)].map((value) => el("td", {}, value))))))));
    return el("figure", { class: "ft-plot ft-calibration" },
      el("figcaption", {}, "Calibration: share that is right"),
      picture,
      el("div", { class: "ft-legend" }, frameworks.map((item, shape) => el("span", { class: "ft-key" },
        svg("svg", { width: 30, height: 10, "aria-hidden": "true" },
          svg("path", { class: `ft-line ft-${item.backend}`, d: "M1 5L29 5" }),
          mark(shape, item.backend, 15, 5)),
        NAMES[item.backend]))),
      el("p", { class: "ft-read" }, `Expected calibration error: ${error}. On the dotted line a ` +
        "network is right as often as it says; below it, it is too sure of itself."),
      numbers);
  }

  function showChoice() {
    const now = choice();
    strategy.value = now.strategy;
    for (const button of filters.children) {
      const on = button.dataset.filter === now.filter && !now.cell;
      button.setAttribute("aria-pressed", String(on));
    }
    for (const button of overview.querySelectorAll(".ft-cell")) {
      const chosen = now.cell && `${now.cell.backend} ${now.cell.truth} ${now.cell.predicted}`;
      button.setAttribute("aria-pressed", String(button.dataset.cell === chosen));
    }
    look.checked = now.look;
    block.value = now.block;
    asked.value = now.asked;
    const none = Boolean(view().no_weights);
    for (const control of [look, block, asked]) {
      control.disabled = none || (control !== look && !now.look);
    }
    key.hidden = none || !now.look;
  }

  function showPage() {
    const shown = model.get("shown");
    const filter = view().filters.find((item) => item.name === shown.filter);
    said.textContent = shown.cell
      ? `${cellWords(shown.cell, shown.total)}.`
      : `${TITLES[filter.name]}: ${filter.about}.`;
    lookNote.textContent = view().no_weights || shown.note || (shown.look
      ? shown.waiting
        ? "The networks are being asked …"
        : "Each map is scaled to its own largest value. A light place speaks for the class."
      : "");
    grid.replaceChildren(...shown.pictures.map((item) => card(item, shown)));
    if (!shown.pictures.length) grid.append(el("li", { class: "ft-empty" }, "No picture is like that."));
    const last = shown.first + shown.pictures.length;
    place.textContent = shown.total ? `${shown.first + 1}–${last} of ${whole(shown.total)}` : "0";
    allow(pager[0], shown.first > 0);
    allow(pager[1], last < shown.total);
  }

  function card(item, shown) {
    return el("li", { class: "ft-card", "data-number": item.number },
      el("img", { class: "ft-picture", src: item.picture, alt: `Picture ${item.number}` }),
      el("div", { class: "ft-truth" }, item.truth, el("span", { class: "ft-number" }, `#${item.number}`)),
      item.guesses.map((guess) => el("div", { class: `ft-guess ${guess.right ? "ft-right" : "ft-wrong"}` },
        el("span", { class: "ft-by" }, `${NAMES[guess.backend]} `),
        el("span", { class: "ft-sign", role: "img", "aria-label": guess.right ? "right" : "wrong" },
          guess.right ? "✓" : "✗"),
        ` ${guess.predicted} ${guess.confidence}`)),
      shown.look && el("div", { class: "ft-looks" }, item.guesses.map((guess) =>
        el("figure", {}, guess.look
          ? el("img", { src: guess.look.picture,
            alt: `${NAMES[guess.backend]} looks most at: ${guess.look.place}` })
          : el("div", { class: "ft-no-look" }, shown.waiting ? "…" : "–"),
        el("figcaption", {}, NAMES[guess.backend])))));
  }

  const end = listen(model, root, ["view", "shown"],
    { view: showView, choice: showChoice, shown: showPage });
  showView();
  showPage();
  return end;
}

const TITLES = {
  all: "All",
  right: "Right",
  wrong: "Wrong",
  uncertain: "Uncertain",
  disagree: "The frameworks disagree",
};

export default { render };
