"""DICOM: a CT series in, or a named refusal; derived series, maps and reports out."""
