// SPDX-License-Identifier: AGPL-3.0-or-later
// The uncertainty of a result: a Parametric Map of the standard deviation of several samples, in HU.
// Orthanc decodes no floating-point frames, so the element is fetched as it is, once for all frames.

import { getBytes, getJson, getText } from './api.js';
import { describe, description } from './descriptions.js';
import { numbers, sorted } from './stack.js';

const PARAMETRIC_MAP = '1.2.840.10008.5.1.4.1.1.30';
const FLOAT_PIXEL_DATA = '7fe0-0008';
const LARGEST = 512 * 1024 * 1024;  // bytes; more does not fit a tablet's memory

/** Return the instance of the map that belongs to a result, null when there is none.
 *
 * result: any instance of it; both carry the time of the run that made them.
 */
export async function findMap(source, resultSeries, resultInstance) {
  const siblings = (description(source)?.siblings || []).filter((one) => one !== resultSeries);
  await describe(siblings);
  const single = siblings.filter((one) => description(one)?.instances === 1);
  const run = runOf(await getJson(`instances/${resultInstance}/simplified-tags`));
  for (const series of single) {
    const found = await mapOf(series, run);
    if (found) { return found; }
  }
  return null;
}

async function mapOf(series, run) {
  const [instance] = (await getJson(`series/${series}`)).Instances;
  if ((await getText(`instances/${instance}/metadata/SopClassUid`)).trim() !== PARAMETRIC_MAP) { return null; }
  const tags = await getJson(`instances/${instance}/simplified-tags`);
  return run && runOf(tags) === run ? { series, instance, tags } : null;
}

function runOf(tags) { return tags.ContentTime ? `${tags.ContentDate} ${tags.ContentTime}` : ''; }

/** Return the frames of a map as images, sorted along `normal`. */
export async function loadMap({ instance, tags }, normal) {
  const [rows, columns] = [Number(tags.Rows), Number(tags.Columns)];
  const frames = tags.PerFrameFunctionalGroupsSequence;
  if (4 * rows * columns * frames.length > LARGEST) { throw new Error('the uncertainty map is too big for the browser; open it in a viewer'); }
  const values = new Float32Array(await getBytes(`instances/${instance}/content/${FLOAT_PIXEL_DATA}`));
  const shared = tags.SharedFunctionalGroupsSequence[0];
  const grid = {
    rows, columns, spacing: numbers(shared.PixelMeasuresSequence[0].PixelSpacing),
    orientation: numbers(shared.PlaneOrientationSequence[0].ImageOrientationPatient),
  };
  return sorted(frames.map((frame, index) => ({
    ...grid, origin: numbers(frame.PlanePositionSequence[0].ImagePositionPatient),
    hu: values.subarray(index * rows * columns, (index + 1) * rows * columns),
  })), normal);
}
