"""The protocol between the Orthanc plugin and the engine: one JSON Schema, tested from both sides."""
