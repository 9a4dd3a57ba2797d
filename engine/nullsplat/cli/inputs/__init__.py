"""What several commands read: CTs, and radiographs of an archive."""
