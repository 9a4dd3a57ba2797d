"""Volumes in and out, whatever they are kept in: DICOM folders, NIfTI, NRRD."""
