// SPDX-License-Identifier: AGPL-3.0-or-later
// How sure a result is: a Parametric Map in HU, the half width of a calibrated interval or the standard deviation of several samples.
// Orthanc decodes no floating-point frames, so the element is fetched as it is, once for all frames, and read as it arrives.

import { getJson, getStream, getText } from '../api.js';
import { describe, description } from '../descriptions.js';
import { numbers, sorted } from '../stack.js';

const PARAMETRIC_MAP = '1.2.840.10008.5.1.4.1.1.30';
const MEANINGS = { INTERVAL_90: 'the true value lies within this distance in 90 % of voxels', UNCERTAINTY: 'standard deviation of the samples' };  // by Content Label, the best first
const LABELS = Object.keys(MEANINGS);
const FLOATS = { element: '7fe0-0008', Values: Float32Array, parts: 16 };  // parts of a HU that are kept, in two bytes
const WHOLE_HU = { element: '7fe0-0010/0', Values: Uint16Array, parts: 1 };
const BUDGET = 200e6;  // bytes; of a bigger map every second (third, ...) row and column is kept

/** Return the instance of the map that belongs to a result, null when there is none.
 *
 * result: any instance of it; both carry the time of the run that made them.
 */
export async function findMap(source, resultSeries, resultInstance) {
  const siblings = (description(source)?.siblings || []).filter((one) => one !== resultSeries);
  await describe(siblings);
  const single = siblings.filter((one) => description(one)?.instances === 1);
  const run = runOf(await getJson(`instances/${resultInstance}/simplified-tags`));
  const found = (await Promise.all(single.map((series) => mapOf(series, run)))).filter(Boolean);
  const rank = ({ tags }) => LABELS.indexOf(tags.ContentLabel);
  return found.sort((a, b) => rank(a) - rank(b))[0] || null;
}

async function mapOf(series, run) {
  const [instance] = (await getJson(`series/${series}`)).Instances;
  if ((await getText(`instances/${instance}/metadata/SopClassUid`)).trim() !== PARAMETRIC_MAP) { return null; }
  const tags = await getJson(`instances/${instance}/simplified-tags`);
  return run && runOf(tags) === run && LABELS.includes(tags.ContentLabel) ? { series, instance, tags } : null;
}

function runOf(tags) { return tags.ContentTime ? `${tags.ContentDate} ${tags.ContentTime}` : ''; }

/** Return why there is no map, for people; parameters and report are those of the run. */
export function whyNoMap(parameters, report) {
  const samples = parameters?.samples || 1;
  if (samples > 1 || report?.interval_rms_hu_by_tissue) { return 'There is no map of the uncertainty in the archive, though this run computed one: it was deleted, or maps are switched off (NULLSPLAT_PARAMETRIC_MAPS=never).'; }
  return 'There is no map of the uncertainty: the prior of this run states no calibrated intervals, and a single sample was computed, which has no spread. Another prior, or two samples or more (setting Samples), give one.';
}

/** Return a map: what it shows, its window, and its frames as images sorted along `normal`. */
export async function loadMap({ instance, tags }, normal, stopped) {
  const shared = tags.SharedFunctionalGroupsSequence[0];
  const stored = tags.BitsAllocated === '16' ? WHOLE_HU : FLOATS;
  const grid = {
    rows: Number(tags.Rows), columns: Number(tags.Columns), spacing: numbers(shared.PixelMeasuresSequence[0].PixelSpacing),
    orientation: numbers(shared.PlaneOrientationSequence[0].ImageOrientationPatient), slope: 1 / stored.parts, intercept: 0,
  };
  const origins = tags.PerFrameFunctionalGroupsSequence.map((frame) => numbers(frame.PlanePositionSequence[0].ImagePositionPatient));
  const step = Math.ceil(Math.sqrt(2 * grid.rows * grid.columns * origins.length / BUDGET));
  const values = await readFrames(await getStream(`instances/${instance}/content/${stored.element}`), stored, grid, origins.length, step, stopped);
  const coarse = { ...grid, rows: Math.ceil(grid.rows / step), columns: Math.ceil(grid.columns / step), spacing: grid.spacing.map((one) => one * step) };
  const frames = sorted(values.map((one, index) => ({ ...coarse, origin: origins[index], values: one })), normal);
  return { frames, window: windowOf(shared), words: [MEANINGS[tags.ContentLabel], step > 1 && `one pixel of ${step} x ${step}`].filter(Boolean).join(', ') };
}

function windowOf(shared) {
  const { WindowCenter: centre, WindowWidth: width } = shared.FrameVOILUTSequence?.[0] || {};
  return centre === undefined ? null : { centre: Number(centre), width: Number(width) };
}

/** Return the frames of a stream of little-endian values; no more than one frame of them is held at a time. */
async function readFrames(stream, stored, { rows, columns }, count, step, stopped) {
  const frame = new Uint8Array(stored.Values.BYTES_PER_ELEMENT * rows * columns);
  const frames = [];
  let filled = 0;
  for await (const chunk of chunksOf(stream)) {
    if (stopped()) { break; }
    for (let used = 0; used < chunk.length;) {
      const part = chunk.subarray(used, used + frame.length - filled);
      frame.set(part, filled);
      [used, filled] = [used + part.length, filled + part.length];
      if (filled === frame.length) { filled = 0; frames.push(kept(new stored.Values(frame.buffer), stored.parts, rows, columns, step)); }
    }
  }
  if (frames.length !== count && !stopped()) { throw new Error(`a map of ${count} frames of ${rows} x ${columns} pixels was needed, ${frames.length} came; load the page again`); }
  return frames;
}

async function* chunksOf(stream) {
  const reader = stream.getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) { yield part.value; }
  } finally {
    await reader.cancel();
  }
}

function kept(values, parts, rows, columns, step) {
  const made = new Uint16Array(Math.ceil(rows / step) * Math.ceil(columns / step));
  let next = 0;
  for (let row = 0; row < rows; row += step) {
    for (let column = 0; column < columns; column += step) { made[next++] = Math.min(65535, Math.round(parts * Math.abs(values[row * columns + column]))); }
  }
  return made;
}
