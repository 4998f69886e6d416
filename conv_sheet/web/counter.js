"use strict";
// Counting: a number that says where something stands has − and + beside it, as spinners of a workbook do.

class Counter {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.box = element("counter");
    element("less").addEventListener("click", () => this.count(-1));
    element("more").addEventListener("click", () => this.count(1));
    page.on("select", () => this.follow());
    page.on("frame", () => this.place());
  }

  /** The cell that is counted, and how far; null where the selected one is none. */
  counted() {
    const { rules, cursor } = this.page;
    const target = rules.target(cursor);
    const bounds = target && rules.of(target)?.count;
    return target && bounds ? { target, bounds } : null;
  }

  follow() {
    this.box.hidden = !this.counted();
    this.place();
  }

  /** @param {number} by */
  count(by) {
    const { page } = this;
    const counted = this.counted();
    if (!counted) return;
    const { sheet, row, column } = counted.target;
    const value = sheet.value(row, column);
    const [low, high] = counted.bounds;
    const next = Math.min(high, Math.max(low, typeof value === "number" ? Math.round(value) + by : low));
    if (next !== value) page.say(page.enter([{ ...page.cursor, input: next }]), true);
  }

  /** Keep the signs behind their cell. */
  place() {
    const { page, box } = this;
    if (box.hidden) return;
    const { row, column } = page.cursor;
    const { view, frame } = page;
    const area = view.geometry.whole(row, column);
    const { top, bottom, right } = view.box(area.top, area.left, area.bottom, area.right);
    box.style.left = `${right + 2 + frame.scrollLeft}px`;
    box.style.top = `${top + frame.scrollTop}px`;
    box.style.height = `${Math.max(24, bottom - top)}px`;
    box.classList.toggle("away", page.cursor.sheet !== page.sheet);
  }
}
