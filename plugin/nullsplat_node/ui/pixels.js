// SPDX-License-Identifier: AGPL-3.0-or-later
// Pixel data from Orthanc as HU on a grid.

import { getBytes, getJson } from './api.js';
import { numbers } from './stack.js';

const KEPT = 48;  // images; 48 of 512 x 512 are 50 MB
const PAM = 'image/x-portable-arbitrarymap';

const kept = new Map();  // name to promise, the longest unused first

/** Return the samples of a PAM image of 16 bits: columns, rows and signed or unsigned values.
 *
 * Source: netpbm's PAM format; samples of two bytes have the most significant first.
 */
export function readPam(buffer, signed) {
  const start = new TextDecoder('latin1').decode(buffer.slice(0, 512));
  const header = /^P7\n[^]*?ENDHDR\n/.exec(start)?.[0];
  const field = (name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(header || '')?.[1]);
  const [columns, rows] = [field('WIDTH'), field('HEIGHT')];
  if (field('DEPTH') !== 1 || field('MAXVAL') !== 65535 || buffer.byteLength !== header.length + 2 * rows * columns) {
    throw new Error(`a grey PAM image of 16 bits was needed, got ${buffer.byteLength} bytes that begin with ${start.slice(0, 40)}`);
  }
  const view = new DataView(buffer, header.length);
  const values = new Float32Array(rows * columns);
  for (let index = 0; index < values.length; index++) {
    values[index] = signed ? view.getInt16(2 * index) : view.getUint16(2 * index);
  }
  return { columns, rows, values };
}

async function loadImage({ instance, origin }) {
  const tags = await getJson(`instances/${instance}/simplified-tags`);
  const signed = tags.PixelRepresentation === '1';
  const pam = readPam(await getBytes(`instances/${instance}/image-${signed ? 'int16' : 'uint16'}`, PAM), signed);
  const slope = Number(tags.RescaleSlope || 1);
  const intercept = Number(tags.RescaleIntercept || 0);
  return {
    rows: pam.rows, columns: pam.columns, origin, spacing: numbers(tags.PixelSpacing),
    orientation: numbers(tags.ImageOrientationPatient), hu: pam.values.map((value) => value * slope + intercept),
    thickness: Number(tags.SliceThickness) || null,
  };
}

/** Return the image of a slice: rows, columns, origin, spacing (mm), orientation, and `hu` row by row. */
export function imageOf(slice) { return remembered(slice.instance, () => loadImage(slice)); }

function remembered(name, load) {
  const known = kept.get(name) || load();
  kept.delete(name);
  kept.set(name, known);
  known.catch(() => kept.delete(name));
  if (kept.size > KEPT) { kept.delete(kept.keys().next().value); }
  return known;
}
