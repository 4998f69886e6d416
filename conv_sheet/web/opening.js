"use strict";
// How a sheet is seen first, and how near a place is seen that somebody asks for.

/** On small screens: the zoom of a picture to draw into, and columns in sight. */
const LEAST = { picture: 0.3, columns: 30 };
/** Pixels of letters that can be read, on a phone and on a table, and so many pixels of width for each of them. */
const LETTERS = { least: 8, most: 11, width: 60 };
/** So many characters are a sentence and no label. */
const SENTENCE = 20;

class Opening {
  /** @param {HTMLElement} frame @param {View} view @param {Rules} rules */
  constructor(frame, view, rules) {
    this.frame = frame;
    this.view = view;
    this.rules = rules;
  }

  /** Pixels of the sheet in sight. */
  get room() {
    return { across: this.frame.clientWidth - HEAD.width, down: this.frame.clientHeight - HEAD.height };
  }

  /** The picture that a sheet begins with: one that is typed there, or else one that shows such a picture. What stands
   * further right than it is wide comes after other things. @param {Sheet} sheet */
  picture(sheet) {
    const own = (sheet.data.validations ?? []).find((rule) => rule.draw)?.blocks[0];
    const place = own ?? this.rules.pictures(sheet)[0]?.[0];
    const size = place && this.view.geometryOf(sheet).sizeWith(place, !own);
    return place && size && size.width < 2 * size.own ? { place, size, own: Boolean(own) } : null;
  }

  /** So far down that the sheet's own picture is in sight, as much of it as has room. @param {Sheet} sheet */
  top(sheet) {
    const { zoom, geometry } = this.view;
    const picture = this.picture(sheet);
    if (!picture?.own) return 0;
    const { y, frozenRows } = geometry;
    const { row, bottom } = spread(picture.place);
    const below = ((y[bottom] ?? 0) + 20) * zoom - this.room.down;
    const above = ((y[row - 1] ?? 0) - (y[frozenRows] ?? 0) - 24) * zoom;
    return Math.max(0, Math.min(below, above));
  }

  /** The zoom of the data; a little smaller where the whole sheet fits then; and on a small screen so small that the
   * picture that it begins with is seen whole, or many columns, but sentences can be read: unless they stand beside a
   * picture to draw into. @param {Sheet} sheet */
  zoom(sheet) {
    const usual = (sheet.data.zoom ?? 100) / 100;
    const geometry = this.view.geometryOf(sheet);
    const { across, down } = this.room;
    const widthOf = (/** @type {number} */ columns) => geometry.x[Math.min(columns, sheet.filledColumns)] ?? 1;
    const fits = across / widthOf(sheet.filledColumns);
    const picture = this.picture(sheet);
    const small = picture
      ? Math.min(across / picture.size.width, down / picture.size.height)
      : across / widthOf(LEAST.columns);
    const least = picture?.own ? LEAST.picture : this.legible(sheet);
    return Math.min(usual, Math.max(least, small), fits > 0.8 * usual ? fits : usual);
  }

  /** Pixels of letters that can be read. */
  get letters() {
    return Math.max(LETTERS.least, Math.min(LETTERS.most, this.room.across / LETTERS.width));
  }

  /** The smallest zoom at which the sentences of a sheet can be read. @param {Sheet} sheet */
  legible(sheet) {
    const { styles } = sheet.book;
    const sentences = (sheet.data.cells ?? []).filter(
      ([, , , text]) => typeof text === "string" && text.length >= SENTENCE,
    );
    const sizes = sentences.map(([, , style]) => (styles[style] ?? USUAL).size);
    return sizes.length ? this.letters / fontPixels(Math.min(...sizes), 1) : LEAST.picture;
  }

  /** A zoom at which what stands in some cells can be read, where it is too small to be drawn; as near as has room.
   * @param {Area} area */
  closer({ sheet, top, left, bottom, right }) {
    const { zoom, geometry } = this.view;
    const { size } = sheet.style(top, left) ?? USUAL;
    if (fontPixels(size, zoom) >= LEAST_TEXT) return zoom;
    const { across, down } = this.room;
    const { x, y, frozenRows } = geometry;
    const width = (x[right] ?? 0) - (x[left - 1] ?? 0);
    const height = (y[bottom] ?? 0) - (y[top - 1] ?? 0) + (y[frozenRows] ?? 0);
    return Math.max(zoom, Math.min(this.letters / fontPixels(size, 1), across / width, down / height));
  }
}
