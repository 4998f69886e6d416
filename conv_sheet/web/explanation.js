"use strict";
// The panel that takes one value apart: its window and its kernel, their products, the sum, the bias, the activation.

/** Larger windows are shown as pictures; so many products, and so many other references, are shown one by one; larger
 * ranges are not framed. */
const MOST = { cells: 6, products: 4, used: 8, framed: 4000 };
const DRAW = "Draw into this picture. Then point at a number of a map: here you see what makes it.";
const POINT = "Point at a number, or select it: here you see what makes it.";

class Explanation {
  /** @param {Page} page @param {Overlay} overlay */
  constructor(page, overlay) {
    this.page = page;
    this.overlay = overlay;
    this.place = element("explanation");
    this.shown = "";
    page.on("frame", () => this.update());
  }

  update() {
    const { page } = this;
    if (page.history.open) return;
    const { sheet, row, column } = page.explained;
    const value = sheet.value(row, column);
    const id = [cellId(page.explained), page.book.evaluations, toText(value), page.view.colours.dark].join();
    if (id === this.shown) return;
    this.shown = id;
    this.overlay.framed = [];
    const formula = sheet.formula(row, column);
    const yours = !formula || page.rules.target(page.explained) !== null;
    const parts = yours ? this.typed(value) : this.made(formula, value);
    this.place.replaceChildren(made("h2", placeText(page, page.explained)), ...parts);
    this.overlay.draw();
    if (!yours) this.reveal();
  }

  /** Bring the account into sight in the panel, its head first. */
  reveal() {
    const panel = element("panel");
    const [own, around] = [this.place.getBoundingClientRect(), panel.getBoundingClientRect()];
    const below = own.bottom - around.bottom;
    if (below > 0) panel.scrollTop += Math.min(below, own.top - around.top);
  }

  /** @param {Value} value */
  typed(value) {
    const { page } = this;
    const spot = page.explained;
    const rule = page.rules.of(spot);
    if (!rule && typeof value !== "number") return [made("p", POINT, "quiet")];
    const said = rule?.draw ? DRAW : rule ? `Yours to change. ${rule.hint}` : "";
    return [made("p", said, "quiet"), made("div", value === null ? "" : format(value, "General"), "result")];
  }

  /** @param {Formula} formula @param {Value} value */
  made(formula, value) {
    const account = accountOf(formula);
    /** @type {HTMLElement[]} */
    const parts = [];
    account.products.forEach(({ window, kernel }, k) => {
      const colours = [this.colour(window, 2 * k), this.colour(kernel, 2 * k + 1)];
      if (k < MOST.products) parts.push(this.product(window, kernel, colours));
    });
    const more = account.products.length - MOST.products;
    if (more > 0) parts.push(made("p", `… and ${more} more of these`, "quiet"));
    if (account.pool) parts.push(this.pool(account.pool));
    parts.push(...this.added(account), ...this.used(account));
    if (account.sum !== null) parts.push(made("p", sumText(account, account.sum), "sum"));
    const code = made("code", `=${formula.text}`);
    parts.push(made("div", `= ${typeof value === "number" ? format(value, "0.0###") : toText(value)}`, "result"), code);
    return parts;
  }

  /** Frame an area on the sheet; returns the colour. @param {Area} area @param {number} number */
  colour(area, number) {
    const colour = FRAMES[number % FRAMES.length] ?? "";
    const { view, sheet } = this.page;
    const whole = area.single && area.sheet === sheet ? view.geometry.whole(area.top, area.left) : area;
    this.overlay.framed.push({ area: whole, colour });
    return view.colours.of(colour);
  }

  /** @param {Area} window @param {Area} kernel @param {(string | undefined)[]} colours */
  product(window, kernel, [one, two]) {
    const value = (/** @type {Area} */ area) => (/** @type {number} */ y, /** @type {number} */ x) =>
      Number(toNumber(item(area, y, x)));
    const [a, b] = [value(window), value(kernel)];
    let sum = 0;
    for (let y = 0; y < window.height; y++) for (let x = 0; x < window.width; x++) sum += a(y, x) * b(y, x) || 0;
    const row = made("div", "", "equation");
    const { page } = this;
    const { colours } = page.view;
    const left = tableOf(colours, window, a, nameOf(page, window), one);
    const right = tableOf(colours, kernel, b, nameOf(page, kernel), two);
    const products = tableOf(colours, window, (y, x) => a(y, x) * b(y, x), "their products");
    row.append(left, made("span", "×"), right, made("span", "="), products, made("b", `Σ ${format(sum, "0.0##")}`));
    return row;
  }

  /** @param {{area: Area, name: string}} pool */
  pool({ area, name }) {
    const row = made("div", "", "equation");
    const value = (/** @type {number} */ y, /** @type {number} */ x) => Number(toNumber(item(area, y, x)));
    const { page } = this;
    const shown = tableOf(page.view.colours, area, value, nameOf(page, area), this.colour(area, 0));
    row.append(shown, made("span", `the ${name} of these`));
    return row;
  }

  /** @param {Account} account @returns {HTMLElement[]} */
  added({ products, added }) {
    return added.map((area, k) => {
      const value = format(area.sheet.value(area.top, area.left), "0.0###");
      const line = made("p", `+ ${value} from ${nameOf(this.page, area)}`, "term");
      line.style.borderColor = this.colour(area, 2 * products.length + k);
      return line;
    });
  }

  /** @param {Account} account @returns {HTMLElement[]} */
  used({ used }) {
    const distinct = [...new Map(used.map((area) => [area.sheet.title + area.address, area])).values()];
    const few = distinct.filter((area) => area.height * area.width <= MOST.framed).slice(0, MOST.used);
    return few.map((area, k) => {
      const value = area.single ? ` = ${shortText(area.sheet.value(area.top, area.left))}` : "";
      const line = made("p", nameOf(this.page, area) + value, "term");
      line.style.borderColor = this.colour(area, k);
      return line;
    });
  }
}

/** Numbers as a table, coloured by their sign and size; many as a picture.
 * @param {Colours} colours @param {{height: number, width: number}} size
 * @param {(y: number, x: number) => number} value @param {string} [label] @param {string} [frame] */
function tableOf(colours, { height, width }, value, label, frame) {
  let most = 1e-9;
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) most = Math.max(most, Math.abs(value(y, x)) || 0);
  const fill = (/** @type {number} */ v) => colours.scaled(v, most, "F8696B", "7FB1F2");
  const drawn =
    height > MOST.cells || width > MOST.cells ? picture(height, width, (y, x) => fill(value(y, x))) : made("table");
  if (drawn instanceof HTMLTableElement) {
    drawn.style.width = `${28 * width}px`;
    for (let y = 0; y < height; y++) {
      const row = drawn.insertRow();
      for (let x = 0; x < width; x++) {
        const cell = row.insertCell();
        cell.textContent = format(value(y, x), "0.0#");
        cell.style.background = fill(value(y, x));
      }
    }
  }
  if (label) drawn.setAttribute("aria-label", (drawn.title = label));
  if (frame) drawn.style.outlineColor = frame;
  drawn.classList.toggle("framed", Boolean(frame));
  return drawn;
}

/** @param {number} height @param {number} width @param {(y: number, x: number) => string} fill */
function picture(height, width, fill) {
  const canvas = made("canvas");
  [canvas.width, canvas.height] = [width, height];
  canvas.style.width = `${Math.min(150, width * 6)}px`;
  const pen = canvas.getContext("2d");
  for (let y = 0; y < height && pen; y++) {
    for (let x = 0; x < width; x++) {
      pen.fillStyle = fill(y, x);
      pen.fillRect(x, y, 1, 1);
    }
  }
  return canvas;
}

/** @param {Account} account @param {number} sum */
function sumText({ activation, limits, pool }, sum) {
  const shown = `all together ${format(sum, "0.0###")}`;
  if (pool) return "";
  if (!activation) return shown;
  if (!limits) return `${shown}, then ${activation}`;
  const [low, high] = limits;
  if (sum < low) return `${shown}: below ${low || "zero"}, so ${activation} makes it ${low}`;
  return sum > high
    ? `${shown}: above ${high}, so ${activation} makes it ${high}`
    : `${shown}: ${activation} lets it pass`;
}

/** @param {Value} value */
function shortText(value) {
  const text = format(value, "General");
  return text.length > 30 ? `${text.slice(0, 29)}…` : text;
}

/** The name and the place in it of a cell: `conv1_out_1, row 2, column 3`; its address where it has none.
 * @param {Page} page @param {Spot} spot */
function placeText(page, { sheet, row, column }) {
  const address = letters(column) + row;
  const found = nameAt(page.book, sheet, row, column);
  if (!found) return address;
  const { name, place } = found;
  if (place.height === 1 && place.width === 1) return `${name} · ${address}`;
  const [y, x] = [(row - place.row) / place.rowStep + 1, (column - place.column) / place.columnStep + 1];
  return `${name} · row ${y}, column ${x} · ${address}`;
}

/** The smallest named block that a cell is part of. @param {Book} book @param {Sheet} sheet @param {number} row
 * @param {number} column */
function nameAt(book, sheet, row, column) {
  /** @type {{name: string, place: ReturnType<typeof spread>} | null} */
  let best = null;
  for (const [name, [title, ...numbers]] of book.names) {
    if (title !== sheet.title) continue;
    const place = spread(numbers);
    const [y, x] = [(row - place.row) / place.rowStep, (column - place.column) / place.columnStep];
    const inside =
      Number.isInteger(y) && Number.isInteger(x) && y >= 0 && x >= 0 && y < place.height && x < place.width;
    if (inside && (!best || place.height * place.width < best.place.height * best.place.width)) best = { name, place };
  }
  return best;
}

/** @param {Page} page @param {Area} area */
function nameOf(page, area) {
  const found = nameAt(page.book, area.sheet, area.top, area.left);
  const here = area.sheet === page.sheet ? "" : `${area.sheet.title}!`;
  return found ? `${found.name} (${here}${area.address})` : here + area.address;
}
