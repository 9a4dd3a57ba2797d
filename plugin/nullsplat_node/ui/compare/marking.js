// SPDX-License-Identifier: AGPL-3.0-or-later
// What is marked in colour on the result: where the uncertainty, or what was added, exceeds so many HU.

import { element } from '../dom.js';

const LABELS = { none: 'nothing', difference: 'added detail', uncertainty: 'uncertainty' };
const THRESHOLD = 100;  // HU

/** The controls; `changed` is called when something else is to be marked. */
export class Marking {
  constructor(changed) {
    this.changed = changed;
    this.last = 'difference';
    this.choice = element('select', { 'aria-label': 'What is marked on the result', onchange: changed },
      Object.entries(LABELS).map(([value, textContent]) => element('option', { value, textContent, disabled: value === 'uncertainty' })));
    this.field = element('input', { type: 'number', min: 0, max: 4000, step: 5, value: THRESHOLD, 'aria-label': 'Marked from, in HU', oninput: changed });
    this.node = element('div', { className: 'control', role: 'group', 'aria-label': 'Marks' }, element('label', {}, 'Mark ', this.choice), element('label', {}, 'over ', this.field, ' HU'));
  }

  /** Mark the uncertainty from now on: over 100 HU, or over half of its window where that does not reach as far. */
  offer(window) {
    const highest = window.centre + window.width / 2;
    this.field.value = highest > THRESHOLD ? THRESHOLD : Math.round(highest / 2);
    this.choice.querySelector('[value=uncertainty]').disabled = false;
    this.choice.value = 'uncertainty';
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

  /** Return what the colour means, empty while nothing is marked. */
  get words() { return this.name ? `amber: over ${this.threshold} HU of ${LABELS[this.name]}` : ''; }
}
