"use strict";
// What lies over the sheet: the selection, and frames around all that a value is made of.

class Overlay {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.canvas = /** @type {HTMLCanvasElement} */ (element("frames"));
    this.pen = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    /** What is framed, and in which colour: the explanation says it. @type {{area: Area, colour: string}[]} */
    this.framed = [];
    page.on("frame", () => this.draw());
  }

  draw() {
    const { pen, page } = this;
    const { view } = page;
    fitCanvas(this.canvas, page.frame, view.ratio);
    pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
    pen.clearRect(0, 0, page.frame.clientWidth, page.frame.clientHeight);
    this.heads();
    if (view.zoom <= NO_LINES) this.edges();
    for (const { area, colour } of this.framed) this.box(area, view.colours.of(colour), 2, 0.1);
    if (page.selected.sheet === page.sheet) this.selection();
    const { pointed } = page;
    if (pointed?.sheet === page.sheet)
      this.box(view.geometry.whole(pointed.row, pointed.column), view.colours.of(SHEET.ink), 1.5, 0);
  }

  /** Of pictures to draw into, where their cells have no lines. */
  edges() {
    const { page } = this;
    for (const place of page.rules.pictures(page.sheet).flat()) {
      const { row, column, bottom, right } = spread(place);
      this.box(new Area(page.sheet, row, column, bottom, right), page.view.colours.of(SHEET.line), 1, 0);
    }
  }

  selection() {
    const { selected, cursor, view } = this.page;
    const colour = view.colours.of(SHEET.edit);
    if (!selected.single) this.box(selected, colour, 1, 0.08);
    this.box(view.geometry.whole(cursor.row, cursor.column), colour, 2, 0);
  }

  /** A frame around cells, in each pane that shows some of them. @param {Area} area @param {string} colour
   * @param {number} width @param {number} tint */
  box(area, colour, width, tint) {
    const { pen, page } = this;
    if (area.sheet !== page.sheet) return;
    const { top, left, bottom, right } = page.view.box(area.top, area.left, area.bottom, area.right);
    for (const pane of page.view.panes()) {
      const seen = area.top <= pane.rows[1] && area.bottom >= pane.rows[0];
      if (!seen || area.left > pane.columns[1] || area.right < pane.columns[0]) continue;
      pen.save();
      pen.beginPath();
      pen.rect(
        pane.box.left - 1,
        pane.box.top - 1,
        pane.box.right - pane.box.left + 1,
        pane.box.bottom - pane.box.top + 1,
      );
      pen.clip();
      pen.fillStyle = pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.globalAlpha = tint;
      if (tint) pen.fillRect(left, top, right - left, bottom - top);
      pen.globalAlpha = 1;
      pen.strokeRect(left, top, right - left, bottom - top);
      pen.restore();
    }
  }

  /** The row and the column of the cell that is explained, among the heads. */
  heads() {
    const { pen, page } = this;
    const { view } = page;
    const { sheet, row, column } = page.explained;
    if (sheet !== page.sheet) return;
    const { top, left, bottom, right } = view.box(row, column, row, column);
    pen.font = `bold 11px ${FONTS.plain}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    if (left >= HEAD.width - 1) this.head(letters(column), (left + right) / 2, HEAD.height / 2);
    if (top >= HEAD.height - 1) this.head(String(row), HEAD.width / 2, (top + bottom) / 2);
  }

  /** @param {string} text @param {number} x @param {number} y */
  head(text, x, y) {
    const { pen, page } = this;
    const half = Math.max(9, pen.measureText(text).width / 2 + 4);
    pen.fillStyle = page.view.colours.of(SHEET.pale);
    pen.fillRect(x - half, y - 8, 2 * half, 16);
    pen.fillStyle = page.view.colours.of(SHEET.edit);
    pen.fillText(text, x, y);
  }
}
