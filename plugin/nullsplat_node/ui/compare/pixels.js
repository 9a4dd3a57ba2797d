// SPDX-License-Identifier: AGPL-3.0-or-later
// Pixel data from Orthanc, as it was stored, and what makes HU of it.

import { getBytes, getJson } from '../api.js';
import { numbers } from '../stack.js';

const PAM = 'image/x-portable-arbitrarymap';

/** Return the samples of a PAM image of 16 bits: columns, rows and the values as an Int16Array or a Uint16Array.
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
  const samples = buffer.slice(header.length);
  const values = new Uint16Array(samples);
  for (let index = 0; index < values.length; index++) { values[index] = values[index] >>> 8 | values[index] << 8; }
  return { columns, rows, values: signed ? new Int16Array(samples) : values };
}

/** Return the tags of all instances of a series, by Orthanc's identifier: one question in place of one for each slice. */
export function tagsOfSeries(series) { return getJson(`series/${series}/instances-tags?simplify`); }

/** Return the image of a slice: rows, columns, spacing (mm), orientation, thickness, and `values`, of which HU are slope and intercept.
 *
 * tags: of the instance, where they are known already.
 */
export async function loadImage({ instance, origin }, tags = null) {
  const { PixelRepresentation: sign, ...known } = tags || await getJson(`instances/${instance}/simplified-tags`);
  const signed = sign === '1';
  const pam = readPam(await getBytes(`instances/${instance}/image-${signed ? 'int16' : 'uint16'}`, PAM), signed);
  return {
    ...pam, origin, spacing: numbers(known.PixelSpacing), orientation: numbers(known.ImageOrientationPatient),
    slope: Number(known.RescaleSlope || 1), intercept: Number(known.RescaleIntercept || 0), thickness: Number(known.SliceThickness) || null,
  };
}

/** Return an image with every `step`-th row and column of another: for reformats of what does not fit the memory. */
export function thinned(image, step) {
  const [rows, columns] = [Math.ceil(image.rows / step), Math.ceil(image.columns / step)];
  const values = new image.values.constructor(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) { values[row * columns + column] = image.values[row * step * image.columns + column * step]; }
  }
  return { ...image, rows, columns, values, spacing: image.spacing.map((one) => one * step) };
}
