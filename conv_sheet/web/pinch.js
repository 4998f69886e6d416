"use strict";
// Two fingers: the sheet becomes larger or smaller under them.

class Pinch {
  /** @param {Page} page @param {Brush} brush */
  constructor(page, brush) {
    this.page = page;
    this.brush = brush;
    /** Where the fingers were last. @type {ReturnType<typeof fingers>} */
    this.last = null;
    const { frame } = page;
    frame.addEventListener("touchstart", (event) => this.begin(event), { passive: false });
    frame.addEventListener("touchmove", (event) => this.move(event), { passive: false });
    for (const end of ["touchend", "touchcancel"]) frame.addEventListener(end, () => (this.last = null));
  }

  /** What the first finger has drawn until the second one came was not meant. @param {TouchEvent} event */
  begin(event) {
    this.last = fingers(event, this.page.frame);
    if (!this.last) return;
    event.preventDefault();
    if (!this.brush.active) return;
    const drew = Boolean(this.page.history.open?.size);
    this.brush.end();
    if (drew) this.page.undo();
  }

  /** @param {TouchEvent} event */
  move(event) {
    const [now, { last, page }] = [fingers(event, this.page.frame), this];
    if (!now || !last) return;
    event.preventDefault();
    page.zoomTo((page.view.zoom * now.apart) / last.apart, last);
    page.frame.scrollBy(last.x - now.x, last.y - now.y);
    this.last = now;
  }
}

/** How far apart two fingers are, and the point between them; null where there are not two.
 * @param {TouchEvent} event @param {HTMLElement} frame */
function fingers({ touches }, frame) {
  const [one, two] = touches;
  if (!one || !two || touches.length > 2) return null;
  const { left, top } = frame.getBoundingClientRect();
  const [x, y] = [(one.clientX + two.clientX) / 2 - left, (one.clientY + two.clientY) / 2 - top];
  return { x, y, apart: Math.max(1, Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY)) };
}
