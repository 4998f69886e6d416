"use strict";
// Buttons of a lesson: a step of training, whose new weights are formulas already; random kernels; everything as it
// was.

/** @typedef {{steps: string, losses: string, loss: string}} Curve */

/** @type {Record<string, string>} */
const DONE = {
  random: "Random kernels, drawn by this page: every time others. Undo takes them back.",
  reset: "Everything is as the lesson had it. Undo takes that back.",
};

class Actions {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    const place = element("actions");
    for (const action of page.data.actions ?? []) {
      place.append(button(action.title, action.hint ?? "", () => this.run(action)));
    }
    place.hidden = !place.childElementCount;
  }

  /** @param {ActionData} action */
  run(action) {
    const { page } = this;
    const before = this.loss(action);
    page.history.begin();
    if (action.kind === "reset") this.reset();
    for (let time = 0; time < (action.times ?? 1); time++) {
      if (action.kind === "copy") this.copy(action);
      if (action.kind === "random") this.random(action.blocks ?? []);
    }
    page.history.end();
    page.tell("stroke");
    const after = this.loss(action);
    page.say(DONE[action.kind] ?? `${action.title}: ${before ? `loss ${before} → ${after}` : "done"}.`);
  }

  /** What the curve of an action shows now. @param {ActionData} action */
  loss({ curve }) {
    const [spot] = curve ? this.spots(curve.loss) : [];
    return spot ? format(this.value(spot), "0.0000") : "";
  }

  reset() {
    const all = this.page.history.edits();
    this.page.apply(all.map(({ sheet, row, column, own }) => ({ sheet, row, column, after: own })));
  }

  /** All values are read before the first is written. @param {ActionData} action */
  copy({ pairs = [], curve }) {
    if (curve && !this.rows(curve).length) this.append(curve);
    const changes = pairs.flatMap(([to, from]) => {
      const [targets, sources] = [this.spots(to), this.spots(from)];
      return targets.map((spot, k) => ({ ...spot, after: { value: this.value(sources[k]), formula: null } }));
    });
    this.page.apply(changes);
    if (curve) this.append(curve);
  }

  /** The steps that were taken, each with its number. @param {Curve} curve */
  rows({ steps, losses }) {
    const lossCells = this.spots(losses);
    const all = this.spots(steps).map((spot, k) => ({ step: this.value(spot), loss: this.value(lossCells[k]) }));
    return all.filter(({ step }) => step !== null);
  }

  /** Write the next step and its number below the others; the first goes where there is no room.
   * @param {Curve} curve */
  append(curve) {
    const [stepCells, lossCells] = [this.spots(curve.steps), this.spots(curve.losses)];
    const [source] = this.spots(curve.loss);
    const rows = this.rows(curve);
    const last = rows.at(-1)?.step;
    rows.push({ step: typeof last === "number" ? last + 1 : 0, loss: this.value(source) });
    const kept = rows.slice(-stepCells.length);
    const written = (/** @type {Spot[]} */ cells, /** @type {"step" | "loss"} */ part) =>
      kept.flatMap((row, k) => {
        const spot = cells[k];
        return spot ? [{ ...spot, after: { value: row[part], formula: null } }] : [];
      });
    this.page.apply([...written(stepCells, "step"), ...written(lossCells, "loss")]);
  }

  /** @param {string[]} blocks */
  random(blocks) {
    const spots = blocks.flatMap((block) => this.spots(block));
    this.page.apply(
      spots.map((spot) => ({ ...spot, after: { value: Math.round(normal() * 50) / 100, formula: null } })),
    );
  }

  /** The cells of a name or an address. @param {string} text @returns {Spot[]} */
  spots(text) {
    const { book, sheet: seen } = this.page;
    const named = book.namedPlace(text);
    const area = book.find(text, seen);
    if (!area) return [];
    /** @type {Spot[]} */
    const spots = [];
    const place = named ? named.slice(1).map(Number) : [area.top, area.left, area.height, area.width];
    eachPlace(place, (row, column) => spots.push({ sheet: area.sheet, row, column }));
    return spots;
  }

  /** @param {Spot | undefined} spot @returns {Value} */
  value(spot) {
    return spot ? spot.sheet.value(spot.row, spot.column) : null;
  }
}

/** A number of the normal distribution, by Box and Muller. */
function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
