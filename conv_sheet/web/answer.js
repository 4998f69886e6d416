"use strict";
// What the network says now, and what it said before the last change: always in sight.

/** So many classes are listed where there is little room. */
const TOP = 3;

class Answer {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.place = element("answer");
    this.best = made("b");
    this.sure = made("span");
    this.then = made("div", "", "then");
    this.data = page.data.answer ?? null;
    /** @type {number[]} */
    this.now = [];
    /** @type {number[] | null} */
    this.before = null;
    /** Of each class those named up to it, where several may be. @type {string[] | null} */
    this.named = null;
    /** @type {string[] | null} */
    this.namedBefore = null;
    this.growing = false;
    this.list = made("div", "", "bars");
    /** @type {string[]} */
    this.labels = [];
    this.place.hidden = !this.data;
    /** @type {{row: HTMLElement, share: HTMLElement}[]} */
    this.rows = [];
    if (this.data) this.build(this.data);
    page.on("change", () => this.keep());
    page.on("stroke", () => (this.growing = false));
    page.on("frame", () => this.update());
    this.update();
  }

  /** @param {AnswerData} data */
  build(data) {
    const said = made("div", "", "said");
    said.append(this.best, this.sure);
    const head = made("h2", data.title);
    this.place.append(head);
    const { name } = data;
    if (name)
      head.append(
        " ",
        button(name, "Show me where", () => this.page.go(name)),
      );
    if (!data.labels) return this.place.append(this.list);
    this.place.append(said, this.then, this.list);
    this.labels = listOf(this.page.book, data.labels).map(toText);
    this.rows = this.labels.map((label) => this.bar(label));
    this.list.classList.toggle(
      "wordy",
      this.labels.some((label) => label.length > 3),
    );
  }

  /** @param {string} label */
  bar(label) {
    const [row, track, share] = [made("div", "", "bar"), made("div", "", "track"), made("span", "", "share")];
    track.append(made("div", "", "fill"), made("div", "", "mark"));
    row.append(made("span", label, "label"), track, share);
    this.list.append(row);
    return { row, share };
  }

  /** Keep the answer that stood before a change; a stroke is one change. */
  keep() {
    if (!this.growing) [this.before, this.namedBefore] = [this.now, this.named];
    this.growing = this.page.history.open !== null;
  }

  update() {
    const { data, page } = this;
    if (!data) return;
    const now = listOf(page.book, data.values).map((value) => (typeof value === "number" ? value : 0));
    const named = data.named ? listOf(page.book, data.named).map(toText) : null;
    if (
      now.length === this.now.length &&
      now.every((value, k) => value === this.now[k] && named?.[k] === this.named?.[k]) &&
      this.shownBefore === this.before
    )
      return;
    this.now = now;
    this.named = named;
    this.shownBefore = this.before;
    if (this.rows.length) this.showBars(data, now);
    else this.showPictures(data, now);
  }

  /** @param {AnswerData} data @param {number[]} now */
  showBars(data, now) {
    const { before } = this;
    const most = data.shares ? 1 : Math.max(1e-9, ...now, ...(before ?? []));
    const length = (/** @type {number | undefined} */ value) => Math.max(0, value ?? 0) / most;
    const best = this.places(now, this.named);
    const top = now.map((_, k) => k).sort((a, b) => (now[b] ?? 0) - (now[a] ?? 0));
    this.rows.forEach(({ row, share }, k) => {
      setLength(row, "--share", length(now[k]));
      setLength(row, "--before", length(before?.[k] ?? now[k]));
      row.classList.toggle("best", best.includes(k));
      row.classList.toggle("top", top.indexOf(k) < TOP);
      row.classList.toggle("moved", Math.abs((before?.[k] ?? now[k] ?? 0) - (now[k] ?? 0)) / most > 0.004);
      write(share, this.text(data, now[k] ?? 0));
    });
    write(this.best, this.names(best));
    write(this.sure, this.named ? "" : this.text(data, Math.max(...now)));
    const then = before ? this.places(before, this.namedBefore) : best;
    write(this.then, before ? `before: ${this.says(data, before, this.namedBefore)}` : "");
    this.then.classList.toggle("moved", this.names(then) !== this.names(best));
  }

  /** @param {AnswerData} data @param {number[]} now */
  showPictures(data, now) {
    const { height, width } = spread(data.values.slice(1).map(Number));
    const list = [this.figure("now", now, height, width)];
    if (this.before) list.push(this.figure("before", this.before, height, width));
    this.list.replaceChildren(...list);
    this.list.classList.add("figures");
  }

  /** @param {string} caption @param {number[]} values @param {number} height @param {number} width */
  figure(caption, values, height, width) {
    const figure = made("figure");
    const value = (/** @type {number} */ y, /** @type {number} */ x) => values[y * width + x] ?? 0;
    figure.append(tableOf(this.page.view.colours, { height, width }, value, caption), made("figcaption", caption));
    return figure;
  }

  /** The answer in a sentence. */
  get sentence() {
    const { data, now, before } = this;
    if (!data) return "";
    if (!data.labels) {
      const count = before ? now.filter((value, k) => value !== before[k]).length : 0;
      return before ? `${count} of ${now.length} numbers of ${data.name} changed.` : "";
    }
    const says = `${data.title} ${this.says(data, now, this.named)}`;
    return before ? `${says}; before: ${this.says(data, before, this.namedBefore)}.` : `${says}.`;
  }

  /** Which classes are said: those that are named, of several, or that with the largest value.
   * @param {number[]} values @param {string[] | null} named */
  places(values, named) {
    return named ? values.map((_, k) => k).filter((k) => named[k] !== (named[k - 1] ?? "")) : [largest(values)];
  }

  /** @param {number[]} places */
  names(places) {
    return places.map((k) => this.labels[k] ?? "").join(", ") || "none";
  }

  /** @param {AnswerData} data @param {number[]} values @param {string[] | null} named */
  says(data, values, named) {
    const names = this.names(this.places(values, named));
    return named ? names : `${names}, ${this.text(data, Math.max(...values))}`;
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
