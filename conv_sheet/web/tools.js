"use strict";
// What mouse, pen and finger do: point, select, draw, erase, follow a link, open a choice.

class Tools {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.brush = new Brush(page);
    new Pinch(page, this.brush);
    this.tool = "draw";
    /** Where a selection by dragging began. @type {Spot | null} */
    this.anchor = null;
    this.listen(page.frame);
    for (const choice of document.querySelectorAll("[data-tool]")) {
      choice.addEventListener("click", () => this.choose(/** @type {HTMLElement} */ (choice).dataset.tool ?? "draw"));
    }
    element("clear").addEventListener("click", () => this.clear());
    element("sample").addEventListener("click", () => this.sample());
    page.on("sheet", () => this.offer());
    this.choose("draw");
    this.offer();
  }

  /** @param {HTMLElement} frame */
  listen(frame) {
    frame.addEventListener("pointerdown", (event) => this.down(event));
    frame.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, () => this.up());
    frame.addEventListener("pointerleave", () => this.point(null));
    frame.addEventListener("scroll", () => this.page.request(), { passive: true });
    frame.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    frame.addEventListener("touchstart", (event) => this.hold(event), { passive: false });
  }

  /** @param {string} tool */
  choose(tool) {
    this.tool = tool;
    for (const choice of document.querySelectorAll("[data-tool]")) {
      choice.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (choice).dataset.tool === tool));
    }
  }

  /** Tools for pictures are there where the sheet shows one. */
  offer() {
    const drawn = this.page.rules.pictures(this.page.sheet).length > 0;
    element("drawing").hidden = !drawn;
    element("picture").hidden = !drawn;
  }

  /** @param {{clientX: number, clientY: number}} event @returns {Point | null} */
  at(event) {
    const { left, top } = this.page.frame.getBoundingClientRect();
    const found = this.page.view.cellAt(event.clientX - left, event.clientY - top);
    return found && this.page.sheet.has(found.row, found.column) ? found : null;
  }

  /** Let a finger draw, not scroll, where it comes down on a picture. @param {TouchEvent} event */
  hold(event) {
    const [touch] = event.touches;
    const point = touch && event.touches.length === 1 ? this.at(touch) : null;
    if (point && this.tool !== "point" && this.brush.fits(point)) event.preventDefault();
  }

  /** @param {PointerEvent} event */
  down(event) {
    const elsewhere = event.target instanceof HTMLElement && event.target.closest("input, select, button");
    if (event.button > 0 || !event.isPrimary || elsewhere) return;
    const point = this.at(event);
    if (!point) return;
    const spot = { sheet: this.page.sheet, row: point.row, column: point.column };
    if (this.tool !== "point" && !event.shiftKey && this.brush.fits(point)) return this.draw(event, point, spot);
    const whole = this.page.view.geometry.whole(spot.row, spot.column);
    if (event.shiftKey) return this.page.select(around(this.page.cursor, spot), this.page.cursor);
    this.page.select(whole);
    if (event.pointerType !== "touch") this.anchor = spot;
    const link = (this.page.sheet.data.links ?? []).find(([row, column]) => row === whole.top && column === whole.left);
    if (link) this.page.go(link[2]);
  }

  /** @param {PointerEvent} event @param {Point} point @param {Spot} spot */
  draw(event, point, spot) {
    event.preventDefault();
    this.page.frame.focus({ preventScroll: true });
    this.page.frame.setPointerCapture(event.pointerId);
    this.page.pointed = null;
    this.page.select(new Area(spot.sheet, spot.row, spot.column, spot.row, spot.column));
    this.brush.begin(point, this.tool === "erase");
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (this.brush.active) {
      const all = event.getCoalescedEvents?.() ?? [];
      const points = (all.length ? all : [event]).map((each) => this.at(each)).filter((point) => point !== null);
      return this.brush.move(points);
    }
    const point = this.at(event);
    if (this.anchor && point && event.buttons) {
      const spot = { sheet: this.page.sheet, row: point.row, column: point.column };
      return this.page.select(around(this.anchor, spot), this.anchor);
    }
    if (event.pointerType !== "touch") this.point(point);
    const draws = point !== null && this.tool !== "point" && this.brush.fits(point);
    this.page.frame.classList.toggle("draws", draws);
  }

  up() {
    this.anchor = null;
    if (this.brush.active) this.brush.end();
  }

  /** Explain the cell under the pointer, as long as it shows a formula's number. @param {Point | null} point */
  point(point) {
    const { page } = this;
    const { pointed, sheet } = page;
    const formula = point && sheet.formula(point.row, point.column);
    const next = formula && point ? { sheet, row: point.row, column: point.column } : null;
    if (pointed?.row === next?.row && pointed?.column === next?.column) return;
    page.pointed = next;
    page.request();
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const { left, top } = this.page.frame.getBoundingClientRect();
    const fixedPoint = { x: event.clientX - left, y: event.clientY - top };
    this.page.zoomTo(this.page.view.zoom * Math.exp(-event.deltaY / 300), fixedPoint);
  }

  /** All pixels of the picture that the cursor is in, or else of the first one. @returns {Spot[]} */
  pixels() {
    const { page } = this;
    const { sheet, cursor } = page;
    const inside = (/** @type {Place} */ place) => {
      const { row, column, bottom, right } = spread(place);
      return cursor.row >= row && cursor.row <= bottom && cursor.column >= column && cursor.column <= right;
    };
    const pictures = page.rules.pictures(sheet);
    const picture = pictures.find((blocks) => blocks.some(inside)) ?? pictures[0] ?? [];
    /** @type {Spot[]} */
    const pixels = [];
    for (const block of picture) {
      eachPlace(block, (row, column) => {
        const target = page.rules.target({ sheet, row, column });
        if (target && page.rules.isDrawn(target)) pixels.push(target);
      });
    }
    return pixels;
  }

  clear() {
    const empty = { value: 0, formula: null };
    this.page.apply(this.pixels().map((spot) => ({ ...spot, after: empty })));
    this.page.say("The picture is empty.");
  }

  /** The picture as the lesson had it. */
  sample() {
    const ids = new Set(this.pixels().map(cellId));
    const back = this.page.history.edits().filter((edit) => ids.has(cellId(edit)));
    this.page.apply(back.map(({ sheet, row, column, own }) => ({ sheet, row, column, after: own })));
    this.page.say("The lesson's own picture is back.");
  }
}

/** All cells between two. @param {Spot} one @param {Spot} two */
function around(one, two) {
  const [top, bottom] = one.row < two.row ? [one.row, two.row] : [two.row, one.row];
  const [left, right] = one.column < two.column ? [one.column, two.column] : [two.column, one.column];
  return new Area(one.sheet, top, left, bottom, right);
}
