// SPDX-License-Identifier: AGPL-3.0-or-later
// What is marked in colour on the result: where more than so many HU were added, or where it is less certain than that.

import { AMBER, BLUE } from './paint.js';
import { element } from '../dom.js';

const LABELS = { none: 'nothing', difference: 'added detail', uncertainty: 'uncertainty' };
const COLOURS = { difference: { over: AMBER, under: BLUE }, uncertainty: { over: AMBER } };
const THRESHOLD = 100;  // HU

/** The controls; `changed` is called when something else is to be marked. */
export class Marking {
  constructor(changed) {
    Object.assign(this, { changed, last: 'difference', highest: Infinity });
    this.choice = element('select', { 'aria-label': 'What is marked on the result', onchange: () => this.choose() },
      Object.entries(LABELS).map(([value, textContent]) => element('option', { value, textContent, disabled: value === 'uncertainty', selected: value === 'difference' })));
    this.field = element('input', { type: 'number', min: 0, max: 4000, step: 5, value: THRESHOLD, 'aria-label': 'Marked from, in HU', oninput: changed });
    this.node = element('div', { className: 'control', role: 'group', 'aria-label': 'Marks' }, element('label', {}, 'Mark ', this.choice), element('label', {}, 'over ', this.field, ' HU'));
  }

  /** Let the uncertainty be chosen too, now that there is a map with this window. */
  offer({ centre, width }) {
    this.highest = centre + width / 2;
    this.choice.querySelector('[value=uncertainty]').disabled = false;
  }

  /** Mark something else: from 100 HU, or from half of the map's window where that does not reach as far. */
  choose() {
    this.field.value = this.name === 'uncertainty' && this.highest <= THRESHOLD ? Math.round(this.highest / 2) : THRESHOLD;
    this.changed();
  }

  /** Mark nothing, or again what was marked before. */
  toggle() {
    const { value } = this.choice;
    this.choice.value = value === 'none' ? this.last : 'none';
    if (value !== 'none') { this.last = value; }
    this.changed();
  }

  get name() { return this.choice.value === 'none' ? null : this.choice.value; }

  get threshold() { return Number(this.field.value); }

  get colours() { return COLOURS[this.name]; }

  /** Return what the colours mean, empty while nothing is marked. */
  get words() {
    const words = { difference: `computed, not measured: amber over ${this.threshold} HU brighter than interpolation, blue darker`, uncertainty: `amber: uncertain by more than ±${this.threshold} HU` };
    return words[this.name] || '';
  }
}
