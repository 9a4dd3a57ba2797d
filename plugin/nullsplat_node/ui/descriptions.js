// SPDX-License-Identifier: AGPL-3.0-or-later
// What Orthanc knows about series and their patients, asked for once for each series.

import { postJson } from './api.js';
import { dicomDate, personName } from './words.js';

const known = new Map();  // series identifier to its description, null while it is asked for or not there

/** Return what is known about a series by now. */
export function description(series) { return known.get(series) || null; }

/** Ask Orthanc about those of `series` that are not known yet; return whether anything new came. */
export async function describe(series) {
  const unknown = series.filter((one) => !known.has(one));
  if (!unknown.length) { return false; }
  unknown.forEach((one) => known.set(one, null));
  try {
    await fetchDescriptions(unknown);
  } catch (error) {
    unknown.forEach((one) => known.delete(one));
    throw error;
  }
  return true;
}

async function fetchDescriptions(series) {
  const ask = (Level) => postJson('tools/bulk-content', { Resources: series, Level, Metadata: false });
  const [found, studies] = await Promise.all([ask('Series'), ask('Study')]);
  const byId = new Map(studies.map((study) => [study.ID, study]));
  found.forEach((one) => known.set(one.ID, shown(one, byId.get(one.ParentStudy))));
}

function shown(series, study) {
  const tags = series.MainDicomTags;
  const patient = study?.PatientMainDicomTags || {};
  return {
    series: series.ID,
    title: tags.SeriesDescription || tags.ProtocolName || 'Series without a description',
    modality: tags.Modality || '',
    number: tags.SeriesNumber || '',
    instances: series.Instances.length,
    patientName: personName(patient.PatientName),
    patientId: patient.PatientID || '',
    studyDate: dicomDate(study?.MainDicomTags.StudyDate),
    study: study?.MainDicomTags.StudyDescription || '',
    seriesUid: tags.SeriesInstanceUID || '',
    studyUid: study?.MainDicomTags.StudyInstanceUID || '',
    siblings: (study?.Series || []).filter((one) => one !== series.ID),
  };
}

/** Return the line about patient and study. */
export function patientLine(about) {
  return [about.patientName, about.patientId && `ID ${about.patientId}`, about.studyDate].filter(Boolean).join(' · ');
}
