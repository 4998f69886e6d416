"use strict";
// Typing: the formula bar, the name box, the field over a cell, and the list of a cell that is a choice.

class Entry {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.bar = /** @type {HTMLInputElement} */ (element("formula"));
    this.name = /** @type {HTMLInputElement} */ (element("name"));
    this.field = /** @type {HTMLInputElement} */ (element("field"));
    this.list = /** @type {HTMLSelectElement} */ (element("choice"));
    /** Whether arrows leave the field, as they do when typing began without opening it. */
    this.quick = false;
    /** Whether the list was opened for one choice: the sheet has the keys again then. */
    this.picks = false;
    this.listen();
    page.on("select", () => this.follow());
    page.on("change", () => this.read());
    page.on("frame", () => this.place());
  }

  listen() {
    const { bar, name, field, list, page } = this;
    name.addEventListener("keydown", (event) => this.nameKey(event));
    name.addEventListener("focus", () => name.select());
    bar.addEventListener("keydown", (event) => this.barKey(event));
    bar.addEventListener("input", () => (field.value = bar.value));
    field.addEventListener("keydown", (event) => this.fieldKey(event));
    field.addEventListener("input", () => (bar.value = field.value));
    field.addEventListener("blur", () => this.open && this.commit(0, 0, false));
    list.addEventListener("change", () => this.chosen());
    list.addEventListener("keydown", (event) => event.key === "Escape" && page.frame.focus());
  }

  get open() {
    return !this.field.hidden;
  }

  /** The cell that the bar is about, as what it holds is typed. @param {Spot} spot */
  typed({ sheet, row, column }) {
    const formula = sheet.formula(row, column);
    if (formula) return `=${formula.text}`;
    const value = sheet.value(row, column);
    return typeof value === "number" ? plainNumber(value) : toText(value);
  }

  follow() {
    const { page } = this;
    this.cancel();
    this.read();
    const { cursor, selected } = page;
    const known = [...page.book.names].find(
      ([, [title, ...place]]) => title === selected.sheet.title && same(place, selected),
    );
    this.name.value = known?.[0] ?? selected.address;
    this.bar.readOnly = !page.rules.target(cursor);
    this.fillList();
  }

  /** A cell that only points to another one shows what would be typed there. */
  read() {
    const { cursor, rules } = this.page;
    if (!this.open) this.bar.value = this.typed(rules.target(cursor) ?? cursor);
    if (!this.list.hidden) this.fillList();
  }

  /** @param {KeyboardEvent} event */
  nameKey(event) {
    if (event.key === "Escape") this.follow();
    if (event.key !== "Enter") return void (event.key === "Escape" && this.page.frame.focus());
    if (this.page.go(this.name.value.trim())) this.page.frame.focus();
    else this.page.say(`There is no cell or name ${this.name.value}.`, true);
  }

  /** @param {KeyboardEvent} event */
  barKey(event) {
    if (event.key === "Escape") {
      this.read();
      this.page.frame.focus();
    }
    if (event.key === "Enter") this.commit(1, 0);
  }

  /** Open the field over the cell. @param {string} [first] what was typed; what the cell holds, where nothing was */
  begin(first) {
    const { page, field } = this;
    const target = page.rules.target(page.cursor);
    if (!target) return page.say("This cell is calculated. Blue numbers in boxes are yours to change.", true);
    if (page.rules.choices(target) && first === undefined) return this.openList();
    page.say("");
    this.quick = first !== undefined;
    field.hidden = false;
    field.value = this.bar.value = first ?? this.typed(target);
    this.place();
    field.focus();
    if (!this.quick) field.select();
  }

  cancel() {
    this.field.hidden = true;
  }

  /** @param {KeyboardEvent} event */
  fieldKey(event) {
    const way = KEYS_OUT[event.key];
    if (event.key === "Escape") {
      this.cancel();
      this.read();
      this.page.frame.focus();
    } else if (event.key === "Enter") this.commit(event.shiftKey ? -1 : 1, 0);
    else if (event.key === "Tab") this.commit(0, event.shiftKey ? -1 : 1);
    else if (this.quick && way) this.commit(way[0], way[1]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Enter what is in the bar, and go on. @param {number} down @param {number} right
   * @param {boolean} [back] to the sheet */
  commit(down, right, back = true) {
    const { page } = this;
    const { cursor } = page;
    this.cancel();
    const wrong = page.enter([{ ...cursor, input: readInput(this.bar.value) }]);
    this.read();
    page.say(wrong, true);
    if (back) page.frame.focus({ preventScroll: true });
    if (!wrong && back) page.tell("step", { down, right });
  }

  /** Keep the field and the list over their cell. */
  place() {
    const { page, field, list } = this;
    if (field.hidden && list.hidden) return;
    const { row, column } = page.cursor;
    const { view, frame } = page;
    const area = view.geometry.whole(row, column);
    const { top, left, bottom, right } = view.box(area.top, area.left, area.bottom, area.right);
    for (const { style } of [field, list]) {
      style.left = `${left + frame.scrollLeft}px`;
      style.top = `${top + frame.scrollTop}px`;
      style.height = `${Math.max(22, bottom - top)}px`;
    }
    field.style.width = `${Math.max(72, right - left)}px`;
    list.style.width = `${Math.max(24, right - left)}px`;
    list.classList.toggle("away", page.cursor.sheet !== page.sheet);
  }

  /** The list of the cell that is selected, where it is a choice. */
  fillList() {
    const { page, list } = this;
    const target = page.rules.target(page.cursor);
    const choices = target ? page.rules.choices(target) : null;
    list.hidden = !choices;
    if (!choices || !target) return;
    const now = target.sheet.value(target.row, target.column);
    list.replaceChildren(...choices.map((choice) => new Option(toText(choice))));
    list.value = toText(now);
    list.setAttribute("aria-label", page.rules.of(target)?.hint ?? "Choose");
    this.place();
  }

  openList() {
    this.picks = true;
    this.list.focus();
    try {
      this.list.showPicker();
    } catch {
      // A browser that cannot open it leaves that to the next key.
    }
  }

  chosen() {
    const { page, list } = this;
    const target = page.rules.target(page.cursor);
    const choice = target && (page.rules.choices(target) ?? []).find((each) => toText(each) === list.value);
    if (target && choice !== null && choice !== undefined && !(choice instanceof Fault)) {
      page.say(page.enter([{ ...page.cursor, input: choice }]), true);
    }
    if (this.picks) page.frame.focus({ preventScroll: true });
    this.picks = false;
  }
}

/** @type {Record<string, [number, number]>} */
const KEYS_OUT = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Whether a place is just the cells of an area. @param {number[]} place @param {Area} area */
function same(place, { top, left, bottom, right }) {
  const ends = spread(place);
  return ends.row === top && ends.column === left && ends.bottom === bottom && ends.right === right;
}
