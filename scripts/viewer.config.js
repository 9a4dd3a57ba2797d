// OHIF's configuration for a NullSplat node; scripts/viewer.py puts it beside the viewer as app-config.js.
// Every option: https://docs.ohif.org/configuration/configurationfiles
window.PUBLIC_URL = '/ohif-app/';
window.browserImportFunction = (name) => import(name);

// Source and result side by side, at one place in the patient, and beside them the map of the intervals where its stage is asked for.
// The pages of the node ask for protocol and stage by their names: OHIF takes the first stage otherwise, however few images fit the others.
// A result is known by its label, which ends in RESEARCH] in this version and in those before.
const LABEL = 'RESEARCH]';
const MAP_MARK = 'INTERVAL RESEARCH]';
const hung = (id, together, options = {}) => ({
  viewportOptions: {
    toolGroupId: 'default', allowUnmatchedView: true,
    syncGroups: together.map((type) => ({ type, id: `nullsplat-${type}`, source: true, target: true })),
  },
  displaySets: [{ id, options }],
});
const series = (modality, constraint) => ({
  seriesMatchingRules: [
    { attribute: 'Modality', constraint: { equals: { value: modality } }, required: true },
    { attribute: 'SeriesDescription', constraint, weight: 10, required: true },
  ],
});
// The palette that a map names (PS3.6 B.1.1), which OHIF ignores; what OHIF calls hot_iron is another one. Black at 0, red, white at the window's end.
const HOT_IRON = { ColorSpace: 'RGB', Name: 'dicom_hot_iron', RGBPoints: [[0, 0, 0, 0], [128 / 255, 1, 0, 0], [191 / 255, 1, 0.5, 0], [1, 1, 1, 1]].flat() };
const PLACE = ['imageSlice', 'zoompan'];
const pair = ['source', 'result'].map((id) => hung(id, [...PLACE, 'voi']));
const stage = (id, viewports) => ({ id, name: id, viewports, viewportStructure: { layoutType: 'grid', properties: { rows: 1, columns: viewports.length } } });
const sideBySide = {
  id: 'nullsplat', name: 'Source and super-resolved', locked: true, isPreset: true, protocolMatchingRules: [], toolGroupIds: ['default'], numberOfPriorsReferenced: 0,
  displaySetSelectors: {
    source: series('CT', { doesNotContain: { value: LABEL } }), result: series('CT', { contains: { value: LABEL } }), map: series('OT', { contains: { value: MAP_MARK } }),
  },
  stages: [stage('pair', pair), stage('intervals', [...pair, hung('map', PLACE, { colormap: { name: HOT_IRON.Name } })])],
};

// OHIF has a handler of its own for Parametric Maps, which reads Float Pixel Data alone and draws over the images that a map refers to.
// A map of whole HU is a stack of images like any other, with a window and a place for each frame; this hands it to OHIF's handler of those.
const MAPS = 'nullsplat.sopClassHandlerModule.maps';
const maps = ({ extensionManager }) => [{
  name: 'maps', sopClassUids: ['1.2.840.10008.5.1.4.1.1.30'],
  getDisplaySetsFromSeries(instances) {
    if (!instances.every((one) => one.BitsAllocated === 16)) { return []; }  // OHIF's own is asked next
    const made = extensionManager.getModuleEntry('@ohif/extension-default.sopClassHandlerModule.stack').getDisplaySetsFromSeries(instances);
    made.forEach((one) => one.setAttribute('SOPClassHandlerId', MAPS));
    return made;
  },
}];
const showMaps = {
  sopClassHandlers: { $unshift: [MAPS] },
  routes: { 0: { layoutInstance: { props: { viewports: { 0: { displaySetsToDisplay: { $push: [MAPS] } } } } } } },
};

window.config = {
  name: 'nullsplat',
  routerBasename: '/ohif',
  extensions: [{
    id: 'nullsplat', preRegistration: () => window.cornerstone.utilities.colormap.registerColormap(HOT_IRON),
    getHangingProtocolModule: () => [{ name: sideBySide.id, protocol: sideBySide }], getSopClassHandlerModule: maps,
  }],
  modes: [],
  modesConfiguration: { '@ohif/mode-longitudinal': showMaps, '@ohif/mode-basic': showMaps },
  // No tour stands before the images, and no map (of modality OT) plays as a film.
  customizationService: { 'ohif.tours': { $set: [] }, autoCineModalities: { $set: ['US'] } },
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
