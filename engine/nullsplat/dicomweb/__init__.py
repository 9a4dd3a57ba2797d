"""The archive over DICOMweb: connection, search, retrieval, storage, and radiographs to learn from."""
