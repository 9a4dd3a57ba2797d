"""A volume out, as derived series, maps, reports, blinded copies and synthetic scans."""
