// SPDX-License-Identifier: AGPL-3.0-or-later
// Ways to a series in Orthanc's pages and viewers.

import { address } from './api.js';
import { element } from './dom.js';

/** Which viewers there are; known after the first overview. */
export const viewers = { explorer2: false, web_viewer: false, stone: false, ohif: false, ohif_side_by_side: false };

/** Return a link to another page. */
export function link(text, href, properties = {}) { return element('a', { href, textContent: text, ...properties }); }

/** Return where a series can be seen: name and address.
 *
 * series: Orthanc's identifier; studyUid: Study Instance UID, empty while it is not known.
 * together: Series Instance UIDs of source, result and, where there is one, map of the intervals, which OHIF opens side by side where it was set up by this node.
 */
export function places(series, studyUid, together = []) {
  const study = encodeURIComponent(studyUid || '');
  return [
    ['Orthanc Explorer', `app/explorer.html#series?uuid=${series}`, true],
    ['Orthanc Explorer 2', `ui/app/#/filtered-studies?StudyInstanceUID=${study}&expand=series`, viewers.explorer2 && study],
    ['Web viewer', `web-viewer/app/viewer.html?series=${series}`, viewers.web_viewer],
    ['Stone viewer', `stone-webviewer/index.html?study=${study}`, viewers.stone && study],
    ['OHIF', `ohif/viewer?StudyInstanceUIDs=${study}${sideBySide(together)}`, viewers.ohif && study],
  ].filter(([, , there]) => there).map(([name, path]) => [name, address(path)]);
}

function sideBySide([source, result, map]) {
  const shown = [source, result, ...(map ? [map] : [])];
  if (!viewers.ohif_side_by_side || !shown.every(Boolean)) { return ''; }
  return `&SeriesInstanceUIDs=${shown.map(encodeURIComponent).join(',')}&hangingProtocolId=nullsplat${map ? '&stageId=intervals' : ''}`;
}
