"use strict";
// What the network says now, and what it said before the last change: always in sight.

/** @typedef {{values: number[], text: string}} Said numbers of an answer, and what the network names by them */

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
    /** @type {Said} */
    this.now = { values: [], text: "" };
    /** @type {Said | null} */
    this.before = null;
    this.growing = false;
    this.dark = false;
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
    if (!this.growing) this.before = this.now;
    this.growing = this.page.history.open !== null;
  }

  update() {
    const { data, page } = this;
    if (!data) return;
    const now = this.read(data);
    const same =
      now.text === this.now.text &&
      now.values.length === this.now.values.length &&
      now.values.every((value, k) => value === this.now.values[k]);
    const { dark } = page.view.colours;
    if (same && this.shownBefore === this.before && this.dark === dark) return;
    this.now = now;
    this.dark = dark;
    this.shownBefore = this.before;
    if (this.rows.length) this.showBars(data, now);
    else this.showPictures(data, now.values);
  }

  /** @param {AnswerData} data @returns {Said} */
  read({ values, says }) {
    const { book } = this.page;
    const numbers = listOf(book, values).map((value) => (typeof value === "number" ? value : 0));
    return { values: numbers, text: says ? listOf(book, says).map(toText).join() : "" };
  }

  /** @param {AnswerData} data @param {Said} now */
  showBars(data, { values, text }) {
    const before = this.before?.values;
    const most = data.shares ? 1 : Math.max(1e-9, ...values, ...(before ?? []));
    const length = (/** @type {number | undefined} */ value) => Math.max(0, value ?? 0) / most;
    const named = this.named(text);
    const top = values.map((_, k) => k).sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0));
    this.rows.forEach(({ row, share }, k) => {
      setLength(row, "--share", length(values[k]));
      setLength(row, "--before", length(before?.[k] ?? values[k]));
      row.classList.toggle("best", named.includes(k));
      row.classList.toggle("top", top.indexOf(k) < TOP);
      row.classList.toggle("moved", Math.abs((before?.[k] ?? values[k] ?? 0) - (values[k] ?? 0)) / most > 0.004);
      write(share, format(values[k] ?? 0, data.shares ? "0.0%" : "0.00"));
    });
    write(this.best, text);
    write(this.sure, this.share(data, this.now));
    write(this.then, this.before ? `before: ${this.whole(data, this.before)}` : "");
    this.then.classList.toggle("moved", this.before !== null && this.before.text !== text);
  }

  /** Places of the labels that a text names. @param {string} text */
  named(text) {
    const alone = this.labels.indexOf(text);
    if (alone >= 0) return [alone];
    const parts = text.split(", ");
    return this.labels.flatMap((label, k) => (parts.includes(label) ? [k] : []));
  }

  /** How sure the network is of the one label that it names. @param {AnswerData} data @param {Said} said */
  share(data, { values, text }) {
    const [one, more] = this.named(text);
    if (one === undefined || more !== undefined) return "";
    return format(values[one] ?? 0, data.shares ? "0.0%" : "0.00");
  }

  /** @param {AnswerData} data @param {Said} said */
  whole(data, said) {
    return [said.text, this.share(data, said)].filter(Boolean).join(", ");
  }

  /** @param {AnswerData} data @param {number[]} now */
  showPictures(data, now) {
    const { height, width } = spread(data.values.slice(1).map(Number));
    const list = [this.figure("now", now, height, width)];
    if (this.before) list.push(this.figure("before", this.before.values, height, width));
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
      const count = before ? now.values.filter((value, k) => value !== before.values[k]).length : 0;
      return before ? `${count} of ${now.values.length} numbers of ${data.name} changed.` : "";
    }
    const says = `${data.title} ${this.whole(data, now)}`;
    return before ? `${says}; before: ${this.whole(data, before)}.` : `${says}.`;
  }
}

/** @param {HTMLElement} row @param {string} property @param {number} share */
function setLength(row, property, share) {
  const text = share.toFixed(3);
  if (row.style.getPropertyValue(property) !== text) row.style.setProperty(property, text);
}
