"use strict";
// The page: which sheet is seen, what is selected, what is pointed at, and every change, in one place. Its parts
// listen to `sheet`, `select`, `change` and `frame`.

/** @typedef {Spot & {input: Plain}} Edit something typed into a cell */

/** An element of the page. @param {string} id @returns {HTMLElement} */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return found;
}

/** A new element with a text and a class. @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {string} [text] @param {string} [kind] @returns {HTMLElementTagNameMap[T]} */
function made(tag, text = "", kind = "") {
  const created = document.createElement(tag);
  if (text) created.textContent = text;
  if (kind) created.className = kind;
  return created;
}

/** Let an element show a text; the browser has nothing to do where it does already. @param {HTMLElement} place
 * @param {string} text */
function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** A button that does something. @param {string} text @param {string} title @param {() => void} act */
function button(text, title, act) {
  const created = made("button", text);
  created.type = "button";
  if (title) created.title = title;
  if (!/\w/.test(text)) created.setAttribute("aria-label", title);
  created.addEventListener("click", act);
  return created;
}

class Page extends EventTarget {
  /** @param {Data} data */
  constructor(data) {
    super();
    this.data = data;
    this.book = new Book(data);
    this.rules = new Rules(this.book);
    this.history = new EditHistory(this.book, this.rules);
    this.frame = element("view");
    this.view = new View(this.frame, /** @type {HTMLCanvasElement} */ (element("cells")), this.book, this.rules);
    this.opening = new Opening(this.frame, this.view, this.rules);
    /** Sheets that were seen, as they were left. @type {Map<Sheet, {zoom: number, left: number, top: number, selected:
     *   Area}>} */
    this.left = new Map();
    this.sheet = /** @type {Sheet} */ (this.book.sheet(data.open ?? "") ?? this.book.sheets[0]);
    /** @type {Sheet | null} */
    this.shown = null;
    this.selected = new Area(this.sheet, 1, 1, 1, 1);
    /** The cell that keyboard and formula bar are about. @type {Spot} */
    this.cursor = { sheet: this.sheet, row: 1, column: 1 };
    /** The cell under the pointer, or that a walk has come to. @type {Spot | null} */
    this.pointed = null;
    this.queued = false;
    this.quiet = 0;
  }

  /** @param {string} kind @param {object} [detail] */
  tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }

  /** @param {string} kind @param {(detail: any) => void} hear */
  on(kind, hear) {
    this.addEventListener(kind, (event) => hear(/** @type {CustomEvent} */ (event).detail));
  }

  /** Say something: to be seen, and to be heard by a screen reader. @param {string} text @param {boolean} [alarm] */
  say(text, alarm = false) {
    const says = element("says");
    says.textContent = text;
    says.classList.toggle("alarm", alarm);
    clearTimeout(this.quiet);
    this.quiet = window.setTimeout(() => (says.textContent = ""), alarm ? 9000 : 5000);
  }

  /** The cell that is explained: where the pointer is, or else the cursor. @returns {Spot} */
  get explained() {
    return this.pointed ?? this.cursor;
  }

  /** Paint a frame soon. */
  request() {
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => {
      this.queued = false;
      this.paint();
    });
  }

  paint() {
    this.view.draw();
    this.tell("frame");
  }

  /** @param {Sheet} sheet */
  show(sheet) {
    const { view, frame, shown } = this;
    if (sheet !== shown) {
      const { scrollLeft: left, scrollTop: top } = frame;
      if (shown) this.left.set(shown, { zoom: view.zoom, left, top, selected: this.selected });
      const before = this.left.get(sheet);
      this.sheet = this.shown = sheet;
      this.pointed = null;
      view.show(sheet, before?.zoom ?? this.opening.zoom(sheet));
      this.fit();
      frame.scrollTo(before?.left ?? 0, before?.top ?? this.opening.top(sheet));
      this.tell("sheet");
      this.select(before?.selected ?? view.geometry.whole(view.geometry.firstRow, 1));
    }
    this.request();
  }

  /** @param {number} zoom @param {{x: number, y: number}} [around] the point of the canvas that stays */
  zoomTo(zoom, around = { x: HEAD.width, y: HEAD.height }) {
    const { view, frame } = this;
    const [x, y] = [
      (frame.scrollLeft + around.x - HEAD.width) / view.zoom,
      (frame.scrollTop + around.y - HEAD.height) / view.zoom,
    ];
    view.show(this.sheet, zoom);
    this.fit();
    frame.scrollTo(x * view.zoom - around.x + HEAD.width, y * view.zoom - around.y + HEAD.height);
    this.tell("zoom");
    this.request();
  }

  /** The whole sheet, or what is filled of it, in sight. */
  zoomToFit() {
    const { x, y } = this.view.geometry;
    const { filledRows, filledColumns } = this.sheet;
    const across = (this.frame.clientWidth - HEAD.width) / (x[filledColumns] ?? 1);
    this.zoomTo(Math.min(across, (this.frame.clientHeight - HEAD.height) / (y[filledRows] ?? 1)));
    this.frame.scrollTo(0, 0);
  }

  /** Let the frame scroll as far as the sheet goes. */
  fit() {
    const { width, height } = this.view.size;
    const { style } = element("space");
    style.width = `${width}px`;
    style.height = `${height}px`;
  }

  /** Select cells; the first is the cursor where none is given. @param {Area} area @param {Spot} [cursor] */
  select(area, cursor) {
    if (area.sheet !== this.sheet) this.show(area.sheet);
    this.selected = area;
    this.cursor = cursor ?? { sheet: area.sheet, row: area.top, column: area.left };
    this.tell("select");
    this.request();
  }

  /** Select what a name or an address means, and bring it into sight; false where it means nothing.
   * @param {string} text */
  go(text) {
    const area = this.book.find(text.replace(/^[#=]/, ""), this.sheet);
    if (!area || area.sheet.data.hidden) return false;
    this.select(area);
    this.near(area);
    return true;
  }

  /** Bring cells into sight, as near as they can be read: all of them, or else the first. @param {Area} area */
  near(area) {
    const zoom = this.opening.closer(area);
    if (zoom !== this.view.zoom) this.zoomTo(zoom);
    this.reveal(area.bottom, area.right);
    this.reveal(area.top, area.left, 3);
  }

  /** Scroll so far that a cell is in sight, with some cells around it. @param {number} row @param {number} column
   * @param {number} [around] */
  reveal(row, column, around = 0) {
    const { frame, view } = this;
    const { x, y, frozenRows, frozenColumns } = view.geometry;
    const along = (
      /** @type {Float64Array} */ ends,
      /** @type {number} */ place,
      /** @type {number} */ frozen,
      /** @type {number} */ scroll,
      /** @type {number} */ room,
    ) => {
      if (place <= frozen) return scroll;
      const edge = (/** @type {number} */ at) => (ends[Math.max(0, Math.min(at, ends.length - 1))] ?? 0) * view.zoom;
      const [low, high] = [edge(place - 1 - around) - edge(frozen), edge(place + around) - room];
      return Math.max(0, low < scroll ? low : Math.min(low, Math.max(high, scroll)));
    };
    const [across, down] = [frame.clientWidth - HEAD.width, frame.clientHeight - HEAD.height];
    const left = along(x, column, frozenColumns, frame.scrollLeft, across);
    frame.scrollTo(left, along(y, row, frozenRows, frame.scrollTop, down));
  }

  /** Put typed things into cells: all of them, or none and the reason. What a formula only points to is changed there.
   * @param {Edit[]} edits @returns {string} an empty text, or why it may not be */
  enter(edits) {
    /** @type {(Spot & {after: Content})[]} */
    const wanted = [];
    for (const edit of edits) {
      const target = this.rules.target(edit);
      if (!target) return "This cell is calculated: change one of the numbers in boxes, and it follows.";
      const read = this.readContent(target, edit.input);
      if (typeof read === "string") return read;
      wanted.push({ ...target, after: read });
    }
    this.apply(wanted);
    return this.circle(wanted);
  }

  /** @param {Spot} target @param {Plain} input @returns {Content | string} */
  readContent(target, input) {
    try {
      const content = this.book.read(target.sheet, target.row, target.column, input);
      const value = content.formula ? this.book.run(content.formula) : content.value;
      return (!(value instanceof Fault) && this.rules.refusal(target, value)) || content;
    } catch (error) {
      if (!(error instanceof FormulaError)) throw error;
      return `This formula cannot be read: ${error.message}.`;
    }
  }

  /** Take back a formula that needs its own value. @param {Spot[]} spots */
  circle(spots) {
    const turning = spots.some(({ sheet, row, column }) => sheet.value(row, column) === FAULT.circle);
    if (turning) this.undo();
    return turning ? "This formula would need its own value." : "";
  }

  /** @param {(Spot & {after: Content})[]} wanted */
  apply(wanted) {
    if (!wanted.length) return;
    this.history.apply(wanted);
    this.changed(wanted);
  }

  undo() {
    this.stepped(this.history.undo());
  }

  redo() {
    this.stepped(this.history.redo());
  }

  /** @param {Change[] | null} changes */
  stepped(changes) {
    const [first] = changes ?? [];
    if (!changes || !first) return;
    this.changed(changes);
    if (first.sheet === this.sheet) this.select(this.view.geometry.whole(first.row, first.column));
  }

  /** Let everybody know that cells have changed. @param {Spot[]} spots */
  changed(spots) {
    const isNew = (/** @type {Spot} */ { sheet, row, column }) => sheet === this.sheet && !sheet.style(row, column);
    if (spots.some(isNew)) this.view.forget();
    this.tell("change", { cells: spots });
    this.request();
  }
}
