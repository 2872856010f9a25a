// A quiz's page: it shows what the kernel told of the answers, and knows no right answer itself.

const VERDICTS = {
  right: ["✓", "Right."],
  partly: ["◐", "Partly right."],
  wrong: ["✗", "Not yet."],
  none: ["", ""],
};

function render({ model, el: target }) {
  const view = model.get("view");
  const root = frame(target, "ft-quiz", `Quiz: ${view.title}`);
  const score = el("p", { class: "ft-score", role: "status" });
  const note = el("p", { class: "ft-note", role: "status" });
  const questions = view.questions.map((question, at) => questionOf(model, question, at + 1));
  root.append(
    el("div", { class: "ft-head" }, el("strong", {}, `Quiz: ${view.title}`)),
    score,
    el("ol", { class: "ft-questions" }, questions.map((item) => item.root)),
    note,
  );

  function show() {
    const told = model.get("told");
    const answered = view.questions.filter((item) => told[item.id] && told[item.id].tries);
    const right = answered.filter((item) => told[item.id].right);
    score.textContent = `${answered.length} of ${view.questions.length} answered, ${right.length} right.`;
    questions.forEach((item) => item.tell(told));
    note.textContent = model.get("note");
    note.hidden = !model.get("note");
  }

  const end = listen(model, root, ["told", "note"], { told: show, note: show });
  show();
  return end;
}

function questionOf(model, question, number) {
  const told = model.get("told")[question.id] || {};
  const drafts = model.get("draft");
  const before = question.id in drafts ? drafts[question.id] : told.answer;
  const group = freshId();
  const keep = () => {
    model.set("draft", { ...model.get("draft"), [question.id]: now() });
    model.save_changes();
  };
  const ask = () => model.send({ do: "answer", question: question.id, answer: now() });
  let controls, now;
  if (question.kind === "number") {
    const input = el("input", { type: "text", inputmode: "decimal", class: "ft-number", id: freshId(),
      autocomplete: "off", oninput: keep, onkeydown: (event) => { if (event.key === "Enter") ask(); } });
    if (before !== undefined) input.value = String(before);
    now = () => input.value;
    controls = el("div", { class: "ft-choice" },
      el("label", { for: input.id }, "Your answer"), input, el("span", {}, question.unit));
  } else {
    const boxes = question.choices.map((text, at) => {
      const box = el("input", { type: question.kind === "single" ? "radio" : "checkbox", name: group,
        id: freshId(), value: at, onchange: keep });
      box.checked = (before || []).includes(at);
      return box;
    });
    now = () => boxes.map((box, at) => (box.checked ? at : -1)).filter((at) => at >= 0);
    controls = boxes.map((box, at) => el("div", { class: "ft-choice" },
      box, el("label", { for: box.id }, withCode(question.choices[at]))));
  }
  const check = el("button", { type: "button", class: "ft-check", onclick: ask,
    "aria-label": `Check the answer to question ${number}` }, "Check");
  const verdict = el("div", { class: "ft-verdict", role: "status" });
  const hint = question.kind === "several" ? " (choose all that are right)" : "";
  const root = el("li", { class: "ft-question", "data-question": question.id },
    el("fieldset", {}, el("legend", {}, `${number}. `, withCode(question.text), el("span", { class: "ft-soft-text" }, hint)),
      controls, el("div", { class: "ft-answer" }, check, verdict)));

  function tell(all) {
    const item = all[question.id];
    root.classList.remove("ft-is-right", "ft-is-partly", "ft-is-wrong");
    if (!item) return verdict.replaceChildren();
    root.classList.add(`ft-is-${item.verdict}`);
    const [sign, word] = VERDICTS[item.verdict];
    verdict.replaceChildren(
      el("strong", {}, el("span", { "aria-hidden": "true" }, sign ? `${sign} ` : ""), word, " "),
      ...item.sentences.map((sentence) => el("span", { class: "ft-why" }, withCode(sentence), " ")),
    );
  }
  return { root, tell };
}

// Text with `code` in it.
function withCode(text) {
  return text.split("`").map((part, at) => (at % 2 ? el("code", {}, part) : part));
}

export default { render };
