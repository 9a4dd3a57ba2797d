"""Volumes in files that are not DICOM: NIfTI and NRRD."""
