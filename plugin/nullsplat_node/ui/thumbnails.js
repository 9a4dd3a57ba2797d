// SPDX-License-Identifier: AGPL-3.0-or-later
// Small pictures of a series, drawn by Orthanc.

import { address } from './api.js';
import { element } from './dom.js';
import { loadStack } from './stack.js';

const PLACES = [0.25, 0.5, 0.75];
const SIZE = 160;  // pixels

/** Return pictures at a quarter, half and three quarters of the way through the series; empty when it has no positions. */
export async function thumbnails(series, name) {
  const { slices } = await loadStack(series);
  return PLACES.filter(() => slices.length).map((place) => {
    const slice = slices[Math.min(slices.length - 1, Math.floor(place * slices.length))];
    const query = new URLSearchParams({ width: SIZE, height: SIZE, 'window-center': -600, 'window-width': 1500 });
    return element('img', {
      src: address(`instances/${slice.instance}/rendered?${query}`), width: SIZE, height: SIZE, loading: 'lazy',
      alt: `${name} at ${slice.position.toFixed(1)} mm, lung window`, title: `${slice.position.toFixed(1)} mm`,
    });
  });
}
