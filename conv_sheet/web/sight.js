"use strict";
// Where the cells of the sheet stand on the screen.

const HEAD = { width: 34, height: 20 };
const ZOOM = { least: 0.12, most: 3 };

/** @typedef {{top: number, left: number, right: number, bottom: number}} Box pixels */
/** @typedef {{rows: [number, number], columns: [number, number], box: Box}} Pane a part of the sheet that scrolls
 * alike */

class Sight {
  /** @param {HTMLElement} frame what scrolls @param {Book} book */
  constructor(frame, book) {
    this.frame = frame;
    this.book = book;
    this.folded = false;
    /** @type {Map<Sheet, Geometry>} */
    this.geometries = new Map();
    this.sheet = /** @type {Sheet} */ (book.sheets[0]);
    this.geometry = this.geometryOf(this.sheet);
    this.zoom = 1;
    this.ratio = 1;
  }

  /** @param {Sheet} sheet */
  geometryOf(sheet) {
    let geometry = this.geometries.get(sheet);
    if (!geometry) this.geometries.set(sheet, (geometry = new Geometry(sheet, this.folded)));
    return geometry;
  }

  /** Leave out the rows that say what the page says beside the sheet, or show them. @param {boolean} folded */
  fold(folded) {
    this.folded = folded;
    this.geometries.clear();
    this.geometry = this.geometryOf(this.sheet);
  }

  /** @param {Sheet} sheet @param {number} zoom */
  show(sheet, zoom) {
    this.sheet = sheet;
    this.geometry = this.geometryOf(sheet);
    this.zoom = Math.min(ZOOM.most, Math.max(ZOOM.least, zoom));
  }

  /** Size of the whole sheet at this zoom. */
  get size() {
    const { x, y } = this.geometry;
    return { width: HEAD.width + (x.at(-1) ?? 0) * this.zoom, height: HEAD.height + (y.at(-1) ?? 0) * this.zoom };
  }

  /** @param {number} pixels */
  snap(pixels) {
    return Math.round(pixels * this.ratio) / this.ratio;
  }

  /** Left edge of a column. @param {number} column */
  xOf(column) {
    const shift = column <= this.geometry.frozenColumns ? 0 : this.frame.scrollLeft;
    return this.snap(HEAD.width + (this.geometry.x[column - 1] ?? 0) * this.zoom - shift);
  }

  /** Top edge of a row. @param {number} row */
  yOf(row) {
    const shift = row <= this.geometry.frozenRows ? 0 : this.frame.scrollTop;
    return this.snap(HEAD.height + (this.geometry.y[row - 1] ?? 0) * this.zoom - shift);
  }

  /** @param {number} top @param {number} left @param {number} bottom @param {number} right @returns {Box} */
  box(top, left, bottom, right) {
    const { x, y, frozenRows, frozenColumns } = this.geometry;
    const across = right <= frozenColumns ? 0 : this.frame.scrollLeft;
    const down = bottom <= frozenRows ? 0 : this.frame.scrollTop;
    return {
      top: this.yOf(top),
      left: this.xOf(left),
      bottom: this.snap(HEAD.height + (y[bottom] ?? 0) * this.zoom - down),
      right: this.snap(HEAD.width + (x[right] ?? 0) * this.zoom - across),
    };
  }

  /** The cell at a point of the canvas, and where in it, from 0 to 1; null over the heads.
   * @param {number} x @param {number} y */
  cellAt(x, y) {
    const { geometry, zoom, frame } = this;
    const [left, top] = [x - HEAD.width, y - HEAD.height];
    if (left < 0 || top < 0) return null;
    const atX = left / zoom + (left < (geometry.x[geometry.frozenColumns] ?? 0) * zoom ? 0 : frame.scrollLeft / zoom);
    const atY = top / zoom + (top < (geometry.y[geometry.frozenRows] ?? 0) * zoom ? 0 : frame.scrollTop / zoom);
    const [row, column] = [locate(geometry.y, atY), locate(geometry.x, atX)];
    const part = (/** @type {Float64Array} */ ends, /** @type {number} */ at, /** @type {number} */ place) =>
      (at - (ends[place - 1] ?? 0)) / ((ends[place] ?? 0) - (ends[place - 1] ?? 0) || 1);
    return {
      row,
      column,
      exactRow: row + part(geometry.y, atY, row),
      exactColumn: column + part(geometry.x, atX, column),
    };
  }

  /** The parts of the sheet in sight: the scrolling one first, frozen ones over it. @returns {Pane[]} */
  panes() {
    const { x, y, firstRow, frozenRows, frozenColumns } = this.geometry;
    const { clientWidth, clientHeight, scrollLeft, scrollTop } = this.frame;
    const across = this.bands(x, 1, frozenColumns, HEAD.width, clientWidth, scrollLeft);
    return this.bands(y, firstRow, frozenRows, HEAD.height, clientHeight, scrollTop).flatMap((rows) =>
      across.map((columns) => ({
        rows: rows.span,
        columns: columns.span,
        box: { top: rows.from, bottom: rows.to, left: columns.from, right: columns.to },
      })),
    );
  }

  /** The rows or columns that scroll, and those that are frozen, with the pixels that they fill.
   * @param {Float64Array} ends @param {number} top @param {number} frozen @param {number} head @param {number} end
   * @param {number} scroll */
  bands(ends, top, frozen, head, end, scroll) {
    const edge = head + (ends[frozen] ?? 0) * this.zoom;
    const first = Math.max(frozen + 1, locate(ends, (scroll + edge - head) / this.zoom));
    const last = Math.min(ends.length - 1, locate(ends, (scroll + end - head) / this.zoom));
    /** @type {{span: [number, number], from: number, to: number}[]} */
    const list = [{ span: [first, last], from: edge, to: end }];
    if (frozen) list.push({ span: [top, frozen], from: head, to: Math.min(edge, end) });
    return list;
  }
}

/** Give a canvas the size of its frame, in the pixels of the device. @param {HTMLCanvasElement} canvas
 * @param {HTMLElement} frame @param {number} ratio */
function fitCanvas(canvas, frame, ratio) {
  const [width, height] = [frame.clientWidth, frame.clientHeight];
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width === across && canvas.height === down) return;
  canvas.width = across;
  canvas.height = down;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
}
