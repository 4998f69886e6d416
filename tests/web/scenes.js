"use strict";
// Scenes in a browser, one a run: `node scenes.js SCENE JSON`. Each prints what it has seen; Python says what is right.
const { pathToFileURL } = require("node:url");
const { basename, dirname } = require("node:path");
const { writeFileSync } = require("node:fs");
const { withBrowser, open, serving } = require("./browsers.js");

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

/** Press a button that says something. @param {any} page @param {string} within @param {string} text */
function press(page, within, text) {
  return page.locator(`${within} button::-p-text(${text})`).click();
}

/** Type a name into the name box. @param {any} page @param {string} name */
async function goTo(page, name) {
  await page.focus("#name");
  await page.$eval("#name", (/** @type {HTMLInputElement} */ box) => box.select());
  await page.keyboard.type(name);
  await page.keyboard.press("Enter");
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
async function opens({ browser: name, files, widths }) {
  return withBrowser(name, (browser) =>
    serving(dirname(files[0]), {}, async (base, asked) => {
      const seen = [];
      for (const file of files) {
        const url = `${base}/${basename(file)}`;
        const [local, hosted] = [await open(browser, pathToFileURL(file).href), await open(browser, url)];
        const overflow = [];
        for (const width of widths) {
          await local.page.setViewport({ width, height: 800 });
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

/** At some sizes of the window: whether the picture to draw into is in sight as a whole, and the first row. */
async function fits({ file, sizes }) {
  return withBrowser("chrome", async (browser) => {
    const seen = [];
    for (const [width, height] of sizes) {
      const { page, context } = await open(browser, pathToFileURL(file).href, { width, height });
      await page.focus("#view");
      await page.keyboard.down("Control");
      await page.keyboard.press("Home");
      await page.keyboard.up("Control");
      seen.push(
        await page.evaluate(() => {
          const { page: shown } = window.convSheet;
          const [row, column, rows, columns] = shown.rules.pictures(shown.sheet)[0][0];
          const { top, left } = shown.view.box(row, column, row, column);
          const { bottom, right } = shown.view.box(row + rows - 1, 1, row + rows - 1, column + columns - 1);
          const { clientWidth, clientHeight } = shown.frame;
          return {
            whole: top >= 0 && left >= 0 && bottom <= clientHeight && right <= clientWidth,
            first: shown.cursor.row,
          };
        }),
      );
      await context.close();
    }
    return seen;
  });
}

/** On a small screen: pixels of the smallest sentence of each sheet, or whether the picture to draw into is seen whole;
 * then pixels of the numbers of a place that somebody asks for. */
async function reads({ files, size: [width, height], asked }) {
  return withBrowser("chrome", async (browser) => {
    const seen = [];
    for (const file of files) {
      const { page, context } = await open(browser, pathToFileURL(file).href, { width, height });
      const sheets = await page.evaluate(sentences);
      const letters = await page.evaluate((list) => list.map(window.lettersOf), asked[basename(file)] ?? []);
      seen.push({ file: basename(file), sheets, letters });
      await context.close();
    }
    return seen;
  });
}

/** What `reads` wants to know of each sheet as it opens. */
function sentences() {
  const { page: shown, sheets } = window.convSheet;
  const { view, frame } = shown;
  window.lettersOf = (place) => {
    window.convSheet.select(place);
    shown.paint();
    const { row, column } = shown.cursor;
    return (shown.sheet.style(row, column).size * 4 * view.zoom) / 3;
  };
  return sheets.map((title) => {
    if (shown.sheet.title !== title) shown.show(shown.book.sheet(title));
    shown.paint();
    const rule = (shown.sheet.data.validations ?? []).find(({ draw }) => draw);
    const [row, column, rows, columns] = rule?.blocks[0] ?? [];
    const box = rule && view.box(row, column, row + rows - 1, column + columns - 1);
    const whole = rule && box.top >= 0 && box.right <= frame.clientWidth && box.bottom <= frame.clientHeight;
    const isSentence = ({ row: y, column: x, value }) =>
      typeof value === "string" && value.length > 30 && !shown.sheet.formula(y, x);
    const texts = view.drawn.filter(isSentence);
    const sizes = texts.map(({ row: y, column: x }) => (shown.sheet.style(y, x).size * 4 * view.zoom) / 3);
    const about = document.getElementById("about");
    const said = about.offsetHeight > 20 ? about.innerText : "";
    return { title, whole: whole ?? null, least: Math.min(99, ...sizes), about: said };
  });
}

/** Texts that are cut on the sheets and beside them, where the browser has other fonts; and how wide these are. */
async function cuts({ files, fonts }) {
  const look = async (browser) => {
    const seen = [];
    for (const file of files) {
      const { page, context } = await open(browser, pathToFileURL(file).href, { width: 2800, height: 1800 });
      await page.evaluate(watchTexts);
      const cut = await page.evaluate(() => {
        const { page: shown, sheets } = window.convSheet;
        return sheets.flatMap((title) => {
          window.cutTexts = [];
          shown.show(shown.book.sheet(title));
          shown.view.forget();
          shown.paint();
          return window.cutTexts.map((text) => `${title}: ${text}`);
        });
      });
      for (const width of [390, 1366]) {
        await page.setViewport({ width, height: 800 });
        cut.push(...(await page.evaluate(hiddenTexts)));
      }
      const wide = await page.evaluate(() => {
        const pen = document.createElement("canvas").getContext("2d");
        pen.font = `100px ${getComputedStyle(document.body).fontFamily}`;
        return pen.measureText("The quick brown fox").width;
      });
      seen.push({ file: basename(file), cut, wide });
      await context.close();
    }
    return seen;
  };
  return withBrowser("chrome", look, { FONTCONFIG_FILE: fonts });
}

/** Keep every text in `window.cutTexts` that the clip of its cell cuts: a clip within that of the part of the sheet. */
function watchTexts() {
  const { prototype } = CanvasRenderingContext2D;
  const { save, restore, rect, fillText } = prototype;
  const clips = [];
  window.cutTexts = [];
  let last = null;
  prototype.save = function () {
    clips.push(last);
    save.call(this);
  };
  prototype.restore = function () {
    last = clips.pop() ?? null;
    restore.call(this);
  };
  prototype.rect = function (...box) {
    last = box;
    rect.apply(this, box);
  };
  prototype.fillText = function (text, x, y) {
    fillText.call(this, text, x, y);
    if (clips.length < 2 || this.canvas.id !== "cells") return;
    const trimmed = text.trimEnd();
    const size = this.measureText(trimmed);
    const [left, top, width, height] = last;
    const over = [
      left - (x - size.actualBoundingBoxLeft),
      x + size.actualBoundingBoxRight - (left + width),
      top - (y - size.actualBoundingBoxAscent),
      y + size.actualBoundingBoxDescent - (top + height),
    ];
    if (Math.max(...over) > 2) window.cutTexts.push(trimmed);
  };
}

/** Texts of elements that hide a part of themselves. */
function hiddenTexts() {
  const all = [...document.querySelectorAll("body :not(.away)")].filter((element) => element.checkVisibility());
  const cut = all.filter(
    (element) => element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX === "hidden",
  );
  return cut.map((element) => `${innerWidth}: ${element.textContent}`);
}

/** What a browser shows that lacks something. */
async function lacks({ file, what }) {
  return withBrowser("chrome", async (browser) => {
    const page = await browser.newPage();
    await page.evaluateOnNewDocument((name) => delete window[name], what);
    await page.goto(pathToFileURL(file).href);
    return page.evaluate(() => document.body.innerText.trim());
  });
}

/** A page as it is printed. */
async function prints({ file, out }) {
  return withBrowser("chrome", async (browser) => {
    const { page } = await open(browser, pathToFileURL(file).href);
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
    await page.pdf({ path: out, format: "A4", printBackground: true });
  }).then(() => out);
}

/** A stroke through some cells, by mouse or by finger. */
async function draws({ browser: name, file, through, finger, names }) {
  return withBrowser(name, async (browser) => {
    const hasTouch = finger && name === "chrome"; // Firefox takes touches as it is
    const { page, complaints } = await open(browser, pathToFileURL(file).href, { hasTouch });
    await page.locator("#clear").click();
    const at = [];
    for (const address of through) at.push(await middle(page, address));
    if (finger) await page.touchscreen.touchStart(at[0].x, at[0].y);
    else {
      await page.mouse.move(at[0].x, at[0].y);
      await page.mouse.down();
    }
    const unlike = [];
    for (const point of at.slice(1)) {
      if (finger) await page.touchscreen.touchMove(point.x, point.y);
      else await page.mouse.move(point.x, point.y, { steps: 6 });
      unlike.push(await unlikeRedraw(page));
    }
    if (finger) await page.touchscreen.touchEnd();
    else await page.mouse.up();
    unlike.push(await unlikeRedraw(page));
    const values = await page.evaluate((list) => list.map((name) => window.convSheet.get(name)), names);
    const steps = await page.evaluate(() => window.convSheet.page.history.done.length);
    return { values, unlike, steps, complaints };
  });
}

/** Two fingers on the picture, one after the other, that move apart: what it holds, the zoom, the cell between them. */
async function pinches({ file }) {
  return withBrowser("chrome", async (browser) => {
    const viewport = { width: 390, height: 844, hasTouch: true };
    const { page, complaints } = await open(browser, pathToFileURL(file).href, viewport);
    const { x, y } = await middle(page, "O30");
    const client = await page.createCDPSession();
    const touch = (type, ...apart) =>
      client.send("Input.dispatchTouchEvent", {
        type,
        touchPoints: apart.map((by, id) => ({ x: x + by, y, id })),
      });
    const look = () =>
      page.evaluate(
        (at) => {
          const { page: shown } = window.convSheet;
          const { left, top } = shown.frame.getBoundingClientRect();
          const { row, column } = shown.view.cellAt(at.x - left, at.y - top);
          return { picture: window.convSheet.get("input_1"), zoom: shown.view.zoom, cell: [row, column] };
        },
        { x, y },
      );
    const before = await look();
    await touch("touchStart", -30);
    await touch("touchMove", -28);
    await touch("touchStart", -28, 30);
    for (const apart of [40, 50, 60]) await touch("touchMove", -apart, apart);
    await touch("touchEnd");
    return { before, after: await look(), complaints };
  });
}

/** A button, and what some names hold then. */
async function presses({ file, sheet, button, names }) {
  return withBrowser("chrome", async (browser) => {
    const { page, complaints } = await open(browser, pathToFileURL(file).href);
    await press(page, "nav", sheet);
    await press(page, "#actions", button);
    const values = await page.evaluate((list) => list.map((name) => window.convSheet.get(name)), names);
    return { values, complaints };
  });
}

/** What the page says after each of some pictures was chosen, and which bars it marks. */
async function says({ file, pictures }) {
  return withBrowser("chrome", async (browser) => {
    const { page, complaints } = await open(browser, pathToFileURL(file).href);
    const said = [];
    for (const picture of pictures) {
      await page.evaluate((value) => window.convSheet.set("picture", value), picture);
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      const read = (/** @type {string} */ selector) =>
        page.$$eval(selector, (found) => found.map((one) => one.textContent ?? ""));
      said.push({
        said: (await read("#answer .said"))[0],
        then: (await read("#answer .then"))[0],
        best: await read("#answer .bar.best .label"),
      });
    }
    return { said, complaints };
  });
}

/** The pointer over some cells: the frames that are drawn, and where the cells of the formula are. */
async function hovers({ file, over }) {
  return withBrowser("chrome", async (browser) => {
    const viewport = { width: 2800, height: 1500 }; // so large that nothing is out of sight
    const { page, complaints } = await open(browser, pathToFileURL(file).href, viewport);
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
      await new Promise((resolve) => setTimeout(resolve, 60));
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
<p style="height: 500px">Read this first.</p>
<iframe src="LESSON" width="900" height="600"></iframe><script>
const heard = [];
addEventListener("message", ({ data }) => heard.push(data));
const ask = (id, convSheet, ...given) => frames[0].postMessage({ convSheet, id, given }, "*");
</script>`;

/** The keyboard, refusals, a link that is shared, and another page that embeds the lesson. */
async function talks({ browser: name, file }) {
  const embedding = EMBEDDING.replace("LESSON", basename(file));
  return withBrowser(name, (browser) =>
    serving(dirname(file), { "embedding.html": embedding, "favicon.ico": "" }, async (base) => {
      const { page, complaints } = await open(browser, pathToFileURL(file).href);
      const seen = {};
      const get = (wanted) => page.evaluate((text) => window.convSheet.get(text), wanted);
      const refusal = (...given) =>
        page.evaluate(
          (all) =>
            window.convSheet.set(...all).then(
              () => "",
              ({ message }) => message,
            ),
          given,
        );
      await goTo(page, "conv1_out_1");
      seen.cell = await page.$eval("#heard", (heard) => heard.textContent);
      await goTo(page, "conv1_weight_1_1");
      for (const typed of ["4", "ink", "=1/9"]) {
        await page.keyboard.type(typed);
        await page.keyboard.press("Enter");
        if (typed === "ink") seen.says = await page.$eval("#says", (says) => says.textContent);
      }
      seen.typed = (await get("conv1_weight_1_1")).map((row) => row[0]);
      seen.refused = [await refusal("input_1", 2), await refusal("conv1_out_1", 1), await refusal("nothing", 1)];
      await page.evaluate(() => window.convSheet.set("conv1_bias", [[0.5, -1]]));
      seen.bias = await get("conv1_bias");
      const told = await page.waitForFunction(() => {
        const { textContent } = document.getElementById("heard");
        return textContent.startsWith("2 cells changed") && textContent;
      });
      seen.change = await told.jsonValue();
      await page.locator("#share summary").click();
      await page.locator("#link").click();
      await page.waitForFunction(() => location.hash.startsWith("#s="));
      const other = await open(browser, page.url());
      const names = ["conv1_bias", "conv1_weight_1_1"];
      seen.shared = await other.page.evaluate((list) => list.map((one) => window.convSheet.get(one)), names);
      await other.context.close();
      await page.bringToFront();
      await page.locator("#undo").click();
      seen.undone = await get("conv1_bias");
      seen.counted = [];
      for (const [name, ...signs] of [
        ["loupe_row", "more", "more", "less"],
        ["loupe_map", "more", "more", "more"],
      ]) {
        await goTo(page, name);
        for (const sign of signs) {
          await page.click(`#${sign}`);
          seen.counted.push(await get(name));
        }
      }
      await goTo(page, "conv1_bias");
      seen.counts = await page.$eval("#counter", (element) => element.checkVisibility());
      const outer = await open(browser, `${base}/embedding.html`);
      const inner = await outer.page.waitForFrame((frame) => frame.url().endsWith(basename(file)));
      await inner.waitForSelector("#tabs button");
      await inner.evaluate(() => window.convSheet.ready);
      seen.scrolled = await outer.page.evaluate(() => scrollY);
      seen.heard = await outer.page.evaluate(async () => {
        ask(1, "ready");
        ask(2, "set", "conv1_bias", [[0.25, 0]]);
        ask(3, "get", "conv1_bias");
        ask(4, "set", "input_1", 9);
        const answers = () => heard.filter((data) => data.convSheet === "answer").length;
        while (answers() < 4) await new Promise((resolve) => setTimeout(resolve, 20));
        return heard;
      });
      return { ...seen, complaints: [...complaints, ...other.complaints, ...outer.complaints] };
    }),
  );
}

/** Press a key while Control is held. @param {any} page @param {string} key */
async function control(page, key) {
  await page.keyboard.down("Control");
  await page.keyboard.press(key);
  await page.keyboard.up("Control");
}

/** An event of the clipboard on the sheet, with a text or for one. @param {any} page @param {string} kind
 * @param {string} [text] */
function clipboard(page, kind, text = "") {
  return page.evaluate(
    (type, given) => {
      document.getElementById("view").focus();
      const clipboardData = new DataTransfer();
      if (given) clipboardData.setData("text/plain", given);
      const event = new Event(type, { bubbles: true, cancelable: true });
      document.dispatchEvent(Object.defineProperty(event, "clipboardData", { value: clipboardData }));
      return clipboardData.getData("text/plain");
    },
    kind,
    text,
  );
}

/** The keys of spreadsheet programs, their clipboard, a formula in a free cell; what each has made of the cells. */
async function keys({ browser: name, file }) {
  return withBrowser(name, async (browser) => {
    const { page, complaints } = await open(browser, pathToFileURL(file).href);
    const get = (wanted) => page.evaluate((text) => window.convSheet.get(text), wanted);
    const at = () => page.$eval("#name", (box) => box.value);
    const seen = { values: [], places: [] };
    await goTo(page, "AF18");
    await page.keyboard.press("F2");
    await page.keyboard.type("5");
    await page.keyboard.press("Enter");
    seen.places.push(await at());
    seen.values.push(await get("AF18"));
    for (const key of ["z", "y"]) {
      await control(page, key);
      seen.values.push(await get("AF18"));
    }
    for (const [place, key] of [
      ["B30", "ArrowRight"],
      ["B30", "Home"],
    ]) {
      await goTo(page, place);
      await control(page, key);
      seen.places.push(await at());
    }
    await clipboard(page, "paste", "0.25\t0.5\r\n1\t0\r\n");
    seen.refused = await page.$eval("#says", (says) => says.textContent);
    await goTo(page, "B18");
    await clipboard(page, "paste", "0.25\t0.5\r\n1\t0\r\n");
    seen.sums = await page.$eval("#sums", (sums) => sums.textContent);
    seen.pasted = await get("B18:C19");
    await goTo(page, "B18");
    await page.keyboard.down("Shift");
    for (const key of ["ArrowRight", "ArrowDown"]) await page.keyboard.press(key);
    await page.keyboard.up("Shift");
    seen.copied = await clipboard(page, "copy");
    await goTo(page, "A100");
    await page.keyboard.type("=1/9");
    await page.keyboard.press("Enter");
    seen.free = await get("A100");
    return { ...seen, complaints };
  });
}

/** Rubbing out, a pen, the walk, the buttons and a file of changes. */
async function works({ file, changes }) {
  return withBrowser("chrome", async (browser) => {
    const { page, complaints } = await open(browser, pathToFileURL(file).href);
    const get = (wanted) => page.evaluate((text) => window.convSheet.get(text), wanted);
    const [own, seen] = [await get("conv1_weight_1_1"), {}];
    const ink = async () => (await get("input_1")).flat().reduce((sum, value) => sum + value, 0);
    seen.ink = [await ink()];
    await page.locator("[data-tool=erase]").click();
    const [from, to] = [await middle(page, "L27"), await middle(page, "T27")];
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(to.x, to.y, { steps: 8 });
    await page.mouse.up();
    seen.ink.push(await ink());
    await page.locator("[data-tool=draw]").click();
    const client = await page.createCDPSession();
    for (const [type, point] of Object.entries({ mousePressed: from, mouseMoved: to, mouseReleased: to }))
      await client.send("Input.dispatchMouseEvent", { type, ...point, button: "left", buttons: 1, pointerType: "pen" });
    seen.ink.push(await ink());
    await page.locator("#faster").click();
    await page.locator("#play").click();
    const walked = () =>
      page.evaluate(() => [window.convSheet.page.pointed?.row, window.convSheet.page.pointed?.column]);
    const first = await page.waitForFunction(() => window.convSheet.page.pointed?.column);
    await page.waitForFunction(
      (column) => window.convSheet.page.pointed.column >= column + 2,
      {},
      await first.jsonValue(),
    );
    seen.walked = await walked();
    seen.explained = await page.$eval("#explanation", (panel) => panel.innerText);
    await page.locator("#play").click();
    await press(page, "#actions", "Random kernels");
    seen.random = [JSON.stringify(await get("conv1_weight_1_1")) !== JSON.stringify(own)];
    seen.random.push(await page.$eval("#says", (says) => says.textContent));
    await press(page, "#actions", "Reset");
    seen.reset = JSON.stringify(await get("conv1_weight_1_1")) === JSON.stringify(own) && (await ink()) === seen.ink[0];
    seen.checks = [await page.$eval("#tries .check", (check) => check.textContent)];
    await press(page, "#tries", "Do it for me");
    await page.waitForFunction(() => document.querySelector("#tries .check").classList.contains("reached"));
    seen.checks.push(await page.$eval("#tries .check", (check) => check.textContent));
    await page.evaluate(() => {
      const { createObjectURL } = URL;
      URL.createObjectURL = (blob) => {
        window.saved = blob.text();
        return createObjectURL(blob);
      };
    });
    await page.locator("#share summary").click();
    await page.locator("#save").click();
    writeFileSync(changes, await page.evaluate(() => window.saved));
    await press(page, "#actions", "Reset");
    seen.loaded = [(await get("conv1_weight_1_1"))[1][1]];
    await (await page.$("#file")).uploadFile(changes);
    await page.waitForFunction(() => window.convSheet.get("conv1_weight_1_1")[1][1] !== 0);
    seen.loaded.push((await get("conv1_weight_1_1"))[1][1]);
    seen.link = await page.$eval("#workbook", (link) => [link.hidden, link.getAttribute("href")]);
    return { ...seen, complaints };
  });
}

/** Edits by the keyboard alone: from the top of the page to the name box, to the cell, a value or a choice, Enter. */
async function types({ file, edits }) {
  return withBrowser("chrome", async (browser) => {
    const { page, complaints } = await open(browser, pathToFileURL(file).href);
    const seen = [];
    for (const [address, value] of edits) {
      await page.evaluate(() => document.activeElement.blur());
      for (let k = 0; k < 60 && (await page.evaluate(() => document.activeElement.id !== "name")); k++)
        await page.keyboard.press("Tab");
      await page.keyboard.type(address);
      await page.keyboard.press("Enter");
      const isChoice = await page.evaluate(() => !document.getElementById("choice").hidden);
      if (isChoice) await page.keyboard.press("Enter");
      await page.keyboard.type(String(value));
      await page.keyboard.press("Enter");
      if (isChoice) await page.keyboard.press("Escape"); // a list from which the same is chosen keeps the keys
      await page.waitForFunction(() => document.activeElement.id === "view", { timeout: 5000 });
      seen.push(await page.evaluate((text) => window.convSheet.get(text), address));
    }
    return { seen, complaints };
  });
}

/** Edits of several pages through `convSheet.set`, every sixth by typing; then the value of every formula. */
async function sweeps({ jobs, out }) {
  const answers = await withBrowser("chrome", async (browser) => {
    const found = [];
    for (const { file, edits } of jobs) {
      const { page, context, complaints } = await open(browser, pathToFileURL(file).href);
      const refused = [];
      for (const [k, [address, value]] of edits.entries()) {
        if (k % 6 === 5) {
          await page.evaluate((text) => window.convSheet.select(text), address);
          await page.focus("#view");
          await page.keyboard.press("F2");
          await page.keyboard.down("Control");
          await page.keyboard.press("a");
          await page.keyboard.up("Control");
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

const SCENES = {
  opens,
  fits,
  reads,
  says,
  cuts,
  pinches,
  lacks,
  prints,
  draws,
  presses,
  hovers,
  talks,
  keys,
  works,
  types,
  sweeps,
};
const [scene, given] = process.argv.slice(2);
SCENES[scene](JSON.parse(given)).then(
  (seen) => process.stdout.write(JSON.stringify(seen)),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exitCode = 1;
  },
);
