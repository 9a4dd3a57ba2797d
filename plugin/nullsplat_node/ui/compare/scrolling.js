// SPDX-License-Identifier: AGPL-3.0-or-later
// Going through the slices of one plane: slider, buttons, wheel and steps.

import { element, setText } from '../dom.js';

const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

/** Return by how many slices a key goes on, 0 where it is another key. */
export function stepOf(key) { return STEPS[key] || 0; }

/** The controls of a plane; `go` is called with the index of the wanted slice. */
export class Scrolling {
  constructor(plane, label, go) {
    Object.assign(this, { go, count: 0, index: 0, rolled: 0 });
    this.slider = element('input', { type: 'range', min: 0, max: 0, value: 0, id: `slice-${plane}`, 'aria-label': `${label} slice`, oninput: () => this.to(Number(this.slider.value)) });
    const button = (name, by, text) => element('button', { type: 'button', 'aria-label': name, textContent: text, onclick: () => this.by(by) });
    this.words = element('output', { className: 'slice-words', for: `slice-${plane}` });
    this.node = element('div', { className: 'control scrolling' }, element('label', { for: `slice-${plane}`, className: 'label', textContent: label }),
      button(`${label} slice before`, -1, '◂'), this.slider, button(`Next ${label.toLowerCase()} slice`, 1, '▸'), this.words);
  }

  /** Say how many slices there are, which one is wanted, and in words which one is shown. */
  place(index, count, words) {
    Object.assign(this, { index, count });
    this.slider.max = Math.max(0, count - 1);
    this.slider.value = index;
    setText(this.words, words);
    this.slider.setAttribute('aria-valuetext', words);
  }

  to(index) {
    const wanted = Math.min(this.count - 1, Math.max(0, index));
    if (!this.count || wanted === this.index) { return; }
    this.index = wanted;  // at once: steps may come faster than slices
    this.go(wanted);
  }

  by(steps) { this.to(this.index + steps); }

  /** Listen for the wheel on the pictures. */
  listen(target) { target.addEventListener('wheel', (event) => this.wheel(event), { passive: false }); }

  wheel(event) {
    if (event.ctrlKey) { return; }  // the browser's zoom
    event.preventDefault();
    this.rolled += event.deltaMode ? 40 * event.deltaY : event.deltaY;
    const steps = Math.trunc(this.rolled / 40);
    this.rolled -= 40 * steps;
    if (steps) { this.by(Math.sign(steps)); }
  }
}
