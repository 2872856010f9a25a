// Two sources in two columns. Everything is in the page: it works without the kernel too.

const COLUMNS = ["pytorch", "tensorflow"];

function render({ model, el: target }) {
  const root = frame(target, "ft-side", "Side by side: the source of both frameworks");
  const steps = model.get("steps");
  const own = freshId();
  const shown = {}; // by step, the number of the explanation that is open
  let docstrings = false;

  const tabs = steps.map((step, at) =>
    el("button", {
      type: "button", role: "tab", class: "ft-tab", id: `${own}-tab-${step.name}`,
      "data-step": step.name, "aria-controls": `${own}-panel`,
      onclick: () => open(step.name),
      onkeydown: (event) => {
        const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: steps.length - 1 }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        const next = (to + steps.length) % steps.length;
        open(steps[next].name);
        tabs[next].focus();
      },
    }, `${at + 1}. ${step.title}`));
  const panel = el("div", { role: "tabpanel", id: `${own}-panel`, class: "ft-panel" });
  root.append(el("div", { role: "tablist", class: "ft-tabs", "aria-label": "Steps" }, tabs), panel);

  function open(name) {
    if (model.get("step") === name) return;
    model.set("step", name);
    model.save_changes();
  }

  function show() {
    const name = model.get("step");
    const step = steps.find((item) => item.name === name);
    for (const tab of tabs) {
      const on = tab.dataset.step === name;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
    }
    panel.setAttribute("aria-labelledby", `${own}-tab-${name}`);
    const box = el("input", { type: "checkbox", class: "ft-docstrings", id: freshId() });
    box.checked = docstrings;
    const code = el("div", { class: "ft-code", role: "region", tabindex: 0,
      "aria-label": `Source of the step ${step.title}` }, step.pieces.map((piece) => pieceOf(piece, choose)));
    const fold = () => code.classList.toggle("ft-folded", !docstrings);
    box.addEventListener("change", () => {
      docstrings = box.checked;
      fold();
    });
    fold();
    const saying = el("div", { class: "ft-saying", role: "status" });
    const before = el("button", { type: "button", class: "ft-before", onclick: () => go(-1) }, "Previous");
    const after = el("button", { type: "button", class: "ft-after", onclick: () => go(1) }, "Next");
    panel.replaceChildren(
      el("p", { class: "ft-step-text" }, step.text),
      el("div", { class: "ft-side-keys" },
        el("span", { class: "ft-key" }, el("span", { class: "ft-sign ft-sign-mark", "aria-hidden": "true" }, "1"),
          "differs in meaning: choose the number"),
        el("span", { class: "ft-key" }, el("span", { class: "ft-sign", "aria-hidden": "true" }, "≈"),
          "spelled differently"),
        el("span", { class: "ft-key" }, el("span", { class: "ft-sign", "aria-hidden": "true" }, "+"),
          "here alone"),
        el("span", { class: "ft-switch" }, box, el("label", { for: box.id }, "Docstrings"))),
      code,
      el("div", { class: "ft-explained" }, saying, el("div", { class: "ft-turn" }, before, after)),
    );

    function go(by) {
      const count = step.remarks.length;
      const now = shown[name] ? shown[name] - 1 + by : by > 0 ? 0 : count - 1;
      choose(((now + count) % count) + 1);
      const line = code.querySelector(".ft-shown");
      // Only the code scrolls, not the notebook.
      if (line) {
        const away = line.getBoundingClientRect().top - code.getBoundingClientRect().top;
        code.scrollTop += away - code.clientHeight / 3;
      }
    }

    function choose(number) {
      shown[name] = number;
      for (const button of code.querySelectorAll(".ft-mark-button")) {
        const on = Number(button.dataset.number) === number;
        button.setAttribute("aria-pressed", String(on));
      }
      for (const line of code.querySelectorAll("[data-marks]")) {
        line.classList.toggle("ft-shown", line.dataset.marks.split(" ").includes(String(number)));
      }
      const remark = step.remarks[number - 1];
      saying.replaceChildren(...(remark
        ? [el("strong", {}, `${number} of ${step.remarks.length}. ${remark.title}. `), remark.text]
        : [el("span", { class: "ft-soft-text" },
          `${step.remarks.length} places differ in meaning. Choose a number, or press Next.`)]));
    }

    choose(shown[name]);
  }

  model.on("change:step", show);
  show();
  return () => model.off("change:step", show);
}

// A function: a heading and two columns, whose rows stand level.
function pieceOf(piece, choose) {
  const rows = piece.rows;
  const signs = { same: "", like: "≈", alone: "+" };
  const sides = COLUMNS.map((backend) => {
    const head = piece.heads[backend];
    if (head.absent) {
      return el("div", { class: `ft-column ft-column-${backend}`, role: "group", "aria-label": NAMES[backend] },
        el("div", { class: "ft-column-head" }, el("strong", {}, NAMES[backend])),
        el("p", { class: "ft-absent" }, head.absent));
    }
    const lines = rows.map((row) => {
      const half = row[backend];
      const doc = COLUMNS.every((name) => !row[name] || row[name].doc);
      if (!half) return el("div", { class: `ft-row ft-gap${doc ? " ft-doc" : ""}`, "aria-hidden": "true" });
      const buttons = half.marks.map((number) =>
        el("button", { type: "button", class: "ft-mark-button", "data-number": number, "aria-pressed": "false",
          "aria-label": `Difference ${number}, ${NAMES[backend]}, line ${half.line}`,
          onclick: () => choose(number), onfocus: () => choose(number) }, number));
      return el("div", { class: `ft-row ft-row-${row.kind}${doc ? " ft-doc" : ""}`,
        "data-marks": half.marks.length ? half.marks.join(" ") : undefined },
        el("span", { class: "ft-line-number", "aria-hidden": "true" }, half.line),
        el("span", { class: "ft-signs" }, buttons.length ? buttons
          : el("span", { class: "ft-sign", "aria-hidden": "true" }, signs[row.kind])),
        codeOf(half.words));
    });
    return el("div", { class: `ft-column ft-column-${backend}`, role: "group",
      "aria-label": `${NAMES[backend]}: ${head.name}` },
      el("div", { class: "ft-column-head" }, el("strong", {}, NAMES[backend]),
        ` ${head.path}, line ${head.line}`),
      lines);
  });
  const body = el("div", { class: "ft-columns", style: `grid-template-rows: repeat(${rows.length + 1}, auto)` },
    sides);
  return el("section", { class: "ft-piece", "data-name": piece.name }, el("h4", {}, piece.name), body);
}

// A line breaks where it must; what follows stands further in than its own indent. The indent is
// padding: as blanks it would be a place to break.
function codeOf(words) {
  const text = words.map(([, said]) => said).join("");
  const indent = text.length - text.trimStart().length;
  let blanks = indent;
  return el("code", { style: `--ft-indent: ${indent + 2}ch` },
    words.map(([kind, said]) => {
      const shown = said.slice(blanks);
      blanks = Math.max(0, blanks - said.length);
      return kind ? el("span", { class: `ft-word-${kind}` }, shown) : shown;
    }));
}

export default { render };
