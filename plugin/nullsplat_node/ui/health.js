// SPDX-License-Identifier: AGPL-3.0-or-later
// The state of engine, workers, archive and disk.

import { pauseButton } from './actions.js';
import { getJson } from './api.js';
import { element, redrawIfChanged } from './dom.js';
import { bytes, duration, sentence, when } from './words.js';

const STATISTICS_EVERY = 30000;  // ms; Orthanc counts for it
const CHECKS = { weights: 'Model weights', archive: 'Archive, as reached by the engine', spool: 'Disk of the engine', queue: 'Job database', worker: 'Workers', readiness: 'Readiness' };

let statistics = null;
let asked = -Infinity;

/** Ask Orthanc for its statistics if it was not asked lately. */
export async function refreshStatistics() {
  if (performance.now() - asked < STATISTICS_EVERY) { return; }
  asked = performance.now();
  statistics = await getJson('statistics');
}

/** Draw the cards. */
export function drawHealth(target, overview, poll) {
  const { engine } = overview;
  // Not the time of the last contact while all is well: the card would be redrawn each time.
  const workers = (engine.workers || []).map(workerWords);
  const state = { ...engine, workers, answered_at: engine.reachable ? null : engine.answered_at, statistics, scanned: overview.last_reconciliation };
  redrawIfChanged(target, state, () => [engineCard(engine, overview.time), queueCard(engine, workers, poll), checksCard(engine), archiveCard(overview)]);
}

function queueCard(engine, workers, poll) {
  if (!engine.reachable || engine.paused_since === undefined) { return null; }
  const paused = engine.paused_since;
  const open = workers.length ? 'Taking jobs' : 'No worker is alive';
  const headline = paused ? `Paused since ${when(paused)}` : open;
  const waiting = paused || workers.length ? [] : ['Jobs wait until there is one.'];
  const made = card('Queue', !paused && workers.length > 0, headline, [...waiting, ...workers]);
  made.append(element('p', { className: 'buttons' }, pauseButton(paused, poll)));
  return made;
}

function workerWords(worker) {
  const memory = worker.memory ? `${bytes(worker.memory.used_bytes)} of ${bytes(worker.memory.size_bytes)} in use` : '';
  const work = worker.job ? `working on job ${worker.job.slice(0, 8)}…` : 'idle';
  return `${worker.id}: ${[worker.device, memory, work, `last heartbeat ${when(worker.seen_at)}`].filter(Boolean).join(', ')}`;
}

function card(title, ok, headline, lines) {
  return element('section', { className: `card ${ok ? 'good' : 'bad'}` }, element('h2', { textContent: title }),
    element('p', { className: 'headline' }, element('span', { className: 'mark', 'aria-hidden': 'true', textContent: ok ? '✓ ' : '! ' }), headline),
    lines.filter(Boolean).map((line) => element('p', { textContent: line })));
}

function engineCard(engine, now) {
  if (engine.reachable) {
    const model = engine.model && `Model ${engine.model.name}`;
    const queue = engine.queue && `${engine.queue.running} running, ${engine.queue.queued} waiting`;
    return card('Engine', true, 'Reachable', [`Version ${engine.version}`, model, queue, engine.url]);
  }
  const since = engine.away_since ? `Not reachable for ${duration((new Date(now) - new Date(engine.away_since)) / 1000)}` : 'Not contacted yet';
  const last = engine.answered_at ? `Last answer ${when(engine.answered_at)}.` : '';
  return card('Engine', false, since, [`${sentence(engine.trouble)}`, last, 'Series are kept and submitted as soon as it is reachable again.']);
}

function checksCard(engine) {
  const wrong = engine.checks.filter((check) => !check.ok);
  const name = (check) => CHECKS[check.name] || check.name;
  if (!engine.reachable) { return card('Workers and disk', false, 'Not known while the engine is unreachable', []); }
  if (wrong.length) {
    return card('Workers and disk', false, `${wrong.length} of ${engine.checks.length} checks failed`, wrong.map((check) => `${name(check)}: ${check.text}`));
  }
  return card('Workers and disk', true, 'All checks passed', [engine.checks.map(name).join(', ')]);
}

function archiveCard(overview) {
  const scanned = overview.last_reconciliation;
  const lines = [scanned ? `Last scanned: ${when(scanned)}` : 'Not scanned yet'];
  if (statistics) {
    lines.unshift(`${statistics.CountSeries} series, ${statistics.CountInstances} images`);
    return card('Archive', true, `${bytes(Number(statistics.TotalDiskSize))} on disk`, lines);
  }
  return card('Archive', true, 'Reachable', lines);
}
