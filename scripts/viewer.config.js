// OHIF's configuration for a NullSplat node; scripts/viewer.py puts it beside the viewer as app-config.js.
// Every option: https://docs.ohif.org/configuration/configurationfiles
window.PUBLIC_URL = '/ohif-app/';
window.browserImportFunction = (name) => import(name);

// Source and result side by side, one window and one place in the patient; the pages of the node ask for it by its name.
// A result is known by its label, which ends in RESEARCH] in this version and in those before.
const LABEL = 'RESEARCH]';
const hung = (id) => ({
  viewportOptions: {
    toolGroupId: 'default', allowUnmatchedView: true,
    syncGroups: ['imageSlice', 'voi', 'zoompan'].map((type) => ({ type, id: `nullsplat-${type}`, source: true, target: true })),
  },
  displaySets: [{ id }],
});
const images = (constraint) => ({
  seriesMatchingRules: [
    { attribute: 'Modality', constraint: { equals: { value: 'CT' } }, required: true },
    { attribute: 'SeriesDescription', constraint, weight: 10, required: true },
  ],
});
const sideBySide = {
  id: 'nullsplat', name: 'Source and super-resolved', locked: true, isPreset: true, protocolMatchingRules: [], toolGroupIds: ['default'], numberOfPriorsReferenced: 0,
  displaySetSelectors: { source: images({ doesNotContain: { value: LABEL } }), result: images({ contains: { value: LABEL } }) },
  stages: [{
    name: 'source | result', viewportStructure: { layoutType: 'grid', properties: { rows: 1, columns: 2 } }, viewports: [hung('source'), hung('result')],
  }],
};

window.config = {
  name: 'nullsplat',
  routerBasename: '/ohif',
  extensions: [{ id: 'nullsplat', getHangingProtocolModule: () => [{ name: sideBySide.id, protocol: sideBySide }] }],
  modes: [],
  customizationService: { 'ohif.tours': { $set: [] } },  // no tour stands before the images
  showStudyList: true,
  // Fewer than OHIF's own, so that Orthanc has threads left for scanners and the engine.
  maxNumberOfWebWorkers: 2,
  maxNumRequests: { interaction: 20, thumbnail: 3, prefetch: 6 },
  showLoadingIndicator: true,
  showWarningMessageForCrossOrigin: true,
  showCPUFallbackMessage: true,
  strictZSpacingForVolumeViewport: true,
  showErrorDetails: 'always',
  // Research use only: OHIF says so at every start until the person confirms.
  investigationalUseDialog: { option: 'always' },
  defaultDataSourceName: 'nullsplat',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'nullsplat',
      configuration: {
        friendlyName: 'Orthanc of this node',
        name: 'nullsplat',
        qidoRoot: '/dicom-web',
        wadoRoot: '/dicom-web',
        wadoUriRoot: '/wado',
        qidoSupportsIncludeField: false,
        supportsReject: false,
        supportsFuzzyMatching: false,
        supportsWildcard: true,
        imageRendering: 'wadors',
        thumbnailRendering: 'wadors',
        enableStudyLazyLoad: true,
        dicomUploadEnabled: false,
        omitQuotationForMultipartRequest: true,
        bulkDataURI: { enabled: true },
      },
    },
  ],
};
