// SPDX-License-Identifier: AGPL-3.0-or-later
// One picture: a canvas with its caption, the edges' letters, the cross-hair, and what a pointer does on it.

import { element, setText } from '../dom.js';
import { edgeLetters } from '../stack.js';

const DRAG = 12;  // CSS pixels of a finger for one slice
const TAP = 8;  // CSS pixels; a finger that moves less has tapped

/** A picture. `handlers` has `pointed(x, y)`, `chosen(x, y)` with pixels, and `stepped(by)`. */
export class Cell {
  constructor(name, label, handlers, more = []) {
    Object.assign(this, { handlers, finger: null });
    this.canvas = element('canvas', { 'data-pane': name, role: 'img', 'aria-label': label });
    this.caption = element('span', { className: 'quiet' });
    this.ends = ['black', 'white'].map(() => element('span'));
    this.scale = element('span', { className: 'scale', hidden: true }, this.ends[0], element('span', { className: 'ramp', 'aria-hidden': 'true' }), this.ends[1]);
    this.edges = ['left', 'right', 'top', 'bottom'].map((edge) => element('span', { className: `edge ${edge}`, 'data-edge': edge, 'aria-hidden': 'true' }));
    this.hairs = ['across', 'down'].map((line) => element('span', { className: `hair ${line}`, 'aria-hidden': 'true' }));
    this.screen = element('div', { className: 'screen' }, this.canvas, more, this.edges, this.hairs);
    this.node = element('figure', { hidden: true, 'data-figure': name }, element('figcaption', {}, element('strong', { textContent: label }), ' ', this.caption, this.scale), element('div', { className: 'stage' }, this.screen));
    this.listen();
  }

  listen() {
    const { screen } = this;
    screen.addEventListener('pointermove', (event) => this.move(event));
    screen.addEventListener('pointerdown', (event) => this.press(event));
    screen.addEventListener('pointerup', (event) => this.release(event));
    screen.addEventListener('pointercancel', () => { this.finger = null; });
  }

  /** Return the pixel under the pointer, null beside the picture. */
  pixel({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    const x = Math.floor((clientX - box.left) / box.width * this.canvas.width);
    const y = Math.floor((clientY - box.top) / box.height * this.canvas.height);
    return x >= 0 && y >= 0 && x < this.canvas.width && y < this.canvas.height ? [x, y] : null;
  }

  move(event) {
    if (event.pointerType === 'touch') { this.swipe(event); return; }
    const at = this.pixel(event);
    if (!at) { return; }
    this.handlers.pointed(...at);
    if (event.buttons === 1) { this.handlers.chosen(...at); }
  }

  press(event) {
    if (event.pointerType === 'touch') { this.finger = { from: event.clientX, x: event.clientX, moved: false }; return; }
    const at = event.button === 0 && this.pixel(event);
    if (at) { this.handlers.chosen(...at); }
  }

  /** Go on by one slice for each DRAG that a finger moves sideways; up and down scrolls the page. */
  swipe({ clientX }) {
    if (!this.finger) { return; }
    this.finger.moved ||= Math.abs(clientX - this.finger.from) > TAP;
    const steps = Math.trunc((clientX - this.finger.x) / DRAG);
    if (!steps) { return; }
    this.finger.x += steps * DRAG;
    this.handlers.stepped(steps);
  }

  release(event) {
    const at = this.finger && !this.finger.moved && this.pixel(event);
    this.finger = null;
    if (at) { this.handlers.pointed(...at); this.handlers.chosen(...at); }
  }

  /** Give the picture the aspect and the letters of a plane, and say what it shows; `ends` are what black and white mean, null where nobody needs to be told. */
  fit(plane, caption, hairs, ends = null) {
    const [height, width] = [plane.rows * plane.spacing[0], plane.columns * plane.spacing[1]];
    this.screen.style.setProperty('--aspect', width / height);
    setText(this.caption, caption);
    this.caption.title = caption;
    this.scale.hidden = !ends;
    ends?.forEach((words, index) => setText(this.ends[index], words));
    const letters = edgeLetters(plane.orientation);
    this.edges.forEach((edge) => setText(edge, letters[edge.dataset.edge]));
    this.hairs.forEach((hair) => { hair.hidden = !hairs; });
    if (hairs) { [this.hairs[0].style.top, this.hairs[1].style.left] = hairs.map((one) => `${100 * one}%`); }
  }
}
