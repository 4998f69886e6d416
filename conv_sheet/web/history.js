"use strict";
// Changes of cells, in steps that can be undone.

/** @typedef {Spot & {before: Content, after: Content}} Change */

const MOST_STEPS = 200;

class EditHistory {
  /** @param {Book} book @param {Rules} rules */
  constructor(book, rules) {
    this.book = book;
    this.rules = rules;
    /** @type {Change[][]} */
    this.done = [];
    /** @type {Change[][]} */
    this.undone = [];
    /** The step that is still growing, as a stroke of the pen. @type {Map<string, Change> | null} */
    this.open = null;
    /** Every cell that was changed, with what the lesson had there. @type {Map<string, Spot & {own: Content}>} */
    this.changed = new Map();
  }

  /** Everything until `end` is one step. */
  begin() {
    this.end();
    this.open = new Map();
  }

  end() {
    if (this.open?.size) this.record([...this.open.values()]);
    this.open = null;
  }

  /** Put contents into cells, as a step or as a part of the open one. @param {(Spot & {after: Content})[]} wanted */
  apply(wanted) {
    const changes = wanted.map((change) => ({ ...change, before: change.sheet.content(change.row, change.column) }));
    for (const change of changes) this.put(change, change.after);
    if (!this.open) return this.record(changes);
    for (const change of changes) {
      const id = cellId(change);
      const earlier = this.open.get(id);
      this.open.set(id, earlier ? { ...earlier, after: change.after } : change);
    }
  }

  /** @param {Change[]} changes */
  record(changes) {
    if (!changes.length) return;
    this.done.push(changes);
    if (this.done.length > MOST_STEPS) this.done.shift();
    this.undone = [];
  }

  /** @param {Change} change @param {Content} content */
  put(change, content) {
    const { sheet, row, column, before } = change;
    const id = cellId(change);
    if (!this.changed.has(id)) this.changed.set(id, { sheet, row, column, own: before });
    this.rules.markTyped(change);
    this.book.put(sheet, row, column, content);
  }

  /** The step that was taken back, or null where there is none. */
  undo() {
    this.end();
    const changes = this.done.pop();
    if (!changes) return null;
    for (const change of [...changes].reverse()) this.put(change, change.before);
    this.undone.push(changes);
    return changes;
  }

  /** The step that was taken again, or null. */
  redo() {
    this.end();
    const changes = this.undone.pop();
    if (!changes) return null;
    for (const change of changes) this.put(change, change.after);
    this.done.push(changes);
    return changes;
  }

  /** Cells that are not as the lesson had them. */
  edits() {
    return [...this.changed.values()].filter(({ sheet, row, column, own }) => {
      const now = sheet.content(row, column);
      return now.formula !== own.formula || (!own.formula && now.value !== own.value);
    });
  }

  /** Put some edited cells, or all, back to what the lesson had. @param {(spot: Spot) => boolean} [chosen] */
  restore(chosen = () => true) {
    this.apply(
      this.edits()
        .filter(chosen)
        .map(({ sheet, row, column, own }) => ({ sheet, row, column, after: own })),
    );
  }
}

/** @param {Spot} spot */
function cellId({ sheet, row, column }) {
  return `${sheet.number}:${row}:${column}`;
}
