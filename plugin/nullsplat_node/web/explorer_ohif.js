// SPDX-License-Identifier: AGPL-3.0-or-later
// Orthanc Explorer's pages of a study and of a series: a way to OHIF. Added only where OHIF is served.

(function () {
  'use strict';

  function current() {
    var match = /[?&]uuid=([0-9a-f-]{44})/.exec(window.location.hash);
    return match ? match[1] : ($.mobile.pageData && $.mobile.pageData.uuid) || null;
  }

  function offer(page, address) {
    var shown = current();
    $('#nullsplat-ohif').remove();
    if (!shown) { return; }
    $.ajax({
      url: address(shown), dataType: 'json',
      success: function (study) {
        if (shown !== current()) { return; }
        $('#nullsplat-ohif').remove();
        $('<div>').attr('id', 'nullsplat-ohif').css('margin', '8px 0').append($('<a>')
          .attr('href', '../ohif/viewer?StudyInstanceUIDs=' + encodeURIComponent(study.MainDicomTags.StudyInstanceUID))
          .attr('data-ajax', 'false').text('Open the study in OHIF')).insertBefore($('#' + page + '-info'));
      }
    });
  }

  $('#study').live('pageshow', function () { offer('study', function (uuid) { return '../studies/' + uuid; }); });
  $('#series').live('pageshow', function () {
    offer('series', function (uuid) { return '../series/' + uuid + '/study'; });
  });
}());
