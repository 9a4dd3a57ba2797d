// OHIF's configuration for a NullSplat node; scripts/viewer.py puts it beside the viewer as app-config.js.
// Every option: https://docs.ohif.org/configuration/configurationfiles
window.PUBLIC_URL = '/ohif-app/';
window.browserImportFunction = (name) => import(name);
window.config = {
  name: 'nullsplat',
  routerBasename: '/ohif',
  extensions: [],
  modes: [],
  customizationService: {},
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
