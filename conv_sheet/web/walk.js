"use strict";
// The walk: the window goes over the picture, value by value, as a convolution is computed.

/** Milliseconds for a step, from slow to fast. */
const PACES = [1200, 600, 300, 140, 60, 20];

class Walk {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.pace = 2;
    this.timer = 0;
    /** @type {{block: Place, step: number} | null} */
    this.way = null;
    element("play").addEventListener("click", () => (this.timer ? this.stop() : this.start()));
    element("slower").addEventListener("click", () => this.faster(-1));
    element("faster").addEventListener("click", () => this.faster(1));
    page.on("sheet", () => this.rest());
    page.on("select", () => this.timer && this.stop());
    this.rest();
  }

  /** Begin anew on another sheet; the button is there where the sheet has a map. */
  rest() {
    this.stop();
    this.way = null;
    element("walk").hidden = !this.map();
  }

  /** The map to walk over: that of the selected value, or else the first one. @returns {Place | null} */
  map() {
    const { cursor, sheet } = this.page;
    const chosen = cursor.sheet === sheet ? sheet.blockAt(cursor.row, cursor.column) : undefined;
    const maps = sheet.blocks.filter((block) => this.isMap(block));
    return (chosen && maps.includes(chosen) ? chosen : maps[0])?.at ?? null;
  }

  /** @param {{at: Place, formula?: string}} block */
  isMap({ at, formula }) {
    const { height, width } = spread(at);
    return Boolean(formula) && height > 1 && width > 1 && /SUMPRODUCT|^(MAX|MIN|AVERAGE)\([A-Z]/.test(formula ?? "");
  }

  start() {
    const block = this.map();
    if (!block) return;
    if (!this.way || this.way.block !== block) this.way = { block, step: -1 };
    this.say(true);
    this.step();
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.say(false);
  }

  /** @param {boolean} runs */
  say(runs) {
    const play = element("play");
    play.textContent = runs ? "Pause" : "Play";
    play.setAttribute("aria-pressed", String(runs));
  }

  step() {
    if (!this.way) return;
    const { row, column, height, width, rowStep, columnStep } = spread(this.way.block);
    this.way.step = (this.way.step + 1) % (height * width);
    const [y, x] = [Math.floor(this.way.step / width), this.way.step % width];
    const at = { row: row + y * rowStep, column: column + x * columnStep };
    this.page.pointed = { sheet: this.page.sheet, ...at };
    if (this.way.step === 0) this.page.reveal(at.row, at.column, 1);
    this.page.request();
    this.timer = window.setTimeout(() => this.step(), PACES[this.pace]);
  }

  /** @param {number} by */
  faster(by) {
    this.pace = Math.max(0, Math.min(PACES.length - 1, this.pace + by));
    this.page.say(
      `${Math.round(1000 / (PACES[this.pace] ?? 1000))} values a second`.replace(/^[01] values/, "1 value"),
    );
  }
}
