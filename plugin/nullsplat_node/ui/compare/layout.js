// SPDX-License-Identifier: AGPL-3.0-or-later
// Which planes are shown, and whether side by side or with a swipe line.

import { NAMES } from './comparison.js';
import { PLANES } from './planes.js';
import { element } from '../dom.js';

const MODES = { side: 'Side by side', swipe: 'Swipe' };
const CHOICES = { all: 'All planes', ...PLANES };

/** The controls. `changed` is called when something else is to be shown, `moved` when only the swipe line moved. */
export class Layout {
  constructor(changed, moved) {
    Object.assign(this, { changed, mode: 'side', planes: 'all' });
    this.modes = this.buttons(MODES, 'mode');
    this.choices = this.buttons(CHOICES, 'planes');
    const choice = (label, chosen) => element('select', { 'aria-label': label, onchange: changed },
      Object.entries(NAMES).map(([value, textContent]) => element('option', { value, textContent, selected: value === chosen })));
    [this.left, this.right] = [choice('Left image', 'source'), choice('Right image', 'result')];
    this.slider = element('input', { type: 'range', min: 0, max: 100, value: 50, 'aria-label': 'Swipe between left and right image', oninput: moved });
    this.swiping = element('div', { className: 'control swiping', hidden: true }, this.left, this.slider, this.right);
    const group = (label, buttons) => element('div', { className: 'control', role: 'group', 'aria-label': label }, element('span', { className: 'label', textContent: label }), buttons);
    this.node = [group('Planes', this.choices), group('Layout', this.modes), this.swiping];
  }

  buttons(choices, what) {
    return Object.entries(choices).map(([value, textContent]) => element('button', {
      type: 'button', [`data-${what}`]: value, 'aria-pressed': String(value === this[what]), textContent, onclick: () => this.choose(what, value),
    }));
  }

  choose(what, value) {
    this[what] = value;
    [...this.modes, ...this.choices].forEach((button) => {
      const [name] = Object.keys(button.dataset);
      button.setAttribute('aria-pressed', String(button.dataset[name] === this[name === 'mode' ? 'mode' : 'planes']));
    });
    this.swiping.hidden = this.mode !== 'swipe';
    this.changed();
  }

  /** Side by side, or swipe. */
  toggle() { this.choose('mode', this.mode === 'side' ? 'swipe' : 'side'); }

  /** Allow only the pictures that there are. */
  offer(has) { [this.left, this.right].forEach((select) => [...select.options].forEach((option) => { option.disabled = !has(option.value); })); }

  /** Return whether a plane is shown. */
  shows(plane) { return this.planes === 'all' || this.planes === plane; }

  /** Return the two pictures of the swipe and where its line is, null while side by side. */
  get swipe() { return this.mode === 'swipe' ? { left: this.left.value, right: this.right.value, at: Number(this.slider.value) } : null; }
}
