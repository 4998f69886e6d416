"use strict";
// The sheet on a canvas: what is in sight is drawn, and only what is drawn is calculated.

const FONTS = {
  plain: 'Calibri, Carlito, "Segoe UI", system-ui, sans-serif',
  mono: 'Consolas, "DejaVu Sans Mono", Menlo, monospace',
};
/** Texts smaller than this are not drawn, nor lines around cells up to this zoom: the cells are a picture then. */
const LEAST_TEXT = 5.5;
const NO_LINES = 0.3;
/** Pixels beyond every screen. */
const FAR = 1e5;
/** @typedef {{row: number, column: number, value: Value, look: Look, texts: boolean}} Drawn what was drawn in a cell */

class View extends Sight {
  /** @param {HTMLElement} frame what scrolls @param {HTMLCanvasElement} canvas @param {Book} book
   * @param {Rules} rules */
  constructor(frame, canvas, book, rules) {
    super(frame, book);
    this.rules = rules;
    this.canvas = canvas;
    this.pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
    this.colours = new Colours();
    this.looks = new Looks(book, this.colours);
    this.writer = new Writer(this.pen);
    /** @type {Drawn[]} */
    this.drawn = [];
    this.seen = "";
    /** How many frames were painted in whole, and in part. */
    this.frames = { whole: 0, part: 0 };
  }

  /** Let the next frame be painted in whole. */
  forget() {
    this.seen = "";
  }

  /** What decides where everything stands; while it stays, only changed cells are painted. */
  signature() {
    const { frame, sheet, zoom, colours } = this;
    const { clientWidth, clientHeight, scrollLeft, scrollTop } = frame;
    return [
      sheet.number,
      zoom,
      clientWidth,
      clientHeight,
      scrollLeft,
      scrollTop,
      colours.dark,
      devicePixelRatio,
    ].join();
  }

  /** Paint what has changed. */
  draw() {
    const seen = this.signature();
    if (seen === this.seen && this.repaint()) {
      this.frames.part++;
      return;
    }
    this.seen = seen;
    this.frames.whole++;
    this.resize();
    this.drawn = [];
    this.pen.fillStyle = this.colours.of(SHEET.paper);
    this.pen.fillRect(0, 0, this.frame.clientWidth, this.frame.clientHeight);
    for (const pane of this.panes()) this.drawPane(pane);
    drawHeads(this);
  }

  resize() {
    const { frame, canvas, pen } = this;
    this.ratio = devicePixelRatio || 1;
    fitCanvas(canvas, frame, this.ratio);
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.writer.reset();
  }

  /** @param {Pane} pane */
  drawPane(pane) {
    const { pen } = this;
    const { top, left, bottom, right } = pane.box;
    pen.save();
    pen.beginPath();
    pen.rect(left, top, right - left, bottom - top);
    pen.clip();
    pen.fillStyle = this.colours.of(SHEET.paper);
    pen.fillRect(left, top, right - left, bottom - top);
    const cells = this.cellsOf(pane);
    for (const cell of cells) this.drawFill(cell);
    this.writer.reset();
    for (const cell of cells) this.drawText(cell);
    for (const chart of this.sheet.data.charts ?? []) drawChart(this, chart);
    pen.restore();
    this.drawn.push(...cells);
  }

  /** The cells of a pane that show something, with merged ones and texts that reach into it. @param {Pane} pane */
  cellsOf({ rows: [firstRow, lastRow], columns: [firstColumn, lastColumn] }) {
    const { sheet, geometry } = this;
    /** @type {Drawn[]} */
    const cells = [];
    for (const place of geometry.merged.values()) {
      const { row, column, bottom, right } = spread(place);
      const inSight = row <= lastRow && bottom >= firstRow && column <= lastColumn && right >= firstColumn;
      if (inSight) this.add(cells, row, column);
    }
    for (let row = firstRow; row <= lastRow; row++) {
      const before = this.textBefore(row, firstColumn);
      if (before) this.add(cells, row, before);
      for (let column = firstColumn; column <= lastColumn; column++) {
        const key = sheet.key(row, column);
        const styled = (sheet.styles[key] ?? -1) >= 0 || sheet.stored(key) !== null || sheet.formulas[key];
        if (styled && !geometry.covered.has(key) && !geometry.merged.has(key)) this.add(cells, row, column);
      }
    }
    return cells;
  }

  /** The column of a text left of the pane that may reach into it; 0 where there is none.
   * @param {number} row @param {number} first */
  textBefore(row, first) {
    for (let column = first - 1; column > Math.max(0, first - 60); column--) {
      const key = this.sheet.key(row, column);
      if (this.geometry.covered.has(key) || this.geometry.merged.has(key)) return 0;
      if (this.sheet.stored(key) !== null) return typeof this.sheet.stored(key) === "string" ? column : 0;
    }
    return 0;
  }

  /** @param {Drawn[]} cells @param {number} row @param {number} column */
  add(cells, row, column) {
    const value = this.sheet.value(row, column);
    const look = { fill: "", color: "", line: "", hatch: "" };
    this.looks.read(this.sheet, row, column, value, look);
    cells.push({ row, column, value, look, texts: typeof value === "string" });
  }

  /** @param {number} row @param {number} column */
  cellBox(row, column) {
    const place = this.geometry.merged.get(this.sheet.key(row, column));
    if (!place) return this.box(row, column, row, column);
    const { bottom, right } = spread(place);
    return this.box(row, column, bottom, right);
  }

  /** @param {Drawn} cell */
  drawFill({ row, column, look }) {
    const { pen } = this;
    const style = this.sheet.style(row, column) ?? USUAL;
    const fill = look.fill || (style.fill && this.colours.of(style.fill));
    const { top, left, bottom, right } = this.cellBox(row, column);
    if (fill) {
      pen.fillStyle = fill;
      pen.fillRect(left, top, right - left, bottom - top);
    }
    if (look.hatch) this.drawStrokes({ top, left, bottom, right }, look.hatch);
    if (look.line || (style.line && this.zoom > NO_LINES))
      this.drawLines({ top, left, bottom, right }, row, column, look.line);
  }

  /** Oblique strokes over a cell, which meet those of its neighbours. @param {Box} box @param {string} colour */
  drawStrokes({ top, left, bottom, right }, colour) {
    const { pen } = this;
    const [width, height] = [right - left, bottom - top];
    pen.strokeStyle = colour;
    pen.beginPath();
    for (const part of [0.25, 0.5, 0.75, 1]) {
      pen.moveTo(left, top + part * height);
      pen.lineTo(left + part * width, top);
      pen.moveTo(right - part * width, bottom);
      pen.lineTo(right, bottom - part * height);
    }
    pen.stroke();
  }

  /** A line around a cell, inside it; neighbours with one share theirs. @param {Box} box
   * @param {number} row @param {number} column @param {string} line of a mark */
  drawLines({ top, left, bottom, right }, row, column, line) {
    const { pen, sheet } = this;
    const thin = 1 / this.ratio;
    pen.fillStyle = line || this.colours.of(sheet.style(row, column)?.line ?? "");
    pen.fillRect(left, top, right - left, thin);
    pen.fillRect(left, top, thin, bottom - top);
    const alone = (/** @type {number} */ r, /** @type {number} */ c) => line || !sheet.style(r, c)?.line;
    const whole = this.geometry.whole(row, column);
    if (alone(row, whole.right + 1)) pen.fillRect(right - thin, top, thin, bottom - top);
    if (alone(whole.bottom + 1, column)) pen.fillRect(left, bottom - thin, right - left, thin);
  }

  /** @param {Drawn} cell */
  drawText({ row, column, value, look }) {
    const box = this.cellBox(row, column);
    if (this.rules.of({ sheet: this.sheet, row, column })?.choices) this.drawArrow(box);
    if (value === null || value === "") return;
    const style = this.sheet.style(row, column) ?? USUAL;
    if (fontPixels(style.size, this.zoom) < LEAST_TEXT) return;
    const free = typeof value === "string" && !style.wrap ? this.free(row, column, box) : box;
    const colour = this.colours.over(look.color || this.colours.of(style.color), look.fill);
    this.writer.write(value, style, box, free, this.zoom, colour);
  }

  /** The sign of a cell that is a choice. @param {Box} box */
  drawArrow({ top, left, bottom, right }) {
    const { pen, zoom } = this;
    if (right - left < 40 * zoom) return;
    const [x, y, half] = [right - 10 * zoom, (top + bottom) / 2, 4 * zoom];
    pen.fillStyle = this.colours.of(SHEET.edit);
    pen.beginPath();
    pen.moveTo(x - half, y - half / 2);
    pen.lineTo(x + half, y - half / 2);
    pen.lineTo(x, y + half / 2 + zoom);
    pen.fill();
  }

  /** From where to where a text may reach over empty cells. @param {number} row @param {number} column
   * @param {Box} box */
  free(row, column, box) {
    const { merged, covered } = this.geometry;
    const end = (/** @type {number} */ step) => {
      for (let next = column + step; next >= 1 && next <= this.sheet.columns; next += step) {
        const key = this.sheet.key(row, next);
        if (this.sheet.stored(key) !== null || covered.has(key) || merged.has(key)) return next;
      }
      return 0;
    };
    if (merged.has(this.sheet.key(row, column))) return box;
    const [before, after] = [end(-1), end(1)];
    const left = before ? this.box(row, before, row, before).right : -FAR;
    return { ...box, left, right: after ? this.box(row, after, row, after).left : FAR };
  }

  /** Paint the cells whose number or colour has changed since they were drawn; false where more has changed. */
  repaint() {
    /** @type {Drawn[]} */
    const changed = [];
    const look = { fill: "", color: "", line: "", hatch: "" };
    for (const cell of this.drawn) {
      const value = this.sheet.value(cell.row, cell.column);
      this.looks.read(this.sheet, cell.row, cell.column, value, look);
      const { fill, color, line, hatch } = cell.look;
      const same = look.fill === fill && look.color === color && look.line === line && look.hatch === hatch;
      if (value === cell.value && same) continue;
      if (cell.texts || typeof value !== "number") return false;
      changed.push({ ...cell, value, look: { ...look } });
    }
    if (!changed.length) return !this.sheet.data.charts?.length;
    if (this.sheet.data.charts?.length) return false;
    this.paint(changed);
    return true;
  }

  /** @param {Drawn[]} changed */
  paint(changed) {
    const { pen } = this;
    for (const pane of this.panes()) {
      const { rows, columns, box } = pane;
      const cells = changed.filter(
        ({ row, column }) => row >= rows[0] && row <= rows[1] && column >= columns[0] && column <= columns[1],
      );
      if (!cells.length) continue;
      pen.save();
      pen.beginPath();
      pen.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
      pen.clip();
      pen.fillStyle = this.colours.of(SHEET.paper);
      for (const { row, column } of cells) {
        const { top, left, bottom, right } = this.cellBox(row, column);
        pen.fillRect(left, top, right - left, bottom - top);
      }
      for (const cell of cells) this.drawFill(cell);
      this.writer.reset();
      for (const cell of cells) this.drawText(cell);
      pen.restore();
    }
    const now = new Map(changed.map((cell) => [this.sheet.key(cell.row, cell.column), cell]));
    this.drawn = this.drawn.map((cell) => now.get(this.sheet.key(cell.row, cell.column)) ?? cell);
  }
}
