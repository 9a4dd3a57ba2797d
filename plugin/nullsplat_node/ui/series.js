// SPDX-License-Identifier: AGPL-3.0-or-later
// One series: its state, its history, and where to view it.

import { actionButtons, priorityChoice } from './actions.js';
import { getJson } from './api.js';
import { describe, description, patientLine } from './descriptions.js';
import { element, redrawIfChanged } from './dom.js';
import { facts } from './facts.js';
import { link, places } from './links.js';
import { stateChip } from './queue.js';
import { history, deliveries } from './history.js';
import { thumbnails } from './thumbnails.js';
import { verdictLines } from './verdict.js';
import { placeWords, progressWords, sentence, when } from './words.js';

const BUSY = 2000;  // ms
const IDLE = 15000;  // ms
const INTERVALS = 'INTERVAL RESEARCH]';  // ends the label of such a map's description
const MOVING = ['new', 'pending', 'running', 'succeeded', 'routing'];

/** The view of one series; `poll` polls its details. */
export class SeriesView {
  constructor(series, poll) {
    Object.assign(this, { series, poll, made: undefined, path: `nullsplat/story/${series}`, pictures: new Map() });
    this.head = element('div', { className: 'head' });
    this.now = element('section', { className: 'card wide', 'aria-label': 'State' });
    this.images = element('section', { 'aria-label': 'Images' });
    this.facts = element('section', { 'aria-label': 'Facts' });
    this.routes = element('section', { 'aria-label': 'Deliveries' });
    this.history = element('section', { 'aria-label': 'History' });
    this.node = element('div', {}, element('p', { className: 'crumbs' }, link('Queue', '#/queue'), ' / Series'), this.head, this.now, this.images,
      element('div', { className: 'columns' }, element('div', {}, this.history), element('div', {}, this.routes, this.facts)));
  }

  /** Draw the details and return after how many ms to ask for the next. */
  draw(details) {
    this.details = details;
    this.redraw();
    this.learnMore();
    return MOVING.includes(details.state) ? BUSY : IDLE;
  }

  /** Whose run made what is shown: the source's details for a result, its own for a source; null where an earlier run made it. */
  get run() { return this.details.source ? this.made : this.details; }

  get others() { return [this.details.derived?.series, this.details.source].filter(Boolean); }

  redraw() {
    const { details } = this;
    const about = description(this.series);
    const name = about ? about.title : `Series ${this.series.slice(0, 8)}`;
    redrawIfChanged(this.head, about, () => [element('h1', { textContent: name, tabIndex: -1 }), about && element('p', { className: 'quiet', textContent: headline(about) })]);
    redrawIfChanged(this.now, [details.state, details.title, details.message, details.progress, details.stage, details.note, details.eta_seconds, details.actions, details.position, details.movable, details.priority, name, this.run?.derived, this.run === null, details.source], () => this.stateNodes(name));
    redrawIfChanged(this.images, [about, this.others, [...this.pictures.keys()], this.together], () => this.imageNodes(about));
    redrawIfChanged(this.facts, [details.derived, details.job, details.decision, details.code, this.made], () => facts(details, this.made));
    redrawIfChanged(this.routes, details.deliveries, () => deliveries(details.deliveries || []));
    redrawIfChanged(this.history, details.chapters, () => history(details.chapters, Boolean(details.source)));
  }

  stateNodes(name) {
    const { details } = this;
    const place = placeWords(details);
    const progress = place ? '' : progressWords(details);
    const compared = details.source || (details.derived?.series && this.series);
    return [element('p', { className: 'headline' }, stateChip(details), details.since && element('span', { className: 'quiet', textContent: ` since ${when(details.since)}` })),
      progress && element('progress', { value: details.progress, max: 1, 'aria-label': 'Progress' }), progress && element('p', { textContent: progress }),
      place && element('p', { textContent: place }),
      details.message && element('p', { textContent: sentence(details.message) }),
      verdictLines(this.run?.derived?.report), this.run === null && element('p', { textContent: 'An earlier run made this. Its measurements are not kept; those of the latest run are on the page of its source.' }),
      element('p', { className: 'buttons' }, priorityChoice({ ...details, series: this.series }, name, this.poll) || [], actionButtons({ ...details, series: this.series }, name, this.poll),
        compared && link(this.run === null ? 'Compare the source with its latest result' : 'Compare source and result', `#/compare/${compared}`, { className: 'button' }))].flat();
  }

  imageNodes(about) {
    const result = this.details.derived?.series;
    const rows = [[this.series, this.details.source ? 'This result' : 'Source'], [result, 'Super-resolved'], [this.details.source, 'Made from']].filter(([one]) => one);
    return [element('div', { className: 'images' }, rows.map(([series, label]) => element('div', { className: 'image-row' }, element('h2', { textContent: label }),
      element('div', { className: 'thumbnails' }, this.pictures.get(series) || [element('p', { className: 'quiet', textContent: 'Loading pictures…' })]),
      element('p', { className: 'links' }, places(series, about?.studyUid, this.together).map(([text, href]) => link(text, href, { 'aria-label': `${label} in ${text}` })),
        series !== this.series && link('Its page here', `#/series/${series}`)))))];
  }

  get further() { return this.run?.derived?.further || []; }

  /** Series Instance UIDs of source, result and, where there is one, map of the intervals, for a viewer that shows them together. */
  get together() {
    const maps = this.further.map(description).filter((one) => one?.title.includes(INTERVALS));
    return [description(this.details.source || this.series)?.seriesUid, this.run?.derived?.series_instance_uid, ...maps.map((one) => one.seriesUid)];
  }

  async learnMore() {
    const wanted = [this.series, ...this.others];
    await Promise.allSettled([this.learnRun(), describe(wanted)]);
    await Promise.allSettled([describe(this.further), ...wanted.filter((one) => !this.pictures.has(one)).map((one) => this.learnPictures(one))]);
    this.redraw();
  }

  /** Ask for the figures of the run that made this result; an earlier run's are no longer known. */
  async learnRun() {
    if (!this.details.source) { return; }
    const source = await getJson(`nullsplat/story/${this.details.source}`);
    this.made = [source.derived?.series, ...(source.derived?.further || [])].includes(this.series) ? source : null;
  }

  async learnPictures(series) {
    const found = await thumbnails(series, series === (this.details.source || this.series) ? 'Source' : 'Super-resolved');
    this.pictures.set(series, found.length ? found : [element('p', { className: 'quiet', textContent: whyNoPictures(description(series)) })]);
  }
}

function whyNoPictures(about) {
  if (about?.modality === 'SR') { return 'A report in words and numbers, without pictures; its content is under Facts.'; }
  if (about?.instances === 1) { return 'A map or stack in a single object, of which Orthanc draws no pictures here; Compare shows the map of the uncertainty.'; }
  return 'No pictures: these images do not state their position (Image Position (Patient) is missing).';
}

function headline(about) {
  const kind = [about.modality, about.number && `series ${about.number}`, `${about.instances} image${about.instances === 1 ? '' : 's'}`].filter(Boolean).join(', ');
  return [patientLine(about), about.study, kind].filter(Boolean).join(' · ');
}
