// The page of a Check: its questions, a button for each and one for all, and what the kernel found.

function render({ model, el: target }) {
  const root = frame(target, "ft-checker", "Check your answers");
  const title = el("strong", {});
  const score = el("p", { class: "ft-score", role: "status" });
  const all = command("ft-check-all", "Check all", () => ask(""));
  const stop = el("button", { type: "button", class: "ft-stop",
    onclick: () => model.send({ do: "stop" }) }, "Stop");
  const said = el("span", { class: "ft-said", role: "status" });
  const list = el("div", { class: "ft-questions" });
  const note = el("p", { class: "ft-note", role: "status" });
  let questions = [];

  root.append(
    el("div", { class: "ft-head" }, title),
    score,
    el("p", { class: "ft-soft-text" },
      "Answers count as you last ran their cells; cells that you have not run since the kernel started, as you last saved them."),
    el("div", { class: "ft-actions" }, all, stop, said),
    list,
    note,
  );

  const busy = () => model.get("running").length > 0;
  const ask = (question) => model.send({ do: "check", question });

  function build() {
    const view = model.get("view");
    title.textContent = `Check: ${view.title}${view.framework ? ` (${view.framework})` : ""}`;
    questions = view.questions.map((item) => questionOf(item, () => ask(item.id)));
    list.replaceChildren(...questions.map((item) => item.root));
    show();
  }

  function show() {
    const { questions: asked } = model.get("view");
    const found = model.get("found"), running = model.get("running");
    const told = asked.map((item) => found[item.id]).filter(Boolean);
    const sum = (numbers) => Number(numbers.reduce((total, one) => total + one, 0).toFixed(3));
    const most = sum(asked.map((item) => item.points));
    score.textContent = `${told.filter((item) => item.passed).length} of ${asked.length} passed, `
      + `${sum(told.map((item) => item.points))} of ${most} points of the visible tests.`;
    for (const button of [all, ...questions.map((item) => item.button)]) allow(button, !busy());
    all.hidden = asked.length === 0;
    const focused = stop.getRootNode().activeElement === stop;
    stop.hidden = !busy();
    if (focused && stop.hidden) all.focus();
    said.textContent = busy() ? `Checking ${running.join(", ")} …` : "";
    for (const item of questions) item.tell(found[item.id], running.includes(item.id));
    note.textContent = model.get("note");
    note.hidden = !model.get("note");
  }

  const end = listen(model, root, ["view", "found", "running", "note"],
    { view: build, found: show, running: show, note: show });
  build();
  return end;
}

function questionOf(item, ask) {
  const name = freshId();
  const button = command("ft-check", "Check", ask);
  button.setAttribute("aria-label", `Check ${item.id}`);
  const verdict = el("span", { class: "ft-verdict", role: "status" });
  const more = el("div", { class: "ft-report" });
  const root = el("section", { class: "ft-question", "data-question": item.id, "aria-labelledby": name },
    el("div", { class: "ft-answer" },
      el("strong", { id: name }, item.id, " ", el("code", {}, item.defines)), button, verdict),
    more);

  let shown = null;
  function tell(found, running) {
    const now = JSON.stringify([found, running]);
    if (now === shown) return; // said once is enough for a screen reader
    shown = now;
    root.classList.remove("ft-is-right", "ft-is-partly", "ft-is-wrong");
    root.setAttribute("aria-busy", String(running));
    if (!found) {
      verdict.textContent = running ? "…" : "○ not checked yet";
      more.replaceChildren();
      return;
    }
    if (found.kind !== "open") root.classList.add(`ft-is-${found.kind}`);
    verdict.replaceChildren(el("strong", {},
      el("span", { "aria-hidden": "true" }, running ? "… " : `${found.sign} `), found.says));
    more.replaceChildren(...[
      found.tests.length ? el("ul", { class: "ft-tests" }, found.tests.map((test) =>
        el("li", {}, test.holds ? "✓ holds: " : "✗ fails: ", test.title))) : "",
      found.lines.length ? el("pre", { class: "ft-why" }, found.lines.join("\n")) : "",
      ...found.hints.map((hint, at) =>
        el("p", { class: "ft-hint" }, el("strong", {}, `Hint ${at + 1}: `), hint)),
      found.more ? el("p", { class: "ft-soft-text" }, found.more) : "",
    ]);
  }
  return { id: item.id, root, button, tell };
}

export default { render };
