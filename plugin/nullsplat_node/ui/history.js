// SPDX-License-Identifier: AGPL-3.0-or-later
// The history of a series by attempt, and the deliveries of its result.

import { element } from './dom.js';
import { sentence, when } from './words.js';

const KINDS = {
  taken: ['●', 'Decided'], refused: ['–', 'Refused'], 'handed-over': ['➜', 'Submitted'], computed: ['◕', 'Computed'], stored: ['◆', 'Stored'],
  delivered: ['✓', 'Delivered'], abandoned: ['■', 'Delivery cancelled'], undelivered: ['✗', 'Not delivered'], held: ['‖', 'Held back'], marked: ['!', 'Marked'], failed: ['✗', 'Failed'], cancelled: ['■', 'Cancelled'], released: ['↻', 'Released'], note: ['·', 'Note'],
};

/** Return the history, the latest attempt first; nothing for a result, whose history is that of its source. */
export function history(attempts, isResult) {
  if (isResult && !attempts.length) { return []; }
  const made = [...attempts].reverse().map((attempt) => element('div', { className: 'attempt' },
    element('h3', { textContent: attempt.attempt ? `Attempt ${attempt.attempt}` : 'Before' }), element('ol', { className: 'events' }, attempt.events.map(event))));
  return [element('h2', { textContent: 'History' }), ...(made.length ? made : [element('p', { className: 'quiet', textContent: 'Nothing has happened yet.' })])];
}

function event({ kind, time, text }) {
  const [mark, name] = KINDS[kind] || KINDS.note;
  const words = text.replace(/^(taken as attempt \d+|not taken|failed|held back|marked|delivered|abandoned|refused|given-up): /, '');
  return element('li', { className: `event event-${kind}` }, element('span', { className: 'mark', 'aria-hidden': 'true', textContent: mark }),
    element('div', {}, element('strong', { textContent: name }), ' ', element('time', { dateTime: time, className: 'quiet', textContent: when(time) }), element('p', { textContent: sentence(words) })));
}

/** Return where the result was delivered, and when. */
export function deliveries(list) {
  if (!list.length) { return []; }
  const heads = ['To', 'State', 'When'].map((text) => element('th', { scope: 'col', textContent: text }));
  return [element('h2', { textContent: 'Deliveries' }), element('table', { className: 'plain' }, element('thead', {}, element('tr', {}, heads)), element('tbody', {}, list.map(delivery)))];
}

function delivery(one) {
  const failure = one.error && one.state !== 'delivered' ? ` (${one.error}; ${one.tries} tries)` : '';
  const time = one.time ? when(one.time) : one.next_try ? `next try ${when(one.next_try)}` : '';
  return element('tr', {}, element('th', { scope: 'row', textContent: one.destination }), element('td', { textContent: sentence(one.state) + failure }), element('td', { textContent: time }));
}
