// SPDX-License-Identifier: AGPL-3.0-or-later
// Values to grey. Colour carries no meaning anywhere: a difference is grey around mid-grey.

/** Window presets: centre and width in HU. */
export const PRESETS = {
  lung: { label: 'Lung', centre: -600, width: 1500 },
  soft: { label: 'Soft tissue', centre: 40, width: 400 },
  bone: { label: 'Bone', centre: 400, width: 1800 },
};
export const DIFFERENCE = { centre: 0, width: 400 };
export const UNCERTAINTY = { centre: 25, width: 50 };

/** Return the grey level, 0 to 255, of a value. Source: DICOM PS3.3 C.11.2.1.2.1. */
export function grey(value, { centre, width }) {
  const position = (value - (centre - 0.5)) / Math.max(width - 1, 1) + 0.5;
  return Math.round(255 * Math.min(1, Math.max(0, position)));
}

/** Draw values row by row; where there is none (NaN) the canvas stays transparent. */
export function paint(canvas, values, rows, columns, window) {
  if (canvas.width !== columns || canvas.height !== rows) { Object.assign(canvas, { width: columns, height: rows }); }
  const pixels = new ImageData(columns, rows);
  for (let index = 0; index < values.length; index++) {
    const level = grey(values[index], window);
    pixels.data.fill(level, 4 * index, 4 * index + 3);
    pixels.data[4 * index + 3] = Number.isNaN(values[index]) ? 0 : 255;
  }
  canvas.getContext('2d').putImageData(pixels, 0, 0);
}

/** Return a - b. */
export function difference(a, b) { return a.map((value, index) => value - b[index]); }
