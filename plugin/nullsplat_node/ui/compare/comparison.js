// SPDX-License-Identifier: AGPL-3.0-or-later
// What is compared: source and result, what was added between them, and how sure the result is.

import { between } from './axes.js';
import { Grid, Sampler } from './planes.js';
import { Volume } from './volume.js';
import { loadStack } from '../stack.js';

export const NAMES = { source: 'Source', result: 'Super-resolved', difference: 'Added detail', uncertainty: 'Uncertainty', interpolated: 'Source, interpolated' };

/** Return the comparison of a source with its result, which may be null.
 *
 * Raises: an error for people where the images do not say where they lie.
 */
export async function openComparison(sourceSeries, resultSeries) {
  const result = resultSeries ? new Volume(resultSeries, await loadStack(resultSeries)) : null;
  const source = new Volume(sourceSeries, await loadStack(sourceSeries, result?.normal));
  const lead = result || source;
  if (!lead.count || !source.count) { throw new Error('These images do not state their position (Image Position (Patient) is missing), so they cannot be compared.'); }
  const middle = await lead.image(Math.floor(lead.count / 2));
  return new Comparison(source, result, new Grid(lead, middle));
}

/** Source, result and map on the result's grid; on the source's while there is no result. */
export class Comparison {
  constructor(source, result, grid) {
    Object.assign(this, { source, result, grid, map: null, sampler: new Sampler(grid) });
    this.lead = result || source;
    this.onSource = between(grid.positions, source.positions, Math.max(reach(source.positions), reach(grid.positions)));
  }

  /** Take in the map: its frames as images, sorted. */
  setMap(map) {
    this.map = map;
    this.onMap = between(this.grid.positions, map.frames.map((frame) => frame.position), reach(this.grid.positions));
  }

  /** Return whether pictures of a name can be drawn. */
  has(name) { return name === 'source' || (name === 'uncertainty' ? Boolean(this.map) : Boolean(this.result)); }

  /** Fetch what a slice needs. */
  async fetch(k) {
    const { low, near, weight } = this.onSource;
    const wanted = new Set([near[k], low[k], weight[k] ? low[k] + 1 : low[k]].filter((index) => index >= 0));
    await Promise.all([this.lead.image(k), ...[...wanted].map((index) => this.source.image(index))]);
  }

  /** Fetch everything, so that planes across the slices can be cut: the source first, it has fewer slices. */
  async fetchAll(loaded) {
    for (const volume of new Set([this.source, this.lead])) { await volume.loadAll(loaded); }
  }

  /** Return which part of all slices has come, 0 to 1. */
  get loaded() {
    const volumes = [...new Set([this.source, this.lead])];
    return volumes.reduce((sum, one) => sum + one.arrived, 0) / volumes.reduce((sum, one) => sum + one.count, 0);
  }

  /** Fetch no more. */
  stop() { [this.source, this.lead].forEach((volume) => volume.stop()); }

  /** Return the HU of `name` on a plane. */
  values(name, plane) {
    return {
      source: () => this.sampler.nearest(plane, (k) => nearestOf(this.source, this.onSource.near[k])),
      result: () => this.sampler.nearest(plane, (k) => nearestOf(this.lead, k)),
      interpolated: () => this.sampler.trilinear(plane, (k) => this.pair(k)),
      difference: () => this.added(plane),
      uncertainty: () => this.sampler.nearest(plane, (k) => this.map.frames[this.onMap.near[k]] ?? null),
    }[name]();
  }

  /** What was added: the result minus the source interpolated at the result's own positions; nothing where a slice is still missing. */
  added(plane) {
    const result = this.sampler.nearest(plane, (k) => this.lead.at(k));
    const interpolated = this.values('interpolated', plane);
    return result.map((value, index) => value - interpolated[index]);
  }

  pair(k) {
    const { low, weight } = this.onSource;
    if (low[k] < 0) { return null; }
    const [first, second] = [this.source.at(low[k]), weight[k] ? this.source.at(low[k] + 1) : this.source.at(low[k])];
    return first && second && { low: first, high: second, weight: weight[k] };
  }
}

function nearestOf(volume, index) { return index < 0 ? null : volume.nearestTo(index); }

/** Half of what lies between two slices and a little more: so far beyond the last one a slice still reaches. */
function reach(positions) {
  const gaps = positions.slice(1).map((position, index) => position - positions[index]);
  return gaps.length ? 0.51 * Math.max(...gaps) : 1;
}
