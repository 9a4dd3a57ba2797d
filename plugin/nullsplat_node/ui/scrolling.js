// SPDX-License-Identifier: AGPL-3.0-or-later
// Going through the slices: wheel, keys, slider and buttons.

import { element, setText } from './dom.js';

const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

/** The controls; `go` is called with the index of the wanted slice. */
export class Scrolling {
  constructor(go) {
    this.go = go;
    this.count = 0;
    this.index = 0;
    this.rolled = 0;
    this.slider = element('input', { type: 'range', min: 0, max: 0, value: 0, id: 'slice', 'aria-label': 'Slice', oninput: () => this.to(Number(this.slider.value)) });
    const step = (label, by, text) => element('button', { type: 'button', 'aria-label': label, textContent: text, onclick: () => this.to(this.index + by) });
    this.words = element('output', { className: 'slice-words', for: 'slice' });
    this.node = element('div', { className: 'control scrolling' }, element('label', { for: 'slice', className: 'label', textContent: 'Slice' }),
      step('Slice before', -1, '◂'), this.slider, step('Next slice', 1, '▸'), this.words);
  }

  /** Begin with so many slices, in the middle. */
  begin(count) {
    this.count = count;
    this.slider.max = Math.max(0, count - 1);
    this.to(Math.floor(count / 2));
  }

  to(index) {
    this.index = Math.min(this.count - 1, Math.max(0, index));
    this.slider.value = this.index;
    this.go(this.index);
  }

  /** Say where one is. */
  say(words) {
    setText(this.words, words);
    this.slider.setAttribute('aria-valuetext', words);
  }

  /** Listen for wheel and keys on the pictures. */
  listen(target) {
    target.tabIndex = 0;
    target.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    target.addEventListener('keydown', (event) => this.key(event));
  }

  key(event) {
    if (!(event.key in STEPS) || /^(INPUT|SELECT)$/.test(event.target.tagName)) { return; }
    event.preventDefault();
    this.to(this.index + STEPS[event.key]);
  }

  wheel(event) {
    if (event.ctrlKey) { return; }  // the browser's zoom
    event.preventDefault();
    this.rolled += event.deltaMode ? 40 * event.deltaY : event.deltaY;
    const steps = Math.trunc(this.rolled / 40);
    this.rolled -= 40 * steps;
    if (steps) { this.to(this.index + Math.sign(steps)); }
  }
}
