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
  const headed = chart.kind === "bars" && chart.title;
  if (headed) {
    pen.fillStyle = colours.of(SHEET.ink);
    pen.font = `bold ${13 * zoom}px ${FONTS.plain}`;
    pen.fillText(headed, left + width / 2, top + 12 * zoom);
  }
  const head = headed ? 24 * zoom : 8 * zoom;
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
  const [series] = chart.series;
  if (!series) return;
  const values = listOf(book, series.values).map((value) => (typeof value === "number" ? value : 0));
  const labels = listOf(book, series.labels);
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

/** The points of a series. @param {Book} book @param {SeriesData} series @returns {{x: number, y: number}[]} */
function pointsOf(book, { values, labels }) {
  const numbers = listOf(book, labels);
  return listOf(book, values).flatMap((y, k) => {
    const x = numbers[k];
    return typeof y === "number" && typeof x === "number" ? [{ x, y }] : [];
  });
}

/** Where numbers and values stand in a box, and what of them its edges are.
 * @param {ChartData} chart @param {{x: number, y: number}[]} points @param {Box} box */
function scaleOf({ decades, top, low = 0 }, points, box) {
  const xs = points.map((point) => point.x);
  const [first, last] = decades ? [10 ** decades[0], 10 ** decades[1]] : [Math.min(...xs), Math.max(...xs)];
  const high = top ?? (Math.max(0, ...points.map((point) => point.y)) || 1);
  const along = (/** @type {number} */ x) =>
    decades ? Math.log(x / first) / Math.log(last / first) : (x - first) / (last - first || 1);
  return {
    edges: { first, last, high, low },
    xOf: (/** @type {number} */ x) => box.left + along(x) * (box.right - box.left),
    yOf: (/** @type {number} */ y) => box.bottom - ((y - low) / (high - low)) * (box.bottom - box.top),
  };
}

/** @param {View} view @param {ChartData} chart @param {Box} outer */
function drawLine(view, chart, outer) {
  const { book, pen, colours, zoom } = view;
  const lines = chart.series.map((series) => ({ series, points: pointsOf(book, series) }));
  const points = lines.flatMap((line) => line.points);
  if (!points.length) return;
  const bottom = lines.length > 1 ? outer.bottom - 22 * zoom : outer.bottom;
  const box = { ...outer, left: outer.left + 34 * zoom, bottom };
  const scale = scaleOf(chart, points, box);
  pen.strokeStyle = colours.of(SHEET.line);
  pen.strokeRect(box.left, box.top, box.right - box.left, bottom - box.top);
  drawEdges(view, chart.title ?? "", scale.edges, box);
  pen.lineWidth = 1.5;
  pen.save();
  pen.beginPath();
  pen.rect(box.left - 5, box.top - 5, box.right - box.left + 10, bottom - box.top + 10);
  pen.clip();
  for (const line of lines) drawPoints(view, line.series, line.points, scale);
  pen.restore();
  if (lines.length > 1) drawLegend(view, chart, { ...box, top: outer.bottom + 10 * zoom });
}

/** What the edges of a box are. @param {View} view @param {string} title
 * @param {{first: number, last: number, high: number, low: number}} edges @param {Box} box */
function drawEdges({ pen, colours, zoom }, title, { first, last, high, low }, { left, right, top, bottom }) {
  pen.fillStyle = colours.of(SHEET.grey);
  pen.textAlign = "right";
  pen.fillText(format(high, "0.0##"), left - 4 * zoom, top + 6 * zoom);
  pen.fillText(toText(low), left - 4 * zoom, bottom - 4 * zoom);
  pen.textAlign = "center";
  pen.fillText(toText(first), left, bottom + 10 * zoom);
  pen.fillText(title, (left + right) / 2, bottom + 10 * zoom);
  pen.fillText(toText(last), right - 6 * zoom, bottom + 10 * zoom);
}

/** One series. @param {View} view @param {SeriesData} series @param {{x: number, y: number}[]} points
 * @param {{xOf: (x: number) => number, yOf: (y: number) => number}} scale */
function drawPoints({ pen, colours, zoom }, { color, line }, points, { xOf, yOf }) {
  const size = line === "none" ? 9 * zoom : 3;
  pen.strokeStyle = pen.fillStyle = colours.of(color ?? SHEET.ink);
  pen.setLineDash(line === "dashed" ? [5 * zoom, 3 * zoom] : []);
  pen.beginPath();
  for (const { x, y } of points) {
    if (line !== "none") pen.lineTo(xOf(x), yOf(y));
    pen.fillRect(xOf(x) - size / 2, yOf(y) - size / 2, size, size);
  }
  pen.stroke();
  pen.setLineDash([]);
}

/** What the lines are, side by side. @param {View} view @param {ChartData} chart @param {Box} box */
function drawLegend({ pen, colours, zoom }, { series }, { left, right, top }) {
  const step = (right - left) / series.length;
  pen.textAlign = "left";
  series.forEach(({ label, color }, k) => {
    pen.fillStyle = colours.of(color ?? SHEET.ink);
    pen.fillRect(left + k * step, top - 2 * zoom, 8 * zoom, 4 * zoom);
    pen.fillStyle = colours.of(SHEET.ink);
    pen.fillText(label ?? "", left + k * step + 11 * zoom, top, step - 14 * zoom);
  });
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
      return {
        middle: (left + right) / 2,
        write: (x) => pen.fillText(letters(column), x, HEAD.height / 2),
      };
    });
  }
  for (const { rows, box } of panes.filter((pane) => pane.columns[0] === panes[0]?.columns[0])) {
    heads(rows, 13, box.top, box.bottom, (row) => {
      const { top, bottom } = view.box(row, 1, row, 1);
      return {
        middle: (top + bottom) / 2,
        write: (y) => pen.fillText(String(row), HEAD.width / 2, y),
      };
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
