"""What the Orthanc plugin and the engine say to each other: one JSON Schema, tested from both sides."""
