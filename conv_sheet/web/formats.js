"use strict";
// Number formats: what a value looks like.
//
// A format has up to three sections, for numbers above zero, below, and zero: `+0%;-0%;0%`; or for numbers that meet a
// condition, and for the rest: `[>=0.05]0.0;[<=-0.05]-0.0;`. A section is a pattern of digits (0, #, a point, commas
// for thousands, % and E+00) with texts around it.

/**
 * @typedef {object} Section
 * @property {string} before the text before the digits
 * @property {string} after
 * @property {number} whole digits at least before the point
 * @property {number} least digits at least behind it
 * @property {number} most digits at most behind it
 * @property {number} power digits at least of the exponent; 0 for none
 * @property {boolean} grouped
 * @property {boolean} digits whether it shows the number at all
 * @property {number} times 100 for a percentage
 * @property {((value: number) => boolean) | null} when which numbers it is for, where it says so itself
 */

/** @type {Map<string, Section[]>} */
const READ_FORMATS = new Map();

/** A value as its cell shows it. @param {Value} value @param {string} code */
function format(value, code) {
  if (value === null) return "";
  if (typeof value !== "number") return code === ";;;" ? "" : toText(value);
  if (code === "General" || code === "") return general(value);
  if (code === "@") return plainNumber(value);
  const sections = readFormat(code);
  const place = sectionOf(value, sections);
  const section = sections[place];
  return section ? shown(value, section, place === 0 && value < 0) : "";
}

/** Which section shows a number. @param {number} value @param {Section[]} sections */
function sectionOf(value, sections) {
  if (sections.some((section) => section.when)) return sections.findIndex(({ when }) => !when || when(value));
  return value < 0 && sections.length > 1 ? 1 : value === 0 && sections.length > 2 ? 2 : 0;
}

/** A number in up to 15 digits, with an exponent where it is long. @param {number} value */
function general(value) {
  const text = plainNumber(value);
  const decimals = text.includes("E") ? 0 : (text.split(".")[1]?.length ?? 0);
  const tiny = value !== 0 && Math.abs(value) < 1e-4 && (decimals > 15 || Math.abs(value) < 1e-9);
  return tiny || Math.abs(value) >= 1e16 ? exponent(value) : text;
}

/** @param {string} code @returns {Section[]} */
function readFormat(code) {
  let sections = READ_FORMATS.get(code);
  if (!sections) READ_FORMATS.set(code, (sections = code.split(/;(?=(?:[^"]|"[^"]*")*$)/).map(readSection)));
  return sections;
}

/** @param {string} text @returns {Section} */
function readSection(text) {
  const [head = "", sign, bound] = /^\[(>=|<=)([-.\d]+)\]/.exec(text) ?? [];
  /** @type {string[]} */
  const quoted = [];
  const bare = text.slice(head.length).replace(/"([^"]*)"|\\(.)/g, (_, inner, escaped) => {
    quoted.push(inner ?? escaped);
    return "\u0000";
  });
  const said = (/** @type {string} */ part) => part.replaceAll("\u0000", () => quoted.shift() ?? "");
  const found = /([#0,]+)(?:\.([#0]*))?(?:E\+(0+))?/.exec(bare);
  const [all, whole = "", part = "", power = ""] = found ?? [];
  const start = found?.index ?? bare.length;
  return {
    before: said(bare.slice(0, start)),
    after: said(bare.slice(start + (all?.length ?? 0))),
    whole: (whole.match(/0/g) ?? []).length,
    least: (part.match(/0/g) ?? []).length,
    most: part.length,
    power: power.length,
    grouped: whole.includes(","),
    digits: Boolean(found),
    times: bare.includes("%") ? 100 : 1,
    when: sign ? (value) => (sign === ">=" ? value >= Number(bound) : value <= Number(bound)) : null,
  };
}

/** @param {number} value @param {Section} section @param {boolean} signed whether the section itself shows a minus */
function shown(value, section, signed) {
  if (!section.digits) return section.before + section.after;
  const size = Math.abs(value) * section.times;
  const text = section.power ? scientific(size, section) : decimal(size, section);
  const minus = signed && /[1-9]/.test(text) ? "-" : "";
  return minus + section.before + text + section.after;
}

/** @param {number} size @param {Section} section */
function decimal(size, section) {
  const [whole = "", part = ""] = fixed(size, section.most).split(".");
  let kept = part.replace(/0+$/, "").padEnd(section.least, "0");
  if (kept) kept = `.${kept}`;
  const digits = whole === "0" ? "".padEnd(section.whole, "0") : whole.padStart(section.whole, "0");
  return (section.grouped ? digits.replace(/\B(?=(\d{3})+$)/g, ",") : digits) + kept;
}

/** @param {number} size @param {Section} section */
function scientific(size, section) {
  let power = size === 0 ? 0 : Math.floor(Math.log10(size));
  let digits = fixed(size / 10 ** power, section.most);
  if (Number(digits) >= 10) digits = fixed(size / 10 ** ++power, section.most);
  if (size !== 0 && Number(digits) < 1) digits = fixed(size / 10 ** --power, section.most);
  return `${digits}E${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(section.power, "0")}`;
}

/** A number with so many places, a half rounded up; the first 15 digits are those that count.
 * @param {number} size @param {number} places */
function fixed(size, places) {
  if (places === 0 && size < 1e15) return String(Math.round(size));
  const [mantissa = "0", power = "0"] = size.toExponential(14).split("e");
  const digits = mantissa.replace(".", "");
  const point = Number(power) + 1;
  const all = point <= 0 ? "0".repeat(1 - point) + digits : digits.padEnd(point, "0");
  const split = Math.max(point, 1);
  const kept = all.slice(0, split + places).padEnd(split + places, "0");
  const up = (all[split + places] ?? "0") >= "5";
  const rounded = (BigInt(kept) + (up ? 1n : 0n)).toString().padStart(places + 1, "0");
  return places ? `${rounded.slice(0, -places)}.${rounded.slice(-places)}` : rounded;
}
