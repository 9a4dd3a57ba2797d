// SPDX-License-Identifier: AGPL-3.0-or-later
// The page's own addresses (#/queue, #/series/ID, #/compare/ID) and the polling of what they show.

import { NodeError, getJson } from './api.js';
import { CompareView } from './compare/view.js';
import { setText } from './dom.js';
import { viewers } from './links.js';
import { Poller } from './poll.js';
import { QueueView } from './queue.js';
import { SeriesView } from './series.js';
import { duration } from './words.js';

const TITLES = { queue: 'Queue', series: 'Series', compare: 'Compare' };
const connection = document.getElementById('connection');
const main = document.getElementById('main');
let poller = null;
let shown = null;

function route() {
  const [path, query = ''] = location.hash.replace(/^#\//, '').split('?');
  const [name, series] = path.split('/');
  const known = /^[0-9a-f-]{44}$/.test(series || '');
  return { name: known && name in TITLES ? name : 'queue', series, parameters: new URLSearchParams(query) };
}

function makeView({ name, series, parameters }) {
  const poll = () => poller?.now();
  if (name === 'series') { return new SeriesView(series, poll); }
  if (name === 'compare') { return new CompareView(series, parameters); }
  return new QueueView(parameters, poll);
}

function showError(error, wait) {
  if (!(error instanceof NodeError)) { throw error; }
  connection.hidden = false;
  const kept = main.dataset.answered ? ' The last known state is shown.' : '';
  setText(connection, `${error.message}${kept} Next try in ${duration(wait / 1000)}.`);
}

function show() {
  const wanted = route();
  poller?.stop();
  shown?.leave?.();
  shown = makeView(wanted);
  delete main.dataset.answered;
  main.replaceChildren(shown.node);
  document.title = `${TITLES[wanted.name]} – NullSplat`;
  const here = document.getElementById('nav-queue');
  if (wanted.name === 'queue') { here.setAttribute('aria-current', 'page'); } else { here.removeAttribute('aria-current'); }
  const view = shown;
  poller = new Poller(() => getJson(view.path), (answer) => {
    connection.hidden = true;
    main.dataset.answered = 'yes';
    return view.draw(answer);
  }, showError);
  poller.now();
}

async function learnViewers() {
  // Also the series' own page needs to know them, and it does not ask for the overview.
  const overview = await getJson('nullsplat/overview?group=in-progress');
  Object.assign(viewers, overview.viewers);
  document.getElementById('nav-explorer2').hidden = !viewers.explorer2;
  document.getElementById('nav-ohif').hidden = !viewers.ohif;
}

document.getElementById('skip').addEventListener('click', (event) => { event.preventDefault(); main.focus(); });
window.addEventListener('hashchange', () => { show(); main.querySelector('h1')?.focus(); });
document.addEventListener('keydown', (event) => {
  const typing = event.target.closest?.('input, select, textarea, dialog');
  const field = document.getElementById('search');
  if (event.key === '/' && field && !typing) { event.preventDefault(); field.focus(); }
});
learnViewers().catch(() => { /* the poller says that the node does not answer */ }).finally(show);
