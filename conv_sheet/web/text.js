"use strict";
// Texts and numbers inside their cells.

const NO_BREAK = /(?<=[\s-])/;
/** A text that has no room is written so much smaller before it is cut. */
const SMALLEST = 0.25;

class Writer {
  /** @param {CanvasRenderingContext2D} pen */
  constructor(pen) {
    this.pen = pen;
    this.font = "";
    /** @type {Map<string, number>} */
    this.widths = new Map();
  }

  /** Let the pen's font be set anew: somebody else has used it. */
  reset() {
    this.font = "";
  }

  /** @param {CellStyle} style @param {number} size */
  use(style, size) {
    const family = style.mono ? FONTS.mono : FONTS.plain;
    const font = `${style.italic ? "italic " : ""}${style.bold ? "bold " : ""}${size.toFixed(2)}px ${family}`;
    if (font !== this.font) this.pen.font = this.font = font;
  }

  /** @param {string} text */
  width(text) {
    const id = this.font + text;
    let width = this.widths.get(id);
    if (width === undefined) {
      if (this.widths.size > 20_000) this.widths.clear();
      this.widths.set(id, (width = this.pen.measureText(text).width));
    }
    return width;
  }

  /** @param {Value} value @param {CellStyle} style @param {Box} box of the cell
   * @param {Box} free how far the text may go on both sides @param {number} zoom @param {string} colour */
  write(value, style, box, free, zoom, colour) {
    const text = format(value, style.format);
    if (!text) return;
    const size = fontPixels(style.size, zoom);
    this.pen.fillStyle = colour;
    this.pen.textBaseline = "middle";
    if (style.wrap) this.paragraph(text, style, box, size, zoom);
    else this.line(text, value, style, box, free, size, zoom);
  }

  /** @param {string} text @param {Value} value @param {CellStyle} style @param {Box} box @param {Box} free
   * @param {number} size @param {number} zoom */
  line(text, value, style, box, free, size, zoom) {
    const number = typeof value === "number";
    const align = style.horizontal || (number ? "right" : typeof value === "string" ? "left" : "center");
    const whole = number || style.shrink;
    const room = whole ? box.right - box.left - 2 : roomOf(align, style, box, free, zoom);
    this.use(style, size);
    const width = this.width(text);
    const cut = !whole && width * SMALLEST > room;
    if (width > room) this.use(style, size * (cut ? SMALLEST : room / width));
    if (cut) this.clip({ ...box, left: free.left, right: free.right });
    this.put(text, style, align, box, lineHeight(box, style, size, 1), size, zoom);
    if (cut) this.pen.restore();
  }

  /** Lines that fill a cell; smaller where they do not fit. @param {string} text @param {CellStyle} style
   * @param {Box} box @param {number} size @param {number} zoom */
  paragraph(text, style, box, size, zoom) {
    const room = box.right - box.left - 6 * zoom;
    const least = size * SMALLEST;
    let lines = this.lines(text, style, size, room);
    while (size > least && !this.fits(lines, room, size, box)) lines = this.lines(text, style, (size *= 0.92), room);
    this.clip(box);
    const first = lineHeight(box, style, size, lines.length);
    lines.forEach((line, k) => {
      this.put(line, style, style.horizontal || "left", box, first + k * size * 1.2, size, zoom);
    });
    this.pen.restore();
  }

  /** @param {string[]} lines @param {number} room @param {number} size @param {Box} box */
  fits(lines, room, size, { top, bottom }) {
    return lines.length * size * 1.2 <= bottom - top + 1 && lines.every((line) => this.width(line.trimEnd()) <= room);
  }

  /** @param {string} text @param {CellStyle} style @param {number} size @param {number} room */
  lines(text, style, size, room) {
    this.use(style, size);
    /** @type {string[]} */
    const lines = [];
    for (const word of text.split(NO_BREAK)) {
      const longer = (lines.at(-1) ?? "") + word;
      if (lines.length && this.width(longer.trimEnd()) <= room) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    return lines;
  }

  /** @param {Box} box */
  clip({ top, left, bottom, right }) {
    this.pen.save();
    this.pen.beginPath();
    this.pen.rect(left, top, right - left, bottom - top);
    this.pen.clip();
  }

  /** @param {string} text @param {CellStyle} style @param {"left" | "center" | "right"} align @param {Box} box
   * @param {number} y @param {number} size @param {number} zoom */
  put(text, style, align, box, y, size, zoom) {
    const { pen } = this;
    const gap = 3 * zoom;
    const left = box.left + gap + style.indent * 8 * zoom;
    const x = align === "center" ? (box.left + box.right) / 2 : align === "right" ? box.right - gap : left;
    pen.textAlign = align;
    pen.fillText(text, x, y);
    if (!style.underline) return;
    const width = this.width(text);
    pen.fillRect(align === "left" ? x : align === "center" ? x - width / 2 : x - width, y + size * 0.48, width, 1);
  }
}

/** How wide a text may be between its neighbours. @param {"left" | "center" | "right"} align @param {CellStyle} style
 * @param {Box} box of its cell @param {Box} free @param {number} zoom */
function roomOf(align, style, box, free, zoom) {
  const [left, right] = [Math.min(box.left, free.left), Math.max(box.right, free.right)];
  const middle = (box.left + box.right) / 2;
  if (align === "center") return 2 * Math.min(middle - left, right - middle);
  return align === "left" ? right - box.left - (3 + style.indent * 8) * zoom : box.right - 3 * zoom - left;
}

/** The height of letters in pixels. @param {number} points @param {number} zoom */
function fontPixels(points, zoom) {
  return (points * 4 * zoom) / 3;
}

/** The middle of the first of some lines. @param {Box} box @param {CellStyle} style @param {number} size
 * @param {number} count */
function lineHeight({ top, bottom }, style, size, count) {
  const height = size * 1.2;
  if (style.vertical === "top") return top + height / 2 + size * 0.1;
  if (style.vertical === "bottom") return bottom - count * height + height / 2;
  return (top + bottom) / 2 - ((count - 1) * height) / 2;
}
