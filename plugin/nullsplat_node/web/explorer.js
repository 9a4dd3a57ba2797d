// SPDX-License-Identifier: AGPL-3.0-or-later
// Orthanc Explorer's series page: the state of the series in NullSplat, and its actions; its study page: links to them.
// Orthanc adds this to its own page, so the browser sends the same credentials as for everything there.
// All that comes from the server is set as text, never as HTML.

(function () {
  'use strict';

  var REFRESH_WHILE_BUSY = 2000;  // ms
  var REFRESH_WHILE_IDLE = 15000;  // ms
  var BUSY = ['new', 'pending', 'running', 'succeeded', 'routing'];
  var LABELS = { run: 'Run NullSplat', again: 'Run NullSplat again', release: 'Retry NullSplat', deliver: 'Send NullSplat result again', cancel: 'Cancel NullSplat' };

  var BOX = { padding: '8px 12px', margin: '8px 0', border: '1px solid #888', 'border-radius': '6px', background: '#fff' };

  var shownSeries = null;
  var timer = null;

  function currentSeries() {
    var match = /[?&]uuid=([0-9a-f-]{44})/.exec(window.location.hash);
    return match ? match[1] : ($.mobile.pageData && $.mobile.pageData.uuid) || null;
  }

  function duration(seconds) {
    if (seconds < 90) { return Math.ceil(seconds) + ' s'; }
    return Math.ceil(seconds / 60) + ' min';
  }

  function progressText(shown) {
    if (typeof shown.progress !== 'number') { return ''; }
    var parts = [Math.floor(100 * shown.progress) + ' %'];
    if (shown.stage_title) { parts.push(shown.stage_title); }
    if (shown.note) { parts.push(shown.note); }
    if (typeof shown.eta_seconds === 'number') { parts.push(duration(shown.eta_seconds) + ' left'); }
    return parts.join(', ');
  }

  function line(text) { return $('<div>').css('white-space', 'normal').text(text); }

  function link(series, text) {
    var made = $('<a>').attr('href', '#series?uuid=' + encodeURIComponent(series)).attr('data-ajax', 'false').text(text);
    made.click(function (event) {
      // jQuery Mobile does not go from a page to itself, so the browser has to reload it.
      event.preventDefault();
      event.stopPropagation();
      window.location.hash = 'series?uuid=' + encodeURIComponent(series);
      window.location.reload();
    });
    return $('<div>').append(made);
  }

  function drawResult(row, derived) {
    if (!derived || !derived.series) { return; }
    row.append(link(derived.series, 'Super-resolved series (' + derived.instances + ' slices)'));
    var consistency = derived.report && derived.report.lr_consistency_rmse_hu;
    if (typeof consistency === 'number') {
      row.append(line('Degraded again to the original resolution, it differs from the original by ' +
        consistency.toFixed(1) + ' HU (RMSE)'));
    }
  }

  function drawRoutes(row, shown) {
    if (shown.state !== 'done') { return; }  // before that, the message lists them
    $.each(shown.routes || [], function (_, route) {
      row.append(line((route.state === 'delivered' ? 'Sent to ' : 'Not sent to ') + route.destination + (route.what ? ' (' + route.what + ')' : '')));
    });
  }

  function button(series, action) {
    var made = $('<button>').attr('type', 'button').attr('data-role', 'none')
      .addClass('nullsplat-action').css({ margin: '4px 8px 0 0', padding: '4px 10px' }).text(LABELS[action] || action);
    made.click(function () {
      made.attr('disabled', 'disabled');
      ask('POST', series, JSON.stringify({ action: action }));
    });
    return made;
  }

  function pageLink(series, view, text) {
    return $('<a>').attr('href', '../nullsplat/ui/index.html#/' + view + '/' + encodeURIComponent(series))
      .attr('data-ajax', 'false').css('margin-right', '12px').text(text);
  }

  function drawPageLinks(row, series, shown) {
    var links = $('<div>').append(pageLink(series, 'series', 'History on the NullSplat page'));
    if (shown.derived && shown.derived.series) { links.append(pageLink(series, 'compare', 'Compare source and result')); }
    row.append(links);
  }

  function draw(series, shown) {
    var row = $('#nullsplat-row');
    row.empty();
    row.append($('<h3>').text('NullSplat: ' + shown.title));
    var progress = progressText(shown);
    if (progress) { row.append(line(progress)); }
    if (shown.message) { row.append(line(shown.message)); }
    if (shown.rule) { row.append(line('Rule: ' + shown.rule)); }
    drawResult(row, shown.derived);
    drawRoutes(row, shown);
    if (shown.source) { row.append(link(shown.source, 'Series that it was made from')); }
    drawPageLinks(row, series, shown);
    $.each(shown.actions || [], function (_, action) {
      // What is held back is decided on the page that says why, and asks first.
      if (shown.state !== 'held' || action === 'again') { row.append(button(series, action)); }
    });
  }

  function drawOfStudy(box, one, shown) {
    if (shown.source) { return; }  // a result; its source leads to it
    var row = $('<div>').append(line('NullSplat, ' + (one.MainDicomTags.SeriesDescription || 'series without a description') + ': ' + shown.title));
    drawPageLinks(row, one.ID, shown);
    box.append(row).show();
  }

  function showStudy(study) {
    $('#nullsplat-study').remove();
    if (!study) { return; }
    var box = $('<div>').attr('id', 'nullsplat-study').hide().css(BOX).insertBefore($('#study-info'));
    $.ajax({
      url: '../studies/' + study + '/series', dataType: 'json',
      success: function (series) {
        $.each(series, function (_, one) {
          if (one.MainDicomTags.Modality !== 'CT') { return; }
          $.ajax({
            url: '../nullsplat/series/' + one.ID, dataType: 'json', cache: false,
            success: function (shown) { drawOfStudy(box, one, shown); }
          });
        });
      }
    });
  }

  function drawError(text) {
    $('#nullsplat-row .nullsplat-error').remove();
    $('#nullsplat-row').append(line(text).addClass('nullsplat-error').css('color', '#a00'));
  }

  function reason(response) {
    try { return JSON.parse(response.responseText).error.message; } catch (unreadable) {
      return 'NullSplat does not answer (HTTP ' + response.status + '); it will be asked again';
    }
  }

  function later(series, milliseconds) {
    window.clearTimeout(timer);
    timer = window.setTimeout(function () { ask('GET', series, null); }, milliseconds);
  }

  function ask(method, series, body) {
    $.ajax({
      url: '../nullsplat/series/' + encodeURIComponent(series),
      type: method, data: body, contentType: 'application/json', dataType: 'json', cache: false,
      success: function (shown) {
        if (series !== shownSeries) { return; }
        draw(series, shown);
        later(series, BUSY.indexOf(shown.state) >= 0 ? REFRESH_WHILE_BUSY : REFRESH_WHILE_IDLE);
      },
      error: function (response) {
        if (series !== shownSeries) { return; }
        drawError(reason(response));
        $('#nullsplat-row .nullsplat-action').removeAttr('disabled');
        later(series, REFRESH_WHILE_IDLE);
      }
    });
  }

  function ensureRow() {
    if ($('#nullsplat-row').length === 0) {
      $('<div>').attr('id', 'nullsplat-row').attr('role', 'status')
        .css(BOX)
        .insertBefore($('#series-info'));
    }
  }

  $('#series').live('pageshow', function () {
    shownSeries = currentSeries();
    if (!shownSeries) { return; }
    ensureRow();
    $('#nullsplat-row').empty().append(line('NullSplat: asking…'));
    ask('GET', shownSeries, null);
  });

  $('#study').live('pageshow', function () { showStudy(currentSeries()); });

  $('#lookup').live('pagebeforecreate', function () {
    $('<a>').attr('href', '../nullsplat/ui/index.html').attr('data-role', 'button').attr('data-ajax', 'false')
      .text('NullSplat status').insertAfter($('#lookup-form'));
  });

  $('#series').live('pagehide', function () {
    shownSeries = null;
    window.clearTimeout(timer);
  });
}());
