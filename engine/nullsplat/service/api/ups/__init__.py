"""The worklist over HTTP: UPS-RS (PS3.18 chapter 11)."""
