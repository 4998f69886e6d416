"use strict";
// Buttons of a lesson: a step of training, whose new weights are formulas already; random kernels; everything as it
// was.

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
    page.history.begin();
    if (action.kind === "reset") this.reset();
    for (let time = 0; time < (action.times ?? 1); time++) {
      if (action.kind === "copy") this.copy(action);
      if (action.kind === "random") this.random(action.blocks ?? []);
    }
    page.history.end();
    page.tell("stroke");
    page.say(
      action.kind === "random"
        ? "Random kernels, drawn by this page; every time others. Undo takes them back."
        : `${action.title}: done.`,
    );
  }

  reset() {
    const all = this.page.history.edits();
    this.page.apply(all.map(({ sheet, row, column, own }) => ({ sheet, row, column, after: own })));
  }

  /** All values are read before the first is written. @param {ActionData} action */
  copy({ pairs = [], curve }) {
    const changes = pairs.flatMap(([to, from]) => {
      const [targets, sources] = [this.spots(to), this.spots(from)];
      return targets.map((spot, k) => ({ ...spot, after: { value: this.value(sources[k]), formula: null } }));
    });
    this.page.apply(changes);
    if (curve) this.append(curve);
  }

  /** Write the next step and its number into the first free row of two columns; the oldest goes where there is none.
   * @param {{steps: string, losses: string, loss: string}} curve */
  append({ steps, losses, loss }) {
    const [stepCells, lossCells, [source]] = [this.spots(steps), this.spots(losses), this.spots(loss)];
    const rows = stepCells
      .map((spot, k) => [this.value(spot), this.value(lossCells[k])])
      .filter(([step]) => step !== null);
    const last = rows.at(-1)?.[0];
    rows.push([typeof last === "number" ? last + 1 : 1, this.value(source)]);
    const kept = rows.slice(-stepCells.length);
    const changes = kept.flatMap(([step = null, value = null], k) =>
      [stepCells[k], lossCells[k]].flatMap((spot, n) =>
        spot ? [{ ...spot, after: { value: n ? value : step, formula: null } }] : [],
      ),
    );
    this.page.apply(changes);
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
