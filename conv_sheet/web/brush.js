"use strict";
// Drawing into a picture: a stroke as soft at its edges as those of the sample digits.

/** Half the width of a stroke in a picture of 28 rows, in pixels of the picture. */
const STROKE = { rows: 28, radius: 1.15, soft: 0.55 };
/** A picture of fewer rows is drawn pixel by pixel. */
const FINE = 14;

/** @typedef {{row: number, column: number, exactRow: number, exactColumn: number}} Point where on the sheet */

class Brush {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    /** @type {Point | null} */
    this.last = null;
    this.erases = false;
  }

  get active() {
    return this.last !== null;
  }

  /** Whether there is a picture to draw into. @param {Point} point */
  fits({ row, column }) {
    const target = this.page.rules.target({ sheet: this.page.sheet, row, column });
    return target !== null && this.page.rules.isDrawn(target);
  }

  /** @param {Point} point @param {boolean} erases */
  begin(point, erases) {
    this.page.say("");
    this.page.history.begin();
    this.erases = erases;
    this.last = point;
    this.move([point]);
  }

  /** @param {Point[]} points */
  move(points) {
    /** @type {Map<string, Spot & {after: Content}>} */
    const wanted = new Map();
    for (const point of points) {
      this.dab(this.last ?? point, point, wanted);
      this.last = point;
    }
    this.page.apply([...wanted.values()]);
  }

  end() {
    this.last = null;
    this.page.history.end();
    this.page.tell("stroke");
    this.page.request();
  }

  /** @param {Point} from @param {Point} to @param {Map<string, Spot & {after: Content}>} wanted */
  dab(from, to, wanted) {
    const radius = this.radius(to);
    const reach = Math.ceil(radius + 1);
    const [top, bottom] = [Math.min(from.row, to.row) - reach, Math.max(from.row, to.row) + reach];
    const [left, right] = [Math.min(from.column, to.column) - reach, Math.max(from.column, to.column) + reach];
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const ink = this.ink(distance(row + 0.5, column + 0.5, from, to), radius);
        if (ink > 0) this.pixel({ sheet: this.page.sheet, row, column }, ink, wanted);
      }
    }
  }

  /** How much of a pixel the stroke covers. @param {number} apart @param {number} radius */
  ink(apart, radius) {
    if (radius < 1) return apart <= 0.5 ? 1 : 0;
    const wider = this.erases ? 0.5 : 0;
    return Math.max(0, Math.min(1, (radius + STROKE.soft + wider - apart) / (2 * STROKE.soft)));
  }

  /** @param {Spot} spot @param {number} ink @param {Map<string, Spot & {after: Content}>} wanted */
  pixel(spot, ink, wanted) {
    const { rules } = this.page;
    const target = rules.target(spot);
    const rule = target && rules.of(target);
    if (!target || !rule?.draw) return;
    const { low = 0, high = 1 } = rule;
    const now = Number(toNumber(target.sheet.value(target.row, target.column)));
    const full = Math.round((low + (high - low) * ink) * 100) / 100;
    const value = this.erases
      ? Math.min(now, Math.round((high - (high - low) * ink) * 100) / 100)
      : Math.max(now, full);
    if (value !== now) wanted.set(cellId(target), { ...target, after: { value, formula: null } });
  }

  /** @param {Point} point */
  radius({ row, column }) {
    const { rules, sheet } = this.page;
    const blocks = rules.pictures(sheet).flat().map(spread);
    const block = blocks.find((b) => row >= b.row && row <= b.bottom && column >= b.column && column <= b.right);
    const rows = block?.height ?? STROKE.rows;
    return rows <= FINE ? 0.5 : Math.max(1, (STROKE.radius * rows) / STROKE.rows);
  }
}

/** From a point to the line between two others. @param {number} row @param {number} column @param {Point} from
 * @param {Point} to */
function distance(row, column, from, to) {
  const [down, right] = [to.exactRow - from.exactRow, to.exactColumn - from.exactColumn];
  const length = down * down + right * right;
  const along = length ? ((row - from.exactRow) * down + (column - from.exactColumn) * right) / length : 0;
  const t = Math.max(0, Math.min(1, along));
  return Math.hypot(row - from.exactRow - t * down, column - from.exactColumn - t * right);
}
