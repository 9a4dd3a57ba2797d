// SPDX-License-Identifier: AGPL-3.0-or-later
// Source, result, what was added and how sure that is, in three planes with a linked cross-hair.

import { NAMES, openComparison } from './comparison.js';
import { findMap, loadMap, whyNoMap } from './deviation.js';
import { KEYS, listenForKeys } from './keys.js';
import { Layout } from './layout.js';
import { Marking } from './marking.js';
import { PLANES } from './planes.js';
import { PlaneView, SIDE } from './plane_view.js';
import { Windowing } from './windowing.js';
import { describe, description, patientLine } from '../descriptions.js';
import { element, setText } from '../dom.js';
import { link } from '../links.js';
import { verdictLines } from '../verdict.js';

const ASK_AGAIN = 60000;  // ms
const SHARE = 8;  // of the time that passes while slices arrive, one part in so many goes into drawing
const AHEAD = [1, -1, 2];
const AXIS = { axial: 'k', coronal: 'y', sagittal: 'x' };

/** The view of one source series. */
export class CompareView {
  constructor(series) {
    Object.assign(this, { path: `nullsplat/story/${series}`, series, active: 'axial', hairs: true, dirty: new Set(), kept: {}, drawing: 0 });
    this.windowing = new Windowing(() => this.redraw());
    this.marking = new Marking(() => this.redraw());
    this.layout = new Layout(() => this.relayout(), () => this.clip());
    const handlers = {
      pointed: (plane, x, y) => this.read(plane, x, y), chosen: (plane, x, y) => this.choose(plane, x, y),
      stepped: (plane, by) => { this.activate(plane); this.views[plane].scrolling.by(by); }, went: (plane, index) => { this.activate(plane); this.go({ [AXIS[plane]]: index }); }, entered: (plane) => this.activate(plane),
    };
    this.views = Object.fromEntries(Object.keys(PLANES).map((name) => [name, new PlaneView(name, handlers)]));
    this.build();
    this.unlisten = listenForKeys(this);
  }

  build() {
    this.title = element('h1', { textContent: 'Compare', tabIndex: -1 });
    this.patient = element('span');
    this.error = element('p', { className: 'banner', role: 'alert', hidden: true });
    this.verdict = element('div', { className: 'verdict-lines' });
    this.note = element('p', { className: 'quiet', 'data-note': 'uncertainty' });
    this.loading = element('p', { className: 'quiet loading', role: 'status', hidden: true });
    this.readout = element('p', { className: 'readout', textContent: 'Point at a pixel to read its values.' });
    this.node = element('div', { className: 'compare' },
      element('p', { className: 'crumbs' }, link('Queue', '#/queue'), ' / ', link('Series', `#/series/${this.series}`), ' / Compare · ', this.patient),
      this.title, this.verdict, this.error,
      element('div', { className: 'toolbar' }, this.layout.node, this.windowing.node, this.marking.node),
      this.readout, this.loading, element('div', { className: 'screens', role: 'group', 'aria-label': 'Images' }, Object.values(this.views).map((view) => view.node)), this.note,
      element('p', { className: 'quiet', textContent: 'Source: the nearest measured slice, as it is. Added detail: super-resolved minus the source interpolated between its slices, at the result’s own positions; mid-grey is 0 HU.' }),
      element('details', { className: 'quiet' }, element('summary', { textContent: 'Keys and touch' }), element('dl', {}, KEYS.map(([keys, what]) => [element('dt', { textContent: keys }), element('dd', { textContent: what })]))));
    this.activate('axial');
  }

  /** Load what there is to compare, the first time. */
  draw(details) {
    if (details.source) {
      location.replace(`#/compare/${details.source}`);  // a result: compare the series that it was made from
    } else if (!this.begun) {
      this.begun = true;
      this.load(details).catch((error) => this.complain(error));
    }
    return ASK_AGAIN;
  }

  async load(details) {
    const result = details.derived?.series;
    await describe([this.series]);
    const about = description(this.series);
    setText(this.title, `Compare: ${about.title}`);
    setText(this.patient, patientLine(about));
    this.verdict.replaceChildren(...verdictLines(details.derived?.report));
    if (!result) { this.complain(new Error('There is no result yet; the source is shown alone.')); }
    const opened = await openComparison(this.series, result);
    if (this.left) { opened.stop(); return; }
    this.begin(opened);
    await this.go({});
    await this.loadRest(details, result);
  }

  begin(comparison) {
    this.comparison = comparison;
    const { grid } = comparison;
    this.at = { k: Math.floor(grid.count('axial') / 2), y: Math.floor(grid.rows / 2), x: Math.floor(grid.columns / 2) };
    this.layout.offer((name) => comparison.has(name));
  }

  async loadRest(details, result) {
    await this.loadAll();
    if (!result || this.left) { return; }
    const found = await findMap(this.series, result, this.comparison.lead.slices[0].instance);
    if (!found) { setText(this.note, whyNoMap(details.job?.parameters, details.derived?.report)); return; }
    this.say('Loading the map of the uncertainty…');
    const map = await loadMap(found, this.comparison.lead.normal, () => this.left);
    this.say('');
    if (this.left) { return; }
    this.comparison.setMap(map);
    if (map.window) { this.windowing.uncertainty = map.window; }
    this.layout.offer((name) => this.comparison.has(name));
    this.marking.offer(this.windowing.uncertainty);
    this.redraw();
  }

  /** Fetch every slice where a plane is shown that cuts through them. */
  async loadAll() {
    if (!this.layout.shows('coronal') && !this.layout.shows('sagittal')) { return; }
    let next = 0;
    this.say('Loading slices for the coronal and sagittal planes…');
    await this.comparison.fetchAll(() => {
      this.say(`Loading slices for the coronal and sagittal planes: ${Math.floor(100 * this.comparison.loaded)} %`);
      if (performance.now() > next && !this.dirty.size) { this.redraw(['coronal', 'sagittal']); next = performance.now() + SHARE * Math.max(50, this.drawing); }
    });
    this.say('');
    this.redraw(['coronal', 'sagittal']);
  }

  say(words) {
    this.loading.hidden = !words;
    setText(this.loading, words);
  }

  /** Go to another voxel; while a slice is being fetched only the latest target counts. */
  async go(change) {
    if (!this.at) { return; }
    this.at = { ...this.at, ...change };
    if (this.ready === this.at.k) { this.redraw(); return; }
    if (this.busy) { return; }
    this.busy = true;
    try {
      while (this.ready !== this.at.k) { const { k } = this.at; await this.comparison.fetch(k); this.ready = k; this.redraw(); }
      this.lookAhead();
    } catch (error) {
      this.complain(error);
    } finally {
      this.busy = false;
    }
  }

  lookAhead() {
    const { lead } = this.comparison;
    AHEAD.map((step) => this.at.k + step).filter((k) => lead.slices[k] && !lead.at(k)).forEach((k) => lead.image(k).catch(() => { /* asked for again when it is shown */ }));
  }

  choose(plane, column, row) {
    this.activate(plane);
    const { lines, down, across } = this.planeOf(plane);
    this.go({ [down]: lines.down[row], [across]: lines.across[column] });
  }

  /** The plane that the keys go through. */
  activate(plane) {
    this.active = plane;
    Object.values(this.views).forEach((view) => view.node.classList.toggle('active', view.name === plane));
  }

  planeOf(name) { return this.comparison.grid.plane(name, { ...this.at, k: this.ready }); }

  relayout() {
    Object.values(this.views).forEach((view) => { view.node.hidden = !this.layout.shows(view.name); });
    this.node.classList.toggle('single', this.layout.planes !== 'all');
    this.node.classList.toggle('swipes', this.layout.mode === 'swipe');
    if (this.layout.planes !== 'all') { this.activate(this.layout.planes); }
    if (!this.comparison) { return; }
    this.redraw();
    this.loadAll().catch((error) => this.complain(error));
  }

  clip() { Object.values(this.views).forEach((view) => view.clip(this.layout.swipe.at)); }

  /** Redraw planes at the next frame. */
  redraw(planes = Object.keys(PLANES)) {
    if (!this.comparison || this.ready === undefined) { return; }
    planes.filter((name) => this.layout.shows(name)).forEach((name) => this.dirty.add(name));
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      const names = [...this.dirty];
      this.dirty.clear();
      const begun = performance.now();
      try { names.forEach((name) => this.drawPlane(name)); } catch (error) { this.complain(error); }
      this.drawing = performance.now() - begun;
    });
  }

  drawPlane(name) {
    const plane = this.planeOf(name);
    const { key, values } = this.remembered(name, plane);
    const mark = this.marking.name && this.comparison.has(this.marking.name) ? { values: values(this.marking.name), threshold: this.marking.threshold, ...this.marking.colours } : null;
    const swipe = this.layout.swipe;
    this.views[name].draw(plane, {
      values, mark, legend: mark && this.marking.words, swipe, stamp: [key, this.windowing.stamp, this.marking.words].join(), windows: this.windowing, hairs: this.hairs && this.hairsOf(plane),
      names: swipe ? [] : SIDE.filter((one) => this.comparison.has(one)), captions: (one) => this.caption(name, one),
    });
    const at = name === 'axial' ? this.ready : this.at[AXIS[name]];
    this.views[name].scrolling.place(this.at[AXIS[name]], this.comparison.grid.count(name), `${at + 1} of ${this.comparison.grid.count(name)}, at ${this.millimetres(name).toFixed(1)} mm`);
  }

  /** Return the values of a plane by name, sampled once while the plane stays and no slice arrives. */
  remembered(name, plane) {
    const { comparison } = this;
    const key = [name === 'axial' ? this.ready : this.at[AXIS[name]], comparison.loaded, Boolean(comparison.map)].join();
    if (this.kept[name]?.key !== key) { this.kept[name] = { key, values: {} }; }
    const { values } = this.kept[name];
    return { key, values: (one) => (values[one] ||= comparison.values(one, plane)) };
  }

  hairsOf({ lines, down, across }) {
    const at = { ...this.at, k: this.ready };
    return [(lines.down.indexOf(at[down]) + 0.5) / lines.down.length, (lines.across.indexOf(at[across]) + 0.5) / lines.across.length];
  }

  /** Where a plane lies along its normal, in mm of the patient. */
  millimetres(name) {
    const { grid } = this.comparison;
    if (name === 'axial') { return grid.positions[this.ready]; }
    const direction = grid.along(AXIS[name]);
    return direction.reduce((sum, one, axis) => sum + one * grid.origins[0][axis], 0) + this.at[AXIS[name]] * grid.lengthOf(AXIS[name]);
  }

  caption(plane, name) {
    const { comparison } = this;
    const words = {
      source: () => (plane === 'axial' ? this.sourceWords() : ''), result: () => [this.marking.words, plane === 'axial' && thick(comparison.lead.at(this.ready))].filter(Boolean).join(', '),
      difference: () => 'result − interpolated source', uncertainty: () => comparison.map.words,
    };
    return words[name]();
  }

  sourceWords() {
    const { source, onSource, grid } = this.comparison;
    const near = onSource.near[this.ready];
    if (near < 0) { return 'no slice here'; }
    const away = Math.abs(grid.positions[this.ready] - source.positions[near]);
    return [thick(source.at(near)), away < 0.05 ? 'same position' : `centre ${away.toFixed(1)} mm away`].filter(Boolean).join(', ');
  }

  read(name, column, row) {
    if (!this.comparison || this.ready === undefined) { return; }
    const plane = this.planeOf(name);
    const { values } = this.remembered(name, plane);
    const found = ['source', 'interpolated', 'result', 'difference', 'uncertainty'].filter((one) => this.comparison.has(one)).map((one) => [one, values(one)[row * plane.columns + column]]);
    const words = found.filter(([, value]) => Number.isFinite(value)).map(([one, value]) => `${NAMES[one]} ${value.toFixed(0)} HU`);
    setText(this.readout, `${PLANES[name]}, column ${column}, row ${row}: ${words.join(' · ')}`);
  }

  /** Stop: another view is shown. */
  leave() {
    this.left = true;
    this.unlisten();
    this.comparison?.stop();
  }

  complain(error) {
    this.error.hidden = false;
    setText(this.error, error.message);
  }
}

function thick(image) { return image?.thickness ? `${Number(image.thickness.toFixed(2))} mm thick` : ''; }
