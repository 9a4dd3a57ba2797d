// SPDX-License-Identifier: AGPL-3.0-or-later
// Figures of a run, with what they mean.

import { element } from './dom.js';
import { sentence } from './words.js';

const FIGURES = {
  lr_consistency_rmse_hu: ['Agreement with the source', (hu) => `${hu.toFixed(1)} HU RMSE when brought back to the source's resolution`],
  unmeasured_share: ['Gaps between slices', (share) => `${Math.round(100 * share)} % of the length was never measured; what is shown there is the model’s alone`],
  lr_consistency_max_hu: ['Largest disagreement', (hu) => `${hu.toFixed(1)} HU`],
  noise_hu: ['Noise of the source', (hu) => `${hu.toFixed(1)} HU`],
  null_space_rms_hu: ['What was added', (hu) => `${hu.toFixed(1)} HU rms that the source does not determine`],
};

/** Return what was decided and measured, as a list of terms; of a result, what was measured when it was made from `source`. */
export function facts(details, source) {
  const report = (source || details).derived?.report || {};
  const rows = [...decided(source ? { ...source, code: details.code } : details), ...measured(report), ...remarked(report)];
  if (!rows.length) { return []; }
  return [element('h2', { textContent: 'Facts' }), element('dl', {}, rows.map(([term, text]) => [element('dt', { textContent: term }), element('dd', { textContent: text })]))];
}

function decided({ decision, code, job, derived }) {
  const parameters = job?.parameters;
  return [
    ['Decision', sentence(decision)],
    ['Code', code],
    ['Preset', parameters && `${parameters.preset}, ${parameters.samples || 1} sample${parameters.samples > 1 ? 's' : ''}, seed ${parameters.seed || 0}`],
    ['Scale (z, y, x)', parameters?.scale.join(' × ')],
    ['Result', derived?.instances && `${derived.instances} slices`],
    ['Job', job && `${job.key.slice(0, 12)}…, attempt ${job.attempt}`],
  ].filter(([, text]) => text);
}

function measured(report) {
  const figures = Object.entries(FIGURES).filter(([name]) => typeof report[name] === 'number').map(([name, [term, words]]) => [term, words(report[name])]);
  return [...figures, ...intervals(report), ...profile(report.slice_profile), ...unfamiliar(report)];
}

/** Return how far from the truth a voxel may be. */
function intervals({ interval_rms_hu_by_tissue: byTissue, interval_coverage: coverage }) {
  const tissues = Object.entries(byTissue || {}).map(([tissue, hu]) => `${tissue.replaceAll('_', ' ')} ±${hu.toFixed(0)} HU`);
  return tissues.length ? [['90 % interval', `${tissues.join(', ')} (rms of the half width)${coverage ? `; ${coverage}` : ''}`]] : [];
}

/** Return what the engine took a slice and, where it refined the axial plane, a pixel for, and a warning where the series itself contradicts it. */
function profile(assumed) {
  if (!assumed) { return []; }
  const { profile: name, fwhm_mm: mm, why, check, in_plane: pixel } = assumed;
  const supported = check?.verdict === 'supported' ? '; the noise of neighbouring slices supports it' : '';
  const rows = [['Slice profile', `${name}${mm ? `, FWHM ${mm.toFixed(1)} mm` : ''} (${why})${supported}`]];
  if (pixel) { rows.push(['Pixel profile', pixel]); }
  if (check?.verdict === 'contradicted') { rows.push(['Warning', `The data contradict this slice profile, so that edges across slices may be wrong: ${check.why}`]); }
  return rows;
}

/** Return a warning where the series is of a kind that the prior was not trained on. */
function unfamiliar({ outside_training: reasons }) {
  return reasons ? [['Warning', `The series lies outside what the network was trained on; how far the result can be wrong is not known: ${reasons}`]] : [];
}

function remarked({ source_remarks: remarks }) { return remarks ? [['About the source', sentence(remarks)]] : []; }
