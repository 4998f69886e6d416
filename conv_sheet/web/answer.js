"use strict";
// What the network says now, and what it said before the last change: always in sight.

/** So many numbers without labels are listed; more are shown as a picture. */
const LISTED = 16;

class Answer {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.place = element("answer");
    this.best = made("b");
    this.sure = made("span");
    this.data = page.data.answer ?? null;
    /** @type {number[]} */
    this.now = [];
    /** @type {number[] | null} */
    this.before = null;
    this.growing = false;
    this.place.hidden = !this.data;
    /** @type {{row: HTMLElement, share: HTMLElement}[]} */
    this.rows = [];
    if (this.data) this.build(this.data);
    page.on("change", () => this.keep());
    page.on("stroke", () => (this.growing = false));
    page.on("frame", () => this.update());
  }

  /** @param {AnswerData} data */
  build(data) {
    const values = listOf(this.page.book, data.values);
    this.labels = data.labels ? listOf(this.page.book, data.labels).map(toText) : values.map((_, k) => String(k + 1));
    const said = made("div", "", "said");
    said.append(this.best, this.sure);
    this.then = made("div", "", "then");
    this.place.append(made("h2", data.title));
    if (data.labels) this.place.append(said, this.then);
    this.list = made("div", "", "bars");
    if (data.labels || values.length <= LISTED) this.rows = this.labels.map((label) => this.bar(label));
    this.place.append(this.list);
  }

  /** @param {string} label */
  bar(label) {
    const [row, track, share] = [made("div", "", "bar"), made("div", "", "track"), made("span", "", "share")];
    track.append(made("div", "", "fill"), made("div", "", "mark"));
    row.append(made("span", label, "label"), track, share);
    this.list?.append(row);
    return { row, share };
  }

  /** Keep the answer that stood before a change; a stroke is one change. */
  keep() {
    if (!this.growing) this.before = this.now;
    this.growing = this.page.history.open !== null;
  }

  update() {
    const { data, page } = this;
    if (!data) return;
    const now = listOf(page.book, data.values).map((value) => (typeof value === "number" ? value : 0));
    if (
      now.length === this.now.length &&
      now.every((value, k) => value === this.now[k]) &&
      this.shownBefore === this.before
    )
      return;
    this.now = now;
    this.shownBefore = this.before;
    if (this.rows.length) this.showBars(data, now);
    else this.showPictures(data, now);
  }

  /** @param {AnswerData} data @param {number[]} now */
  showBars(data, now) {
    const { before } = this;
    const most = data.shares ? 1 : Math.max(1e-9, ...now.map(Math.abs), ...(before ?? []).map(Math.abs));
    const best = largest(now);
    this.rows.forEach(({ row, share }, k) => {
      setLength(row, "--share", Math.abs(now[k] ?? 0) / most);
      setLength(row, "--before", Math.abs(before?.[k] ?? now[k] ?? 0) / most);
      row.classList.toggle("best", k === best && Boolean(data.labels));
      row.classList.toggle("moved", Math.abs((before?.[k] ?? now[k] ?? 0) - (now[k] ?? 0)) / most > 0.004);
      write(share, this.text(data, now[k] ?? 0));
    });
    if (!data.labels || !this.then) return;
    write(this.best, this.labels?.[best] ?? "");
    write(this.sure, this.text(data, now[best] ?? 0));
    const then = before ? largest(before) : -1;
    write(this.then, before ? `before: ${this.labels?.[then]}, ${this.text(data, before[then] ?? 0)}` : "");
    this.then.classList.toggle("moved", then >= 0 && then !== best);
  }

  /** @param {AnswerData} data @param {number[]} now */
  showPictures(data, now) {
    const { height, width } = spread(data.values.slice(1).map(Number));
    const list = [this.figure("now", now, height, width)];
    if (this.before) list.push(this.figure("before", this.before, height, width));
    this.list?.replaceChildren(...list);
    this.list?.classList.add("figures");
  }

  /** @param {string} caption @param {number[]} values @param {number} height @param {number} width */
  figure(caption, values, height, width) {
    const most = Math.max(1e-9, ...values.map(Math.abs));
    const figure = made("figure");
    const { colours } = this.page.view;
    const at = (/** @type {number} */ y, /** @type {number} */ x) =>
      colours.scaled(values[y * width + x] ?? 0, most, "F8696B", "7FB1F2");
    figure.append(picture(height, width, at), made("figcaption", caption));
    return figure;
  }

  /** The answer in a sentence. */
  get sentence() {
    const { data, now, before } = this;
    if (!data?.labels) return "";
    const best = largest(now);
    const old = before ? largest(before) : best;
    const says = `${data.title} ${this.labels?.[best]}, ${this.text(data, now[best] ?? 0)}`;
    return before ? `${says}; before: ${this.labels?.[old]}, ${this.text(data, before[old] ?? 0)}.` : `${says}.`;
  }

  /** @param {AnswerData} data @param {number} value */
  text(data, value) {
    return format(value, data.shares ? "0.0%" : "0.00");
  }
}

/** @param {HTMLElement} row @param {string} property @param {number} share */
function setLength(row, property, share) {
  const text = share.toFixed(3);
  if (row.style.getPropertyValue(property) !== text) row.style.setProperty(property, text);
}

/** Place of the largest of some numbers. @param {number[]} values */
function largest(values) {
  return values.reduce((best, value, k) => (value > (values[best] ?? -Infinity) ? k : best), 0);
}
