// SPDX-License-Identifier: AGPL-3.0-or-later
// The grey window: presets and free, for the images and for the added detail.

import { element } from '../dom.js';
import { DIFFERENCE, PRESETS, UNCERTAINTY } from './paint.js';

/** The controls; `changed` is called when another window is chosen. */
export class Windowing {
  constructor(changed) {
    this.changed = changed;
    this.uncertainty = UNCERTAINTY;
    this.buttons = Object.entries(PRESETS).map(([name, preset], index) => element('button', {
      type: 'button', 'data-preset': name, 'aria-pressed': 'false', textContent: preset.label, title: `Key ${index + 1}`, onclick: () => this.choose(name),
    }));
    this.centre = this.field('Centre');
    this.width = this.field('Width', 1);
    this.span = element('select', { 'aria-label': 'Range of the added detail', onchange: changed },
      [50, 100, 200, 500].map((range) => element('option', { value: 2 * range, textContent: `±${range} HU`, selected: 2 * range === DIFFERENCE.width })));
    this.node = element('div', { className: 'control', role: 'group', 'aria-label': 'Grey window' }, element('span', { className: 'label', textContent: 'Window' }), this.buttons,
      element('label', {}, 'Centre ', this.centre), element('label', {}, 'Width ', this.width, ' HU'), element('label', {}, 'Added detail shown to ', this.span));
    this.choose('lung', false);
  }

  /** Take a key: 1, 2, ... choose a preset; return whether it was one. */
  key(key) {
    const name = Object.keys(PRESETS)[Number(key) - 1];
    if (name) { this.choose(name); }
    return Boolean(name);
  }

  field(label, least = -4000) {
    return element('input', { type: 'number', step: 10, min: least, max: 8000, 'aria-label': `${label} in HU`, oninput: () => this.mark() });
  }

  choose(name, tell = true) {
    const preset = PRESETS[name];
    [this.centre.value, this.width.value] = [preset.centre, preset.width];
    this.mark(tell);
  }

  mark(tell = true) {
    this.buttons.forEach((button) => {
      const preset = PRESETS[button.dataset.preset];
      button.setAttribute('aria-pressed', String(preset.centre === this.image.centre && preset.width === this.image.width));
    });
    if (tell) { this.changed(); }
  }

  get image() { return { centre: Number(this.centre.value), width: Math.max(1, Number(this.width.value)) }; }

  /** Return what tells these windows from others. */
  get stamp() { return JSON.stringify([this.image, this.span.value, this.uncertainty]); }

  /** Return what black and white of a picture that is no image mean, null for an image. */
  ends(name) {
    const { centre, width } = this.of(name);
    return { difference: [`−${width / 2} HU`, `+${width / 2} HU`], uncertainty: [`±${Math.round(centre - width / 2)} HU`, `±${Math.round(centre + width / 2)} HU or more`] }[name] || null;
  }

  /** Return the window of a picture by its name. */
  of(name) {
    const own = { difference: { ...DIFFERENCE, width: Number(this.span.value) }, uncertainty: this.uncertainty };
    return own[name] || this.image;
  }
}
