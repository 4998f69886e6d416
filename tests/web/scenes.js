"use strict";
// Scenes in a browser, one a run: `node scenes.js SCENE JSON`. Each prints what it has seen; Python says what is right.
const { pathToFileURL } = require("node:url");
const { basename, dirname } = require("node:path");
const { writeFileSync } = require("node:fs");
const { withBrowser, open, serving } = require("./chromium.js");

/** Where the middle of a cell is on the screen. @param {any} page @param {string} address */
function middle(page, address) {
  return page.evaluate((text) => {
    const { page: seen } = window.convSheet;
    const area = seen.book.find(text, seen.sheet);
    seen.reveal(area.top, area.left, 1);
    seen.paint();
    const box = seen.view.box(area.top, area.left, area.bottom, area.right);
    const frame = seen.frame.getBoundingClientRect();
    return { x: frame.left + (box.left + box.right) / 2, y: frame.top + (box.top + box.bottom) / 2 };
  }, address);
}

/** How many pixels of the screen differ from those of a full redraw. @param {any} page */
function unlikeRedraw(page) {
  return page.evaluate(() => {
    const { page: seen } = window.convSheet;
    seen.paint();
    const { view } = seen;
    const pixels = () => view.canvas.getContext("2d").getImageData(0, 0, view.canvas.width, view.canvas.height).data;
    const before = pixels().slice();
    view.forget();
    view.draw();
    return pixels().reduce((count, value, k) => count + Number(value !== before[k]), 0);
  });
}

/** From a double click, and from a host of static files: complaints, requests, and what does not fit the width. */
async function opens({ files, widths }) {
  return withBrowser((browser) =>
    serving(dirname(files[0]), {}, async (base, asked) => {
      const seen = [];
      for (const file of files) {
        const url = `${base}/${basename(file)}`;
        const [local, hosted] = [await open(browser, pathToFileURL(file).href), await open(browser, url)];
        const overflow = [];
        for (const width of widths) {
          await local.page.setViewportSize({ width, height: 800 });
          overflow.push(await local.page.evaluate(() => document.documentElement.scrollWidth - innerWidth));
        }
        const complaints = [...local.complaints, ...hosted.complaints];
        const shown = await local.page.evaluate(() => document.querySelector("h1")?.textContent);
        seen.push({ file: basename(file), shown, complaints, overflow, requests: [local.requests, hosted.requests] });
        await local.context.close();
        await hosted.context.close();
      }
      return { seen, asked };
    }),
  );
}

/** A stroke through some cells, by mouse or by finger. */
async function draws({ file, through, finger, names }) {
  return withBrowser(async (browser) => {
    const { page, context, complaints } = await open(browser, pathToFileURL(file).href, { hasTouch: finger });
    await page.click("#clear");
    const at = [];
    for (const address of through) at.push(await middle(page, address));
    const touch = finger && (await context.newCDPSession(page));
    const fingerAt = (type, points) => touch.send("Input.dispatchTouchEvent", { type, touchPoints: points });
    if (touch) await fingerAt("touchStart", [at[0]]);
    else {
      await page.mouse.move(at[0].x, at[0].y);
      await page.mouse.down();
    }
    const unlike = [];
    for (const point of at.slice(1)) {
      if (touch) await fingerAt("touchMove", [point]);
      else await page.mouse.move(point.x, point.y, { steps: 6 });
      unlike.push(await unlikeRedraw(page));
    }
    if (touch) await fingerAt("touchEnd", []);
    else await page.mouse.up();
    unlike.push(await unlikeRedraw(page));
    const values = await page.evaluate((list) => list.map((name) => window.convSheet.get(name)), names);
    const steps = await page.evaluate(() => window.convSheet.page.history.done.length);
    return { values, unlike, steps, complaints };
  });
}

/** A button, and what some names hold then. */
async function presses({ file, sheet, button, names }) {
  return withBrowser(async (browser) => {
    const { page, complaints } = await open(browser, pathToFileURL(file).href);
    await page.click(`nav button:text-is("${sheet}")`);
    await page.click(`#actions button:text-is("${button}")`);
    const values = await page.evaluate((list) => list.map((name) => window.convSheet.get(name)), names);
    return { values, complaints };
  });
}

/** The pointer over some cells: the frames that are drawn, and where the cells of the formula are. */
async function hovers({ file, over }) {
  return withBrowser(async (browser) => {
    const viewport = { width: 2800, height: 1500 }; // so large that nothing is out of sight
    const { page, complaints } = await open(browser, pathToFileURL(file).href, { viewport });
    await page.evaluate(() => {
      const { prototype } = CanvasRenderingContext2D;
      const { strokeRect } = prototype;
      prototype.strokeRect = function (...box) {
        if (this.canvas.id === "frames") window.strokes.push(box.map(Math.round));
        return strokeRect.apply(this, box);
      };
      window.strokes = [];
    });
    const seen = [];
    for (const address of over) {
      const point = await middle(page, address);
      await page.mouse.move(point.x, point.y);
      await page.waitForTimeout(60);
      seen.push(await page.evaluate(framesOf, address));
    }
    return { seen, complaints };
  });
}

/** @param {string} address */
function framesOf(address) {
  const { page: shown, formula } = window.convSheet;
  window.strokes = [];
  shown.paint();
  const text = formula.call(window.convSheet, address);
  const boxes = [...text.matchAll(/\$?[A-Z]{1,3}\$?\d+(:\$?[A-Z]{1,3}\$?\d+)?/g)].map(([reference]) => {
    const area = shown.book.find(reference.replaceAll("$", ""), shown.sheet);
    const box = shown.view.box(area.top, area.left, area.bottom, area.right);
    return [box.left, box.top, box.right - box.left, box.bottom - box.top].map(Math.round);
  });
  const spot = shown.view.box(shown.pointed.row, shown.pointed.column, shown.pointed.row, shown.pointed.column);
  const cursor = shown.view.box(shown.cursor.row, shown.cursor.column, shown.cursor.row, shown.cursor.column);
  const own = [spot, cursor].map((box) =>
    [box.left, box.top, box.right - box.left, box.bottom - box.top].map(Math.round),
  );
  return { text, boxes, own, strokes: window.strokes };
}

const EMBEDDING = `<!doctype html><title>A page that embeds a lesson</title>
<iframe src="LESSON" width="900" height="600"></iframe><script>
const heard = [];
addEventListener("message", ({ data }) => heard.push(data));
const ask = (id, convSheet, ...given) => frames[0].postMessage({ convSheet, id, given }, "*");
</script>`;

/** The keyboard, refusals, a link that is shared, and another page that embeds the lesson. */
async function talks({ file }) {
  const embedding = EMBEDDING.replace("LESSON", basename(file));
  return withBrowser((browser) =>
    serving(dirname(file), { "embedding.html": embedding, "favicon.ico": "" }, async (base) => {
      const { page, context, complaints } = await open(browser, pathToFileURL(file).href);
      const seen = {};
      const get = (name) => page.evaluate((text) => window.convSheet.get(text), name);
      const refusal = (...given) =>
        page.evaluate(
          (all) =>
            window.convSheet.set(...all).then(
              () => "",
              ({ message }) => message,
            ),
          given,
        );
      await page.fill("#name", "conv1_weight_1_1");
      await page.press("#name", "Enter");
      for (const typed of ["4", "ink", "=1/9"]) {
        await page.keyboard.type(typed);
        await page.keyboard.press("Enter");
        if (typed === "ink") seen.says = await page.textContent("#says");
      }
      seen.typed = (await get("conv1_weight_1_1")).map((row) => row[0]);
      seen.refused = [await refusal("input_1", 2), await refusal("conv1_out_1", 1), await refusal("nothing", 1)];
      await page.evaluate(() => window.convSheet.set("conv1_bias", [[0.5, -1]]));
      seen.bias = await get("conv1_bias");
      await page.click("#share summary");
      await page.click("#link");
      await page.waitForFunction(() => location.hash.startsWith("#s="));
      const other = await open(browser, page.url());
      const names = ["conv1_bias", "conv1_weight_1_1"];
      seen.shared = await other.page.evaluate((list) => list.map((name) => window.convSheet.get(name)), names);
      await page.click("#undo");
      seen.undone = await get("conv1_bias");
      seen.counted = [];
      for (const [name, ...signs] of [
        ["loupe_row", "more", "more", "less"],
        ["loupe_map", "more", "more", "more"],
      ]) {
        await page.fill("#name", name);
        await page.press("#name", "Enter");
        for (const sign of signs) {
          await page.click(`#${sign}`);
          seen.counted.push(await get(name));
        }
      }
      await page.fill("#name", "conv1_bias");
      await page.press("#name", "Enter");
      seen.counts = await page.isVisible("#counter");
      const outer = await open(browser, `${base}/embedding.html`);
      await outer.page.waitForFunction(() => frames.length && document.querySelector("iframe").contentWindow);
      await outer.page.frameLocator("iframe").locator("#tabs button").first().waitFor();
      seen.heard = await outer.page.evaluate(async () => {
        ask(1, "ready");
        ask(2, "set", "conv1_bias", [[0.25, 0]]);
        ask(3, "get", "conv1_bias");
        ask(4, "set", "input_1", 9);
        const answers = () => heard.filter((data) => data.convSheet === "answer").length;
        while (answers() < 4) await new Promise((resolve) => setTimeout(resolve, 20));
        return heard;
      });
      return { ...seen, complaints: [...complaints, ...other.complaints, ...outer.complaints], steps: context && 0 };
    }),
  );
}

/** Edits of several pages through `convSheet.set`, every sixth by typing; then the value of every formula. */
async function sweeps({ jobs, out }) {
  const answers = await withBrowser(async (browser) => {
    const found = [];
    for (const { file, edits } of jobs) {
      const { page, context, complaints } = await open(browser, pathToFileURL(file).href);
      const refused = [];
      for (const [k, [address, value]] of edits.entries()) {
        if (k % 6 === 5) {
          await page.evaluate((text) => window.convSheet.select(text), address);
          await page.focus("#view");
          await page.keyboard.press("F2");
          await page.keyboard.press("Control+a");
          await page.keyboard.type(String(value));
          await page.keyboard.press("Enter");
        } else {
          const why = await page.evaluate(
            (given) =>
              window.convSheet.set(...given).then(
                () => null,
                ({ message }) => message,
              ),
            [address, value],
          );
          if (why) refused.push([address, value, why]);
        }
      }
      found.push({ ...(await page.evaluate(everything)), refused, complaints });
      await context.close();
    }
    return found;
  });
  writeFileSync(out, JSON.stringify(answers));
  return answers.length;
}

/** What was changed, and the value of every formula: `[row, column, value]` by the title of the sheet. */
function everything() {
  const { book, history } = window.convSheet.page;
  book.calculate();
  const plain = (value) => (value !== null && typeof value === "object" ? value.text : value);
  const edits = history.edits().map(({ sheet, row, column }) => {
    const formula = sheet.formula(row, column);
    return [sheet.title, row, column, formula ? `=${formula.text}` : sheet.value(row, column)];
  });
  const values = {};
  for (const sheet of book.sheets) {
    values[sheet.title] = sheet.formulas.flatMap((formula) =>
      formula ? [[formula.row, formula.column, plain(sheet.value(formula.row, formula.column))]] : [],
    );
  }
  return { edits, values };
}

const SCENES = { opens, draws, presses, hovers, talks, sweeps };
const [scene, given] = process.argv.slice(2);
SCENES[scene](JSON.parse(given)).then(
  (seen) => process.stdout.write(JSON.stringify(seen)),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exitCode = 1;
  },
);
