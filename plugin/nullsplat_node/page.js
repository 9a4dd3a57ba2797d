// SPDX-License-Identifier: AGPL-3.0-or-later
// The status page: /nullsplat/status for people. All that comes from the server is set as text, never as HTML.

(function () {
  'use strict';

  var REFRESH = 3000;  // ms

  function put(id, text, trouble) {
    var element = document.getElementById(id);
    element.textContent = text;
    element.className = trouble ? 'trouble' : '';
  }

  function cell(row, content, className) {
    var made = document.createElement('td');
    made.className = className || '';
    if (typeof content === 'string') { made.textContent = content; } else if (content) { made.appendChild(content); }
    row.appendChild(made);
  }

  function link(series) {
    var made = document.createElement('a');
    made.href = '../app/explorer.html#series?uuid=' + encodeURIComponent(series);
    made.textContent = series.slice(0, 8);
    made.title = series;
    return made;
  }

  function bar(one) {
    if (typeof one.progress !== 'number') { return ''; }
    var made = document.createElement('progress');
    made.value = one.progress;
    made.title = Math.floor(100 * one.progress) + ' %';
    return made;
  }

  function drawEngine(engine) {
    if (engine.reachable) {
      put('engine', 'The engine at ' + engine.url + ' answers (version ' + engine.version + ').');
    } else {
      put('engine', engine.trouble || 'The engine at ' + engine.url + ' was not asked yet.', Boolean(engine.trouble));
    }
  }

  function drawCounts(counts) {
    var place = document.getElementById('counts');
    place.textContent = '';
    Object.keys(counts).forEach(function (state) {
      var made = document.createElement('span');
      made.textContent = counts[state] + ' ' + state;
      place.appendChild(made);
    });
  }

  function drawSeries(list) {
    var body = document.createElement('tbody');
    body.id = 'series';
    list.forEach(function (one) {
      var row = document.createElement('tr');
      cell(row, link(one.series));
      cell(row, one.title);
      cell(row, bar(one));
      cell(row, one.message, 'message');
      cell(row, one.since);
      body.appendChild(row);
    });
    document.getElementById('series').replaceWith(body);
  }

  function draw(status) {
    drawEngine(status.engine);
    put('round', 'Looked over the archive last: ' + (status.last_reconciliation || 'not yet'));
    drawCounts(status.counts);
    drawSeries(status.series);
  }

  function refresh() {
    fetch('status', { credentials: 'same-origin', cache: 'no-store' })
      .then(function (answer) {
        if (!answer.ok) { throw new Error('HTTP ' + answer.status); }
        return answer.json();
      })
      .then(draw)
      .catch(function (error) { put('engine', 'The node does not answer (' + error.message + '); it will be asked again.', true); })
      .then(function () { window.setTimeout(refresh, REFRESH); });
  }

  refresh();
}());
