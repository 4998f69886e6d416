"use strict";
// The lesson's experiments, one at a time: predict, do, see, check.

class Tries {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.place = element("tries");
    this.list = page.data.tries ?? [];
    this.number = 0;
    /** What was predicted, and which answers were asked for, by try. @type {Map<number, string>} */
    this.predicted = new Map();
    /** @type {Set<number>} */
    this.revealed = new Set();
    /** @type {Set<number>} */
    this.reached = new Set();
    /** @type {Map<number, Formula>} */
    this.checks = new Map();
    this.place.hidden = !this.list.length;
    this.build();
    page.on("frame", () => this.update());
  }

  get current() {
    return this.list[this.number];
  }

  build() {
    const item = this.current;
    if (!item) return;
    const head = made("div", "", "head");
    const [back, next] = [
      button("‹", "The try before", () => this.turn(-1)),
      button("›", "The next try", () => this.turn(1)),
    ];
    back.disabled = this.number === 0;
    next.disabled = this.number === this.list.length - 1;
    head.append(made("h2", `Try ${this.number + 1} of ${this.list.length}`), back, next);
    this.place.replaceChildren(
      head,
      made("p", item.text),
      ...this.prediction(item),
      this.buttons(item),
      ...this.result(item),
    );
    this.update();
  }

  /** @param {number} by */
  turn(by) {
    this.number += by;
    this.build();
  }

  /** @param {TryData} item @returns {HTMLElement[]} */
  prediction({ ask, choices = [] }) {
    if (!ask) return [];
    const group = made("fieldset");
    group.append(made("legend", `First predict: ${ask}`));
    for (const choice of choices) {
      const [label, radio] = [made("label"), made("input")];
      radio.type = "radio";
      radio.name = "prediction";
      radio.checked = this.predicted.get(this.number) === choice;
      radio.addEventListener("change", () => this.predicted.set(this.number, choice));
      label.append(radio, choice);
      group.append(label);
    }
    return [group];
  }

  /** @param {TryData} item */
  buttons(item) {
    const row = made("div", "", "row");
    row.append(button("Show me where", "Select the cells", () => this.page.go(item.at)));
    if (item.do) row.append(button("Do it for me", "Put the numbers in", () => this.act(item.do ?? [])));
    if (item.answer) row.append(button("Answer", "What happens, and why", () => this.reveal()));
    return row;
  }

  /** @param {TryData} item @returns {HTMLElement[]} */
  result(item) {
    /** @type {HTMLElement[]} */
    const parts = [];
    if (item.see) parts.push((this.seen = made("p", "", "seen")));
    if (item.check) parts.push((this.check = made("p", "", "check")));
    if (item.answer && this.revealed.has(this.number)) parts.push(made("p", item.answer, "reveal"));
    return parts;
  }

  reveal() {
    this.revealed.add(this.number);
    this.build();
    this.place.lastElementChild?.scrollIntoView({ block: "nearest" });
  }

  /** @param {[string, Plain][]} things */
  act(things) {
    const edits = things.flatMap(([place, value]) => {
      const area = this.page.book.find(place, this.page.sheet);
      return area ? fillEdits(area, value) : [];
    });
    this.page.say(this.page.enter(edits), true);
  }

  /** Read what is to be seen, and whether it has happened. */
  update() {
    const { page, current } = this;
    if (!current) return;
    if (current.see && this.seen) {
      const area = page.book.find(current.see, page.sheet);
      write(this.seen, area ? `Now: ${cellText(area)}` : "");
    }
    if (!current.check || !this.check) return;
    if (this.holds(current.check) && page.history.done.length) this.reached.add(this.number);
    const reached = this.reached.has(this.number);
    write(this.check, reached ? "✓ Done." : "Not done yet.");
    this.check.classList.toggle("reached", reached);
  }

  /** @param {string} check */
  holds(check) {
    const { book } = this.page;
    let test = this.checks.get(this.number);
    const [first] = book.sheets;
    if (!test && first) this.checks.set(this.number, (test = book.watch(first, check, here(1, 1))));
    return test !== undefined && toTruth(book.watched(test)) === true;
  }
}

/** What the first cell of an area shows. @param {Area} area */
function cellText({ sheet, top, left }) {
  return format(sheet.value(top, left), sheet.style(top, left)?.format ?? "General");
}

/** One value for every cell of an area. @param {Area} area @param {Plain} value @returns {Edit[]} */
function fillEdits({ sheet, top, left, height, width }, value) {
  return Array.from({ length: height * width }, (_, k) => ({
    sheet,
    row: top + Math.floor(k / width),
    column: left + (k % width),
    input: value,
  }));
}
