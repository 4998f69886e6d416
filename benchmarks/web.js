"use strict";
// Milliseconds of pages in a headless Chromium: web.js JSON, with `files`, `moves`, and `slower`, how many times.
const { pathToFileURL } = require("node:url");
const { basename } = require("node:path");
const { withBrowser, open } = require("../tests/web/browsers.js");

/** Draw with the pointer, and measure from each move to the end of the frame that shows it. @param {number} moves */
async function strokes(moves) {
  const { page } = window.convSheet;
  if (!page.rules.pictures(page.sheet).length) page.show(page.book.sheet("Network"));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const [row, column, height, width] = page.rules.pictures(page.sheet)[0][0];
  const { frame, view } = page;
  const corner = frame.getBoundingClientRect();
  frame.setPointerCapture = () => {};
  const fire = (type, y, x) => {
    const box = view.box(y, x, y, x);
    const [clientX, clientY] = [corner.left + (box.left + box.right) / 2, corner.top + (box.top + box.bottom) / 2];
    const button = type === "pointermove" ? -1 : 0;
    frame.dispatchEvent(
      new PointerEvent(type, { clientX, clientY, buttons: 1, pointerId: 1, isPrimary: true, button, bubbles: true }),
    );
  };
  const painted = () =>
    new Promise((resolve) =>
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = resolve;
        port2.postMessage(0);
      }),
    );
  document.getElementById("clear").click();
  await painted();
  fire("pointerdown", row + 4, column + 4);
  const [work, lag] = [[], []];
  for (let k = 0; k < moves; k++) {
    const y = row + 4 + Math.round((Math.min(height, 24) - 8) * (0.5 + 0.5 * Math.sin(k / 6)));
    const x = column + 4 + (k % Math.max(4, width - 8));
    await painted();
    const start = performance.now();
    fire("pointermove", y, x);
    page.paint();
    work.push(performance.now() - start);
    await painted();
    // A pointer moves at any time between two frames.
    await new Promise((resolve) => setTimeout(resolve, 16 * Math.random()));
    const moved = performance.now();
    fire("pointermove", y + 1, x);
    await painted();
    lag.push(performance.now() - moved);
  }
  fire("pointerup", row + 4, column + 4);
  return { work, lag };
}

async function measured({ files, moves, slower }) {
  return withBrowser("chrome", async (browser) => {
    const seen = {};
    for (const file of files) {
      const ready = [];
      for (let k = 0; k < 3; k++) {
        const { page, context } = await open(browser, pathToFileURL(file).href);
        ready.push(await page.evaluate(() => performance.getEntriesByName("ready")[0].startTime));
        if (k === 2) {
          const usual = await page.evaluate(strokes, moves);
          await page.emulateCPUThrottling(slower);
          seen[basename(file)] = { ready, ...usual, slow: await page.evaluate(strokes, moves) };
        }
        await context.close();
      }
    }
    return seen;
  });
}

measured(JSON.parse(process.argv[2])).then((seen) => process.stdout.write(JSON.stringify(seen)));
