// SPDX-License-Identifier: AGPL-3.0-or-later
// The queue: what is in work, what waits, what became of the rest.

import { actionButtons, priorityChoice } from './actions.js';
import { describe, description, patientLine } from './descriptions.js';
import { element, redrawIfChanged, setText, syncChildren } from './dom.js';
import { Filter } from './filter.js';
import { drawHealth, refreshStatistics } from './health.js';
import { link } from './links.js';
import { ago, mark, placeWords, progressWords, sentence, when } from './words.js';

const BUSY = 2000;  // ms
const IDLE = 10000;  // ms

/** The view; `poll` makes the overview be asked for again. */
export class QueueView {
  constructor(parameters, poll) {
    this.poll = poll;
    this.filter = new Filter(parameters, (what) => (what === 'group' ? poll() : this.drawRows()));
    this.health = element('div', { className: 'cards' });
    this.body = element('tbody');
    this.empty = element('p', { className: 'empty', hidden: true });
    const heads = ['Series', 'State', 'What happened', 'Since', 'Actions'].map((text) => element('th', { scope: 'col', textContent: text }));
    this.table = element('table', { className: 'queue' }, element('caption', { className: 'unseen', textContent: 'Series' }),
      element('thead', {}, element('tr', {}, heads)), this.body);
    this.node = element('div', {}, element('h1', { textContent: 'Queue', tabIndex: -1 }), this.health, this.filter.node, this.table, this.empty);
  }

  get path() { return `nullsplat/overview?group=${this.filter.group}`; }

  /** Draw an overview and return after how many ms to ask for the next. */
  draw(overview) {
    this.overview = overview;
    this.filter.count(overview.counts);
    drawHealth(this.health, overview, this.poll);
    this.drawRows();
    this.learnMore();
    return overview.counts.groups['in-progress'] ? BUSY : IDLE;
  }

  async learnMore() {
    const [news] = await Promise.allSettled([describe(this.overview.queue.rows.map((row) => row.series)), refreshStatistics()]);
    if (news.value) { this.drawRows(); }
    drawHealth(this.health, this.overview, this.poll);  // the latest: another may have come while Orthanc counted
  }

  drawRows() {
    if (!this.overview) { return; }
    const { rows, omitted } = this.overview.queue;
    const shown = nested(rows.filter((row) => this.filter.matches(searchText(row))));
    syncChildren(this.body, shown, (row) => row.series, makeRow, (child, row) => updateRow(child, row, this.poll));
    this.filter.say(shown.length, rows.length + omitted, omitted);
    this.table.hidden = !shown.length;
    this.empty.hidden = Boolean(shown.length);
    setText(this.empty, rows.length ? 'No series matches the search.' : 'No series here yet. They appear as soon as they have been received.');
  }
}

/** Return the rows with what was made of a series right under it. */
function nested(rows) {
  const there = new Set(rows.map((row) => row.series));
  const made = Map.groupBy(rows.filter((row) => there.has(row.source)), (row) => row.source);
  return rows.filter((row) => !there.has(row.source)).flatMap((row) => [row, ...(made.get(row.series) || []).map((one) => ({ ...one, nested: true }))]);
}

function searchText(row) {
  const about = description(row.series);
  const patient = about ? [about.title, about.study, patientLine(about), about.modality] : [];
  return [row.series, row.state, row.title, row.message, row.code, ...patient].filter(Boolean).join(' ');
}

function makeRow() {
  return element('tr', {}, element('th', { scope: 'row' }), element('td'), element('td', { className: 'message' }),
    element('td', { className: 'age' }), element('td', { className: 'actions' }));
}

function updateRow(child, row, poll) {
  const [series, state, message, age, actions] = child.children;
  const about = description(row.series);
  const name = about ? about.title : row.series.slice(0, 8);
  child.classList.toggle('nested', Boolean(row.nested));
  redrawIfChanged(series, [row.series, about, row.derived, row.source, row.nested], () => seriesCell(row, about, name));
  redrawIfChanged(state, [row.state, row.title, row.progress, row.stage, row.note, row.eta_seconds, row.priority, row.position], () => stateCell(row));
  setText(message, sentence(row.message));
  setText(age, ago(row.age_seconds));
  age.title = when(row.since);
  redrawIfChanged(actions, [row.actions, name, row.derived, row.movable, row.movable && row.priority], () => [priorityChoice(row, name, poll), ...actionButtons(row, name, poll)]);
}

function seriesCell(row, about, name) {
  const links = [link('Details', `#/series/${row.series}`, { 'data-focus': 'details', 'aria-label': `Details of ${name}` }),
    (row.derived || row.source) && link('Compare', `#/compare/${row.source || row.series}`, { 'data-focus': 'compare', 'aria-label': `Compare source and result of ${name}` })];
  return [element('span', { className: 'name', textContent: name }),
    about && !row.nested && element('span', { className: 'quiet', textContent: patientLine(about) }),
    element('span', { className: 'links' }, links)];
}

function stateCell(row) {
  const progress = progressWords(row);
  const urgent = row.group === 'in-progress' && row.priority && row.priority !== 'normal' ? ` · ${row.priority}` : '';
  const place = placeWords(row);
  if (place) { return [stateChip(row, urgent), element('span', { className: 'quiet progress-words', textContent: place })]; }
  return [stateChip(row, urgent),
    progress && element('progress', { value: row.progress, max: 1, 'aria-label': 'Progress' }),
    progress && element('span', { className: 'quiet progress-words', textContent: progress })];
}

/** Return the state as mark and words. */
export function stateChip(row, more = '') {
  return element('span', { className: `state state-${row.state}` },
    element('span', { className: 'mark', 'aria-hidden': 'true', textContent: mark(row.state) }), sentence(row.title) + more);
}
