// SPDX-License-Identifier: AGPL-3.0-or-later
// Slices in space: where each lies along the normal, and which belong together.
// Source: DICOM PS3.3 C.7.6.2.1.1 (Image Position and Image Orientation).

import { getJson } from './api.js';

/** Return the numbers of a DICOM value such as "1\\0\\0".
 *
 * Orthanc shows the backslash in the series' character set: as a yen sign in a Japanese one, as a won sign in a Korean one.
 */
export function numbers(text) { return String(text || '').split(/[\\\u00a5\u20a9]/).map(Number); }

/** Return the scalar product of two vectors in space. */
export function dot(a, b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

function cross(a, b) { return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]; }

/** Return slices sorted along `normal`: each with its position in mm.
 *
 * slices: objects with `origin`, the Image Position (Patient).
 */
export function sorted(slices, normal) {
  return slices.map((slice) => ({ ...slice, position: dot(slice.origin, normal) })).sort((a, b) => a.position - b.position);
}

/** Return the unit normal of an Image Orientation (Patient). */
export function normalOf(orientation) { return cross(orientation.slice(0, 3), orientation.slice(3, 6)); }

/** Return the slices of a series of single-frame images: normal and slices sorted along it.
 *
 * normal: of another series to sort along; its own when left out.
 */
export async function loadStack(series, normal = null) {
  const placed = (await getJson(`series/${series}/instances`)).filter((one) => one.MainDicomTags.ImagePositionPatient);
  if (!placed.length) { return { normal: normal || [0, 0, 1], slices: [] }; }
  const along = normal || normalOf(await orientationOf(placed[0]));
  const slices = placed.map((one) => ({ instance: one.ID, origin: numbers(one.MainDicomTags.ImagePositionPatient) }));
  return { normal: along, slices: sorted(slices, along) };
}

async function orientationOf(instance) {
  const stored = instance.MainDicomTags.ImageOrientationPatient;  // Orthanc before 1.4.2 did not keep it
  return numbers(stored || (await getJson(`instances/${instance.ID}/simplified-tags`)).ImageOrientationPatient);
}

/** Return the letters of the image's edges, such as R, L, A, P, from its Image Orientation (Patient), which is in LPS. */
export function edgeLetters(orientation) {
  const towards = (direction) => {
    const axis = direction.reduce((best, value, index) => (Math.abs(value) > Math.abs(direction[best]) ? index : best), 0);
    return (direction[axis] > 0 ? 'LPH' : 'RAF')[axis];
  };
  const back = (direction) => towards(direction.map((value) => -value));
  const [row, column] = [orientation.slice(0, 3), orientation.slice(3, 6)];
  return { left: back(row), right: towards(row), top: back(column), bottom: towards(column) };
}
