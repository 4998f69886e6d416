"use strict";
// The data of a page: everything that a lesson's sheets hold, as one JSON object. Python writes it, `Book` reads it.
//
// A page is page.html with its slots filled: `{{title}}`; `{{style}}`, page.css; `{{script}}`, the files that
// modules.json names, in its order, inside `(() => {` and `})();`, without their comments; `{{style-hash}}` and
// `{{script-hash}}`, `sha256-` and the hash of exactly these texts in Base64; `{{data}}`, the JSON, gzipped, in
// Base64.
//
// Rows and columns count from 1. A place is `[row, column, height, width]`, with `rowStep, columnStep` behind it where
// a block's values stand further apart than one cell (a kernel with dilation 2: steps of 2). Colours are `RRGGBB`. A
// formula is its text without `=`, within the closed list of functions; a text that begins with `=` is only a text.
// What is empty or as usual is left out: every list may be missing, every option has the value that the type below
// names.
//
// A sheet is mostly `blocks`. A block has one style and either `values`, row by row in one flat list; or `formula`,
// the text for its first cell, which every other cell has with its references moved, as when a formula is copied; or
// `formulas`, a text for each cell; or none of them, and is empty cells with a style. Where cells differ in some
// numbers of their formula only, `formula` has `{0}`, `{1}` … for these, and `numbers` has them, cell by cell in one
// flat list. The values of formulas are not written: the page calculates. `cells` is for the rest: titles, sentences,
// single formulas. No cell comes twice.

/** @typedef {number[]} Place row, column, height, width, and the steps where they are not 1 */
/** @typedef {number | string | boolean | null} Plain */

/**
 * @typedef {object} Data
 * @property {string} lesson its name, as `fastai`
 * @property {string} title
 * @property {string} [description]
 * @property {string} [open] title of the sheet that is seen first; else the first one
 * @property {string} [workbook] address of the same lesson as a workbook, for a link
 * @property {Partial<CellStyle>[]} styles
 * @property {SheetData[]} sheets in the order of their tabs
 * @property {Record<string, [string, ...number[]]>} names defined names: a sheet's title, then a place
 * @property {string[]} [inputs] names of all that may be typed, in the order of the network: picture, weights, settings
 * @property {AnswerData} [answer]
 * @property {TryData[]} [tries]
 * @property {ActionData[]} [actions] buttons
 */

/**
 * @typedef {object} CellStyle
 * @property {number} size of the font in points; 8
 * @property {boolean} bold
 * @property {boolean} italic
 * @property {boolean} mono
 * @property {boolean} underline
 * @property {string} color of the text; 1F2A44
 * @property {string} fill none
 * @property {string} line colour of a thin border on all sides; none
 * @property {string} format of numbers; General
 * @property {"left" | "center" | "right"} horizontal texts left, numbers right
 * @property {"top" | "center" | "bottom"} vertical center
 * @property {boolean} wrap
 * @property {boolean} shrink a text that is too wide becomes smaller
 * @property {number} indent 0
 */

/**
 * @typedef {object} SheetData
 * @property {string} title
 * @property {boolean} [hidden] its cells count, but it has no tab
 * @property {number} [zoom] per cent; 100
 * @property {[number, number]} [freeze] rows and columns that stay in sight
 * @property {number} [board] rows at the top that say what the page says beside the sheet; none
 * @property {number} [width] of a column that `widths` does not name, in characters; 9.14
 * @property {number} [height] of a row that `heights` does not name, in points; 15
 * @property {[number, number, number][]} [widths] first column, last column, width
 * @property {[number, number, number][]} [heights] first row, last row, height
 * @property {{at: Place, style?: number, values?: Plain[], formula?: string, numbers?: number[], formulas?:
 * string[]}[]} [blocks]
 * @property {[number, number, number, Plain, string?][]} [cells] row, column, style, value, formula (its value is null)
 * @property {Place[]} [merges]
 * @property {ScaleData[]} [scales]
 * @property {MarkData[]} [marks]
 * @property {{at: Place, formula: string}[]} [verdicts] green where the formula is true, red where it is not
 * @property {{blocks: Place[], colours: string[]}[]} [palettes] the number k looks like `colours[k]`
 * @property {RuleData[]} [validations] cells that may be typed
 * @property {[number, number, string][]} [links] row, column, and where a click leads: `Network!B10` or a name
 * @property {ChartData[]} [charts]
 */

/** @typedef {object} ScaleData a colour for each number: white at zero, `high` at `top`, and `low` at minus `top`
 * @property {Place[]} blocks
 * @property {string} high
 * @property {string} [low]
 * @property {number | string} [top] a number, or the formula of one; the largest number of the blocks where it is
 * missing
 */

/** @typedef {object} MarkData a fill, a line around each cell, a colour of texts, or strokes where a formula is true
 * @property {Place[]} blocks
 * @property {string} formula as for the first cell of the first block
 * @property {string} [fill]
 * @property {string} [line]
 * @property {string} [color]
 * @property {string} [hatch]
 */

/** @typedef {object} RuleData what may be typed into blocks
 * @property {Place[]} blocks
 * @property {string} title
 * @property {string} hint
 * @property {string} error
 * @property {number} [low]
 * @property {number} [high]
 * @property {boolean} [whole]
 * @property {string[] | string} [choices] a list, or the reference of cells that hold one
 * @property {[number, number]} [count] the smallest and the largest number that arrows beside the cell count to
 * @property {boolean} [draw] whether it is a picture to draw into: numbers from `low` to `high`
 */

/** @typedef {object} SeriesData values (a place with its sheet) over labels or numbers; how a line looks
 * @property {[string, ...number[]]} values
 * @property {[string, ...number[]]} labels
 * @property {string} [label] what a legend calls them
 * @property {string} [color]
 * @property {"solid" | "dashed" | "none"} [line] through the points; without one, each is a larger mark
 */

/** @typedef {object} ChartData one series of bars, or lines; its corner at a cell
 * @property {"bars" | "line"} kind
 * @property {string} [title] over bars, below the numbers of lines
 * @property {SeriesData[]} series
 * @property {number | null} [top] values above are not drawn
 * @property {number} [low] the smallest value that is drawn, 0 where it is missing
 * @property {[number, number] | null} [decades] powers of ten between which equal factors are equally far apart
 * @property {[number, number]} at row and column of its top left corner
 * @property {number} width in centimetres
 * @property {number} height
 * @property {boolean} [shares] whether the values are shares of 1
 */

/** @typedef {object} AnswerData what the network says, always in sight
 * @property {string} title
 * @property {string} [name] of the values, where they have no labels: they are shown as a picture then
 * @property {[string, ...number[]]} values numbers
 * @property {[string, ...number[]]} [labels]
 * @property {[string, ...number[]]} [says] the cell with the label that the network names, or several with commas
 * @property {boolean} [shares] whether the values are shares of 1
 */

/** @typedef {object} TryData one experiment: predict, do, see, check
 * @property {string} text what to do
 * @property {string} at where: a name or an address
 * @property {string} [ask] what to predict
 * @property {string[]} [choices] answers to choose from
 * @property {[string, Plain][]} [do] names or addresses with what to put there, for a button that does it
 * @property {string} [see] where the result is read
 * @property {string} [check] a formula that is true when it has happened; references name their sheet
 * @property {string} [answer] what it shows
 */

/** @typedef {object} ActionData a button
 * @property {string} title
 * @property {string} [hint]
 * @property {"copy" | "random" | "reset"} kind
 * @property {number} [times] how often; 1
 * @property {[string, string][]} [pairs] for `copy`: names or addresses, what is to change and what it becomes
 * @property {string[]} [blocks] for `random`: names or addresses of kernels
 * @property {{steps: string, losses: string, loss: string}} [curve] columns to write after each time, and the number
 * written
 */

/** Where a place ends, and its steps. @param {Place} place */
function spread(place) {
  const [row = 1, column = 1, height = 1, width = 1, rowStep = 1, columnStep = 1] = place;
  const [bottom, right] = [row + (height - 1) * rowStep, column + (width - 1) * columnStep];
  return { row, column, height, width, rowStep, columnStep, bottom, right };
}

/** Call `visit` with row and column of every cell of a place, row by row.
 * @param {Place} place @param {(row: number, column: number, number: number) => void} visit */
function eachPlace(place, visit) {
  const { row, column, height, width, rowStep, columnStep } = spread(place);
  let number = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) visit(row + y * rowStep, column + x * columnStep, number++);
  }
}
