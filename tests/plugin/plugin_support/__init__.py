"""What the plugin's tests share: small CT series, an engine that keeps to the contract, and a running node."""
