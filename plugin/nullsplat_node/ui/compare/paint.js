// SPDX-License-Identifier: AGPL-3.0-or-later
// Values to grey; coloured where a mark is asked for, and nowhere else. A difference is grey around mid-grey.

/** Window presets: centre and width in HU. */
export const PRESETS = {
  lung: { label: 'Lung', centre: -600, width: 1500 },
  soft: { label: 'Soft tissue', centre: 40, width: 400 },
  bone: { label: 'Bone', centre: 400, width: 1800 },
  brain: { label: 'Brain', centre: 40, width: 80 },
};
export const DIFFERENCE = { centre: 0, width: 400 };
export const UNCERTAINTY = { centre: 25, width: 50 };
/** Colours of marks, red, green and blue; told apart by colour-blind people too. */
export const AMBER = [255, 176, 0];
export const BLUE = [70, 150, 255];
const OPACITY = 0.6;

/** Draw values row by row; where there is none (NaN) the canvas stays transparent.
 *
 * Source of the grey levels: DICOM PS3.3 C.11.2.1.2.1.
 * mark: its colour `over` where its `values` exceed its `threshold`, its colour `under` where they are as far below zero; null for none.
 */
export function paint(canvas, values, rows, columns, { centre, width }, mark = null) {
  if (canvas.width !== columns || canvas.height !== rows) { Object.assign(canvas, { width: columns, height: rows }); }
  const pixels = new ImageData(columns, rows);
  const words = new Uint32Array(pixels.data.buffer);  // red is the lowest byte on every machine that has a browser
  const [slope, start] = [255 / Math.max(width - 1, 1), 128 - 255 * (centre - 0.5) / Math.max(width - 1, 1)];  // 128: half of 255, and half to round
  for (let index = 0; index < words.length; index++) {
    const value = values[index];
    if (value !== value) { continue; }  // NaN
    const level = Math.floor(Math.min(255, Math.max(0, value * slope + start)));
    const marked = mark && Math.abs(mark.values[index]) > mark.threshold;
    words[index] = marked ? tinted(level, mark.values[index] > 0 ? mark.over : mark.under) : 0xff000000 | level << 16 | level << 8 | level;
  }
  canvas.getContext('2d').putImageData(pixels, 0, 0);
}

function tinted(level, colour) {
  const [red, green, blue] = colour.map((one) => Math.round(OPACITY * one + (1 - OPACITY) * level));
  return 0xff000000 | blue << 16 | green << 8 | red;
}
