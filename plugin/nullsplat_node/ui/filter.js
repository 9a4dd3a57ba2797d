// SPDX-License-Identifier: AGPL-3.0-or-later
// Search and filter of the queue; kept in the address, so that a filtered list can be linked to.

import { element, setText } from './dom.js';

export const GROUPS = [
  ['', 'All'], ['in-progress', 'In progress'], ['to-look-at', 'To look at'], ['finished', 'Finished'],
  ['not-taken', 'Not taken'], ['results', 'Results'],
];

/** The controls. `changed` is called with what changed: 'group' or 'search'. */
export class Filter {
  constructor(parameters, changed) {
    this.group = parameters.get('group') || '';
    this.search = parameters.get('search') || '';
    this.changed = changed;
    this.buttons = GROUPS.map(([group, label]) => this.makeButton(group, label));
    this.field = element('input', {
      type: 'search', id: 'search', value: this.search, placeholder: 'Patient, series, reason…', autocomplete: 'off',
      oninput: () => this.set('search', this.field.value),
    });
    this.shown = element('p', { className: 'quiet', role: 'status', id: 'shown' });
    this.node = element('div', { className: 'filter', role: 'search' },
      element('div', { role: 'group', className: 'groups', 'aria-label': 'Filter by state' }, this.buttons),
      element('div', { className: 'find' }, element('label', { for: 'search', textContent: 'Search' }), this.field), this.shown);
  }

  makeButton(group, label) {
    return element('button', {
      type: 'button', className: 'group', 'data-group': group, 'aria-pressed': String(group === this.group), onclick: () => this.set('group', group),
    }, element('span', { textContent: label }), element('span', { className: 'count', textContent: '' }));
  }

  set(name, value) {
    this[name] = value;
    this.buttons.forEach((button) => button.setAttribute('aria-pressed', String(button.dataset.group === this.group)));
    const parameters = new URLSearchParams(Object.entries({ group: this.group, search: this.search }).filter(([, one]) => one));
    history.replaceState(null, '', `#/queue${parameters.size ? `?${parameters}` : ''}`);
    this.changed(name);
  }

  /** Show how many series there are in each group. */
  count(counts) {
    this.buttons.forEach((button) => {
      const { group } = button.dataset;
      setText(button.lastElementChild, String(group ? counts.groups[group] : counts.all));
    });
  }

  /** Return whether all words of the search are in the text. */
  matches(text) {
    const lower = text.toLowerCase();
    return this.search.toLowerCase().split(/\s+/).every((word) => lower.includes(word));
  }

  /** Say how many rows are shown. */
  say(shown, all, omitted) {
    const more = omitted ? `; ${omitted} older ones are left out; filter by state to see them` : '';
    setText(this.shown, `${shown} of ${all} series shown${more}`);
  }
}
