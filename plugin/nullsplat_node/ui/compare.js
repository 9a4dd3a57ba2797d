// SPDX-License-Identifier: AGPL-3.0-or-later
// Source, result, their difference and the result's uncertainty, slice by slice.

import { describe, description, patientLine } from './descriptions.js';
import { element, setText } from './dom.js';
import { link } from './links.js';
import { difference } from './paint.js';
import { NAMES, Panes } from './panes.js';
import { imageOf } from './pixels.js';
import { Scrolling } from './scrolling.js';
import { loadStack, nearest, onGridOf } from './stack.js';
import { findMap, loadMap } from './uncertainty.js';
import { Windowing } from './windowing.js';

const ASK_AGAIN = 60000;  // ms
const AHEAD = [1, -1, 2];

/** The view of one source series. */
export class CompareView {
  constructor(series) {
    this.path = `nullsplat/story/${series}`;
    this.series = series;
    this.windowing = new Windowing(() => this.paint());
    this.scrolling = new Scrolling((index) => this.go(index));
    this.panes = new Panes((x, y) => this.read(x, y));
    this.scrolling.listen(this.panes.node);
    this.windowing.listen(this.panes.node);
    this.panes.node.setAttribute('role', 'group');
    this.panes.node.setAttribute('aria-label', 'Images; arrow keys and wheel go through the slices, keys 1 to 3 choose the window');
    this.title = element('h1', { textContent: 'Compare', tabIndex: -1 });
    this.patient = element('p', { className: 'quiet' });
    this.trouble = element('p', { className: 'banner', role: 'alert', hidden: true });
    this.readout = element('p', { className: 'readout', textContent: 'Point at a pixel to read its values.' });
    this.node = element('div', { className: 'compare' },
      element('p', { className: 'crumbs' }, link('Queue', '#/queue'), ' / ', link('Series', `#/series/${series}`), ' / Compare'),
      this.title, this.patient, this.trouble,
      element('div', { className: 'toolbar' }, this.layoutControl(), this.windowing.node), this.scrolling.node, this.panes.node, this.readout,
      element('p', { className: 'quiet', textContent: 'The difference is super-resolved minus source; mid-grey is 0 HU. Source slices are thicker: the nearest one is shown. What the source does not hold was estimated.' }));
  }

  layoutControl() {
    const buttons = [['side', 'Side by side'], ['swipe', 'Swipe']].map(([mode, label]) => element('button', {
      type: 'button', 'data-mode': mode, 'aria-pressed': String(mode === 'side'), textContent: label,
      onclick: () => {
        this.panes.setMode(mode);
        buttons.forEach((button) => button.setAttribute('aria-pressed', String(button.dataset.mode === mode)));
      },
    }));
    return element('div', { className: 'control', role: 'group', 'aria-label': 'Layout' }, element('span', { className: 'label', textContent: 'Layout' }), buttons);
  }

  /** Load what there is to compare, the first time. */
  draw(story) {
    if (story.source) {
      location.replace(`#/compare/${story.source}`);  // a result: compare the series that it was made from
    } else if (!this.begun) {
      this.begun = true;
      this.load(story).catch((error) => this.complain(error));
    }
    return ASK_AGAIN;
  }

  async load(story) {
    const result = story.derived?.series;
    await describe([this.series]);
    const about = description(this.series);
    setText(this.title, `Compare: ${about.title}`);
    setText(this.patient, patientLine(about));
    this.result = result ? await loadStack(result) : null;
    this.source = await loadStack(this.series, this.result?.normal);
    this.lead = this.result || this.source;
    if (!this.result) { this.complain(new Error('There is no result yet; the source is shown alone.')); }
    if (!this.lead.slices.length) { throw new Error('These images do not say where they lie (Image Position (Patient) is missing), so they cannot be compared.'); }
    this.scrolling.begin(this.lead.slices.length);
    if (result) { await this.loadUncertainty(result); }
  }

  async loadUncertainty(result) {
    const found = await findMap(this.series, result, this.result.slices[0].instance);
    if (!found) { return; }
    this.map = await loadMap(found, this.lead.normal);
    await this.fetchShown();
  }

  /** Show a slice; while one is being fetched only the latest wish counts. */
  async go(index) {
    this.wanted = index;
    if (this.busy) { return; }
    this.busy = true;
    try {
      let done;
      do {
        done = this.wanted;
        await this.fetchShown();
      } while (done !== this.wanted);
    } catch (error) {
      this.complain(error);
    } finally {
      this.busy = false;
    }
  }

  async fetchShown() {
    const index = this.wanted;
    const { position } = this.lead.slices[index];
    const nearestSource = nearest(this.source.slices, position);
    const [leading, source] = await Promise.all([imageOf(this.lead.slices[index]), imageOf(nearestSource)]);
    const onGrid = onGridOf(source, leading);
    const values = { source: onGrid };
    if (this.result) { Object.assign(values, { result: leading.hu, difference: difference(leading.hu, onGrid) }); }
    const map = this.map && nearest(this.map, position);
    if (map) { values.uncertainty = onGridOf(map, leading); }
    this.shown = { grid: leading, values, captions: this.captions(position, nearestSource.position, leading, source) };
    this.scrolling.say(`${index + 1} of ${this.lead.slices.length}, at ${position.toFixed(1)} mm`);
    this.paint();
    AHEAD.map((step) => this.lead.slices[index + step]).filter(Boolean).forEach((slice) => imageOf(slice).catch(() => { /* asked for again when it is shown */ }));
  }

  captions(position, sourcePosition, leading, source) {
    const thick = (image) => (image.thickness ? `${Number(image.thickness.toFixed(2))} mm thick` : '');
    const away = Math.abs(position - sourcePosition);
    const where = away < 0.05 ? 'same position' : `centre ${away.toFixed(1)} mm away`;
    return {
      source: [thick(source), where].filter(Boolean).join(', '), result: thick(leading),
      difference: 'super-resolved − source', uncertainty: 'standard deviation, 0 to 50 HU',
    };
  }

  paint() {
    if (this.shown) { this.panes.draw({ ...this.shown, windows: this.windowing.windows }); }
  }

  read(x, y) {
    if (!this.shown) { return; }
    const { grid, values } = this.shown;
    const at = (name) => values[name]?.[y * grid.columns + x];
    const words = Object.keys(NAMES).filter((name) => Number.isFinite(at(name))).map((name) => `${NAMES[name]} ${at(name).toFixed(0)} HU`);
    setText(this.readout, `Column ${x}, row ${y}: ${words.join(' · ')}`);
  }

  complain(error) {
    this.trouble.hidden = false;
    setText(this.trouble, error.message);
  }
}
