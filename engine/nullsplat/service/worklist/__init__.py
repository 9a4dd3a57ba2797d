"""The jobs as DICOM workitems (PS3.4 annex CC), whatever brings them to the network."""
