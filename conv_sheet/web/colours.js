"use strict";
// Colours as the sheet shows them: on paper by day, on slate by night.

/** @typedef {[number, number, number]} Rgb */

const STEPS = 255;
/** How bright a fill is on which dark and light texts are read alike. */
const MIDDLE = 117;
/** What is white by day. @type {Rgb} */
const NIGHT = [24, 28, 36];
const SHEET = {
  paper: "FFFFFF",
  head: "F7F9FC",
  line: "C9D2E3",
  grey: "6B7689",
  ink: "1F2A44",
  edit: "1E3A8A",
  good: "C6EFCE",
  goodText: "006100",
  bad: "FFC7CE",
  badText: "9C0006",
  bar: "63BE7B",
  pale: "EEF2F8",
};
/** Frames around what a formula reads, in the order of its references. */
const FRAMES = ["1E66F5", "D9730D", "8839EF", "0E8A8A", "C2185B", "3F8F2B", "A66A00", "5A67D8"];

class Colours {
  constructor() {
    this.dark = false;
    /** @type {Map<string, string>} */
    this.toned = new Map();
    /** @type {Map<string, string[]>} */
    this.ramps = new Map();
    /** @type {Map<string, string>} */
    this.readable = new Map();
  }

  /** @param {boolean} dark */
  use(dark) {
    if (dark === this.dark) return;
    this.dark = dark;
    this.toned.clear();
    this.ramps.clear();
  }

  /** A colour of the data for the canvas. @param {string} hex */
  of(hex) {
    let colour = this.toned.get(hex);
    if (!colour) this.toned.set(hex, (colour = css(this.tone(hex))));
    return colour;
  }

  /** The same hue with its lightness turned round, at night. @param {string} hex @returns {Rgb} */
  tone(hex) {
    const rgb = fromHex(hex);
    if (!this.dark) return rgb;
    const turn = Math.min(...rgb) + Math.max(...rgb) - 255;
    return /** @type {Rgb} */ (rgb.map((part, k) => Math.round((NIGHT[k] ?? 0) + Math.max(0, part - turn) * 0.85)));
  }

  /** The colour of a text over a fill: its own by day, where the fill is light; else whichever can be read.
   * @param {string} text @param {string} fill */
  over(text, fill) {
    if (!fill) return text;
    let readable = this.readable.get(fill);
    if (!readable) this.readable.set(fill, (readable = brightness(fill) > MIDDLE ? "#10141c" : "#eef1f7"));
    return !this.dark && brightness(fill) > MIDDLE ? text : readable;
  }

  /** From paper to a colour, `share` of the way. @param {string} hex @param {number} share 0 … 1 */
  mixed(hex, share) {
    let ramp = this.ramps.get(hex);
    if (!ramp) this.ramps.set(hex, (ramp = this.ramp(hex)));
    return ramp[Math.round(Math.max(0, Math.min(1, share)) * STEPS)] ?? "";
  }

  /** At night ink is light, and all other colours are a little darker. @param {string} hex */
  ramp(hex) {
    const own = fromHex(hex);
    const night = brightness(css(own)) < MIDDLE ? this.tone(hex) : dimmed(own);
    const [paper, full] = [this.tone(SHEET.paper), this.dark ? night : own];
    return Array.from({ length: STEPS + 1 }, (_, step) => {
      const mixed = paper.map((part, k) => Math.round(part + (((full[k] ?? 0) - part) * step) / STEPS));
      return css(/** @type {Rgb} */ (mixed));
    });
  }

  /** The colour of a number on a scale that is white at zero. @param {number} value @param {number} top
   * @param {string} high @param {string} [low] */
  scaled(value, top, high, low) {
    const share = top > 0 ? value / top : 0;
    return share < 0 && low ? this.mixed(low, -share) : this.mixed(high, share);
  }
}

/** @param {string} hex @returns {Rgb} */
function fromHex(hex) {
  const part = (/** @type {number} */ at) => parseInt(hex.slice(at, at + 2), 16);
  return [part(0), part(2), part(4)];
}

/** How bright a colour of the canvas is, from 0 to 255. @param {string} colour */
function brightness(colour) {
  const [red = 0, green = 0, blue = 0] = (colour.match(/\d+/g) ?? []).map(Number);
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

/** @param {Rgb} rgb @returns {Rgb} */
function dimmed(rgb) {
  return /** @type {Rgb} */ (rgb.map((part) => Math.round(part * 0.72)));
}

/** @param {Rgb} rgb */
function css([red, green, blue]) {
  return `rgb(${red},${green},${blue})`;
}
