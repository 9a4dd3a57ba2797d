"""A node of child processes on one machine: Orthanc with the plugin, the engine, a PACS, a scanner."""
