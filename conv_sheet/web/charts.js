"use strict";
// Charts on a sheet, and the row and column heads around it.

const CENTIMETRE = 96 / 2.54;

/** @param {View} view @param {ChartData} chart */
function drawChart(view, chart) {
  const { pen, zoom, colours } = view;
  const [left, top] = [view.xOf(chart.at[1]), view.yOf(chart.at[0])];
  const [width, height] = [chart.width * CENTIMETRE * zoom, chart.height * CENTIMETRE * zoom];
  pen.fillStyle = colours.of(SHEET.paper);
  pen.fillRect(left, top, width, height);
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  if (chart.title) {
    pen.fillStyle = colours.of(SHEET.ink);
    pen.font = `bold ${13 * zoom}px ${FONTS.plain}`;
    pen.fillText(chart.title, left + width / 2, top + 12 * zoom);
  }
  const head = chart.title ? 24 * zoom : 8 * zoom;
  const box = {
    left: left + 8 * zoom,
    right: left + width - 8 * zoom,
    top: top + head,
    bottom: top + height - 20 * zoom,
  };
  pen.font = `${11 * zoom}px ${FONTS.plain}`;
  if (chart.kind === "bars") drawBars(view, chart, box);
  else drawLine(view, chart, box);
}

/** The values of a place in one list. @param {Book} book @param {[string, ...number[]]} place @returns {Value[]} */
function listOf(book, [title, ...place]) {
  /** @type {Value[]} */
  const list = [];
  const sheet = book.sheet(title);
  if (sheet) eachPlace(place, (row, column) => list.push(sheet.value(row, column)));
  return list;
}

/** @param {View} view @param {ChartData} chart @param {Box} box */
function drawBars({ book, pen, colours, zoom }, chart, { left, right, top, bottom }) {
  const values = listOf(book, chart.values).map((value) => (typeof value === "number" ? value : 0));
  const labels = listOf(book, chart.labels);
  const [high, low] = chart.shares ? [1, 0] : [Math.max(0, ...values) || 1, Math.min(0, ...values)];
  const yOf = (/** @type {number} */ value) => bottom - ((value - low) / (high - low)) * (bottom - top);
  const step = (right - left) / values.length;
  values.forEach((value, k) => {
    const [x, width] = [left + (k + 0.18) * step, step * 0.64];
    pen.fillStyle = colours.of(SHEET.pale);
    pen.fillRect(x, top, width, bottom - top);
    pen.fillStyle = colours.of(SHEET.bar);
    pen.fillRect(x, Math.min(yOf(value), yOf(0)), width, Math.abs(yOf(value) - yOf(0)));
    pen.fillStyle = colours.of(SHEET.ink);
    pen.fillText(toText(labels[k] ?? null), left + (k + 0.5) * step, bottom + 10 * zoom, step);
  });
}

/** @param {View} view @param {ChartData} chart @param {Box} box */
function drawLine({ book, pen, colours, zoom }, chart, { left, right, top, bottom }) {
  const labels = listOf(book, chart.labels);
  const points = listOf(book, chart.values).flatMap((y, k) => {
    const x = labels[k];
    return typeof y === "number" && typeof x === "number" ? [{ x, y }] : [];
  });
  if (!points.length) return;
  const [xs, ys] = [points.map((point) => point.x), points.map((point) => point.y)];
  const [first, last, high] = [Math.min(...xs), Math.max(...xs), Math.max(0, ...ys) || 1];
  const start = left + 34 * zoom;
  pen.strokeStyle = colours.of(SHEET.line);
  pen.strokeRect(start, top, right - start, bottom - top);
  pen.fillStyle = colours.of(SHEET.grey);
  pen.textAlign = "right";
  pen.fillText(format(high, "0.0##"), start - 4 * zoom, top + 6 * zoom);
  pen.fillText("0", start - 4 * zoom, bottom - 4 * zoom);
  pen.textAlign = "center";
  pen.fillText(toText(first), start, bottom + 10 * zoom);
  pen.fillText(toText(last), right - 6 * zoom, bottom + 10 * zoom);
  pen.strokeStyle = pen.fillStyle = colours.of("D9730D");
  pen.lineWidth = 1.5;
  pen.beginPath();
  for (const { x, y } of points) {
    const [atX, atY] = [
      start + ((x - first) / (last - first || 1)) * (right - start),
      bottom - (y / high) * (bottom - top),
    ];
    pen.lineTo(atX, atY);
    pen.fillRect(atX - 1.5, atY - 1.5, 3, 3);
  }
  pen.stroke();
}

/** @param {View} view */
function drawHeads(view) {
  const { pen, frame, geometry, zoom, colours } = view;
  const [width, height] = [frame.clientWidth, frame.clientHeight];
  pen.fillStyle = colours.of(SHEET.head);
  pen.fillRect(0, 0, width, HEAD.height);
  pen.fillRect(0, 0, HEAD.width, height);
  pen.fillStyle = colours.of(SHEET.grey);
  pen.font = `11px ${FONTS.plain}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  const panes = view.panes();
  for (const { columns, box } of panes.filter((pane) => pane.rows[0] === panes[0]?.rows[0])) {
    heads(columns, 26, box.left, box.right, (column) => {
      const { left, right } = view.box(1, column, 1, column);
      return { middle: (left + right) / 2, write: (x) => pen.fillText(letters(column), x, HEAD.height / 2) };
    });
  }
  for (const { rows, box } of panes.filter((pane) => pane.columns[0] === panes[0]?.columns[0])) {
    heads(rows, 13, box.top, box.bottom, (row) => {
      const { top, bottom } = view.box(row, 1, row, 1);
      return { middle: (top + bottom) / 2, write: (y) => pen.fillText(String(row), HEAD.width / 2, y) };
    });
  }
  pen.fillStyle = colours.of(SHEET.line);
  const edgeY = HEAD.height + (geometry.y[geometry.frozenRows] ?? 0) * zoom;
  const edgeX = HEAD.width + (geometry.x[geometry.frozenColumns] ?? 0) * zoom;
  pen.fillRect(0, view.snap(edgeY) - 1, width, 1);
  pen.fillRect(view.snap(edgeX) - 1, 0, 1, height);
}

/** Write the heads of some rows or columns, as many as have room. @param {[number, number]} span
 * @param {number} room @param {number} from @param {number} to
 * @param {(number: number) => {middle: number, write: (at: number) => void}} head */
function heads([first, last], room, from, to, head) {
  let before = -Infinity;
  for (let number = first; number <= last; number++) {
    const { middle, write } = head(number);
    if (middle - before < room || middle < from || middle > to) continue;
    write(middle);
    before = middle;
  }
}
