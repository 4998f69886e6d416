"use strict";
// The page starts: its data are unpacked, its parts put together.

/** @param {Page} page */
function tabs(page) {
  const place = element("tabs");
  const seen = page.book.sheets.filter((sheet) => !sheet.data.hidden);
  const buttons = seen.map((sheet) => button(sheet.title, "", () => page.show(sheet)));
  place.append(...buttons);
  const mark = () =>
    buttons.forEach((tab, k) => {
      const current = seen[k] === page.sheet;
      tab.setAttribute("aria-current", current ? "page" : "false");
      if (current) place.scrollLeft = tab.offsetLeft - (place.clientWidth - tab.offsetWidth) / 2;
    });
  page.on("sheet", mark);
  page.on("turn", ({ by }) => {
    const next = seen[seen.indexOf(page.sheet) + by];
    if (next) page.show(next);
  });
}

/** @param {Page} page */
function zooms(page) {
  element("smaller").addEventListener("click", () => page.zoomTo(page.view.zoom / 1.25));
  element("larger").addEventListener("click", () => page.zoomTo(page.view.zoom * 1.25));
  element("whole").addEventListener("click", () => page.zoomToFit());
}

/** By day and by night, in every size: a small screen has no room for what the page says beside the sheet.
 * @param {Page} page */
function surroundings(page) {
  const small = matchMedia("(max-width: 1100px), (max-height: 800px)");
  const fold = () => {
    page.view.fold(small.matches);
    page.fit();
    page.view.forget();
    page.request();
  };
  small.addEventListener("change", fold);
  fold();
  const night = matchMedia("(prefers-color-scheme: dark)");
  const print = matchMedia("print");
  const repaint = () => {
    page.view.colours.use(night.matches && !print.matches);
    page.request();
  };
  night.addEventListener("change", repaint);
  print.addEventListener("change", () => {
    repaint();
    page.paint();
  });
  new ResizeObserver(() => page.request()).observe(page.frame);
  repaint();
}

/** Say to a screen reader what a change did. @param {Page} page @param {Answer} answer */
function narrate(page, answer) {
  let timer = 0;
  page.on("change", ({ cells }) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      const [first] = page.history.done.at(-1) ?? cells;
      const count = page.history.done.at(-1)?.length ?? cells.length;
      const value = first ? format(first.sheet.value(first.row, first.column), "General") : "";
      const what =
        count === 1 && first ? `${placeText(page, first)} is now ${value || "empty"}.` : `${count} cells changed.`;
      element("heard").textContent = `${what} ${answer.sentence}`;
    }, 500);
  });
}

/** What is seen first: the picture to draw into, or else where the first try is. @param {Page} page */
function welcome(page) {
  const picture = page.opening.picture(page.sheet);
  const [row = 1, column = 1] = (picture?.own && picture.place) || [];
  const first = picture?.own ? null : page.book.find(page.data.tries?.[0]?.at ?? "", page.sheet);
  page.select(first ?? page.view.geometry.whole(row, column));
  page.frame.scrollTo(0, page.opening.top(page.sheet));
  if (first) page.reveal(first.top, 1); // the sheet is seen from its left edge
}

/** @param {Data} data */
function assemble(data) {
  document.title = data.title;
  element("title").textContent = data.title;
  element("description").textContent = element("description").title = data.description ?? "";
  const page = new Page(data);
  surroundings(page);
  tabs(page);
  zooms(page);
  const overlay = new Overlay(page);
  new Explanation(page, overlay);
  const answer = new Answer(page);
  new Tries(page);
  new About(page);
  new Actions(page);
  new Tools(page);
  new Walk(page);
  new Counter(page);
  new Editing(page, new Entry(page));
  narrate(page, answer);
  return { page, share: new Share(page) };
}

async function start() {
  if (typeof DecompressionStream === "undefined") return; // the page says already which browsers it wants
  const api = new Api();
  Object.assign(window, { convSheet: api });
  /** @type {Data} */
  const data = JSON.parse(await inflated(element("data").textContent ?? "", "gzip"));
  const { page, share } = assemble(data);
  document.body.classList.remove("waiting");
  element("old").remove();
  page.show(page.sheet);
  welcome(page);
  await share.open();
  page.paint();
  performance.mark("ready");
  api.start(page);
}

start().catch((error) => {
  const old = document.getElementById("old");
  if (old) old.textContent = `This lesson could not start: ${error instanceof Error ? error.message : error}.`;
  throw error;
});
