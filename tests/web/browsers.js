"use strict";
// A headless browser with an empty profile of its own, and a page of a lesson in it.
const { execFileSync } = require("node:child_process");
const http = require("node:http");
const { readFileSync } = require("node:fs");
const { basename, join } = require("node:path");
const puppeteer = require(join(__dirname, "../../scripts/web/node_modules/puppeteer-core"));

const PROGRAMS = {
  chrome: {
    program: "chromium",
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
    ],
  },
  firefox: { program: "firefox", args: [] },
};

/** Run something with a browser, which is closed whatever happens.
 * @param {"chrome" | "firefox"} name @param {(browser: any) => Promise<unknown>} use @param {object} [environment] */
async function withBrowser(name, use, environment = {}) {
  const { program, args } = PROGRAMS[name];
  const executablePath = execFileSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).trim();
  const env = { ...process.env, ...environment };
  const browser = await puppeteer.launch({ browser: name, executablePath, args, env });
  try {
    return await use(browser);
  } finally {
    await browser.close();
  }
}

/** Open a page, and keep what it complains of and what it asks for beside itself.
 * @param {any} browser @param {string} url @param {object} [viewport] */
async function open(browser, url, viewport = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await page.bringToFront(); // a page behind another draws no frames, and waiting counts them
  await page.setViewport({ width: 1366, height: 768, ...viewport });
  const [complaints, requests] = [[], []];
  // That a test reads pixels of the canvas again and again is no fault of the page.
  page.on("console", (message) => /willReadFrequently/.test(message.text()) || complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  const asks = (/** @type {string} */ address) => address !== url && !address.startsWith("data:");
  page.on("request", (request) => asks(request.url()) && requests.push(request.url()));
  await page.goto(url);
  await page.evaluate(() => window.convSheet?.ready);
  return { page, context, complaints, requests };
}

/** Serve files of a folder, and some texts, at 127.0.0.1; `asked` has the path of every request.
 * @param {string} folder @param {Record<string, string>} texts @param {(base: string, asked: string[]) => any} use */
async function serving(folder, texts, use) {
  /** @type {string[]} */
  const asked = [];
  const server = http.createServer(({ url = "/" }, answer) => {
    asked.push(url);
    const name = basename(url.split("?")[0]);
    answer.setHeader("Content-Type", "text/html; charset=utf-8");
    try {
      answer.end(texts[name] ?? readFileSync(join(folder, name)));
    } catch {
      answer.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await use(`http://127.0.0.1:${server.address().port}`, asked);
  } finally {
    server.close();
  }
}

module.exports = { withBrowser, open, serving };
