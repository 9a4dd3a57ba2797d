// SPDX-License-Identifier: AGPL-3.0-or-later
// The pictures of the comparison: side by side, or two on top of each other with a swipe slider.

import { element, setText } from './dom.js';
import { paint } from './paint.js';
import { edgeLetters } from './stack.js';

export const NAMES = { source: 'Source', result: 'Super-resolved', difference: 'Difference', uncertainty: 'Uncertainty' };

/** Pictures by name. `pointed` is called with the pixel (x, y) under the pointer. */
export class Panes {
  constructor(pointed) {
    this.pointed = pointed;
    this.figures = Object.fromEntries(Object.keys(NAMES).map((name) => [name, this.makeFigure(name)]));
    this.grid = element('div', { className: 'panes' }, Object.values(this.figures).map((one) => one.figure));
    this.swipe = this.makeSwipe();
    this.node = element('div', { className: 'screens' }, this.grid, this.swipe.figure);
    this.setMode('side');
  }

  makeFigure(name) {
    const canvas = element('canvas', { 'data-pane': name, role: 'img', 'aria-label': NAMES[name] });
    const caption = element('span', { className: 'quiet' });
    const figure = element('figure', { hidden: true }, element('figcaption', {}, element('strong', { textContent: NAMES[name] }), caption), this.screen(canvas));
    return { figure, canvas, caption };
  }

  screen(...canvases) {
    const edges = ['left', 'right', 'top', 'bottom'].map((edge) => element('span', { className: `edge ${edge}`, 'data-edge': edge, 'aria-hidden': 'true' }));
    return element('div', { className: 'screen', onpointermove: (event) => this.point(event, canvases[0]) }, canvases, edges);
  }

  point(event, canvas) {
    const box = canvas.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / box.width * canvas.width);
    const y = Math.floor((event.clientY - box.top) / box.height * canvas.height);
    if (x >= 0 && y >= 0 && x < canvas.width && y < canvas.height) { this.pointed(x, y); }
  }

  makeSwipe() {
    const [under, over] = ['under', 'over'].map((name) => element('canvas', { 'data-pane': `swipe-${name}`, className: name, role: 'img', 'aria-label': name }));
    const choice = (label, chosen) => element('select', { 'aria-label': label, onchange: () => this.draw(this.last) },
      Object.entries(NAMES).map(([value, text]) => element('option', { value, textContent: text, selected: value === chosen })));
    const [left, right] = [choice('Left image', 'source'), choice('Right image', 'result')];
    const line = element('span', { className: 'line', 'aria-hidden': 'true' });
    const slider = element('input', { type: 'range', min: 0, max: 100, value: 50, 'aria-label': 'Swipe between left and right image', oninput: () => this.clip() });
    const screen = this.screen(under, over);
    screen.append(line);
    const figure = element('figure', { className: 'swipe', hidden: true }, element('figcaption', {}, left, right), slider, screen);
    return { figure, under, over, left, right, slider, line };
  }

  clip() {
    const { over, line, slider } = this.swipe;
    over.style.clipPath = `inset(0 0 0 ${slider.value}%)`;
    line.style.left = `${slider.value}%`;
  }

  /** Show 'side' by side, or 'swipe'. */
  setMode(mode) {
    this.mode = mode;
    this.grid.hidden = mode === 'swipe';
    this.swipe.figure.hidden = mode !== 'swipe';
    this.clip();
    if (this.last) { this.draw(this.last); }
  }

  /** Draw a slice: `grid`, and by name `values`, `windows` and `captions`; what has no values is not shown. */
  draw(slice) {
    this.last = slice;
    for (const [name, { figure, canvas, caption }] of Object.entries(this.figures)) {
      figure.hidden = !slice.values[name];
      setText(caption, slice.captions[name] || '');
      if (!figure.hidden && this.mode === 'side') { this.paintOne(canvas, name); }
    }
    for (const select of [this.swipe.left, this.swipe.right]) {
      [...select.options].forEach((option) => { option.disabled = !slice.values[option.value]; });
    }
    if (this.mode === 'swipe') {
      this.paintOne(this.swipe.under, this.swipe.left.value);
      this.paintOne(this.swipe.over, this.swipe.right.value);
    }
    this.letter(edgeLetters(slice.grid.orientation));
  }

  paintOne(canvas, name) {
    const { values, windows, grid } = this.last;
    canvas.style.aspectRatio = `${grid.columns * grid.spacing[1]} / ${grid.rows * grid.spacing[0]}`;
    canvas.setAttribute('aria-label', NAMES[name]);
    if (values[name]) { paint(canvas, values[name], grid.rows, grid.columns, windows[name]); }
  }

  letter(letters) {
    this.node.querySelectorAll('[data-edge]').forEach((edge) => setText(edge, letters[edge.dataset.edge]));
  }
}
