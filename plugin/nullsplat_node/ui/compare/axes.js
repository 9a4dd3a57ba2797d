// SPDX-License-Identifier: AGPL-3.0-or-later
// From the samples of one axis to those of another: which is nearest, and between which two a sample lies.

/** Return, for every position (mm), where it lies among the sorted `samples` (mm).
 *
 * low, weight: it lies `weight` of the way from sample `low` to the one after it.
 * near: the nearest sample, of two the first. All are -1 further than `margin` mm outside; up to there the last sample counts.
 */
export function between(positions, samples, margin) {
  const made = blank(positions.length);
  const last = samples.length - 1;
  positions.forEach((position, index) => {
    if (last < 0 || position < samples[0] - margin || position > samples[last] + margin) { return; }
    let low = samples.findLastIndex((sample) => sample <= position);
    low = Math.min(Math.max(0, low), Math.max(0, last - 1));
    const weight = last ? clamp((position - samples[low]) / (samples[low + 1] - samples[low])) : 0;
    set(made, index, low, weight, Math.min(last, low + (weight > 0.5 ? 1 : 0)));
  });
  return made;
}

/** Return the same for two regular grids, in pixels: `offset` is where the first begins, in mm from the beginning of the other. */
export function betweenPixels(count, spacing, offset, otherCount, otherSpacing) {
  const made = blank(count);
  for (let index = 0; index < count; index++) {
    const at = (offset + index * spacing) / otherSpacing;
    const near = Math.round(at);
    if (near < 0 || near >= otherCount) { continue; }
    const low = Math.min(Math.max(0, Math.floor(at + 1e-4)), Math.max(0, otherCount - 2));
    const weight = otherCount > 1 ? clamp(at - low) : 0;
    set(made, index, low, weight < 1e-3 ? 0 : weight, near);
  }
  return made;
}

function blank(count) { return { low: new Int32Array(count).fill(-1), weight: new Float32Array(count), near: new Int32Array(count).fill(-1) }; }

function set(made, index, low, weight, near) { [made.low[index], made.weight[index], made.near[index]] = [low, weight, near]; }

function clamp(value) { return Math.min(1, Math.max(0, value)); }
