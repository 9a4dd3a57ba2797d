// SPDX-License-Identifier: AGPL-3.0-or-later
// Formats numbers and names for display.

const MARKS = {
  new: '○', pending: '◔', running: '◑', succeeded: '◕', routing: '➜',
  done: '✓', held: '‖', undelivered: '✗', failed: '✗', cancelled: '■', ineligible: '–', result: '◆',
};
const UNITS = [[86400, 'd'], [3600, 'h'], [60, 'min']];

/** Return the mark of a state; always shown together with its words. */
export function mark(state) { return MARKS[state] || '○'; }

/** Return seconds as a duration, such as "3 min" or "2 h 5 min". */
export function duration(seconds) {
  if (seconds < 60) { return `${Math.max(0, Math.round(seconds))} s`; }
  const index = UNITS.findIndex(([size]) => seconds >= size);
  const [size, name] = UNITS[index];
  const whole = Math.floor(seconds / size);
  const rest = UNITS[index + 1] ? Math.floor((seconds - whole * size) / UNITS[index + 1][0]) : 0;
  return rest ? `${whole} ${name} ${rest} ${UNITS[index + 1][1]}` : `${whole} ${name}`;
}

/** Return how long ago something was, in the largest unit that fits. */
export function ago(seconds) {
  if (seconds < 5) { return 'just now'; }
  const [size, name] = UNITS.find(([least]) => seconds >= least) || [1, 's'];
  return `${Math.floor(seconds / size)} ${name} ago`;
}

/** Return an ISO time as local date and time. */
export function when(iso) {
  return new Date(iso).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
}

/** Return a percentage of a fraction; never 100 before it is done. */
export function percent(fraction) { return `${Math.floor(100 * fraction)} %`; }

/** Return bytes as MB, GB or TB. */
export function bytes(count) {
  const steps = [[1e12, 'TB'], [1e9, 'GB'], [1e6, 'MB']];
  const [size, name] = steps.find(([least]) => count >= least) || steps[2];
  return `${(count / size).toFixed(1)} ${name}`;
}

/** Return a DICOM date (YYYYMMDD) as people write it, empty when there is none. */
export function dicomDate(text) {
  const parts = /^(\d{4})(\d\d)(\d\d)$/.exec(text || '');
  if (!parts) { return ''; }
  const date = new Date(Date.UTC(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3])));
  return date.toLocaleDateString('en-GB', { dateStyle: 'medium', timeZone: 'UTC' });
}

/** Return a DICOM person name as people write it. */
export function personName(text) {
  const [family = '', given = ''] = (text || '').split('=')[0].split('^');
  return [given, family].filter(Boolean).join(' ');
}

/** Return the place of a series in the engine's queue; empty when it is not queued. */
export function placeWords(row) {
  if (!row.position) { return ''; }
  return row.position === 1 ? 'Next to be taken' : `Place ${row.position} in the queue`;
}

/** Return how far a series is: percentage, stage, note and time left; empty when it is not in progress. */
export function progressWords(row) {
  if (typeof row.progress !== 'number') { return ''; }
  const left = typeof row.eta_seconds === 'number' ? `about ${duration(row.eta_seconds)} left` : '';
  return [percent(row.progress), row.stage_title, row.note, left].filter(Boolean).join(' · ');
}

/** Return the node's words as a sentence: a capital first, its UTC times as local ones, signs as in print. */
export function sentence(text) {
  if (!text) { return ''; }
  const local = text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, when).replace(/ <= /g, ' ≤ ').replace(/(\d) x (?=\d)/g, '$1 × ').replace('(z, y, x)', '(z,\u00a0y,\u00a0x)');
  return local[0].toUpperCase() + local.slice(1);
}
