// SPDX-License-Identifier: AGPL-3.0-or-later
// One plane: its pictures side by side, or two on top of each other with a swipe line.

import { Cell } from './cell.js';
import { NAMES } from './comparison.js';
import { paint } from './paint.js';
import { PLANES } from './planes.js';
import { Scrolling } from './scrolling.js';
import { element } from '../dom.js';

export const SIDE = ['source', 'result', 'difference', 'uncertainty'];

/** The pictures of one plane. `handlers` has `pointed`, `chosen` and `stepped` with the plane's name before their arguments, `went` and `entered`. */
export class PlaneView {
  constructor(name, handlers) {
    this.name = name;
    this.scrolling = new Scrolling(name, PLANES[name], (index) => handlers.went(name, index));
    const own = Object.fromEntries(['pointed', 'chosen', 'stepped'].map((what) => [what, (...more) => handlers[what](name, ...more)]));
    this.cells = Object.fromEntries(SIDE.map((pane) => [pane, new Cell(pane, NAMES[pane], own)]));
    this.over = element('canvas', { 'data-pane': 'swipe-over', className: 'over', role: 'img' });
    this.line = element('span', { className: 'line', 'aria-hidden': 'true' });
    this.swipe = new Cell('swipe-under', 'Swipe', own, [this.over, this.line]);
    this.swipe.node.classList.add('swipe');
    this.pictures = element('div', { className: 'panes' }, Object.values(this.cells).map((cell) => cell.node), this.swipe.node);
    this.scrolling.listen(this.pictures);
    this.scrolling.slider.addEventListener('focus', () => handlers.entered(name));
    this.node = element('section', { className: 'plane', 'data-plane': name, 'aria-label': PLANES[name] }, this.scrolling.node, this.pictures);
  }

  /** Draw the pictures of a plane.
   *
   * shown: `names` of the pictures, or the two of a `swipe` with its place; `values` and `captions` by name, `windows`, the `mark` and its `legend`, the `hairs`;
   *   `stamp` tells its pixels from others, so that those that are drawn already are not drawn again.
   */
  draw(plane, shown) {
    const { left, right } = shown.swipe || {};
    this.fresh = this.drawn !== (this.drawn = [shown.stamp, shown.names, left, right].join());
    for (const [name, cell] of Object.entries(this.cells)) {
      cell.node.hidden = !shown.names.includes(name);
      if (!cell.node.hidden) { this.paintCell(cell, cell.canvas, name, plane, shown); }
    }
    this.swipe.node.hidden = !shown.swipe;
    if (shown.swipe) { this.drawSwipe(plane, shown); }
  }

  paintCell(cell, canvas, name, plane, shown) {
    cell.fit(plane, shown.captions(name), shown.hairs, shown.windows.ends(name));
    this.paintOne(canvas, name, plane, shown);
  }

  paintOne(canvas, name, plane, { values, windows, mark }) {
    if (!this.fresh) { return; }
    canvas.setAttribute('aria-label', `${PLANES[this.name]}: ${NAMES[name]}`);
    paint(canvas, values(name), plane.rows, plane.columns, windows.of(name), name === 'result' ? mark : null);
  }

  drawSwipe(plane, shown) {
    const { left, right } = shown.swipe;
    this.swipe.fit(plane, [`left: ${NAMES[left]}`, `right: ${NAMES[right]}`, [left, right].includes('result') && shown.legend].filter(Boolean).join(', '), shown.hairs);
    this.paintOne(this.swipe.canvas, left, plane, shown);
    this.paintOne(this.over, right, plane, shown);
    this.clip(shown.swipe.at);
  }

  /** Put the swipe line at so many per cent of the width. */
  clip(at) {
    this.over.style.clipPath = `inset(0 0 0 ${at}%)`;
    this.line.style.left = `${at}%`;
  }
}
