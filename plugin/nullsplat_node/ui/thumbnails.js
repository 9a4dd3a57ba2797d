// SPDX-License-Identifier: AGPL-3.0-or-later
// Small pictures of a series, drawn by Orthanc.

import { address, getJson, getText } from './api.js';
import { element } from './dom.js';
import { loadStack } from './stack.js';

const SECONDARY_CAPTURE = '1.2.840.10008.5.1.4.1.1.7';
const PLACES = [0.25, 0.5, 0.75];
const SIZE = 160;  // pixels

/** Return pictures at a quarter, half and three quarters of the way through the series; of one without positions its key image, or nothing. */
export async function thumbnails(series, name) {
  const { slices } = await loadStack(series);
  return slices.length ? slicesOf(slices, name) : keyImage(series);
}

async function keyImage(series) {
  const [instance] = (await getJson(`series/${series}`)).Instances;
  if ((await getText(`instances/${instance}/metadata/SopClassUid`)).trim() !== SECONDARY_CAPTURE) { return []; }
  return [element('img', { src: address(`instances/${instance}/preview`), className: 'whole', loading: 'lazy', alt: 'Axial, coronal and sagittal plane, as measured, super-resolved, and with marks where the result may be far from the truth' })];
}

function slicesOf(slices, name) {
  return PLACES.map((place) => {
    const slice = slices[Math.min(slices.length - 1, Math.floor(place * slices.length))];
    const query = new URLSearchParams({ width: SIZE, height: SIZE, 'window-center': -600, 'window-width': 1500 });
    return element('img', {
      src: address(`instances/${slice.instance}/rendered?${query}`), width: SIZE, height: SIZE, loading: 'lazy',
      alt: `${name} at ${slice.position.toFixed(1)} mm, lung window`, title: `${slice.position.toFixed(1)} mm`,
    });
  });
}
