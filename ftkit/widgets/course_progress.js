// How far the learner is: a table of the quizzes and one of the exercises.

function render({ model, el: target }) {
  const root = frame(target, "ft-course", "How far you are");
  const score = el("p", { class: "ft-score", role: "status" });
  const note = el("p", { class: "ft-note", role: "status" });
  const tables = el("div", { class: "ft-scroll" });
  root.append(
    el("div", { class: "ft-head" }, el("strong", {}, "How far you are")),
    score,
    tables,
    el("div", { class: "ft-actions" },
      el("button", { type: "button", class: "ft-look", onclick: () => model.send({ do: "look" }) }, "Look again")),
    note,
  );

  function show() {
    const view = model.get("view");
    score.textContent = view.summary;
    note.textContent = view.note;
    note.hidden = !view.note;
    tables.replaceChildren(
      table("Quizzes", ["notebook", "answered", "right"], view.quizzes.map((one) => [
        named(one), `${one.answered} of ${one.questions}`,
        `${one.right}${one.right === one.questions ? " ✓" : ""}`])),
      table("Exercises", ["exercise", "passed", "questions"], view.exercises.map((one) => [
        named(one), `${one.passed} of ${one.questions.length}`,
        el("ul", {}, one.questions.map((item) => el("li", {}, `${item.id} ${item.sign} ${item.said}`)))])),
    );
  }

  const end = listen(model, root, ["view"], { view: show });
  show();
  return end;
}

function named(one) {
  return [one.name, el("span", { class: "ft-soft-text" }, ` ${one.title}`)];
}

function table(caption, heads, rows) {
  return el("table", { class: "ft-plain" },
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map(([first, ...rest]) => el("tr", {},
      el("th", { scope: "row" }, first), rest.map((cell) => el("td", {}, cell))))));
}

export default { render };
