"""What the browser tests share: Orthanc as a browser sees it, the plugin loaded over it, and Chromium."""
