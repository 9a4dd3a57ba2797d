// SPDX-License-Identifier: AGPL-3.0-or-later
// One series: how it stands, what happened to it, and where it can be seen.

import { actionButtons, priorityChoice } from './actions.js';
import { getJson } from './api.js';
import { describe, description, patientLine } from './descriptions.js';
import { element, redrawIfChanged } from './dom.js';
import { facts } from './facts.js';
import { link, places } from './links.js';
import { stateChip } from './queue.js';
import { story as storyNodes, deliveries } from './story.js';
import { thumbnails } from './thumbnails.js';
import { verdictLines } from './verdict.js';
import { placeWords, progressWords, sentence, when } from './words.js';

const BUSY = 2000;  // ms
const IDLE = 15000;  // ms
const MOVING = ['new', 'pending', 'running', 'succeeded', 'routing'];

/** The view of one series; `poll` makes its story be asked for again. */
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

  /** Draw a story and return after how many ms to ask for the next. */
  draw(story) {
    this.story = story;
    this.redraw();
    this.learnMore();
    return MOVING.includes(story.state) ? BUSY : IDLE;
  }

  /** Whose run made what is shown: the source's story for a result, its own for a source; null for what an earlier run made. */
  get run() { return this.story.source ? this.made : this.story; }

  get others() { return [this.story.derived?.series, this.story.source].filter(Boolean); }

  redraw() {
    const { story } = this;
    const about = description(this.series);
    const name = about ? about.title : `Series ${this.series.slice(0, 8)}`;
    redrawIfChanged(this.head, about, () => [element('h1', { textContent: name, tabIndex: -1 }), about && element('p', { className: 'quiet', textContent: headline(about) })]);
    redrawIfChanged(this.now, [story.state, story.title, story.message, story.progress, story.stage, story.note, story.eta_seconds, story.actions, story.position, story.movable, story.priority, name, this.run?.derived, this.run === null, story.source], () => this.stateNodes(name));
    redrawIfChanged(this.images, [about, this.others, [...this.pictures.keys()], this.pair], () => this.imageNodes(about));
    redrawIfChanged(this.facts, [story.derived, story.job, story.decision, story.code, this.made], () => facts(story, this.made));
    redrawIfChanged(this.routes, story.deliveries, () => deliveries(story.deliveries || []));
    redrawIfChanged(this.history, story.chapters, () => storyNodes(story.chapters, Boolean(story.source)));
  }

  stateNodes(name) {
    const { story } = this;
    const place = placeWords(story);
    const progress = place ? '' : progressWords(story);
    const compared = story.source || (story.derived?.series && this.series);
    return [element('p', { className: 'headline' }, stateChip(story), story.since && element('span', { className: 'quiet', textContent: ` since ${when(story.since)}` })),
      progress && element('progress', { value: story.progress, max: 1, 'aria-label': 'Progress' }), progress && element('p', { textContent: progress }),
      place && element('p', { textContent: place }),
      story.message && element('p', { textContent: sentence(story.message) }),
      verdictLines(this.run?.derived?.report), this.run === null && element('p', { textContent: 'An earlier run made this. Its measurements are not kept; those of the latest run are on the page of its source.' }),
      element('p', { className: 'buttons' }, priorityChoice({ ...story, series: this.series }, name, this.poll) || [], actionButtons({ ...story, series: this.series }, name, this.poll),
        compared && link(this.run === null ? 'Compare the source with its latest result' : 'Compare source and result', `#/compare/${compared}`, { className: 'button' }))].flat();
  }

  imageNodes(about) {
    const result = this.story.derived?.series;
    const rows = [[this.series, this.story.source ? 'This result' : 'Source'], [result, 'Super-resolved'], [this.story.source, 'Made from']].filter(([one]) => one);
    return [element('div', { className: 'images' }, rows.map(([series, label]) => element('div', { className: 'image-row' }, element('h2', { textContent: label }),
      element('div', { className: 'thumbnails' }, this.pictures.get(series) || [element('p', { className: 'quiet', textContent: 'Loading pictures…' })]),
      element('p', { className: 'links' }, places(series, about?.studyUid, this.pair).map(([text, href]) => link(text, href, { 'aria-label': `${label} in ${text}` })),
        series !== this.series && link('Its page here', `#/series/${series}`)))))];
  }

  /** Series Instance UIDs of source and result, for a viewer that shows both. */
  get pair() {
    const source = this.story.source || this.series;
    return [description(source)?.seriesUid, this.run?.derived?.series_instance_uid];
  }

  async learnMore() {
    const wanted = [this.series, ...this.others];
    await Promise.allSettled([this.learnRun(), describe(wanted)]);
    await Promise.allSettled([...wanted.filter((one) => !this.pictures.has(one)).map((one) => this.learnPictures(one))]);
    this.redraw();
  }

  /** Ask for the figures of the run that made this result; an earlier run's are not known any more. */
  async learnRun() {
    if (!this.story.source) { return; }
    const source = await getJson(`nullsplat/story/${this.story.source}`);
    this.made = [source.derived?.series, ...(source.derived?.further || [])].includes(this.series) ? source : null;
  }

  async learnPictures(series) {
    const found = await thumbnails(series, series === (this.story.source || this.series) ? 'Source' : 'Super-resolved');
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
